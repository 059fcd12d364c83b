/**
 * Cuts calls in every phase and in every way: the server must notice each cut, and nothing may be left.
 *
 * The client and the providers are separate processes. Calls are cut in rounds. A cut counts only if the call was in its
 * phase before, and the provider's report agrees; otherwise the call is made again. Within a second of a round's last cut,
 * nothing may be in flight at any provider. Each end may have only idle connections, as many as the registry lists; once the
 * transport is closed, none. A measurement that ends after this second does not count, and the round is repeated.
 */
import { SessionRegistry, Transport } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { FaultyProvider } from "@clawback/testing"
import { Console, Effect, Fiber } from "effect"
import * as Aborts from "./aborts.ts"
import * as Ends from "./ends.ts"
import { now } from "./monotonic.ts"
import { seeded } from "./random.ts"

/** How many calls are cut in each way to make one. */
export interface Amount {
  /** In known phases: at least one in each, and by each means. */
  readonly inPhases: number
  /** At any moment at all. */
  readonly atAnyMoment: number
  /** Whether the machine may be busy with other things, so that only when a look begins says anything. */
  readonly isBusy: boolean
}

const connections = 32
const random = seeded(0xab07)

const pick = <A>(from: ReadonlyArray<A>): A => {
  const found = from[Math.floor(random() * from.length)]
  if (found === undefined) throw new RangeError("There is nothing to pick from")
  return found
}

/** One call for each phase and means, then at random, in random order. */
const plans = (ways: ReadonlyArray<Aborts.Way>, { atAnyMoment, inPhases }: Amount): Array<Aborts.Plan> => {
  const all = ways.flatMap((way) => {
    const possible = Aborts.phases.filter((phase) => phase !== "any" && Aborts.isPossible(way.kind, phase))
    const each = possible.flatMap((phase) => Aborts.cuts.map((cut): Aborts.Plan => ({ way, phase, cut })))
    return each.concat(
      Array.from({ length: inPhases - each.length }, () => ({ way, phase: pick(possible), cut: pick(Aborts.cuts) })),
      Array.from({ length: atAnyMoment }, () => ({ way, phase: "any", cut: pick(Aborts.cuts) }))
    )
  })
  return all.map((plan) => ({ plan, order: random() })).toSorted((a, b) => a.order - b.order).map(({ plan }) => plan)
}

const percentile = (sorted: ReadonlyArray<number>, share: number) =>
  Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]?.toFixed(2))

const summary = (values: ReadonlyArray<number>) => {
  const sorted = values.toSorted((a, b) => a - b)
  return { of: sorted.length, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: percentile(sorted, 1) }
}

const providers = Effect.gen(function*() {
  /** Serves each call as its path says. */
  const open = yield* FaultyProvider.makeProcess({ handler: new URL("./phaseHandler.ts", import.meta.url) })
  /** All connections to it are in use. */
  const busy = yield* FaultyProvider.makeProcess({ handler: new URL("./phaseHandler.ts", import.meta.url) })
  const deaf = yield* FaultyProvider.makeProcess()
  yield* deaf.listening("fullBacklog")
  const mute = yield* FaultyProvider.makeProcess({ tls: true })
  yield* mute.listening("silent")
  return { open, busy, deaf, mute }
})

type Providers = Effect.Success<typeof providers>

const providerOf = (phase: Aborts.Phase, { busy, deaf, mute, open }: Providers) => {
  if (phase === "waiting") return busy
  if (phase === "connecting") return deaf
  return phase === "tls" ? mute : open
}

/** One look at registry, providers and kernel, and whether nothing is left but idle connections. */
const lookAtAll = Effect.fnUntraced(function*(all: Providers, mayKeep: number) {
  const since = now()
  const peers = Object.values(all)
  const { connection = 0, ...others } = yield* SessionRegistry.counts
  const idle = Map.groupBy(yield* SessionRegistry.list({ kind: "connection" }), ({ name }) => name)
  const [counts, ends] = yield* Effect.all(
    [Effect.forEach(peers, ({ counts }) => counts, { concurrency: "unbounded" }), Ends.lookAll(peers)],
    { concurrency: 2 }
  )
  const left = peers.map(({ url }, i) => {
    const { here = [], there = [] } = ends[i] ?? {}
    return { url, idle: idle.get(url)?.length ?? 0, inFlight: counts[i]?.inFlight, here, there }
  })
  const isClean = Object.keys(others).length === 0 &&
    left.every(({ idle, inFlight, ...ends }) => inFlight === 0 && idle <= mayKeep && Ends.areWhole(ends, idle))
  return { isClean, idle: connection, others, left, lookTook: now() - since }
})

/** Waits until nothing is left but idle connections; gives up after five seconds. */
const settled = Effect.fnUntraced(function*(all: Providers, since: number, mayKeep: number) {
  let before: unknown
  for (let looks = 1;; looks++) {
    const seen = yield* lookAtAll(all, mayKeep)
    const took = now() - since
    if (seen.isClean || took > 5000) return { ...seen, took, looks, before }
    before = seen
    yield* Effect.sleep("5 millis")
  }
})

