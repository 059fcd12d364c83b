import {
  Caller,
  Deadline,
  Retry,
  Session,
  SessionRegistry,
  Shutdown,
  Tasks,
  Timeouts,
  TransportError
} from "@clawback/core"
import * as RequestScope from "@clawback/core/RequestScope"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Scope, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"

type Handler = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  never,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

const acme = { tenant: "acme" }
const info = { kind: "job", name: "nightly" }
const refused = new TransportError.ConnectFailed({ origin: "https://a.example", reason: "refused", cause: "" })
const policy = Retry.jittered({ base: 0 })

/** Fails once, then succeeds. */
const flaky = () => {
  let calls = 0
  return Effect.suspend(() => ++calls < 2 ? Effect.fail(refused) : Effect.succeed("done"))
}

const caller = Effect.flatMap(Caller.Current, (caller) => Effect.succeed(caller?.tenant))
const key = Effect.flatMap(Retry.CurrentKey, (key) => Effect.succeed(key?.value))
const open = Effect.map(SessionRegistry.counts, (counts) => counts[info.kind])

const head = <A, E, R>(stream: Stream.Stream<A, E, R>) => Effect.map(Stream.runCollect(stream), ([first]) => first)

/** Starts a task, and waits for its end. */
const started = (start: (tasks: Tasks.Tasks) => Effect.Effect<Tasks.Task<string, never>, Tasks.Rejection>) =>
  Effect.scoped(Effect.gen(function*() {
    const task = yield* start(yield* Tasks.make({ name: "background" }))
    return yield* Effect.flatten(task.await)
  }))

/** Never answers. */
const handler = Effect.as(Effect.never, HttpServerResponse.empty())
const request = HttpServerRequest.fromWeb(new Request("http://localhost/"))

const served = (handled: Handler) =>
  handled.pipe(
    Effect.map(({ status }) => status),
    Effect.provideService(HttpServerRequest.HttpServerRequest, request),
    Effect.scoped
  )

/** A combinator in both orders, and what each of them must come to. */
const both = <A, E>(
  name: string,
  ways: () => readonly [dataFirst: Effect.Effect<A, E>, dataLast: Effect.Effect<A, E>],
  expected: unknown
) =>
  it.effect(`${name} works data-first and data-last`, () =>
    Effect.gen(function*() {
      for (const way of ways()) {
        const fiber = yield* Effect.forkChild(Effect.exit(way), { startImmediately: true })
        yield* TestClock.adjust("1 minute")
        const exit = yield* Fiber.join(fiber)
        const came = Exit.isSuccess(exit) ?
          exit.value :
          exit.cause.reasons.map((reason) =>
            reason._tag === "Fail" ? (reason.error as { readonly _tag: string })._tag : reason._tag
          )
        assert.deepStrictEqual(came, expected)
      }
    }))

describe("core's combinators", () => {
  both("Caller.provide", () => [Caller.provide(caller, acme), caller.pipe(Caller.provide(acme))], "acme")
  both("Caller.provideStream", () => {
    const stream = Stream.fromEffect(caller)
    return [head(Caller.provideStream(stream, acme)), head(stream.pipe(Caller.provideStream(acme)))]
  }, "acme")
  both("Session.scoped", () => [Session.scoped(open, info), open.pipe(Session.scoped(info))], 1)
  both(
    "Session.scopedWithin",
    () => [Session.scopedWithin(open, info, "1 second"), open.pipe(Session.scopedWithin(info, "1 second"))],
    1
  )
  both("Session.scopedStream", () => {
    const stream = Stream.fromEffect(open)
    return [head(Session.scopedStream(stream, info)), head(stream.pipe(Session.scopedStream(info)))]
  }, 1)
  both("Deadline.within", () => [
    Deadline.within(Effect.never, "1 second"),
    Effect.never.pipe(Deadline.within("1 second"))
  ], ["DeadlineExceeded"])
  both("Deadline.withinStream", () => [
    head(Deadline.withinStream(Stream.never, "1 second")),
    head(Stream.never.pipe(Deadline.withinStream("1 second")))
  ], ["DeadlineExceeded"])
  both("Timeouts.applyStream", () => {
    const options = { timeouts: { firstToken: "1 second" } } as const
    return [head(Timeouts.applyStream(Stream.never, options)), head(Stream.never.pipe(Timeouts.applyStream(options)))]
  }, ["FirstTokenTimeout"])
  both("Retry.apply", () => [Retry.apply(flaky(), policy), flaky().pipe(Retry.apply(policy))], "done")
  both("Retry.applyStream", () => [
    head(Retry.applyStream(Stream.fromEffect(flaky()), policy)),
    head(Stream.fromEffect(flaky()).pipe(Retry.applyStream(policy)))
  ], "done")
  both(
    "Retry.idempotent",
    () => [Retry.idempotent(key, "order 17"), key.pipe(Retry.idempotent("order 17"))],
    "order 17"
  )
  both("Retry.idempotentStream", () => {
    const stream = Stream.fromEffect(key)
    return [head(Retry.idempotentStream(stream, "17")), head(stream.pipe(Retry.idempotentStream("17")))]
  }, "17")
  both("Shutdown.admit", () => [Shutdown.admit(open, info), open.pipe(Shutdown.admit(info))], 1)
  both("Shutdown.admitStream", () => {
    const stream = Stream.fromEffect(open)
    return [head(Shutdown.admitStream(stream, info)), head(stream.pipe(Shutdown.admitStream(info)))]
  }, 1)
  both("Shutdown.addFinalizer", () => {
    const ran: Array<string> = []
    const finalizer = Effect.sync(() => ran.push("ran"))
    const options = { phase: "persist", name: "journal" } as const
    const stopped = (registered: Effect.Effect<void, never, Scope.Scope>) =>
      Effect.scoped(Effect.andThen(registered, Shutdown.shutdown("a test"))).pipe(
        Effect.provide(Shutdown.layer()),
        Effect.map(() => ran.splice(0))
      )
    return [
      stopped(Shutdown.addFinalizer(finalizer, options)),
      stopped(finalizer.pipe(Shutdown.addFinalizer(options)))
    ]
  }, ["ran"])

  both("Tasks.start", () => {
    const options = { name: "audit", atShutdown: "drain" } as const
    const work = Effect.succeed("done")
    return [started((tasks) => tasks.start(work, options)), started((tasks) => work.pipe(tasks.start(options)))]
  }, "done")
  both("RequestScope.http", () => {
    const options = { deadline: "1 second" } as const
    return [served(RequestScope.http(handler, options)), served(handler.pipe(RequestScope.http(options)))]
  }, 504)

  it.effect("Retry.idempotent makes a key where none is given", () =>
    Effect.gen(function*() {
      assert.isString(yield* Retry.idempotent(key))
      assert.isString(yield* key.pipe(Retry.idempotent()))
      assert.isString(yield* head(Retry.idempotentStream(Stream.fromEffect(key))))
    }))

  it("Deadline.within refuses a wrong duration when it is given, before there is an effect", () => {
    assert.throws(() => Deadline.within(-1), RangeError)
    assert.throws(() => Deadline.within(Effect.void, -1), RangeError)
    assert.throws(() => Deadline.withinStream(Stream.empty, -1), RangeError)
  })
})
