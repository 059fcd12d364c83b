/**
 * A transport over a faulty wire. Its callers are interrupted at any step, and other fibers close their scopes at any step.
 *
 * Six callers make four calls each, on at most three connections. In some runs the transport closes during calls, in some there
 * is a tracer. Bodies are read completely, in part, by two readers at a time, or not at all. The names of the properties say
 * what must hold. If the transport was not closed, the wire is healed in the end. Then as many calls as connections must run at
 * once.
 */
import { Deadline, SessionError, SessionRegistry, Timeouts, Transport, TransportError } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Cause, Clock, Duration, Effect, Exit, Fiber, Latch, Option, Schema, Scope, Tracer } from "effect"
import { faultyWire, now, origin, serialOf } from "../support/faultyWire.ts"

const callers = 6
const callsEach = 4
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

type Choice = readonly [number, ...ReadonlyArray<number>]

/** What callers and servers do in one run. */
interface Traffic {
  /** How likely a server is to leave a connection that is kept. */
  readonly leaving: number
  /** For how long, at most, a caller pauses between two calls. */
  readonly pauses: Choice
  readonly lifetimes: Choice
  /** How many chunks a body has. */
  readonly chunks: Choice
}

const heavy: Traffic = {
  leaving: 0.2,
  pauses: [0, 0, 20, 20, 20, 1000],
  lifetimes: [20, 60, 600],
  chunks: [0, 1, 2, 2, 3, 100]
}

/** Several connections are idle at the same time, and servers leave most of them. */
const light: Traffic = { leaving: 0.6, pauses: [0, 20, 100, 200], lifetimes: [600], chunks: [0, 1, 2] }