/** Cuts so many calls made in each of these ways. */
export const prove = Effect.fnUntraced(function*(ways: ReadonlyArray<Aborts.Way>, amount: Amount) {
  const all = yield* providers
  const queue = plans(ways, amount)
  const counts: Record<string, Record<string, Record<string, number>>> = {}
  const seenAfter: Array<{ readonly way: string; readonly millis: number }> = []
  const wrong: Array<unknown> = []
  let lastId = 0
  let missed = 0
  let unjudged = 0
  let synSent = 0
  let slowest = 0
  let slowestBack = 0
  let idleMost = 0
  let rounds = 0
  let tls = 0

  const round = Effect.gen(function*() {
    rounds++
    const fill = Effect.flatMap(
      Transport.Transport,
      ({ execute }) => Effect.scoped(execute({ method: "GET", url: `${all.busy.url}/headers/fill`, headers: {} }))
    )
    const filling = yield* Effect.forEach(
      Array.from({ length: connections }),
      () => Effect.forkChild(Effect.exit(fill))
    )
    yield* all.busy.until(({ inFlight }) => inFlight === connections, "20 seconds")

    const calls = queue.splice(0, connections).map((plan) => new Aborts.Call(String(++lastId), plan))
    const watching = yield* Effect.forkChild(Effect.forever(Effect.gen(function*() {
      const seen = yield* Aborts.look(all.open)
      for (const call of calls) if (Aborts.isIn(call, seen)) call.enter()
      const { here } = yield* Ends.look(all.deaf)
      synSent = Math.max(synSent, here.filter((state) => state === "SYN_SENT").length)
      yield* Effect.sleep("5 millis")
    })))
    yield* Effect.forEach(
      calls,
      (call) => Aborts.run(`${providerOf(call.plan.phase, all).url}/${call.plan.phase}/${call.id}`, call, random),
      {
        concurrency: "unbounded",
        discard: true
      }
    )
    yield* Fiber.interrupt(watching)
    const since = now()
    yield* Fiber.interruptAll(filling)
    const after = yield* settled(all, since, connections)
    const { idle, isClean, took } = after
    idleMost = Math.max(idleMost, idle)
    // A look takes time by itself, and shows what was at some moment of it.
    const tookAtLeast = took - after.lookTook
    if (!isClean || tookAtLeast > 1000) wrong.push({ round: rounds, ...after })
    else if (took > 1000 && !amount.isBusy) {
      unjudged++
      queue.push(...calls.map(({ plan }) => plan))
      return yield* Effect.all([all.open.forget, all.busy.forget])
    }
    slowest = Math.max(slowest, took)

    const seen = yield* Aborts.look(all.open)
    for (const call of calls) {
      const { cut, phase, way } = call.plan
      if (phase === "tls") tls++
      slowestBack = Math.max(slowestBack, call.endedAt - call.cutAt)
      if (!Aborts.endedAsCut(call)) wrong.push({ way: way.name, phase, cut, exit: String(call.exit) })
      else if (call.enteredAt > call.cutAt) {
        // It was cut on its way there.
        missed++
        queue.push(call.plan)
      } else if (!Aborts.isBorneOut(call, seen)) {
        wrong.push({ way: way.name, phase, cut, requests: seen.requests.get(call.id) })
      } else {
        const row = (counts[way.name] ??= {})[phase] ??= {}
        row[cut] = (row[cut] ?? 0) + 1
        const [request] = seen.requests.get(call.id) ?? []
        if (request?.state === "aborted" && phase !== "backing-off") {
          seenAfter.push({ way: way.name, millis: (request.endedAt ?? NaN) - call.cutAt })
        }
      }
    }
    yield* Effect.all([all.open.forget, all.busy.forget])
  })

  const total = queue.length
  yield* Effect.gen(function*() {
    while (queue.length > 0 && wrong.length < 10) yield* round
  }).pipe(Effect.provide(NodeTransport.layer({ connections, tls: { ca: FaultyProvider.ca } })))
  const closed = yield* settled(all, now(), 0)
  const muteAccepted = (yield* all.mute.counts).accepted
  const deafAccepted = (yield* all.deaf.counts).accepted

  const rows = ways.flatMap(({ kind, name }) =>
    Aborts.phases.filter((phase) => Aborts.isPossible(kind, phase)).map((phase) => ({
      name,
      phase,
      row: counts[name]?.[phase] ?? {}
    }))
  )
  const done = rows.flatMap(({ row }) => Object.values(row)).reduce((sum, count) => sum + count, 0)
  const seen = summary(seenAfter.map(({ millis }) => millis))
  const met = wrong.length === 0 && done === total && closed.isClean && closed.idle === 0 && synSent > 0 &&
    muteAccepted >= tls && deafAccepted === 0 && idleMost > 0 && slowestBack < 1000 && seen.max < 1000 &&
    rows.every(({ row }) => Object.keys(row).length > 0)
  yield* Effect.forEach(rows, ({ name, phase, row }) => Console.log(`${name}, ${phase}: ${JSON.stringify(row)}`))
  yield* Effect.forEach(wrong, (one) => Console.log("WRONG", JSON.stringify(one)))
  yield* Console.log(
    `${done} of ${total} cut in ${rounds} rounds, ${missed} more on their way; ${idleMost} idle connections at most; ` +
      `clean ${slowest.toFixed(0)} ms after a round's last cut at the latest; after the layer closed ${
        JSON.stringify(closed.left)
      }`
  )
  return {
    met,
    ways: ways.length,
    cut: done,
    missed,
    rounds,
    /** Rounds after which looking itself took too long to tell. */
    unjudged,
    wrong: wrong.length,
    cutToSeenMillis: seen,
    cutToSeenMillisByWay: Object.fromEntries(
      ways.map(({ name }) => [name, summary(seenAfter.flatMap(({ millis, way }) => way === name ? [millis] : []))])
    ),
    backAfterMillis: Math.round(slowestBack),
    cleanAfterMillis: Math.round(slowest),
    idleAtMost: idleMost,
    leftAfterClose: closed.idle,
    synSent,
    tlsAccepted: muteAccepted
  }
})
