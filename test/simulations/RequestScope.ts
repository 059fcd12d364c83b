/**
 * A server whose requests fork, hold and stream, read by clients that may go at any step.
 *
 * Five clients ask four times each. Handlers fork children, scoped and detached fibers, which make bodies; they hold
 * things in the request's scope, and forget some. Bodies are read whole, by half or not at all. Clients go, deadlines
 * pass, scopes are closed from elsewhere, requests are revoked one by one and by tenant, and in some runs the process
 * shuts down. Spans are on in half of the runs, and keep what they end with. What must hold is in the names of the
 * properties.
 */
import { Deadline, SessionError, SessionRegistry, Shutdown } from "@clawback/core"
import * as RequestScope from "@clawback/core/RequestScope"
import { Simulation } from "@clawback/testing"
import { Effect, Exit, Fiber, Layer, Logger, Option, Scope, Stream } from "effect"
import { HttpServerRequest, type HttpServerResponse } from "effect/http"
import { Records } from "../support/records.ts"
import { handler, Held, now, patience, reclaiming, Served, Unlucky } from "../support/servedRequests.ts"
import { sometimesTraced } from "../support/spans.ts"

const clients = 5
const requests = 4
const limit = 100
const tenants = ["acme", "bolt"] as const

const requestOf = {
  acme: new Request("http://localhost/chat", { headers: { "x-tenant": "acme" } }),
  bolt: new Request("http://localhost/chat", { headers: { "x-tenant": "bolt" } })
}

const inScope = RequestScope.http({
  deadline: limit,
  // A body is cut off at the deadline, so that both moments are one.
  grace: 0,
  caller: (headers) => Effect.succeed({ tenant: headers["x-tenant"] })
})

const isTyped = (error: unknown) =>
  error instanceof Unlucky || error instanceof SessionError.SessionRevoked || error instanceof Deadline.DeadlineExceeded

/** Whether a response has the error of a shutdown. */
const hasShutdownError = ({ body }: HttpServerResponse.HttpServerResponse) =>
  body._tag === "Uint8Array" && new TextDecoder().decode(body.body).includes("ShuttingDown")

/** Reads an answer: to its end, or only so many of its chunks. */
const read = (response: HttpServerResponse.HttpServerResponse, chunks: number, isSlow: boolean) =>
  response.body._tag === "Stream"
    ? response.body.stream.pipe(
      Stream.take(chunks),
      Stream.decodeText,
      Stream.tap(() => isSlow ? Simulation.latency(0, 400) : Effect.void),
      Stream.runCollect,
      Effect.map((parts) => [...parts].join("")),
      Simulation.phase("reading")
    )
    : Effect.succeed("")

