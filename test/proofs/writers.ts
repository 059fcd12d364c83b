/**
 * Many writers append to one conversation, in two processes that are killed at random moments.
 *
 * `npm run prove -- writers [--scale small|full]`, on SQLite, and on Redis and PostgreSQL where they are. Two processes at a time
 * have 50 writers each (small: 10); a process that is killed (`kill -9`) or has ended is followed by another one. Half of the
 * processes are killed. Writers only use the store's compare-and-set and operation ids, and no lease.
 * - Each reported success is in the history once, and no operation is there twice.
 * - At least 90 % of the writers in processes that were not killed succeed with all of their appends.
 */
import { Console, Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execPath } from "node:process"
import { text } from "node:stream/consumers"
import * as Postgres from "../support/postgres.ts"
import * as Proof from "../support/proof.ts"
import { seeded } from "../support/random.ts"
import * as Redis from "../support/redis.ts"
import { scale } from "../support/scale.ts"
import { open, type Place } from "../support/writersStore.ts"

const isSmall = scale() === "small"
const writersEach = isSmall ? 10 : 50
const appendsEach = isSmall ? 2 : 4
/** How many processes follow each other in each of the two places. */
const generations = isSmall ? 1 : 4

interface Outcome {
  readonly isKilled: boolean
  readonly lines: ReadonlyArray<string>
}

const program = join(import.meta.dirname, "../support/writersProgram.ts")

/** Runs a process, and kills it after some of its successes, if it is to be killed. */
const runProcess = async (place: Place, name: string, killAfter: number | undefined): Promise<Outcome> => {
  const child = spawn(
    execPath,
    ["--conditions=@clawback/source", program, JSON.stringify(place), name, `${writersEach}`, `${appendsEach}`],
    { stdio: ["ignore", "pipe", "inherit"] }
  )
  let seen = 0
  child.stdout.on("data", (chunk: Buffer) => {
    seen += chunk.toString().split("ok ").length - 1
    if (killAfter !== undefined && seen >= killAfter) child.kill("SIGKILL")
  })
  const [output, [, signal]] = await Promise.all([text(child.stdout), once(child, "exit")])
  // A line that was cut off by the end was not reported.
  return { isKilled: signal === "SIGKILL", lines: output.split("\n").slice(0, -1) }
}

const judge = (outcomes: ReadonlyArray<Outcome>, history: ReadonlyArray<string>) => {
  const counts = new Map<string, number>()
  for (const entry of history) counts.set(entry, (counts.get(entry) ?? 0) + 1)
  const reported = outcomes.flatMap(({ lines }) =>
    lines.filter((line) => line.startsWith("ok ")).map((line) => line.slice(3))
  )
  const untouched = outcomes.filter(({ isKilled }) => !isKilled)
  const done = untouched.flatMap(({ lines }) => lines.filter((line) => line.startsWith("done"))).length
  return {
    processes: outcomes.length,
    killed: outcomes.length - untouched.length,
    reported: reported.length,
    inHistory: history.length,
    lost: reported.filter((operation) => counts.get(operation) !== 1).length,
    twice: [...counts.values()].filter((count) => count > 1).length,
    succeeded: Number((done / Math.max(1, untouched.length * writersEach)).toFixed(3))
  }
}

const prove = Effect.fnUntraced(function*(place: Place) {
  const random = seeded(place._tag.length)
  const store = yield* open(place)
  const since = performance.now()
  const series = (slot: number) =>
    Effect.forEach(Array.from({ length: generations }, (_, i) => i), (i) =>
      Effect.promise(() => {
        const killAfter = (i + slot) % 2 === 0 ? 1 + Math.floor(random() * writersEach * appendsEach * 0.7) : undefined
        return runProcess(place, `p${slot}.${i}`, killAfter)
      }))
  const outcomes = (yield* Effect.all([series(0), series(1)], { concurrency: 2 })).flat()
  const loaded = yield* store.load("shared", { from: 0 })
  const figures = judge(outcomes, loaded?.entries ?? [])
  yield* Console.log(
    place._tag,
    JSON.stringify({ ...figures, seconds: Math.round((performance.now() - since) / 1000) })
  )
  const met = figures.lost === 0 && figures.twice === 0 && figures.killed > 0 && figures.reported > 0 &&
    figures.succeeded >= 0.9
  return { met, ...figures }
})

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "clawback-writers-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const places: Effect.Effect<ReadonlyArray<Place>, never, Scope.Scope> = Effect.gen(function*() {
  const found: Array<Place> = [{ _tag: "sqlite", file: join(yield* folder, "conversations.db") }]
  if (Redis.isAvailable) {
    // Others may delete keys of a shared one.
    const address = yield* (Redis.isInstalled ? Redis.start() : Redis.available)
    found.push({ _tag: "redis", host: address.host, port: address.port, prefix: yield* Redis.keyPrefix(address) })
  }
  if (Postgres.isAvailable) {
    const address = yield* Postgres.available
    found.push({ _tag: "postgres", ...address, database: yield* Postgres.database(address) })
  }
  return found
})

const all = Effect.gen(function*() {
  const results: Record<string, Effect.Success<ReturnType<typeof prove>>> = {}
  for (const place of yield* places) results[place._tag] = yield* Effect.scoped(prove(place))
  return { met: Object.values(results).every(({ met }) => met), ...results }
})

Proof.run("writers", isSmall ? 55 : 1200, all)
