import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Transport from "@clawback/core/Transport"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Metric } from "effect"
import { TestClock } from "effect/testing"
import { MemoryWire, type Network } from "./MemoryWire.ts"
import { settled, turn } from "./Moments.ts"
import { isolated, seen } from "./Series.ts"
import { traced } from "./Traces.ts"

const origin = "http://a.test"

const setup = (network: Partial<Network> = {}, options: Transport.Options = {}) =>
  Transport.make(new MemoryWire(network), options)

const execute = (transport: Transport.Transport["Service"], request: Partial<Transport.Request> = {}) =>
  transport.execute({ method: "GET", url: `${origin}/path`, headers: {}, ...request })

const get = (transport: Transport.Transport["Service"], request: Partial<Transport.Request> = {}) =>
  Effect.scoped(Effect.flatMap(execute(transport, request), Transport.bytes))

const hold = (transport: Transport.Transport["Service"]) =>
  Effect.scoped(Effect.andThen(execute(transport), Effect.never))

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.tap(Effect.forkChild(effect), turn(20))

const alone = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Effect.provide(SessionRegistry.layer()), isolated)

const states = Effect.map(
  seen,
  (all) =>
    ["connecting", "used", "idle", "closing"].map((state) => all[`clawback.connection.open ${origin} ${state}`] ?? 0)
)

describe("a transport's metrics", () => {
  it.effect("count connections by what they do, at every moment", () =>
    Effect.gen(function*() {
      const ready = Latch.makeUnsafe()
      const gone = Latch.makeUnsafe()
      const transport = yield* setup({ connecting: ready.await, closing: gone.await })
      assert.deepStrictEqual(yield* seen, {})
      const call = yield* start(get(transport))
      const held = yield* start(hold(transport))
      assert.deepStrictEqual(yield* states, [2, 0, 0, 0])
      yield* ready.open
      yield* Fiber.join(call)
      yield* turn(20)
      assert.deepStrictEqual(yield* states, [0, 1, 1, 0])
      const interrupted = yield* start(Fiber.interrupt(held))
      assert.deepStrictEqual(yield* states, [0, 0, 1, 1])
      yield* gone.open
      yield* Fiber.join(interrupted)
      yield* turn(20)
      assert.deepStrictEqual(yield* states, [0, 0, 1, 0])
    }).pipe(alone))

  it.effect("count waiting callers, the time that they waited, and the time to connect", () =>
    Effect.gen(function*() {
      const transport = yield* setup({ connecting: Effect.sleep("2 seconds") }, { connections: 1 })
      const first = yield* start(hold(transport))
      const second = yield* start(get(transport))
      yield* TestClock.adjust("2 seconds")
      const during = yield* seen
      assert.strictEqual(during[`clawback.connection.pending_requests ${origin}`], 1)
      assert.strictEqual(during[`clawback.connection.max ${origin}`], 1)
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.interrupt(first)
      yield* turn(20)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(second)
      const after = yield* seen
      assert.strictEqual(after[`clawback.connection.pending_requests ${origin}`], 0)
      const sums = Object.fromEntries(
        (yield* Metric.snapshot).flatMap((one) => one.type === "Histogram" ? [[one.id, one.state.sum]] : [])
      )
      assert.deepStrictEqual(sums, { "clawback.connection.create_time": 4, "clawback.connection.wait_time": 5 })
    }).pipe(alone))

  it.effect("count the bytes of each connection, when it is returned and when it is closed", () =>
    Effect.gen(function*() {
      const transport = yield* setup({ answering: () => Effect.succeed({ body: [10, 20] }) })
      const io = Effect.map(
        seen,
        (all) => ["transmit", "receive"].map((direction) => all[`clawback.connection.io ${origin} ${direction}`])
      )
      yield* get(transport)
      assert.deepStrictEqual(yield* io, [100, 30])
      yield* get(transport)
      assert.deepStrictEqual(yield* io, [200, 60])
      const held = yield* start(hold(transport))
      yield* Fiber.interrupt(held)
      yield* turn(20)
      assert.deepStrictEqual(yield* io, [300, 60])
    }).pipe(alone))

  it.effect("count those whose time was up before there was a connection", () =>
    Effect.gen(function*() {
      const transport = yield* setup({}, { connections: 1 })
      yield* start(hold(transport))
      const waiting = yield* start(get(transport, { timeouts: { queue: "1 second" } }))
      yield* TestClock.adjust("1 second")
      yield* settled(waiting)
      assert.strictEqual((yield* seen)[`clawback.connection.timeouts ${origin}`], 1)
      assert.isUndefined((yield* seen)[`clawback.connection.wait_time ${origin}`])
    }).pipe(alone))

  it.effect("go with the last connection to an origin", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(Effect.flatMap(setup(), get))
      const left = Object.keys(yield* seen)
      assert.deepStrictEqual(left, [
        `clawback.connection.create_time ${origin}`,
        `clawback.connection.io ${origin} transmit`,
        `clawback.connection.io ${origin} receive`
      ])
    }).pipe(alone))

  it.effect("keep those of the last few origins that no connection is left to, however many there were", () =>
    Effect.gen(function*() {
      for (let host = 0; host < 200; host++) {
        yield* Effect.scoped(Effect.flatMap(setup(), (transport) => get(transport, { url: `http://${host}.test/` })))
        yield* turn(20)
      }
      const all = yield* seen
      assert.lengthOf(Object.keys(all), 3 * 17)
      assert.strictEqual(all["clawback.connection.create_time _OTHER"], 200 - 16)
      assert.strictEqual(all["clawback.connection.io _OTHER transmit"], (200 - 16) * 100)
    }).pipe(alone))

  it.effect("have series for so many origins, and one for the rest", () =>
    Effect.gen(function*() {
      const transport = yield* setup()
      for (let host = 0; host < 200; host++) yield* get(transport, { url: `http://${host}.test/` })
      const all = yield* seen
      assert.strictEqual(Object.keys(all).length, 9 * 65)
      assert.strictEqual(all["clawback.connection.open _OTHER idle"], 200 - 64)
    }).pipe(alone))
})

describe("a transport's spans", () => {
  it.effect("stand for waiting and for connecting, below whatever calls, and only where they are needed", () =>
    Effect.gen(function*() {
      const transport = yield* setup({}, { connections: 1 })
      const { spans } = yield* traced(Effect.gen(function*() {
        const first = yield* start(Effect.withSpan(hold(transport), "first"))
        const second = yield* start(Effect.withSpan(get(transport), "second"))
        yield* Fiber.interrupt(first)
        yield* Fiber.join(second)
        yield* Effect.withSpan(get(transport), "third")
      }))
      assert.deepStrictEqual(
        spans.map(({ name, parent }) => [name, parent]),
        [["first", undefined], ["connect", "first"], ["second", undefined], ["wait", "second"], ["connect", "second"], [
          "third",
          undefined
        ]]
      )
      assert.deepStrictEqual(spans[1]?.attributes, { "server.address": "a.test", "server.port": 80 })
      for (const { exit } of spans) assert.isDefined(exit)
    }).pipe(alone))
})
