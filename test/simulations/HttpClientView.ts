/**
 * A transport as Effect's `HttpClient`, over a faulty wire. Callers read responses late, in part or not at all, and retry.
 *
 * Four callers make three calls each, on at most three connections. Some calls lose their response, as to the collector.
 * Other fibers close the scopes of calls at any step. The names of the properties say what must hold. In the end the wire is
 * healed. Then as many calls as connections get errors at the same time and retry, or more responses than connections are
 * held unread.
 */
import { Deadline, SessionError, SessionRegistry, Timeouts, Transport, TransportError } from "@clawback/core"
import * as HttpClientView from "@clawback/core/HttpClientView"
import { Simulation } from "@clawback/testing"
import { Effect, Exit, Fiber, Latch, Option, Schema, Scope, Stream } from "effect"
import { HttpClient, HttpClientError, type HttpClientResponse } from "effect/http"
import { type Answer, faultyWire, now, origin } from "../support/faultyWire.ts"

const callers = 4
const callsEach = 3
const connections = 3
const deadline = 1000
/** What closing a scope may take on top: the drain of a body's rest. */
const grace = 300
const closeTimeout = 2000
const chunkSize = 24_000
/** More chunks than are read ahead. */
const many = 3

const isExpected = Schema.is(Schema.Union([
  TransportError.ConnectFailed,
  TransportError.ConnectionLost,
  TransportError.UnreadBodyClosed,
  Timeouts.ConnectTimeout,
  Deadline.DeadlineExceeded,
  SessionError.SessionRevoked
]))

/** What is behind an error, whichever of Effect's errors it came in. */
const causeOf = (error: unknown): unknown => HttpClientError.isHttpClientError(error) ? error.reason.cause : error

type Client = HttpClient.HttpClient
type Response = HttpClientResponse.HttpClientResponse

/** What a body has to be: whole, and of the request that its head is of. */
const checkBody = Effect.fnUntraced(function*(response: Response, parts: ReadonlyArray<Uint8Array>) {
  const serial = Number(response.headers["x-serial"])
  const isOwn = (part: Uint8Array) => {
    for (let at = 0; at < part.byteLength; at += chunkSize) if (part[at] !== serial) return false
    return true
  }
  yield* Simulation.check("nobody reads a stranger's bytes", parts.every(isOwn))
  const length = parts.reduce((sum, { byteLength }) => sum + byteLength, 0)
  yield* Simulation.check(
    "who reads to the end has read it all",
    String(length) === response.headers["x-length"],
    () => `${length} of ${response.headers["x-length"]} bytes`
  )
})

/** Reads a whole body, twice: what was read is remembered. */
const readWhole = Effect.fnUntraced(function*(response: Response) {
  const first = yield* response.arrayBuffer
  yield* checkBody(response, [new Uint8Array(first)])
  const again = yield* response.arrayBuffer
  yield* Simulation.check("what was read can be read again", again === first)
})

const readStream = Effect.fnUntraced(function*(response: Response) {
  const parts = yield* Stream.runCollect(response.stream)
  yield* checkBody(response, parts)
})

/** How a body is treated, other than read as soon as it has come. */
const ways: Readonly<Record<string, string>> = {
  late: "a body is read late",
  half: "a body is left half read",
  unread: "a body is left unread",
  lost: "a response is lost"
}

const use = Effect.fnUntraced(function*(response: Response, lost: Scope.Closeable) {
  const way = yield* Simulation.choose(["whole", "stream", "late", "half", "unread", "lost"])
  const fault = ways[way]
  if (fault !== undefined) yield* Simulation.fault(fault, 1)
  if (way === "late" || way === "unread") yield* Simulation.latency(0, 100)
  if (way === "lost") {
    yield* Scope.close(lost, Exit.void)
    return yield* Simulation.latency(0, 100)
  }
  const reading = way === "half"
    ? Stream.runDrain(Stream.take(response.stream, 1))
    : way === "stream"
    ? readStream(response)
    : way === "unread"
    ? Effect.void
    : readWhole(response)
  const exit = yield* Effect.exit(reading)
  if (Exit.isFailure(exit)) {
    const cause = causeOf(Option.getOrUndefined(Exit.findErrorOption(exit)))
    const isDropped = cause instanceof TransportError.UnreadBodyClosed
    if (isDropped) yield* Simulation.fault("an unread body is closed", 1)
    yield* Simulation.check("only an error that nobody reads is dropped", !isDropped || response.status >= 400)
  }
  yield* exit
}, Simulation.phase("reading"))

