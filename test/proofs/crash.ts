/**
 * A conversation survives the kill -9 of its process at any moment, in each store that several processes can share.
 *
 * `npm run prove -- crash [--scale small|full]`, on SQLite, Redis and PostgreSQL, those that are there. A process talks with a model
 * in several conversations at once, in which the model calls tools, and is killed at a random moment. The next process goes on
 * with the same conversations. The model is a server of OpenAI's and Anthropic's protocols in turn, and is as strict as they are.
 * Full kills 500 processes on each store, small two.
 * - Every append that was acknowledged is in the history, once and in order. Every acknowledged result is there.
 * - No request is rejected, and the history after each kill is accepted by the strict validators of both protocols.
 * - A file to which each run of a tool is written at once has no call twice.
 * - In the end, one sweep leaves no row and no key, and no lease is held.
 */
import { Conversation, ConversationStore } from "@clawback/agent"
import { LeaseStore } from "@clawback/core"
import { Behavior, Dialect, FaultyProvider } from "@clawback/testing"
import { Console, Effect, Layer } from "effect"
import type { Prompt } from "effect/ai"
import { type ChildProcess, fork } from "node:child_process"
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { env } from "node:process"
import { setTimeout } from "node:timers/promises"
import type { Report, Task } from "../support/crashProgram.ts"
import * as Stores from "../support/crashStores.ts"
import * as Proof from "../support/proof.ts"
import { seeded } from "../support/random.ts"
import { scale } from "../support/scale.ts"
import { objections } from "../support/strictHistory.ts"

const isSmall = scale() === "small"
const kills = isSmall ? 2 : 500
const together = isSmall ? 3 : 6
/** After this many kills, a process gets other conversations, so that histories stay short. */
const killsEach = 4
const leaseTtl = 400
/** A kill comes after so many reports, and up to so many milliseconds. */
const leastReports = isSmall ? 15 : 0
const mostReports = 40
const longest = 8

const random = seeded(0xc4a54)

/** What processes have reported of a conversation. */
interface Known {
  readonly texts: Array<string>
  readonly calls: Set<string>
}

class Truth {
  readonly known = new Map<string, Known>()
  readonly faults: Array<string> = []
  readonly accepted: Record<string, number> = {}
  acknowledged = 0

  of(conversation: string): Known {
    let known = this.known.get(conversation)
    if (known === undefined) this.known.set(conversation, known = { texts: [], calls: new Set() })
    return known
  }

  hear(report: Report): void {
    switch (report._tag) {
      case "appended":
        this.of(report.conversation).texts.push(...report.texts)
        this.acknowledged += report.texts.length
        break
      case "ran":
        this.of(report.conversation).calls.add(report.call)
        break
      case "accepted":
        this.accepted[report.provider] = (this.accepted[report.provider] ?? 0) + 1
        break
      case "failed":
        this.faults.push(`${report.conversation}: ${report.detail}`)
        break
      case "ready":
      case "opened":
        break
    }
  }
}

/** The model calls tools twice, and then answers. */
const say = ({ messages }: Parameters<Dialect.Options["say"]>[0]): Dialect.Said => {
  const since = messages.length - 1 - messages.findLastIndex(({ role }) => role === "user")
  const rounds = messages.slice(-since || messages.length).filter(({ role }) => role === "assistant").length
  if (rounds >= 2) return `answer ${randomUUID()}`
  const count = 1 + Math.floor(random() * 2)
  return Dialect.toolCalls(
    Array.from({ length: count }, () => ({ name: "count", parameters: { what: "sheep" }, id: `call-${randomUUID()}` }))
  )
}

const textsOf = ({ content }: Prompt.Prompt): ReadonlyArray<string> =>
  content.flatMap((message) =>
    message.role === "assistant" || message.role === "user"
      ? message.content.flatMap((part) => part.type === "text" ? [part.text] : [])
      : []
  )

const resultsOf = ({ content }: Prompt.Prompt): ReadonlyMap<string, boolean> =>
  new Map(content.flatMap((message) =>
    message.role === "tool"
      ? message.content.flatMap((part) => part.type === "tool-result" ? [[part.id, !part.isFailure] as const] : [])
      : []
  ))

/** Compares a history with what was acknowledged. */
const judge = Effect.fnUntraced(function*(truth: Truth, id: string) {
  const { history } = yield* Conversation.read(id)
  const { calls, texts } = truth.of(id)
  const wrong = objections(history)
  if (wrong.length > 0) truth.faults.push(`${id}: ${wrong.join("; ")}`)
  const present = textsOf(history)
  let at = -1
  for (const text of texts) {
    const next = present.indexOf(text)
    if (next <= at || next !== present.lastIndexOf(text)) truth.faults.push(`${id}: ${text} is lost, late or twice`)
    at = next
  }
  const results = resultsOf(history)
  for (const call of calls) if (results.get(call) !== true) truth.faults.push(`${id}: the result of ${call} is lost`)
})