/** One call, as its owners see it. */
class Call {
  readonly scope = Scope.makeUnsafe()
  response: Transport.Response | undefined = undefined
  /** Bytes that its readers got. */
  read = 0
  /** When another fiber closed the scope. */
  closedAt: number | undefined = undefined
  /** When its own work in the scope had ended. */
  endedAt = Infinity
  /** Since when the registry has listed it no more, after that. */
  unlistedAt: number | undefined = undefined
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** The calls by their paths, so that others can close the scopes that they run in. */
type Calls = Map<string, Call>

/** Pulls once. Every byte must be of the request that the head is of. */
const pull = (call: Call, response: Transport.Response) =>
  Effect.tap(response.body, (chunks) =>
    Effect.forEach(chunks, (chunk) => {
      call.read += chunk.byteLength
      return Simulation.check(
        "nobody reads a stranger's bytes",
        String(serialOf(chunk)) === response.headers["x-serial"],
        () => `${serialOf(chunk)} for ${String(response.headers["x-serial"])}`
      )
    }))

/** Reads to the end, which must be that of the whole. */
const readAll = (call: Call, response: Transport.Response) =>
  Effect.catchIf(Effect.forever(pull(call, response), { disableYield: true }), Cause.isDone, () =>
    Simulation.check(
      "who reads to the end has read it all",
      String(call.read) === response.headers["x-length"],
      () => `${call.read} of ${String(response.headers["x-length"])} bytes`
    ))

/** How a body is read, other than whole. */
const ways: Readonly<Record<string, string>> = {
  some: "a body is left half read",
  none: "a body is left unread",
  twice: "a body is read by two"
}

const read = Effect.fnUntraced(function*(call: Call, response: Transport.Response) {
  const part = yield* Simulation.choose(["all", "all", "some", "none", "twice"])
  const fault = ways[part]
  if (fault !== undefined) yield* Simulation.fault(fault, 1)
  const all = readAll(call, response)
  if (part === "all") yield* all
  if (part === "some") yield* Effect.catchIf(pull(call, response), Cause.isDone, () => Effect.void)
  if (part === "twice") {
    const exits = yield* Effect.all([Effect.exit(all), Effect.exit(all)], { concurrency: 2 })
    yield* Simulation.check("a second reader disturbs nobody", !exits.every(Exit.hasDies))
  }
  yield* Simulation.check("nobody reads more than is allowed", call.read <= maxBodySize, () => `${call.read} bytes`)
}, Simulation.phase("reading"))

/** Sends, and reads the answer, or part of it, or nothing. */
const work = Effect.fnUntraced(function*(transport: Transport.Transport["Service"], call: Call) {
  const limit = yield* Simulation.choose([0, 5, 50, deadline, deadline, deadline])
  const startedAt = yield* now
  const head = yield* Effect.exit(uncut(limit)(execute(transport, call.name)))
  const took = (yield* now) - startedAt
  // Connecting and waiting for the head have limits of their own, and neither begins after the deadline.
  yield* Simulation.check("nobody waits beyond their deadline", took <= limit + firstToken, () => `${took} ms`)
  const response = call.response = yield* head
  const waited = (yield* now) - response.sentAt
  yield* Simulation.check("a head is waited for no longer than it may take", waited <= firstToken, () => `${waited} ms`)
  yield* read(call, response)
}, Deadline.within(deadline))

/** What one who still has the response gets of it when all is over. */
const readLate = Effect.fnUntraced(function*({ read, response }: Call) {
  if (response === undefined) return
  const startedAt = yield* now
  const exit = yield* Effect.exit(response.body)
  const took = (yield* now) - startedAt
  yield* Simulation.check("nobody reads, or waits, when the exchange is over", Exit.isFailure(exit) && took === 0)
  const isDone = Exit.isFailure(exit) && Option.exists(Exit.findErrorOption(exit), Cause.isDone)
  const isWhole = String(read) === response.headers["x-length"]
  yield* Simulation.check("the end is told only where all was read", !isDone || isWhole)
})

/** How a call that is over has ended, in time and with the error that says why. */
const judge = Effect.fnUntraced(function*(call: Call, exit: Exit.Exit<unknown, unknown>, startedAt: number) {
  const took = (yield* now) - startedAt
  yield* Simulation.check("a call ends by its deadline", took <= deadline + grace, () => `${took} ms`)
  const { closedAt, endedAt, unlistedAt = Infinity } = call
  if (closedAt !== undefined && call.response !== undefined) {
    yield* Simulation.check("a reader ends with its scope", endedAt <= closedAt, () => `${endedAt - closedAt} ms later`)
  }
  yield* Simulation.check(
    "a call that is listed no more ends at once",
    endedAt <= unlistedAt,
    () => `${endedAt - unlistedAt} ms later`
  )
  if (Exit.isSuccess(exit)) return
  const error = Exit.findErrorOption(exit).pipe(Option.filter(isExpected))
  yield* Simulation.check("a caller gets a typed error", Option.isSome(error), () => String(exit.cause))
  if (Option.isNone(error)) return
  const { value } = error
  if (value._tag === "QueueTimeout") {
    yield* Simulation.check("nobody waits while there is room", value.connections === connections)
  }
  if (value._tag === "SessionRevoked") {
    const isClosed = value.reason === "its scope was closed"
    yield* Simulation.check("who is ended hears why", isClosed ? closedAt !== undefined : value.reason === "simulated")
  }
})

const caller = Effect.fnUntraced(function*(
  transport: Transport.Transport["Service"],
  calls: Calls,
  pauses: Choice,
  id: number
) {
  for (let i = 0; i < callsEach; i++) {
    const call = new Call(`${id}/${i}`)
    calls.set(`/${call.name}`, call)
    const startedAt = yield* now
    const exit = yield* Effect.exit(
      Scope.provide(work(transport, call), call.scope).pipe(
        Effect.ensuring(Effect.map(now, (at) => call.endedAt = at)),
        Effect.onExit((exit) => Scope.close(call.scope, exit)),
        Simulation.phase("giving back")
      )
    )
    yield* judge(call, exit, startedAt)
    yield* readLate(call)
    yield* Simulation.latency(0, yield* Simulation.choose(pauses))
  }
})

/** Closes the scope of a call from elsewhere. */
const close = (call: Call) =>
  Effect.uninterruptible(Effect.flatMap(now, (at) => {
    if (call.scope.state._tag !== "Closed") call.closedAt = at
    return Scope.close(call.scope, Exit.void)
  }))

/** Closes the scopes of calls whose server has left their connection, so that they go on over another one. */
const closingOnAnother = (calls: Calls) => {
  /** The scopes of these calls are closed when the next connection is ready, which may be theirs. */
  const awaited = new Set<Call>()
  const onLeft = Effect.fnUntraced(function*(path: string) {
    const call = calls.get(path)
    if (call === undefined || !(yield* Simulation.fault("a scope is closed over another connection", 0.7))) return
    const moment = yield* Simulation.choose(["now", "soon", "when connected"])
    if (moment === "now") yield* close(call)
    if (moment === "soon") yield* Effect.forkDetach(Effect.andThen(Simulation.latency(0, 5), close(call)))
    if (moment === "when connected") awaited.add(call)
  })
  const onReady = Effect.suspend(() => {
    const all = [...awaited]
    awaited.clear()
    return all.length === 0 ? Effect.void : Effect.forkDetach(Effect.forEach(all, close, { discard: true }))
  })
  return { onLeft, onReady }
}

/** Whether the registry lists the exchange of a call. */
const isListed = (call: Call) =>
  Effect.map(
    SessionRegistry.list({ kind: "exchange" }),
    (listed) => listed.some(({ name }) => name.endsWith(`/${call.name}`))
  )

/** Closes scopes in which others work, wherever they are. */
const closer = Effect.fnUntraced(function*(calls: Calls) {
  for (let i = 0; i < 8; i++) {
    yield* Simulation.latency(0, 100)
    const [first, ...others] = [...calls.values()].filter(({ scope }) => scope.state._tag !== "Closed")
    if (first === undefined) continue
    const call = yield* Simulation.choose([first, ...others])
    const isRead = call.response !== undefined
    const wasListed = yield* isListed(call)
    yield* close(call)
    if (wasListed && !(yield* isListed(call))) call.unlistedAt = yield* now
    yield* Simulation.fault(isRead ? "a scope is closed under its reader" : "a scope is closed under its call", 1)
  }
}, Simulation.phase("closing scopes"))

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
  const calls: Calls = new Map()
  const { chunks, leaving, lifetimes, pauses } = yield* Simulation.choose([heavy, heavy, light])
  const wire = faultyWire({
    closeTimeout,
    chunkSize: 1000,
    leaving,
    ...closingOnAnother(calls),
    closedAt: (path) => calls.get(path)?.closedAt,
    answer: () =>
      Effect.all({
        status: Effect.succeed(200),
        chunks: Simulation.choose(chunks),
        isSized: Simulation.choose([true, false])
      })
  })
  const maxLifetime = yield* Simulation.choose(lifetimes)
  yield* Simulation.always(
    "opening, open and closing connections never exceed the limit",
    () => wire.open.size <= connections,
    () => `${wire.open.size} of ${connections}`
  )
  yield* Simulation.always("nobody shares a connection", () => !wire.broken.shared)
  yield* Simulation.always("nothing is sent behind bytes of the last request", () => !wire.broken.behind)
  yield* Simulation.always("a body has one reader at a time", () => !wire.broken["read twice"])
  yield* Simulation.always("nothing is sent for who has no time left", () => !wire.broken.late)
  yield* Simulation.always("what is sent in a closed scope is broken off at once", () => !wire.broken.orphaned)
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
    [...Array.from({ length: callers }, (_, id) => caller(transport, calls, pauses, id)), closer(calls), revoker],
    (program, index) => Simulation.fork(program, index < callers ? "caller" : index > callers ? "revoker" : "closer")
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

/** In some runs somebody traces, and must not be left with spans that have begun and not ended. */
const traced = Effect.gen(function*() {
  if (!(yield* Simulation.fault("somebody traces", 0.3))) return yield* program
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  yield* Effect.provideService(program, Tracer.Tracer, tracer)
  const left = spans.filter(({ status }) => status._tag !== "Ended")
  yield* Simulation.check("each span that was begun has ended", left.length === 0, () => left.map((_) => _.name).join())
})

export default {
  name: "Transport",
  program: Effect.provide(traced, SessionRegistry.layer()),
  phases: ["checkout", "head", "reading", "giving back", "revoking", "closing scopes"],
  faults: [
    "connect is refused",
    "connect is slow",
    "connect never ends",
    "head is late",
    "head is lost",
    "head never comes",
    "body is cut",
    "body stalls",
    "answer comes before the request was sent",
    "a scope is closed under its call",
    "a scope is closed under its reader",
    "a scope is closed over another connection",
    ...Object.values(ways),
    "somebody traces",
    "server hangs up when idle",
    "server waits for us to hang up, too",
    "server leaves unnoticed",
    "close is slow",
    "close never ends",
    "transport closes under its callers"
  ]
} satisfies Simulation.Scenario