interface Call {
  readonly name: string
  readonly scope: Scope.Closeable
  closedAt: number | undefined
}

const caller = Effect.fnUntraced(function*(client: Client, calls: Map<string, Call>, id: number) {
  for (let i = 0; i < callsEach; i++) {
    const call: Call = { name: `${id}/${i}`, scope: Scope.makeUnsafe(), closedAt: undefined }
    calls.set(`/${call.name}`, call)
    const startedAt = yield* now
    const isRetried = yield* Simulation.choose([true, false])
    const work = Effect.gen(function*() {
      const lost = yield* Scope.fork(call.scope)
      const scoped = HttpClient.withScope(isRetried ? HttpClient.retryTransient(client, { times: 2 }) : client)
      const get = yield* Simulation.choose([
        Scope.provide(scoped.get(`${origin}/${call.name}`), lost),
        client.get(`${origin}/${call.name}`)
      ])
      yield* use(yield* Simulation.phase("head")(get), lost)
    })
    const exit = yield* Effect.exit(
      Deadline.within(deadline)(Scope.provide(work, call.scope)).pipe(
        Effect.onExit((exit) => Scope.close(call.scope, exit)),
        Simulation.phase("giving back")
      )
    )
    const took = (yield* now) - startedAt
    yield* Simulation.check("a call ends by its deadline", took <= deadline + grace, () => `${took} ms`)
    if (Exit.isFailure(exit)) {
      const cause = causeOf(Option.getOrUndefined(Exit.findErrorOption(exit)))
      yield* Simulation.check("a caller gets a typed error", isExpected(cause), () => String(exit.cause))
      const isClosed = Schema.is(SessionError.SessionRevoked)(cause)
      yield* Simulation.check("who is ended hears why", !isClosed || call.closedAt !== undefined || isRetried)
    }
    yield* Simulation.latency(0, yield* Simulation.choose([0, 0, 20, 500]))
  }
})

/** Closes scopes in which others work, wherever they are. */
const closer = Effect.fnUntraced(function*(calls: ReadonlyMap<string, Call>) {
  for (let i = 0; i < 6; i++) {
    yield* Simulation.latency(0, 100)
    const [first, ...others] = [...calls.values()].filter(({ scope }) => scope.state._tag !== "Closed")
    if (first === undefined) continue
    const call = yield* Simulation.choose([first, ...others])
    yield* Effect.uninterruptible(Effect.flatMap(now, (at) => {
      call.closedAt ??= at
      return Scope.close(call.scope, Exit.void)
    }))
  }
}, Simulation.phase("closing scopes"))

/** What must be done soon once the wire is healed. Waiting for a body that does not come takes most of that time. */
const inTime = Effect.fnUntraced(function*<A, E>(property: string, work: Effect.Effect<A, E, Scope.Scope>) {
  const startedAt = yield* now
  const exit = yield* Effect.exit(Effect.scoped(work))
  const took = (yield* now) - startedAt
  yield* Simulation.check(property, Exit.isSuccess(exit) && took <= 900, () => `${exit}, ${took} ms`)
})

/** As many calls as connections meet an error at the same time, keep it, and retry. */
const retryTogether = Effect.fnUntraced(function*(client: Client) {
  const all = yield* Latch.make()
  let holding = 0
  const together = HttpClient.transformResponse(
    client,
    Effect.tap(() => {
      if (++holding === connections) all.openUnsafe()
      return all.await
    })
  )
  const retrying = HttpClient.retryTransient(together, { times: 1 })
  const calls = Effect.forEach(
    Array.from({ length: connections }, (_, id) => id),
    (id) => Effect.flatMap(retrying.get(`${origin}/error/${id}`), readWhole),
    { concurrency: "unbounded" }
  )
  yield* inTime("those that retry together are served", calls)
})

/** More responses than connections are held, and read later. */
const readTogether = Effect.fnUntraced(function*(client: Client) {
  const calls = Effect.forEach(
    Array.from({ length: 2 * connections }, (_, id) => id),
    (id) => client.get(`${origin}/small/${id}`)
  )
  yield* inTime("small responses can be held unread", Effect.flatMap(calls, Effect.forEach(readWhole)))
})

/** More calls than connections meet an error at the same time, and keep it. */
const waitTogether = Effect.fnUntraced(function*(client: Client) {
  const all = yield* Latch.make()
  let holding = 0
  const calls = Effect.forEach(
    Array.from({ length: 2 * connections }, (_, id) => id),
    (id) =>
      Effect.flatMap(client.get(`${origin}/error/${id}`), () => {
        if (++holding === 2 * connections) all.openUnsafe()
        return all.await
      }),
    { concurrency: "unbounded" }
  )
  yield* inTime("those that wait get the connection of an error that comes then", calls)
})

