/**
 * A transport over a wire on which everything goes wrong, used by callers that are interrupted at any step.
 *
 * Six callers make four calls each, on at most three connections; in some runs the transport is closed under them.
 * What must hold is in the names of the properties. Where it was not closed, the wire is healed in the end, and as many
 * calls as there may be connections must then fit at once.
 */
import { Deadline, SessionError, SessionRegistry, Timeouts, Transport, TransportError } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Clock, Duration, Effect, Exit, Fiber, Latch, Option, Pull, Schema, Scope } from "effect"
import { faultyWire, now, origin } from "../support/faultyWire.ts"

const callers = 6
const calls = 4
const connections = 3
const deadline = 1000
/** What giving back may take on top: the drain of a body's rest. */
const grace = 300
const closeTimeout = 2000
const firstToken = 200
const idleTimeToLive = 300
const maxBodySize = 2500

const isExpected = Schema.is(Schema.Union([
  TransportError.QueueFull,
  TransportError.ConnectFailed,
  TransportError.ConnectionLost,
  TransportError.TransportClosed,
  Timeouts.QueueTimeout,
  Timeouts.ConnectTimeout,
  TransportError.BodyTooLarge,
  Timeouts.FirstTokenTimeout,
  Deadline.DeadlineExceeded,
  SessionError.SessionRevoked
]))

const execute = (transport: Transport.Transport["Service"], name: string) =>
  transport.execute({
    method: "POST",
    url: `${origin}/${name}`,
    headers: {},
    timeouts: { queue: "200 millis", connect: "100 millis", firstToken }
  }).pipe(Simulation.phase("checkout"))

/** As `Deadline.within`, but for the interruption: what has a deadline ends by it even where nobody cuts it off. */
const uncut = (millis: number) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    now,
    (at) => Effect.provideService(self, Deadline.Current, { at: at + millis, budget: Duration.millis(millis) })
  )

/** Reads the answer, or part of it, or nothing. */
const call = Effect.fnUntraced(
  function*(transport: Transport.Transport["Service"], name: string) {
    const limit = yield* Simulation.choose([0, 5, 50, deadline, deadline, deadline])
    const startedAt = yield* now
    const head = yield* Effect.exit(uncut(limit)(execute(transport, name)))
    const took = (yield* now) - startedAt
    // Connecting and waiting for the head have limits of their own, and neither begins after the deadline.
    yield* Simulation.check("nobody waits beyond their deadline", took <= limit + firstToken, () => `${took} ms`)
    const response = yield* head
    const waited = (yield* now) - response.sentAt
    yield* Simulation.check(
      "a head is waited for no longer than it may take",
      waited <= firstToken,
      () => `${waited} ms`
    )
    const part = yield* Simulation.choose(["all", "some", "none"])
    const whole = Effect.flatMap(
      Transport.bytes(response),
      ({ byteLength }) =>
        Simulation.check("nobody reads more than is allowed", byteLength <= maxBodySize, () => `${byteLength} bytes`)
    )
    const reading = part === "all" ? whole : Pull.catchDone(
      part === "some" ? Effect.asVoid(response.body) : Effect.void,
      () => Effect.void
    )
    yield* Simulation.phase("reading")(reading)
  },
  Effect.scoped,
  Simulation.phase("giving back"),
  Deadline.within(deadline)
)

const caller = Effect.fnUntraced(function*(transport: Transport.Transport["Service"], id: number) {
  for (let i = 0; i < calls; i++) {
    const startedAt = yield* now
    const exit = yield* Effect.exit(call(transport, `${id}/${i}`))
    const took = (yield* now) - startedAt
    yield* Simulation.check("a call ends by its deadline", took <= deadline + grace, () => `${took} ms`)
    if (Exit.isFailure(exit)) {
      const error = Exit.findErrorOption(exit)
      if (Option.isSome(error) && error.value._tag === "QueueTimeout") {
        yield* Simulation.check("nobody waits while there is room", error.value.connections === connections)
      }
      yield* Simulation.check(
        "a caller gets a typed error",
        Option.exists(error, isExpected),
        () => String(exit.cause)
      )
    }
    yield* Simulation.latency(0, yield* Simulation.choose([0, 0, 20, 20, 20, 1000]))
  }
})

/** Takes calls back, wherever they are. One that only waits is told at once. */
const revoker = Effect.gen(function*() {
  for (let i = 0; i < 3; i++) {
    yield* Simulation.latency(0, 200)
    const calls = yield* SessionRegistry.list({ kind: "exchange" })
    const call = calls.find(({ state }) => state === "acquiring") ?? calls[0]
    if (call === undefined) continue
    const startedAt = yield* Clock.currentTimeMillis
    const { revoked: [revoked] } = yield* SessionRegistry.revoke({ id: call.id }, { reason: "simulated", deadline: 50 })
    const took = (yield* Clock.currentTimeMillis) - startedAt
    yield* Simulation.check(
      "who waits for a connection is told of a revocation",
      revoked?.state !== "acquiring" || took === 0,
      () => `${took} ms`
    )
  }
}).pipe(Simulation.phase("revoking"))

