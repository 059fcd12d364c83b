/** What becomes of a client's calls as a transport's when another fiber closes their scope. The clients are in memory. */
import * as HttpClientView from "@clawback/core/HttpClientView"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Transport from "@clawback/core/Transport"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, type Fiber, Latch, Option, Scope, Stream } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"

const isolated = Effect.provide(SessionRegistry.layer())
const request = { method: "GET", url: "http://a.test/path", headers: {} } as const

const turn = (times: number) => Effect.repeat(Effect.yieldNow, { times })

/** What a fiber comes to without any more time; undefined where it would wait for ever. */
const settled = <A, E>(fiber: Fiber.Fiber<A, E>) =>
  Effect.gen(function*() {
    for (let i = 0; i < 500 && fiber.pollUnsafe() === undefined; i++) yield* Effect.yieldNow
    return fiber.pollUnsafe()
  })

/** A client that tells its reader nothing when a call is aborted, and knows what it has sent. */
const silent = (answering: Effect.Effect<unknown>) => {
  let sent = 0
  const client = HttpClient.make((request) =>
    Effect.suspend(() => {
      sent++
      const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(10)) })
      return Effect.as(answering, HttpClientResponse.fromWeb(request, new Response(body)))
    })
  )
  return { transport: HttpClientView.fromHttpClient(client), sent: () => sent }
}

const failsTyped = (what: string, fiber: Fiber.Fiber<unknown, unknown>) =>
  Effect.map(settled(fiber), (exit) => {
    assert.isDefined(exit, `${what} hangs`)
    assert.deepInclude(Option.getOrUndefined(Exit.findErrorOption(exit)), {
      _tag: "SessionRevoked",
      reason: "its scope was closed"
    })
  })

describe("An HttpClient as a transport: a scope that another fiber closes", () => {
  it.effect("before the call: nothing is sent", () =>
    Effect.gen(function*() {
      const { sent, transport } = silent(Effect.void)
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      yield* failsTyped("the call", yield* Effect.forkChild(Scope.provide(transport.execute(request), scope)))
      assert.deepStrictEqual([sent(), yield* SessionRegistry.counts], [0, {}])
    }).pipe(isolated))

  it.effect("while the head is awaited: the call ends typed", () =>
    Effect.gen(function*() {
      const { transport } = silent(Effect.never)
      const scope = yield* Scope.make()
      const call = yield* Effect.forkChild(Scope.provide(transport.execute(request), scope))
      yield* turn(20)
      yield* Scope.close(scope, Exit.void)
      yield* failsTyped("the call", call)
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(isolated))

  it.effect("at any moment around the head: the call ends, and so does its reader", () =>
    Effect.forEach(Array.from({ length: 40 }, (_, turns) => turns), (turns) =>
      Effect.gen(function*() {
        const gate = Latch.makeUnsafe()
        const { transport } = silent(gate.await)
        const scope = yield* Scope.make()
        const read = Effect.flatMap(
          transport.execute(request),
          (response) => Stream.runDrain(Transport.stream(response))
        )
        const call = yield* Effect.forkChild(Scope.provide(read, scope))
        yield* turn(10)
        yield* gate.open
        yield* turn(turns)
        yield* Scope.close(scope, Exit.void)
        yield* failsTyped(`after ${turns} turns, the reader`, call)
        assert.deepStrictEqual(yield* SessionRegistry.counts, {})
      })).pipe(isolated))

  it.effect("while the body is read: its reader fails with a typed error, and so does a later one", () =>
    Effect.gen(function*() {
      const { transport } = silent(Effect.void)
      const scope = yield* Scope.make()
      const { body } = yield* Scope.provide(transport.execute(request), scope)
      yield* body
      const reader = yield* Effect.forkChild(body)
      yield* turn(20)
      yield* Scope.close(scope, Exit.void)
      yield* failsTyped("the reader", reader)
      yield* failsTyped("a later reader", yield* Effect.forkChild(body))
    }).pipe(isolated))
})