/** One request, as a server runs it: its scope closes when its answer is sent, or is not wanted any more. */
const ask = Effect.fnUntraced(function*(all: Set<Served>, held: Held, ended: () => boolean) {
  const tenant = yield* Simulation.choose(tenants)
  const chunks = yield* Simulation.choose([Infinity, Infinity, 1, 0])
  const isSlow = yield* Simulation.fault("a client reads slowly", 0.1)
  const scope = yield* Scope.make()
  const served = new Served(all.size + 1, tenant, scope)
  all.add(served)
  served.isRead = chunks < Infinity
  const wasEnding = ended()
  const begunAt = yield* now
  const isElsewhere = yield* Simulation.choose([true, false, false, false])
  const taken = isElsewhere ? yield* Simulation.closeAtAnyStep(scope) : Effect.succeed(false)
  const isTooLate = yield* Simulation.fault("a scope is closed before its request begins", 0.05)
  if (isTooLate) yield* Scope.close(scope, Exit.void)
  const isClosing = yield* Simulation.fault("a scope closes as its request begins", 0.25)
  served.isClosedEarly = isClosing
  // No time passes until the handler runs.
  const turns = Effect.repeat(Effect.yieldNow, { times: yield* Simulation.choose([0, 1, 2, 3]) })
  const closing = isClosing
    ? Fiber.await(yield* Effect.forkChild(Effect.andThen(turns, Scope.close(scope, Exit.void))))
    : Effect.void
  const answer = Effect.withFiber((fiber) => {
    served.client = fiber
    return inScope(handler(served, held)).pipe(
      Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromWeb(requestOf[tenant])),
      Scope.provide(scope),
      Effect.flatMap((response) =>
        Effect.map(read(response, chunks, isSlow), (body) => ({
          status: response.status,
          body,
          isRefused: hasShutdownError(response)
        }))
      )
    )
  })
  const exit = yield* Effect.exit(
    Effect.onExit(
      answer,
      (exit) =>
        Effect.andThen(Scope.close(scope, exit), Effect.andThen(taken, closing)).pipe(Simulation.phase("closing"))
    )
  )
  const endedAt = yield* now

  // One that was revoked before its handler began is not known by its session.
  const isRevoked = served.session === undefined || served.session.revoked !== undefined
  const isLate = endedAt >= served.until
  const wasClosed = (yield* taken) || served.closesItself || isTooLate || isClosing
  yield* Simulation.check("no request begins in a closed scope", !isTooLate || served.session === undefined)
  const isWhole = !isRevoked && !isLate && !served.hasFailed && !wasClosed && !ended()
  const detail = () => `request ${served.number}: ${exit}, ${served.expected.join("")} expected`
  yield* Simulation.check("a request ends in time", isSlow || endedAt - begunAt <= limit + patience, detail)
  yield* Simulation.check(
    "no fiber outlives the request that forked it",
    served.live.size === 0 || served.closesItself,
    () => `request ${served.number}: ${[...served.live]}`
  )
  if (Exit.isFailure(exit)) {
    const own = exit.cause.reasons.filter(({ _tag }) => _tag !== "Interrupt")
    yield* Simulation.check(
      "a client that is not interrupted gets a typed error",
      own.every((reason) => reason._tag === "Fail" && isTyped(reason.error)),
      detail
    )
    return yield* Simulation.check("a response fails only if it was cut short", !isWhole, detail)
  }
  const { body, isRefused, status } = exit.value
  yield* Simulation.check(
    "a response that was not cut short is whole",
    status !== 200 || !isWhole ||
      body === served.expected.slice(0, chunks).join(""),
    detail
  )
  yield* Simulation.check("504 means that the deadline passed", status !== 504 || isLate, detail)
  yield* Simulation.check(
    "503 means that the request was revoked, or that its process shuts down",
    status !== 503 || isRevoked || wasClosed || ended(),
    detail
  )
  yield* Simulation.check("the error ShuttingDown means that the process shuts down", !isRefused || ended(), detail)
  yield* Simulation.check(
    "a request that was not cut short gets the response of its handler",
    !isWhole ||
      status === 200 || wasEnding,
    detail
  )
})

const client = Effect.fnUntraced(function*(all: Set<Served>, held: Held, ended: () => boolean) {
  for (let i = 0; i < requests; i++) {
    yield* Simulation.latency(0, 20)
    yield* ask(all, held, ended)
  }
})

/** Revokes requests, and looks at what came of it. */
const revoker = Effect.fnUntraced(function*(all: Set<Served>) {
  for (let i = 0; i < 3; i++) {
    yield* Simulation.latency(0, 60)
    const open = yield* SessionRegistry.list({ kind: "request" })
    const id = open.length === 0 ? 0 : (yield* Simulation.choose(open as [SessionRegistry.Snapshot])).id
    const filter = yield* Simulation.choose<SessionRegistry.Filter>([{ id }, { kind: "request", tenant: "acme" }, {
      id
    }])
    const deadline = yield* Simulation.choose([5, 50])
    const releaseDeadline = yield* Simulation.choose([10, 5000])
    const { revoked, stuck } = yield* SessionRegistry.revoke(filter, { reason: "simulated", deadline, releaseDeadline })
    const ids = new Set(revoked.map(({ id }) => id))
    // Their release goes on.
    for (const { id } of stuck) ids.delete(id)
    // What was forked in the request's scope ends with that, which is for its server to close.
    const left = [...all].flatMap(({ closesItself, live, number, session }) =>
      session === undefined || !ids.has(session.id) || closesItself
        ? []
        : [...live].filter((name) => name !== "scoped").map((name) => `${name} of request ${number}`)
    )
    yield* Simulation.check("a revocation ends the request's children", left.length === 0, () => left.join())
  }
}, Simulation.phase("revoking"))