const spare = (): ChildProcess =>
  fork(join(import.meta.dirname, "../support/crashProgram.ts"), [], {
    execArgv: ["--conditions=@clawback/source"],
    env: { ...env, NODE_COMPILE_CACHE: join(import.meta.dirname, "../../node_modules/.cache/compiled") },
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })

/** Runs a process until a random moment. */
const life = async (child: ChildProcess, task: Task, truth: Truth): Promise<void> => {
  const isReady = Promise.withResolvers<void>()
  const isAtWork = Promise.withResolvers<void>()
  let left = leastReports + Math.floor(random() * (mostReports - leastReports))
  child.on("message", (report: Report) => {
    truth.hear(report)
    if (report._tag === "ready") isReady.resolve()
    else if (left-- <= 0) isAtWork.resolve()
  })
  const ended = Promise.all([once(child, "exit"), once(child, "disconnect")])
  const dies = ended.then(() => {
    throw new Error("A process ended before it was killed")
  })
  dies.catch(() => {})
  await Promise.race([isReady.promise, dies])
  child.send(task)
  await Promise.race([isAtWork.promise, dies])
  await setTimeout(random() * longest)
  child.kill("SIGKILL")
  await ended
}

/** The conversations of a life. Those of the life before have a lease that has to expire. */
const conversationsOf = (life: number): ReadonlyArray<string> =>
  Array.from(
    { length: together },
    (_, slot) => `${life % 2 === 0 ? "even" : "odd"}-${Math.floor(life / 2 / killsEach)}-${slot}`
  )

/** Lets everything expire, and sweeps once. */
const swept = Effect.fnUntraced(function*(place: Stores.Place, ids: ReadonlyArray<string>) {
  const store = yield* ConversationStore.ConversationStore
  const leases = yield* LeaseStore.LeaseStore
  yield* Effect.sleep(leaseTtl)
  let held = 0
  for (const id of ids) {
    yield* store.load(id, { touch: { idle: 100, absolute: undefined } })
    held += (yield* leases.holders(`conversation/${id}`)).length
  }
  yield* Effect.sleep(1500)
  yield* store.sweep
  return { held, left: yield* Stores.left(place) }
})

const prove = (kind: Stores.Kind, url: string) =>
  Effect.gen(function*() {
    const folder = mkdtempSync(join(tmpdir(), "clawback-runs-"))
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true, force: true })))
    const runs = join(folder, "runs")
    const place = yield* Stores.place(kind)
    const truth = new Truth()
    let next = spare()
    yield* Effect.addFinalizer(() => Effect.sync(() => next.kill("SIGKILL")))
    const stores = Stores.layer(place)
    return yield* Effect.gen(function*() {
      for (let kill = 0; kill < kills; kill++) {
        const child = next
        next = spare()
        const conversations = conversationsOf(kill)
        const task: Task = { place, url, conversations, runs, leaseTtl, life: kill }
        yield* Effect.promise(() => life(child, task, truth))
        for (const id of conversations) yield* judge(truth, id)
        if (truth.faults.length > 0) break
        if (kill % 50 === 49) yield* Console.log(`${kind}: ${kill + 1} kills, ${truth.acknowledged} acknowledged`)
      }
      next.kill("SIGKILL")
      const ids = [...truth.known.keys()]
      for (const id of ids) yield* judge(truth, id)
      const started = existsSync(runs) ? readFileSync(runs, "utf8").split("\n").filter((line) => line !== "") : []
      const { held, left } = yield* swept(place, ids)
      const figures = {
        kind,
        kills,
        conversations: ids.length,
        acknowledged: truth.acknowledged,
        accepted: truth.accepted,
        runs: started.length,
        runTwice: started.length - new Set(started).size,
        held,
        left,
        faults: truth.faults.slice(0, 5)
      }
      yield* Console.log(JSON.stringify(figures))
      const isEmpty = Object.values(left).every((count) => count === 0)
      return {
        ...figures,
        met: truth.faults.length === 0 && figures.runTwice === 0 && held === 0 && isEmpty && truth.acknowledged > 0
      }
    }).pipe(Effect.provide(Conversation.layer().pipe(Layer.provideMerge(stores))))
  }).pipe(Effect.scoped)

const program = Effect.gen(function*() {
  const provider = yield* FaultyProvider.make({
    handler: Dialect.handler({ say, keys: ["sk-test"] }),
    otherwise: Behavior.status(404),
    keep: 16
  })
  const kinds = (["sqlite", "redis", "postgres"] as const).filter((kind) => Stores.isAvailable[kind])
  const results = yield* Effect.forEach(kinds, (kind) => prove(kind, provider.url), { concurrency: isSmall ? 3 : 1 })
  return { met: results.every(({ met }) => met), skipped: 3 - kinds.length, results }
})

Proof.run("crash", isSmall ? 55 : 3 * 3600, program)
