import * as Caller from "@clawback/core/Caller"
import * as Deadline from "@clawback/core/Deadline"
import * as RequestScope from "@clawback/core/RequestScope"
import * as Session from "@clawback/core/Session"
import * as SessionError from "@clawback/core/SessionError"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Shutdown from "@clawback/core/Shutdown"
import { assert, describe, it } from "@effect/vitest"
import {
  type Cause,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  Queue,
  Schema,
  Scope,
  Stream
} from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Rpc, RpcGroup, RpcTest } from "effect/rpc"
import { TestClock } from "effect/testing"
import { turn } from "./Moments.ts"
import { Stock } from "./Stock.ts"

const isolated = Effect.provide(SessionRegistry.layer({ quota: () => 3 }))

const ok = HttpServerResponse.text("ok")

const info = { kind: "thing", name: "held" }

const requestOf = (tenant: string) => new Request("http://localhost/", { headers: { "x-tenant": tenant } })

/** Runs a handler as a server would, in a request scope that the test closes. */
const serve = <E>(
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, Scope.Scope>,
  options: RequestScope.Options = {},
  request = new Request("http://localhost/chat?key=secret")
) =>
  Effect.map(Scope.make(), (scope) => ({
    scope,
    response: RequestScope.http(options)(handler).pipe(
      Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromWeb(request)),
      Scope.provide(scope)
    )
  }))

const bodyOf = (response: HttpServerResponse.HttpServerResponse) => {
  assert(response.body._tag === "Stream")
  return response.body.stream
}

const said = (response: HttpServerResponse.HttpServerResponse) =>
  Effect.map(Stream.runCollect(Stream.decodeText(bodyOf(response))), (parts) => Array.from(parts))

/** What the client gets of a handler that fails. */
const answerTo = (error: SessionError.SessionError) =>
  Effect.flatMap(serve(Effect.fail(error)), ({ response }) =>
    Effect.map(response, ({ body, headers, status }) => {
      assert(body._tag === "Uint8Array")
      return { status, retryAfter: headers["retry-after"], ...JSON.parse(new TextDecoder().decode(body.body)) }
    }))

