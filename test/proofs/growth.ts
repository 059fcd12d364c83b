/**
 * Nothing grows with the number of calls: no heap, no descriptor, no session, and no work per call (B5).
 *
 * `npm run prove -- growth [--scale small|full]`: full, the default, makes 100,000 calls to a provider in a process of its
 * own, 16 at a time, one in ten of which goes wrong in one of thirteen ways (each connection that the server closes
 * after an answer may cost one more call: it is there already as the connection closes). After the first fifth there are thirty
 * samples, each after a collection of garbage with no call under way. Met: the upper end of the 95 % confidence interval
 * of the heap's slope (what is outside of it, such as buffers, included) is at most 16 bytes per call; descriptors but for
 * those of idle connections are equal, and connections as many as in the registry; the median of the processor's time per
 * call in the last third of the samples is at most 1.15 times that in the second. Small makes 3,000 calls, in which what
 * the engine itself allocates while it warms up is larger than any leak: its slope and times are shown, and judge nothing.
 */
import { Deadline, Retry, SessionRegistry, Timeouts, type Transport, TransportError } from "@clawback/core"
import { NodeProbes, NodeTransport } from "@clawback/node"
import { Behavior, FaultyProvider } from "@clawback/testing"
import { Cause, Console, Effect, Exit, Stream } from "effect"
import { cpuUsage, memoryUsage } from "node:process"
import * as Ends from "../support/ends.ts"
import * as Governed from "../support/governed.ts"
import { now } from "../support/monotonic.ts"
import * as Proof from "../support/proof.ts"
import { seeded } from "../support/random.ts"
import { scale } from "../support/scale.ts"
import { median, slope } from "../support/slope.ts"

const isSmall = scale() === "small"
const [total, samples] = isSmall ? [3_000, 12] : [100_000, 30]
const warmUp = total / 5
const concurrency = 16
const random = seeded(0x960)

const policy = Retry.jittered({ attempts: 2, base: "2 millis", budget: Retry.unlimited })
const body = JSON.stringify({ messages: [{ role: "user", content: "Why do sockets leak? ".repeat(40) }] })
const words = Array.from({ length: 20 }, (_, i) => `word ${i}`)

const behaviors = {
  ok: Behavior.json({ text: "Because somebody forgot to close them. ".repeat(25) }),
  stream: Behavior.sse(words),
  endless: Behavior.sse(words, { every: "1 millis", endless: true }),
  large: Behavior.huge(300_000),
  reset: Behavior.reset,
  close: Behavior.close,
  stall: Behavior.stall,
  resetInBody: Behavior.cutAt(Behavior.huge(2_000), 500, "reset"),
  truncated: Behavior.cutAt(Behavior.huge(2_000), 500, "truncate"),
  closing: Behavior.thenClose(Behavior.json({ ok: true }), 0),
  busy: Behavior.status(503, { body: { error: "busy" } }),
  busyAtLength: Behavior.huge(300_000, { status: 503 }),
  noHttp: Behavior.raw("what?\r\n\r\n"),
  longHeader: Behavior.hugeHeader(40_000)
}

/** Another call that meets a kept connection in the moment in which its server closes it. */
const isVictim = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) &&
  exit.cause.reasons.every((reason) =>
    Cause.isFailReason(reason) && reason.error instanceof TransportError.ConnectionLost
  )

type Call = (url: string) => Effect.Effect<unknown, unknown, Transport.Transport>

const request = (
  url: string,
  name: keyof typeof behaviors,
  timeouts?: Transport.Request["timeouts"]
): Transport.Request => ({ method: "POST", url, headers: FaultyProvider.header(name), body, timeouts })

const whole = (name: keyof typeof behaviors): Call => (url) =>
  Deadline.within("30 seconds")(Governed.whole(request(url, name), policy))

const stream = (name: keyof typeof behaviors) => (url: string) =>
  Governed.stream(request(url, name), policy).pipe(
    Timeouts.stream({ timeouts: {} }),
    Deadline.withinStream("30 seconds")
  )

const unread = (url: string) => Effect.scoped(Governed.execute(request(url, "large")))

/** Closes the connection that it should keep. */
const closing = whole("closing")