const program = Effect.gen(function*() {
  const registry = yield* SessionRegistry.SessionRegistry
  const wire = faultyWire(closeTimeout)
  const maxLifetime = yield* Simulation.choose([20, 60, 600])
  yield* Simulation.always(
    "opening, open and closing connections never exceed the limit",
    () => wire.open.size <= connections,
    () => `${wire.open.size} of ${connections}`
  )
  yield* Simulation.always("nobody shares a connection", () => !wire.isShared)
  yield* Simulation.always("nothing is sent for who has no time left", () => !wire.isLate)
  yield* Simulation.always(
    "nothing is sent on a connection whose lifetime has passed",
    () => wire.oldest <= maxLifetime,
    () => `${wire.oldest} ms`
  )
  yield* Simulation.always(
    "a request is sent once, unless nothing of it was",
    () => [...wire.arrivals.values()].every((count) => count === 1),
    () => JSON.stringify([...wire.arrivals])
  )

  const scope = yield* Scope.make()
  const transport = yield* Transport.make(wire.wire, {
    connections,
    maxWaiting: 4,
    idleTimeToLive,
    maxLifetime,
    maxBodySize,
    closeTimeout
  }).pipe(Scope.provide(scope))
  const fibers = yield* Effect.forEach(
    [...Array.from({ length: callers }, (_, id) => caller(transport, id)), revoker],
    (program, index) => Simulation.fork(program, index < callers ? "caller" : "revoker")
  )
  const isCutShort = yield* Simulation.fault("transport closes under its callers", 0.4)
  if (isCutShort) {
    yield* Simulation.latency(0, yield* Simulation.choose([0, 20, 400]))
    yield* Scope.close(scope, Exit.void)
    yield* Simulation.note("the transport is closed")
    const begun = wire.closings.length
    yield* Simulation.always("nothing is begun once the transport is closed", () => wire.closings.length === begun)
    yield* Simulation.check("closing waits for every connection", wire.open.size === 0, () => `${wire.open.size}`)
  }
  for (const fiber of fibers) {
    const exit = yield* Fiber.await(fiber)
    yield* Simulation.check(
      "only who was interrupted ends so",
      Exit.isSuccess(exit) || (Exit.hasInterrupts(exit) && (yield* Simulation.isStruck(fiber))),
      () => String(exit)
    )
  }

  yield* Simulation.heal
  if (!isCutShort) {
    yield* Effect.sleep(2 * closeTimeout)
    yield* Simulation.check("no connection is idle for ever", wire.open.size === 0, () => `${wire.open.size}`)
    const all = yield* Latch.make()
    let holding = 0
    yield* Effect.forEach(
      Array.from({ length: connections }, (_, id) => id),
      (id) =>
        Effect.scoped(Effect.gen(function*() {
          yield* execute(transport, `healed/${id}`)
          if (++holding === connections) yield* all.open
          yield* all.await
        })),
      { concurrency: "unbounded" }
    ).pipe(
      Effect.catch((error) => Simulation.check("a healed pool serves up to its limit", false, error.message))
    )
    yield* Simulation.check("connections do not outlive their use", wire.open.size <= connections)
    const open = yield* registry.list({ kind: "exchange" })
    yield* Simulation.check("no exchange outlives its call", open.length === 0)
    yield* Scope.close(scope, Exit.void)
  }

  const left = yield* registry.list()
  yield* Simulation.check("the registry is empty when all is closed", left.length === 0, () => JSON.stringify(left))
  yield* Simulation.check("no connection is left when all is closed", wire.open.size === 0, () => `${wire.open.size}`)
  yield* Simulation.check(
    "each connection is closed exactly once",
    wire.closings.every((count) => count === 1),
    () => wire.closings.join()
  )
})

export default {
  name: "Transport",
  program: Effect.provide(program, SessionRegistry.layer()),
  phases: ["checkout", "head", "reading", "giving back", "revoking"],
  faults: [
    "connect is refused",
    "connect is slow",
    "connect never ends",
    "head is late",
    "head is lost",
    "head never comes",
    "body is cut",
    "body stalls",
    "server hangs up when idle",
    "server waits for us to hang up, too",
    "server leaves unnoticed",
    "close is slow",
    "close never ends",
    "transport closes under its callers"
  ]
} satisfies Simulation.Scenario