const program = Effect.gen(function*() {
  const all = new Set<Served>()
  const records = new Records()
  const isWatched = yield* Simulation.fault("owners are watched", 0.3)
  const context = yield* Layer.build(SessionRegistry.layer({ sampleAll: isWatched }))
  const held = new Held(isWatched, records)
  let isEnding = false

  yield* Effect.gen(function*() {
    const fibers = yield* Effect.forEach(
      [...Array.from({ length: clients }, () => client(all, held, () => isEnding)), revoker(all)],
      (program, index) => Simulation.fork(program, index < clients ? "client" : "revoker")
    )
    const looking = yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sleep(20), reclaiming)))
    if (yield* Simulation.fault("the process shuts down", 0.2)) {
      yield* Simulation.latency(0, 150)
      isEnding = true
      const report = yield* Shutdown.shutdown("simulated")
      // One that is just being refused is open for a moment.
      const begun = new Set([...all].map(({ session }) => session?.id))
      const stuck = report.stuck.filter(({ id }) => begun.has(id))
      yield* Simulation.check("a shutdown leaves no request", stuck.length === 0, () => JSON.stringify(report))
      const late = report.phases.slice(2).reduce((sum, { ended, interrupted }) => sum + ended + interrupted.length, 0)
      yield* Simulation.check(
        "a shutdown waits only for requests that have not ended",
        report.phases[2]?.outcome !== "overran" || late > 0,
        () => JSON.stringify(report)
      )
    }
    const ends = yield* Effect.timeoutOption(Effect.forEach(fibers, Fiber.await), "10 minutes")
    yield* Simulation.check("nothing hangs", Option.isSome(ends))
    if (Option.isNone(ends)) yield* Fiber.interruptAll(fibers)

    yield* Simulation.heal
    yield* Effect.sleep(300)
    yield* Fiber.interrupt(looking)
    yield* reclaiming
    yield* Simulation.check(
      "what requests held is released, also what they forgot",
      held.taken === held.returned,
      () => `${held.taken} taken, ${held.returned} returned, ${held.forgotten} forgotten`
    )
    const left = yield* SessionRegistry.list()
    yield* Simulation.check("no session is left", left.length === 0, () => JSON.stringify(left))
    yield* Simulation.check("no fiber is left", [...all].every(({ live }) => live.size === 0))
  }).pipe(records.watch, Effect.provideContext(context))
})

export default {
  name: "RequestScope",
  program: sometimesTraced(Effect.scoped(program)).pipe(
    Effect.provide(Layer.merge(
      Shutdown.layer({ unready: 5, stop: 5, drain: 60, persist: 5, interrupt: 400, close: 400 }),
      Logger.layer([])
    ))
  ),
  phases: ["handling", "reading", "closing", "revoking"],
  faults: [
    "a handler fails",
    "a handler never answers",
    "a body fails",
    "a body stalls",
    "a client reads slowly",
    "a request closes its own scope",
    "a request closes its own scope as it ends",
    "a scope is closed before its request begins",
    "a scope closes as its request begins",
    "a child is left behind",
    "a child ignores interruption",
    "a release takes its time",
    "a scope is forgotten",
    "owners are watched",
    "the process shuts down",
    "scope closes",
    "collection",
    "spans are on"
  ]
} satisfies Simulation.Scenario