/** What goes wrong, and whether the call is then a failure. */
const faults: Readonly<Record<string, { readonly call: Call; readonly fails: boolean }>> = {
  "reset": { call: whole("reset"), fails: true },
  "closed": { call: whole("close"), fails: true },
  "reset in the body": { call: whole("resetInBody"), fails: true },
  "truncated": { call: whole("truncated"), fails: true },
  "closed after the answer": { call: closing, fails: false },
  "refused": { call: whole("busy"), fails: true },
  "refused at length": { call: whole("busyAtLength"), fails: true },
  "no HTTP": { call: whole("noHttp"), fails: true },
  "header too long": { call: whole("longHeader"), fails: true },
  "deadline": { call: (url) => Deadline.within("20 millis")(whole("stall")(url)), fails: true },
  "no first token": {
    call: (url) => Governed.whole(request(url, "stall", { firstToken: "20 millis" }), policy),
    fails: true
  },
  "stream given up": { call: (url) => Stream.runDrain(Stream.take(stream("endless")(url), 3)), fails: false },
  "body unread": { call: unread, fails: false }
}

const good: ReadonlyArray<Call> = [
  ...Array.from({ length: 8 }, () => whole("ok")),
  (url) => Stream.runDrain(stream("stream")(url))
]
const bad = Object.values(faults)

const at = <A>(all: ReadonlyArray<A>, index: number): A => {
  const found = all[index % all.length]
  if (found === undefined) throw new RangeError("There is nothing to choose from")
  return found
}

/** So many calls, of every sort as many as in any other such batch, in random order. */
const batch = (size: number) =>
  Array.from({ length: size }, (_, i) => ({
    order: random(),
    ...(i % 10 === 9 ? at(bad, Math.floor(i / 10)) : { call: at(good, i), fails: false })
  })).toSorted((a, b) => a.order - b.order)

const collected = Effect.gen(function*() {
  if (globalThis.gc === undefined) throw new Error("The garbage collector is out of reach: run Node with --expose-gc")
  for (let times = 0; times < 3; times++) {
    globalThis.gc()
    yield* Effect.sleep("5 millis")
  }
  const { external, heapUsed, rss } = memoryUsage()
  return { bytes: heapUsed + external, rss }
})

/** Waits until what was closed is gone from both ends; what is left after five seconds is told as it is. */
const settled = Effect.fnUntraced(function*(provider: FaultyProvider.FaultyProvider["Service"]) {
  const since = now()
  while (true) {
    const { connection = 0, ...others } = yield* SessionRegistry.counts
    const ends = yield* Ends.look(provider)
    const { descriptors, sockets } = yield* NodeProbes.held()
    const { inFlight } = yield* provider.counts
    const isClean = Ends.areWhole(ends, connection) && inFlight === 0 && Object.keys(others).length === 0
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

const program = Effect.gen(function*() {
  const provider = yield* FaultyProvider.makeProcess({ behaviors, keep: 16 })
  let made = 0
  let failed = 0
  const unexpected: Array<unknown> = []
  let victims = 0
  let closings = 0
  const seen: Array<Sample> = []
  const run = Effect.fnUntraced(function*(size: number) {
    const before = cpuUsage()
    const since = now()
    yield* Effect.forEach(batch(size), ({ call, fails }) =>
      Effect.map(Effect.exit(call(provider.url)), (exit) => {
        made++
        if (Exit.isFailure(exit)) failed++
        if (call === closing) closings++
        if (Exit.isFailure(exit) === fails) return
        if (isVictim(exit)) victims++
        else if (unexpected.length < 10) unexpected.push(String(exit))
      }), { concurrency, discard: true })
    const { system, user } = cpuUsage(before)
    return { cpu: (user + system) / size, perSecond: Math.round(size / (now() - since) * 1000) }
  })

  yield* Effect.gen(function*() {
    yield* run(warmUp)
    for (let sample = 1; sample <= samples; sample++) {
      const { cpu, perSecond } = yield* run(Math.round((total - warmUp) / samples))
      const held = yield* settled(provider)
      const memory = yield* collected
      seen.push({ made, cpu, ...held, ...memory })
      yield* Console.log(
        `${made} calls: ${memory.bytes} bytes, RSS ${memory.rss}, ${held.descriptors} descriptors, ` +
          `${held.connection} idle connections, ${cpu.toFixed(1)} µs of CPU per call, ${perSecond}/s`
      )
    }
  }).pipe(Effect.provide(NodeTransport.layer({ connections: concurrency })))
  const closed = yield* settled(provider)

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
    met: isHeld && unexpected.length === 0 && victims <= closings && (isSmall || isFlat),
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

Proof.run("growth", isSmall ? 55 : 1800, program)