/** The oldest response that is held is one that must not be dropped, the others are errors. */
const passOver = Effect.fnUntraced(function*(client: Client) {
  const calls = Effect.gen(function*() {
    const kept = yield* client.get(`${origin}/large`)
    yield* Effect.forEach(
      Array.from({ length: connections }, (_, id) => id),
      (id) => client.get(`${origin}/error/${id}`)
    )
    yield* readWhole(kept)
  })
  yield* inTime("where one does not give up, the next one does", calls)
})

const program = Effect.gen(function*() {
  const registry = yield* SessionRegistry.SessionRegistry
  const calls = new Map<string, Call>()
  const draw: Effect.Effect<Answer> = Effect.gen(function*() {
    return {
      status: yield* Simulation.choose([200, 200, 503, 503, 404]),
      chunks: yield* Simulation.choose([0, 1, 2, many]),
      isSized: yield* Simulation.choose([true, false]),
      isSilent: yield* Simulation.fault("a body never comes", 0.1)
    }
  })
  /** The errors that calls meet once the wire is healed: all are of one kind. */
  const kind: Answer = {
    status: 503,
    chunks: yield* Simulation.choose([1, many]),
    isSized: yield* Simulation.choose([true, false]),
    isSilent: yield* Simulation.choose([true, false, false])
  }
  const isSized = yield* Simulation.choose([true, false])
  const met = new Set<string>()
  const wire = faultyWire({
    closeTimeout,
    chunkSize,
    closedAt: (path) => calls.get(path)?.closedAt,
    answer: (path) => {
      if (path.startsWith("/error/") && !met.has(path)) {
        met.add(path)
        return Effect.succeed(kind)
      }
      if (path === "/large") return Effect.succeed({ status: 200, chunks: many, isSized: false })
      return path.startsWith("/error/") || path.startsWith("/small/")
        ? Effect.succeed({ status: 200, chunks: 2, isSized })
        : draw
    }
  })
  yield* Simulation.always("nobody shares a connection", () => !wire.broken.shared)
  yield* Simulation.always("nothing is sent behind bytes of the last request", () => !wire.broken.behind)
  yield* Simulation.always("a body has one reader at a time", () => !wire.broken["read twice"])
  yield* Simulation.always("what is sent in a closed scope is broken off at once", () => !wire.broken.orphaned)

  const scope = yield* Scope.make()
  const transport = yield* Scope.provide(
    Transport.make(wire.wire, { connections, closeTimeout, idleTimeToLive: 300 }),
    scope
  )
  const client = yield* Scope.provide(HttpClientView.toHttpClient(transport), scope)
  const fibers = yield* Effect.forEach(
    [...Array.from({ length: callers }, (_, id) => caller(client, calls, id)), closer(calls)],
    (program, index) => Simulation.fork(program, index < callers ? "caller" : "closer")
  )
  for (const fiber of fibers) {
    const exit = yield* Fiber.await(fiber)
    yield* Simulation.check(
      "only who was interrupted ends so",
      Exit.isSuccess(exit) || (Exit.hasInterrupts(exit) && (yield* Simulation.isStruck(fiber))),
      () => String(exit)
    )
  }

  yield* Simulation.heal
  yield* Effect.sleep(2 * closeTimeout)
  yield* (yield* Simulation.choose([retryTogether, readTogether, waitTogether, passOver]))(client)
  const open = yield* registry.list({ kind: "exchange" })
  yield* Simulation.check("no exchange outlives its call", open.length === 0, () => JSON.stringify(open))
  yield* Scope.close(scope, Exit.void)
  const left = yield* registry.list()
  yield* Simulation.check("the registry is empty when all is closed", left.length === 0, () => JSON.stringify(left))
  yield* Simulation.check("no connection is left when all is closed", wire.open.size === 0, () => `${wire.open.size}`)
})

export default {
  name: "HttpClientView",
  program: Effect.provide(program, SessionRegistry.layer()),
  phases: ["head", "reading", "giving back", "closing scopes"],
  faults: [
    "connect is refused",
    "head is lost",
    "head never comes",
    "body is cut",
    "body stalls",
    "a body never comes",
    "answer comes before the request was sent",
    "server leaves unnoticed",
    "an unread body is closed",
    ...Object.values(ways)
  ]
} satisfies Simulation.Scenario