describe("RequestScope.http", () => {
  it.effect("opens a session until the request's scope closes, named without the query", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const handler = Effect.gen(function*() {
        yield* Session.acquire(info, Effect.void, () => Effect.void)
        for (const { kind, name, parent } of yield* SessionRegistry.list()) {
          seen.push([kind, name, parent !== undefined])
        }
        return ok
      })
      const { response, scope } = yield* serve(handler)
      yield* response
      assert.deepStrictEqual(seen, [["request", "GET /chat", false], ["thing", "held", true]])
      assert.strictEqual((yield* SessionRegistry.list()).length, 2)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(isolated))

  it.effect("releases what a handler holds when its client goes, even if the server runs it uninterruptibly", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const { response, scope } = yield* serve(
        Session.use(info, stock.take, stock.put, () => Effect.never)
      )
      const fiber = yield* Effect.forkChild(
        Effect.onExit(Effect.uninterruptible(response), (exit) => Scope.close(scope, exit))
      )
      yield* turn(5)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([stock.returned, yield* SessionRegistry.list()], [[1], []])
    }).pipe(isolated))

  it.effect("sets a deadline, and responds with 504 when it passes", () =>
    Effect.gen(function*() {
      let left: Duration.Duration | undefined
      const handler = Effect.andThen(Effect.map(Deadline.remaining, (it) => void (left = it)), Effect.never)
      const { response } = yield* serve(handler, { deadline: "2 seconds" })
      const fiber = yield* Effect.forkChild(response)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([left, (yield* Fiber.join(fiber)).status], [Duration.seconds(2), 504])
    }).pipe(isolated))

  it.effect("responds with 503 if the session was revoked, and with 429 if the tenant's quota is used up", () =>
    Effect.gen(function*() {
      const options: RequestScope.Options = {
        caller: (headers) => Effect.succeed({ tenant: headers["x-tenant"] })
      }
      const waiting = yield* Effect.forEach(
        [1, 2, 3],
        () =>
          Effect.flatMap(
            serve(Effect.never, options, requestOf("acme")),
            ({ response, scope }) => Effect.forkChild(Effect.onExit(response, (exit) => Scope.close(scope, exit)))
          )
      )
      yield* turn(5)
      const { response } = yield* serve(Effect.succeed(ok), options, requestOf("acme"))
      assert.strictEqual((yield* response).status, 429)
      yield* SessionRegistry.revoke({ tenant: "acme" }, { reason: "suspended" })
      const answers = yield* Effect.forEach(waiting, Fiber.join)
      assert.deepStrictEqual(answers.map(({ status }) => status), [503, 503, 503])
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(isolated))

  it.effect("tells a client nothing of tenants, sessions and models", () =>
    Effect.gen(function*() {
      const shape = { retryAfter: undefined, error: { param: null, code: null } }
      const quota = yield* answerTo(new SessionError.QuotaExceeded({ tenant: "acme", kind: "call", limit: 3 }))
      assert.deepStrictEqual(quota, {
        ...shape,
        status: 429,
        error: {
          ...shape.error,
          type: "QuotaExceeded",
          message: "You have too many requests open at once. Try again when one of them has ended."
        }
      })
      const revoked = yield* answerTo(
        new SessionError.SessionRevoked({ id: 7, kind: "call", session: "openai gpt-5", reason: "suspended" })
      )
      assert.deepStrictEqual(revoked, {
        ...shape,
        status: 503,
        error: { ...shape.error, type: "SessionRevoked", message: "The request was ended: suspended." }
      })
    }).pipe(isolated))

  it.effect("leaves the handler's own errors to the server", () =>
    Effect.gen(function*() {
      const { response } = yield* serve(Effect.fail("mine" as const))
      assert.strictEqual(yield* Effect.flip(response), "mine")
    }).pipe(isolated))

  it.effect("cuts off a streamed body that outlasts the deadline of its revocation", () =>
    Effect.gen(function*() {
      const stream = Stream.concat(Stream.make(Uint8Array.of(1)), Stream.never)
      const { response, scope } = yield* serve(Effect.succeed(HttpServerResponse.stream(stream)))
      const reading = yield* Effect.forkChild(
        Effect.onExit(Stream.runDrain(bodyOf(yield* response)), (exit) => Scope.close(scope, exit))
      )
      yield* turn(5)
      yield* Effect.forkChild(SessionRegistry.revoke({ kind: "request" }, { reason: "test", deadline: "2 seconds" }))
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(reading.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.instanceOf(yield* Effect.flip(Fiber.join(reading)), SessionError.SessionRevoked)
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(isolated))

  it.effect("lets a streamed body send in its own protocol that it was revoked", () =>
    Effect.gen(function*() {
      const stream = Stream.make("one").pipe(
        Stream.concat(Stream.never),
        Session.scopedStream(info),
        Stream.catchTag("SessionRevoked", ({ reason }) => Stream.make(`error: ${reason}`)),
        Stream.encodeText
      )
      const { response, scope } = yield* serve(Effect.succeed(HttpServerResponse.stream(stream)))
      const reading = yield* Effect.forkChild(
        Effect.onExit(said(yield* response), (exit) => Scope.close(scope, exit))
      )
      yield* turn(5)
      yield* SessionRegistry.revoke({ kind: "request" }, { reason: "test" })
      assert.deepStrictEqual(yield* Fiber.join(reading), ["one", "error: test"])
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(isolated))

  it.effect("limits handler and body by one deadline", () =>
    Effect.gen(function*() {
      const handler = Effect.as(Effect.sleep("3 seconds"), HttpServerResponse.stream(Stream.never))
      const { response } = yield* serve(handler, { deadline: "5 seconds" })
      const reading = yield* Effect.forkChild(Effect.flatMap(response, (response) => Stream.runDrain(bodyOf(response))))
      // A second longer, in which a body could send a last event.
      yield* TestClock.adjust("5999 millis")
      assert.isUndefined(reading.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.instanceOf(yield* Effect.flip(Fiber.join(reading)), Deadline.DeadlineExceeded)
    }).pipe(isolated))

  it.effect("fails what has a limit in the body at the deadline, so that the body can send a last event", () =>
    Effect.gen(function*() {
      const work = Stream.concat(Stream.make("one"), Stream.never).pipe(
        Session.scopedStream(info),
        Deadline.withinStream("1 hour"),
        Stream.catchTag("DeadlineExceeded", ({ budget }) => Stream.make(`late after ${Duration.toSeconds(budget)}`))
      )
      const handler = Effect.succeed(HttpServerResponse.stream(Stream.encodeText(work)))
      const { response } = yield* serve(handler, { deadline: "5 seconds" })
      const reading = yield* Effect.forkChild(Effect.flatMap(response, said))
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual((yield* SessionRegistry.list(info)).length, 1)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* SessionRegistry.list(info), [])
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual(yield* Fiber.join(reading), ["one", "late after 5"])
    }).pipe(isolated))

  it.effect("cuts a body off at the deadline if its grace is zero", () =>
    Effect.gen(function*() {
      const handler = Effect.succeed(HttpServerResponse.stream(Stream.never))
      const { response } = yield* serve(handler, { deadline: "5 seconds", grace: 0 })
      const reading = yield* Effect.forkChild(Effect.flatMap(response, (response) => Stream.runDrain(bodyOf(response))))
      yield* TestClock.adjust("5 seconds")
      assert.instanceOf(yield* Effect.flip(Fiber.join(reading)), Deadline.DeadlineExceeded)
    }).pipe(isolated))

  it.effect("keeps the status and headers of a streamed response, and runs its body inside of the session", () =>
    Effect.gen(function*() {
      const parents: Array<number | undefined> = []
      const stream = Stream.fromEffect(Effect.andThen(
        Effect.map(SessionRegistry.list(info), (found) => void parents.push(...found.map(({ parent }) => parent))),
        Effect.succeed(Uint8Array.of(1))
      ))
      const streamed = HttpServerResponse.stream(stream.pipe(Session.scopedStream(info)), {
        status: 201,
        contentType: "text/event-stream",
        headers: { "x-own": "kept" }
      })
      const { response } = yield* serve(Effect.succeed(streamed))
      const guarded = yield* response
      const [{ id } = { id: 0 }] = yield* SessionRegistry.list({ kind: "request" })
      yield* Stream.runDrain(bodyOf(guarded))
      assert.deepInclude({ ...guarded.headers }, { "content-type": "text/event-stream", "x-own": "kept" })
      assert.deepStrictEqual([guarded.status, parents], [201, [id]])
    }).pipe(isolated))

  it("rejects an invalid deadline", () => {
    assert.throws(() => RequestScope.http({ deadline: -1 }), /deadline/)
  })
})

/** Bytes that a fiber makes, once for each of three seconds, and a note of how it ended. */
const making = (ends: Array<string>) =>
  Effect.gen(function*() {
    const queue = yield* Queue.unbounded<Uint8Array, Cause.Done>()
    const make = Effect.gen(function*() {
      for (let n = 1; n <= 3; n++) {
        yield* Effect.sleep("1 second")
        yield* Queue.offer(queue, new TextEncoder().encode(String(n)))
      }
      yield* Queue.end(queue)
      return yield* Effect.never
    }).pipe(Effect.onExit((exit) => Effect.sync(() => ends.push(Exit.hasInterrupts(exit) ? "interrupted" : "ended"))))
    return { make, stream: Stream.fromQueue(queue) }
  })

/** Two handlers whose children make the body: one forks while it handles, one while its body is read. */
const forking = (ends: Array<string>) => ({
  "the handler": Effect.gen(function*() {
    const { make, stream } = yield* making(ends)
    yield* Effect.forkChild(make)
    return HttpServerResponse.stream(stream)
  }),
  "the body": Effect.succeed(HttpServerResponse.stream(Stream.unwrap(Effect.gen(function*() {
    const { make, stream } = yield* making(ends)
    yield* Effect.forkChild(make)
    return stream
  }))))
})

describe("RequestScope and fibers that a request forks", () => {
  it.effect.each(["the handler", "the body"] as const)(
    "a child of %s lives until the last byte",
    (whose) =>
      Effect.gen(function*() {
        const ends: Array<string> = []
        const { response, scope } = yield* serve(forking(ends)[whose])
        const reading = yield* Effect.forkChild(Effect.flatMap(response, said))
        yield* TestClock.adjust("3 seconds")
        assert.deepStrictEqual(yield* Fiber.join(reading), ["1", "2", "3"])
        // What the body forked ends with it, what the handler forked with the request.
        assert.lengthOf(ends, whose === "the body" ? 1 : 0)
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual([ends, yield* SessionRegistry.list()], [["interrupted"], []])
      }).pipe(isolated)
  )

  it.effect.each(["the handler", "the body"] as const)(
    "a child of %s ends when the client goes",
    (whose) =>
      Effect.gen(function*() {
        const ends: Array<string> = []
        const { response, scope } = yield* serve(forking(ends)[whose])
        const reading = yield* Effect.forkChild(
          Effect.onExit(Effect.flatMap(response, said), (exit) => Scope.close(scope, exit))
        )
        yield* TestClock.adjust("1500 millis")
        yield* Fiber.interrupt(reading)
        assert.deepStrictEqual([ends, yield* SessionRegistry.list()], [["interrupted"], []])
      }).pipe(isolated)
  )

  it.effect("children end at the deadline, also while the body is not read", () =>
    Effect.gen(function*() {
      const ends: Array<string> = []
      const { response } = yield* serve(forking(ends)["the handler"], { deadline: "1 second", grace: "1 second" })
      const pull = yield* Stream.toPull(bodyOf(yield* response))
      yield* Effect.all([TestClock.adjust("1 second"), pull], { concurrency: 2 })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(ends, ["interrupted"])
      assert.instanceOf(yield* Effect.flip(pull), Deadline.DeadlineExceeded)
      const late = yield* serve(
        Effect.andThen(Effect.flatMap(making(ends), ({ make }) => Effect.forkChild(make)), Effect.never),
        { deadline: "2 seconds" }
      )
      const answering = yield* Effect.forkChild(late.response)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(answering)).status, 504)
      assert.deepStrictEqual(ends, ["interrupted", "interrupted"])
    }).pipe(Effect.scoped, isolated))

  it.effect("a part of a request can close the request's scope, and does not wait for itself", () =>
    Effect.gen(function*() {
      const closed: Array<string> = []
      const closing = (name: string) =>
        Effect.flatMap(Effect.scope, (scope) =>
          Effect.ensuring(
            Scope.close(scope as Scope.Closeable, Exit.void),
            Effect.sync(() => void closed.push(name))
          ))
      const { response } = yield* serve(Effect.andThen(Effect.forkChild(closing("child")), Effect.never))
      const first = yield* Effect.forkChild(response)
      const second = yield* Effect.forkChild((yield* serve(Effect.andThen(closing("handler"), Effect.never))).response)
      const bodies = (scope: Scope.Closeable) => {
        const close = (name: string) => Effect.provideService(closing(name), Scope.Scope, scope)
        return [
          Stream.fromEffectDrain(close("body")),
          Stream.drain(Stream.fromEffect(Effect.forkChild(close("body's child"))))
        ]
      }
      const third = yield* Effect.forEach([0, 1], (which) =>
        Effect.forkChild(Effect.exit(Effect.flatMap(
          Effect.flatMap(
            serve(Effect.map(Effect.scope, (scope) => {
              const body = bodies(scope as Scope.Closeable)[which] ?? Stream.empty
              return HttpServerResponse.stream(Stream.concat(body, Stream.never))
            })),
            ({ response }) => response
          ),
          said
        ))))
      yield* turn(50)
      assert.deepStrictEqual(closed.toSorted(), ["body", "body's child", "child", "handler"])
      const [one, other] = yield* Effect.all([Fiber.join(first), Fiber.join(second)])
      const exits = yield* Effect.forEach(third, Fiber.join)
      for (const exit of exits) {
        assert.instanceOf(Option.getOrThrow(Exit.findErrorOption(exit)), SessionError.SessionRevoked)
      }
      assert.deepStrictEqual([one.status, other.status, yield* SessionRegistry.list()], [503, 503, []])
    }).pipe(isolated))

  it.effect("a part that closes the scope does not deadlock with a revocation that waits for it", () =>
    Effect.gen(function*() {
      const mayEnd = Deferred.makeUnsafe<void>()
      const slow = Session.acquire(info, Effect.void, () => Deferred.await(mayEnd))
      const closing = Effect.flatMap(Effect.scope, (scope) => Scope.close(scope as Scope.Closeable, Exit.void))
      const { response } = yield* serve(Effect.andThen(slow, Effect.andThen(closing, Effect.never)))
      const answering = yield* Effect.forkChild(response)
      yield* turn(5)
      const revoking = yield* Effect.forkChild(
        SessionRegistry.revoke({ kind: "request" }, { reason: "test", deadline: 0, releaseDeadline: "1 second" })
      )
      yield* turn(5)
      // The release of what is inside takes too long, so that the request's is run without it, and waits for the handler.
      yield* TestClock.adjust("1 second")
      Deferred.doneUnsafe(mayEnd, Exit.void)
      assert.strictEqual((yield* Fiber.join(answering)).status, 503)
      yield* Fiber.join(revoking)
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(isolated))

  it.effect("a forced revocation does not wait for a child that closes the request's scope as it ends", () =>
    Effect.gen(function*() {
      const closing = Effect.flatMap(Effect.scope, (scope) => Scope.close(scope as Scope.Closeable, Exit.void))
      const handler = Effect.as(
        Effect.forkChild(Effect.ensuring(Effect.never, closing)),
        HttpServerResponse.stream(Stream.never)
      )
      const { response } = yield* serve(handler)
      const reading = yield* Effect.forkChild(Effect.flatMap(response, said))
      yield* turn(5)
      const { stuck } = yield* SessionRegistry.revoke({ kind: "request" }, { reason: "test", deadline: 0 })
      assert.deepStrictEqual([stuck, yield* SessionRegistry.list()], [[], []])
      assert.instanceOf(yield* Effect.flip(Fiber.join(reading)), SessionError.SessionRevoked)
    }).pipe(isolated))

  it.effect("a request does not begin in a closed scope", () =>
    Effect.gen(function*() {
      let hasBegun = false
      const { response, scope } = yield* serve(Effect.as(Effect.sync(() => hasBegun = true), ok))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([(yield* response).status, hasBegun], [503, false])
    }).pipe(isolated))

  it.effect("a body that is read after its request has ended fails", () =>
    Effect.gen(function*() {
      const { response, scope } = yield* serve(
        Effect.succeed(HttpServerResponse.stream(Stream.forever(Stream.make(Uint8Array.of(1)))))
      )
      const pull = yield* Stream.toPull(bodyOf(yield* response))
      yield* pull
      yield* Scope.close(scope, Exit.void)
      const error = yield* Effect.flip(pull)
      assert.instanceOf(error, SessionError.SessionRevoked)
      assert.strictEqual(error.reason, "its scope was closed")
    }).pipe(Effect.scoped, isolated))
})

const stoppable = (options?: Shutdown.Options) => Effect.provide([SessionRegistry.layer(), Shutdown.layer(options)])

/** Runs a handler and reads its body to the end, as a server would; the request's scope ends with that. */
const answered = (handler: Effect.Effect<HttpServerResponse.HttpServerResponse>) =>
  Effect.flatMap(serve(handler), ({ response, scope }) => {
    const answer = Effect.flatMap(
      response,
      (response) =>
        Effect.map(response.body._tag === "Stream" ? said(response) : Effect.succeed([]), (body) => ({
          status: response.status,
          headers: response.headers,
          body
        }))
    )
    return Effect.onExit(answer, (exit) => Scope.close(scope, exit))
  })

const numbers = (count: number, every: Duration.Input) =>
  HttpServerResponse.stream(
    Stream.range(1, count).pipe(
      Stream.mapEffect((n) => Effect.as(Effect.sleep(every), String(n))),
      Session.scopedStream(info),
      Stream.catchTag("SessionRevoked", () => Stream.make("error")),
      Stream.encodeText,
      Stream.orDie
    )
  )

describe("RequestScope in a shutdown", () => {
  it.effect("drains requests with their bodies, and admits work inside of them", () =>
    Effect.gen(function*() {
      const late = Effect.delay(Shutdown.admit(info)(Effect.succeed(ok)), "2 seconds").pipe(Effect.orDie)
      const streaming = yield* Effect.forkChild(answered(Effect.succeed(numbers(3, "1 second"))))
      const handling = yield* Effect.forkChild(answered(late))
      yield* turn(5)
      const ending = yield* Effect.forkChild(Shutdown.shutdown("test"), { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      assert.deepInclude(yield* Fiber.join(streaming), { status: 200, body: ["1", "2", "3"] })
      assert.strictEqual((yield* Fiber.join(handling)).status, 200)
      assert.deepInclude(yield* Fiber.join(ending), { ended: 3, interrupted: [], forced: [], exitCode: 0 })
    }).pipe(stoppable()))

  it.effect("rejects later requests before they begin, with 503, Retry-After and Connection: close", () =>
    Effect.gen(function*() {
      let hasBegun = false
      const handler = Effect.as(Effect.sync(() => hasBegun = true), ok)
      yield* Effect.forkChild(answered(Effect.as(Effect.sleep("1 second"), ok)))
      yield* turn(5)
      const ending = yield* Effect.forkChild(Shutdown.shutdown("test"), { startImmediately: true })
      yield* turn(20)
      const refused = yield* answered(handler)
      assert.strictEqual(refused.status, 503)
      assert.deepInclude({ ...refused.headers }, { "retry-after": "1", connection: "close" })
      assert.isFalse(hasBegun)
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(ending), { ended: 1, exitCode: 0 })
    }).pipe(stoppable()))

  it.effect("drains a WebSocket, but rejects work that comes over it once admission has stopped", () =>
    Effect.gen(function*() {
      const handler = Effect.delay(Effect.exit(Shutdown.admit(info)(Effect.void)), "1 second").pipe(
        Effect.tap((exit) =>
          Effect.sync(() =>
            assert.instanceOf(Exit.findErrorOption(exit).pipe(Option.getOrThrow), Shutdown.ShuttingDown)
          )
        ),
        Effect.as(ok)
      )
      const upgrade = new Request("http://localhost/", { headers: { upgrade: "websocket" } })
      const { response, scope } = yield* serve(handler, {}, upgrade)
      const socket = yield* Effect.forkChild(Effect.onExit(response, (exit) => Scope.close(scope, exit)))
      yield* turn(5)
      const ending = yield* Effect.forkChild(Shutdown.shutdown("test"), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(socket)).status, 200)
      assert.deepInclude(yield* Fiber.join(ending), { ended: 1, exitCode: 0 })
    }).pipe(stoppable()))

  it.effect("ends requests that outlast the drain in their own protocol, and names them", () =>
    Effect.gen(function*() {
      const streaming = yield* Effect.forkChild(answered(Effect.succeed(numbers(9, "1 second"))))
      const handling = yield* Effect.forkChild(answered(Effect.never))
      yield* turn(5)
      yield* Effect.forkChild(Shutdown.escalate({ reason: "SIGTERM", signal: "SIGTERM" }))
      yield* TestClock.adjust("2500 millis")
      assert.deepInclude(yield* Fiber.join(streaming), { status: 200, body: ["1", "2", "error"] })
      const answer = yield* Fiber.join(handling)
      assert.deepStrictEqual([answer.status, answer.headers["connection"]], [503, "close"])
      const report = yield* Shutdown.Shutdown.use((service) => service.report)
      assert.deepStrictEqual(report.interrupted.map(({ kind }) => kind), ["request", "request"])
      assert.deepInclude(report, { ended: 0, forced: [], stuck: [], exitCode: 143 })
    }).pipe(stoppable({ drain: "2500 millis" })))
})

describe("RequestScope.layer", () => {
  it.effect("wraps every route of a router, and reads the caller with the services of the layer", () =>
    Effect.gen(function*() {
      const tenants: Array<string | undefined> = []
      const Routes = HttpRouter.add(
        "GET",
        "/chat",
        Effect.gen(function*() {
          tenants.push((yield* Caller.Current)?.tenant)
          return HttpServerResponse.jsonUnsafe(yield* SessionRegistry.counts)
        })
      )
      const App = Layer.mergeAll(
        Routes,
        RequestScope.layer({ caller: ({ authorization }) => Effect.succeed({ tenant: authorization }) })
      ).pipe(Layer.provideMerge(SessionRegistry.layer()))
      const { handler, dispose } = HttpRouter.toWebHandler(App, { disableLogger: true })
      yield* Effect.addFinalizer(() => Effect.promise(dispose))
      const request = new Request("http://localhost/chat", { headers: { authorization: "acme" } })
      const body = yield* Effect.promise(() => handler(request).then((response) => response.json()))
      assert.deepStrictEqual([body, tenants], [{ request: 1 }, ["acme"]])
    }))

  it.effect("a route's children can produce its body", () =>
    Effect.gen(function*() {
      const Routes = HttpRouter.add(
        "GET",
        "/numbers",
        Effect.gen(function*() {
          const queue = yield* Queue.unbounded<Uint8Array, Cause.Done>()
          yield* Effect.forkChild(Effect.gen(function*() {
            for (const n of ["1", "2", "3"]) {
              yield* turn(10)
              yield* Queue.offer(queue, new TextEncoder().encode(n))
            }
            yield* Queue.end(queue)
          }))
          return HttpServerResponse.stream(Stream.fromQueue(queue))
        })
      )
      const { handler, dispose } = HttpRouter.toWebHandler(Layer.mergeAll(Routes, RequestScope.layer()), {
        disableLogger: true
      })
      yield* Effect.addFinalizer(() => Effect.promise(dispose))
      const request = new Request("http://localhost/numbers")
      assert.strictEqual(yield* Effect.promise(() => handler(request).then((response) => response.text())), "123")
    }))
})

class Numbers extends RpcGroup.make(
  Rpc.make("count", { success: Schema.Int, error: RequestScope.RpcError, stream: true }),
  Rpc.make("hang", { success: Schema.Void }),
  Rpc.make("fork", { success: Schema.String }),
  Rpc.make("slow", { success: Schema.String })
).middleware(RequestScope.Rpc) {}

describe("RequestScope.Rpc", () => {
  const mayEnd = Deferred.makeUnsafe<void>()
  const Handlers = Numbers.toLayer({
    count: () => Stream.concat(Stream.make(1, 2), Stream.never).pipe(Session.scopedStream(info)),
    hang: () => Effect.never,
    // A child that takes its time to end.
    fork: () =>
      Effect.as(
        Effect.forkChild(Effect.ensuring(Effect.never, Deferred.await(mayEnd)), { startImmediately: true }),
        "forked"
      ),
    slow: () => Effect.as(Effect.sleep("2 seconds"), "done")
  })
  const provided = Effect.provide([Handlers, RequestScope.layerRpc({ deadline: "1 minute" })])

  it.effect("opens a session for a call, and releases its stream when the client stops reading", () =>
    Effect.gen(function*() {
      const client = yield* RpcTest.makeClient(Numbers)
      const seen = yield* client.count().pipe(
        Stream.take(2),
        Stream.mapEffect(() => Effect.map(SessionRegistry.list(), (open) => open.map(({ name }) => name))),
        Stream.runCollect
      )
      assert.deepStrictEqual(seen[0], ["rpc count", "held"])
      yield* turn(5)
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(provided, isolated))

  it.effect("responds to a call before its children have ended", () =>
    Effect.gen(function*() {
      const client = yield* RpcTest.makeClient(Numbers)
      assert.strictEqual(yield* client.fork(), "forked")
      yield* turn(5)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { request: 1 })
      Deferred.doneUnsafe(mayEnd, Exit.void)
      yield* turn(5)
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(provided, isolated))

  it.effect("drains calls, and rejects later ones with a typed error", () =>
    Effect.gen(function*() {
      const client = yield* RpcTest.makeClient(Numbers)
      const slow = yield* Effect.forkChild(client.slow())
      const endless = yield* Effect.forkChild(Effect.flip(client.hang()))
      yield* turn(20)
      const ending = yield* Effect.forkChild(Shutdown.shutdown("test"), { startImmediately: true })
      yield* turn(20)
      assert.instanceOf(yield* Effect.flip(client.hang()), Shutdown.ShuttingDown)
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(yield* Fiber.join(slow), "done")
      assert.instanceOf(yield* Fiber.join(endless), SessionError.SessionRevoked)
      const report = yield* Fiber.join(ending)
      assert.strictEqual(report.ended, 1)
      assert.deepStrictEqual(report.interrupted.map(({ name }) => name), ["rpc hang"])
    }).pipe(provided, stoppable()))

  it.effect("fails a call that is cut short with a typed error", () =>
    Effect.gen(function*() {
      const client = yield* RpcTest.makeClient(Numbers)
      const late = yield* Effect.forkChild(Effect.flip(client.hang()))
      yield* TestClock.adjust("1 minute")
      assert.instanceOf(yield* Fiber.join(late), Deadline.DeadlineExceeded)
      const revoked = yield* Effect.forkChild(Effect.flip(client.hang()))
      yield* turn(20)
      yield* SessionRegistry.revoke({ kind: "request" }, { reason: "test" })
      assert.instanceOf(yield* Fiber.join(revoked), SessionError.SessionRevoked)
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(provided, isolated))
})
