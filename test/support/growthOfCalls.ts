/**
 * Nothing grows with the number of calls: no heap, no descriptor, no session, and no work per call.
 *
 * Calls go to a provider in its own process, 16 at a time. One in ten fails in one of several ways. (A connection that the
 * server closes after a response may cost one more call, if this call is already there.) After the first fifth of the calls,
 * there are thirty samples, each after a garbage collection, with no call in flight. Required:
 * - The upper end of the 95 % confidence interval of the heap's slope, with buffers outside it, is at most 16 bytes per call.
 * - Descriptors are equal, except those of idle connections, which are as many as the registry lists.
 * - The median of the CPU time per call in the last third of the samples is at most 1.15 times that in the second.
 *
 * Over few calls, the engine's own allocations are larger than any leak. Then slope and times are shown, and not judged.
 */
import { SessionRegistry, type Transport } from "@clawback/core"
import { NodeProbes, NodeTransport } from "@clawback/node"
import { FaultyProvider } from "@clawback/testing"
import { Cause, Console, Effect, Exit, type Scope } from "effect"
import { cpuUsage } from "node:process"
import { isDeepStrictEqual } from "node:util"
import { collected } from "./collected.ts"
import * as Ends from "./ends.ts"
import { now } from "./monotonic.ts"
import { tagOf } from "./origin.ts"
import { seeded } from "./random.ts"
import { median, slope } from "./slope.ts"

/** A call, and how it comes out. Where it "closes", it succeeds, and its connection is closed although it could be kept. */
export interface Call {
  readonly call: Effect.Effect<unknown, unknown, Transport.Transport>
  readonly outcome: "success" | "failure" | "closes"
}

export interface Calls {
  /** Nine in ten are of these. */
  readonly good: ReadonlyArray<Call>
  readonly bad: ReadonlyArray<Call>
}

export interface Workload {
  readonly provider: FaultyProvider.ProcessOptions
  /** Opens what the calls need, for as long as they are made. */
  readonly open: (url: string) => Effect.Effect<Calls, unknown, Transport.Transport | Scope.Scope>
}

const concurrency = 16
const random = seeded(0x960)

/** Another call that meets a kept connection in the moment in which its server closes it. */
const isVictim = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) &&
  exit.cause.reasons.every((reason) => Cause.isFailReason(reason) && tagOf(reason.error) === "ConnectionLost")

export const at = <A>(all: ReadonlyArray<A>, index: number): A => {
  const found = all[index % all.length]
  if (found === undefined) throw new RangeError("There is nothing to choose from")
  return found
}

/** So many calls, of every sort as many as in any other such batch, in random order. */
const batch = (size: number, { bad, good }: Calls) =>
  Array.from({ length: size }, (_, i) => ({
    order: random(),
    ...(i % 10 === 9 ? at(bad, Math.floor(i / 10)) : at(good, i))
  })).toSorted((a, b) => a.order - b.order)

/** Waits until what was closed is gone from both ends; what is left after five seconds is told as it is. */
const settled = Effect.fnUntraced(function*(
  provider: FaultyProvider.FaultyProvider["Service"],
  expected: Readonly<Record<string, number>>
) {
  const since = now()
  while (true) {
    const { connection = 0, ...others } = yield* SessionRegistry.counts
    const ends = yield* Ends.look(provider)
    const { descriptors, sockets } = yield* NodeProbes.resources()
    const { inFlight } = yield* provider.counts
    const isClean = Ends.areWhole(ends, connection) && inFlight === 0 && isDeepStrictEqual(others, expected)
    if (isClean || now() - since > 5000) {
      return { isClean, connection, others, inFlight, descriptors: descriptors - sockets.length }
    }
    yield* Effect.sleep("5 millis")
  }
})

type Sample =
  & { readonly made: number; readonly cpu: number }
  & Effect.Success<ReturnType<typeof settled>>
  & Effect.Success<typeof collected>

/** Makes so many calls. `isJudged`: whether there are enough of them for slope and times to mean anything. */
export const prove = Effect.fnUntraced(function*(
  { open, provider: options }: Workload,
  { isJudged, samples, total }: { readonly total: number; readonly samples: number; readonly isJudged: boolean }
) {
  const provider = yield* FaultyProvider.makeProcess({ ...options, keep: 16 })
  const warmUp = total / 5
  let made = 0
  let failed = 0
  const unexpected: Array<unknown> = []
  let victims = 0
  let closings = 0
  const seen: Array<Sample> = []
  const run = Effect.fnUntraced(function*(calls: Calls, size: number) {
    const before = cpuUsage()
    const since = now()
    yield* Effect.forEach(batch(size, calls), ({ call, outcome }) =>
      Effect.map(Effect.exit(call), (exit) => {
        made++
        if (Exit.isFailure(exit)) failed++
        if (outcome === "closes") closings++
        if (Exit.isFailure(exit) === (outcome === "failure")) return
        if (isVictim(exit)) victims++
        else if (unexpected.length < 10) unexpected.push(String(exit))
      }), { concurrency, discard: true })
    const { system, user } = cpuUsage(before)
    return { cpu: (user + system) / size, perSecond: Math.round(size / (now() - since) * 1000) }
  })

  yield* Effect.gen(function*() {
    const calls = yield* open(provider.url)
    const { connection: _, ...opened } = yield* SessionRegistry.counts
    yield* run(calls, warmUp)
    for (let sample = 1; sample <= samples; sample++) {
      const { cpu, perSecond } = yield* run(calls, Math.round((total - warmUp) / samples))
      const held = yield* settled(provider, opened)
      const memory = yield* collected
      seen.push({ made, cpu, ...held, ...memory })
      yield* Console.log(
        `${made} calls: ${memory.bytes} bytes, RSS ${memory.rss}, ${held.descriptors} descriptors, ` +
          `${held.connection} idle connections, ${cpu.toFixed(1)} µs of CPU per call, ${perSecond}/s`
      )
    }
  }).pipe(Effect.scoped, Effect.provide(NodeTransport.layer({ connections: concurrency })))
  const closed = yield* settled(provider, {})

  const heap = slope(seen.map(({ bytes, made }) => ({ x: made, y: bytes })))
  const third = samples / 3
  const [, second = NaN, last = NaN] = [0, 1, 2]
    .map((part) => median(seen.slice(part * third, (part + 1) * third).map(({ cpu }) => cpu)))
  const descriptors = [...new Set(seen.map(({ descriptors }) => descriptors))]
  const isHeld = seen.every(({ connection, isClean }) => isClean && connection <= concurrency) &&
    closed.isClean && closed.connection === 0 && descriptors.length === 1
  const isFlat = heap.upper <= 16 && last <= 1.15 * second
  for (const one of unexpected) yield* Console.log("UNEXPECTED", one)
  return {
    met: isHeld && unexpected.length === 0 && victims <= closings && (!isJudged || isFlat),
    calls: made,
    failed,
    /** Failed as another's connection was closed: at most one for each of those. */
    victims,
    closings,
    samples,
    bytesPerCall: Object.fromEntries(Object.entries(heap).map(([name, value]) => [name, Number(value.toFixed(2))])),
    cpuPerCallMicros: { second: Number(second.toFixed(1)), last: Number(last.toFixed(1)) },
    cpuRatio: Number((last / second).toFixed(3)),
    descriptors,
    leftAfterClose: closed.connection,
    unexpected: unexpected.length
  }
})
