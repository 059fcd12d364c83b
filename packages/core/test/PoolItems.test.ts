import { Caller, Deadline, Pool, SessionRegistry } from "@clawback/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { turn } from "./Moments.ts"
import { type Connection, PoolServer } from "./PoolServer.ts"
import * as Series from "./Series.ts"

const isolated = Effect.provide(SessionRegistry.layer())

const idOf = ({ id }: Connection) => Effect.succeed(id)

describe("The items of a pool", () => {
  it.effect("`min` items are opened when the pool is made, and replaced when they end", () =>
    Effect.gen(function*() {
      const server = new PoolServer(3)
      const pool = yield* Pool.make({ acquire: server.connect, max: 3, min: 2 })
      yield* turn(3)
      assert.deepInclude(yield* Pool.stats(pool), { idle: 2, opened: 2 })
      const item = yield* Pool.use(pool, Effect.succeed)
      yield* Pool.invalidate(pool, item)
      yield* turn(3)
      assert.deepInclude(yield* Pool.stats(pool), { idle: 2, opened: 3 })
      assert.deepStrictEqual(server.closed, [item.id])
    }).pipe(isolated))

  it.effect("an item belongs to its pool: it has neither the deadline nor the caller of the work around", () =>
    Effect.gen(function*() {
      const server = new PoolServer()
      server.connecting = Effect.sleep("1 minute")
      const make = Pool.make({
        acquire: server.connect,
        max: 1,
        connectTimeout: "5 minutes",
        acquireTimeout: "5 minutes"
      })
      const pool = yield* make.pipe(Deadline.within("1 second"), Caller.provide({ tenant: "maker" }))
      const borrower = yield* Effect.forkChild(
        Caller.provide(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.never)), { tenant: "borrower" }),
        { startImmediately: true }
      )
      yield* TestClock.adjust("1 minute")
      const sessions = yield* SessionRegistry.list()
      assert.deepStrictEqual(
        sessions.map(({ kind, owner, state }) => [kind, owner.caller?.tenant, state]),
        [["borrow", "borrower", "open"], ["resource", undefined, "open"]]
      )
      yield* Fiber.interrupt(borrower)
    }).pipe(isolated))

  it.effect("an item that was idle for longer than the bypass window is checked before it is lent", () =>
    Effect.gen(function*() {
      const server = new PoolServer(1)
      const checked: Array<number> = []
      let answer: Effect.Effect<unknown, string> = Effect.void
      const pool = yield* Pool.make({
        acquire: server.connect,
        max: 1,
        validate: ({ id }) => Effect.andThen(Effect.sync(() => checked.push(id)), Effect.suspend(() => answer)),
        validateTimeout: "1 second"
      })
      const use = Pool.use(pool, idOf)
      assert.strictEqual(yield* use, 1)
      yield* TestClock.adjust(500)
      assert.strictEqual(yield* use, 1)
      assert.deepStrictEqual(checked, [])
      yield* TestClock.adjust(501)
      assert.strictEqual(yield* use, 1)
      assert.deepStrictEqual(checked, [1])
      const wrong: ReadonlyArray<Effect.Effect<unknown, string>> = [
        Effect.fail("gone"),
        Effect.succeed(false),
        Effect.die("dead"),
        Effect.interrupt,
        Effect.suspend(() => {
          throw new Error("thrown")
        })
      ]
      let id = 1
      for (const one of wrong) {
        answer = one
        yield* TestClock.adjust(501)
        assert.strictEqual(yield* use, ++id)
      }
      answer = Effect.never
      yield* TestClock.adjust(501)
      const waiting = yield* Effect.forkChild(use, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(waiting), ++id)
      assert.strictEqual((yield* Pool.stats(pool)).closed.invalid, 6)
    }).pipe(isolated))

  it.effect("a returned item is reset before the next caller has it, and closed if that fails", () =>
    Effect.gen(function*() {
      const server = new PoolServer(1)
      const steps: Array<string> = []
      let answer: Effect.Effect<unknown, string> = Effect.sleep("1 second")
      const pool = yield* Pool.make({
        acquire: server.connect,
        max: 1,
        reset: ({ id }) => Effect.andThen(Effect.suspend(() => answer), Effect.sync(() => steps.push(`reset ${id}`))),
        resetTimeout: "5 seconds"
      })
      const use = Pool.use(pool, ({ id }) => Effect.sync(() => steps.push(`use ${id}`)))
      yield* use
      assert.deepInclude(yield* Pool.stats(pool), { resetting: 1 })
      const second = yield* Effect.forkChild(use, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(second)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(steps, ["use 1", "reset 1", "use 1", "reset 1"])
      answer = Effect.fail("broken")
      yield* use
      yield* turn(3)
      answer = Effect.never
      yield* use
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(server.closed, [1, 2])
      assert.strictEqual((yield* Pool.stats(pool)).closed.resetFailed, 2)
      answer = Effect.void
    }).pipe(Effect.provide(Logger.layer([])), isolated))

  it.effect("what a check or a reset acquires is released when it ends", () =>
    Effect.gen(function*() {
      const helpers = yield* Pool.make({ acquire: new PoolServer(1).connect, max: 1 })
      const pool = yield* Pool.make({
        acquire: new PoolServer(1).connect,
        max: 1,
        validate: () => Pool.get(helpers),
        validateBypass: 0,
        reset: () => Pool.get(helpers)
      })
      for (let round = 0; round < 3; round++) {
        yield* Pool.use(pool, () => Effect.void)
        yield* turn(3)
        assert.deepInclude(yield* Pool.stats(helpers), { busy: 0, waiting: 0 })
        yield* TestClock.adjust(1)
      }
      assert.deepInclude(yield* Pool.stats(pool), { idle: 1, opened: 1 })
    }).pipe(isolated))

  it.effect("a check that dies is reported, since it may be a bug that closes every item", () => {
    const log: Array<unknown> = []
    return Effect.gen(function*() {
      const pool = yield* Pool.make({
        acquire: new PoolServer(1).connect,
        max: 1,
        name: "db",
        validate: ({ id }) => id === 1 ? Effect.die(new Error("no such method")) : Effect.fail("gone"),
        validateBypass: 0
      })
      for (let round = 0; round < 3; round++) {
        yield* Pool.use(pool, () => Effect.void)
        yield* TestClock.adjust(1)
      }
      yield* turn(2)
      assert.deepStrictEqual(log, [["An item of the pool db could not be validated"]])
    }).pipe(
      Effect.provide(Logger.layer([Logger.make(({ message }) => log.push(message))])),
      isolated
    )
  })

  it.effect("idle items above `min` are closed, the one that was used last stays", () =>
    Effect.gen(function*() {
      const server = new PoolServer(2)
      const pool = yield* Pool.make({
        acquire: server.connect,
        max: 2,
        min: 1,
        idleTimeToLive: "1 minute",
        maxLifetime: "1 hour"
      })
      const ids = yield* Effect.forEach([1, 2], () => Pool.use(pool, (item) => Effect.delay(idOf(item), "1 second")), {
        concurrency: 2
      }).pipe(
        Effect.forkChild({ startImmediately: true }),
        Effect.tap(TestClock.adjust("2 seconds")),
        Effect.flatMap(Fiber.join)
      )
      assert.sameMembers(ids, [1, 2])
      yield* TestClock.adjust("30 seconds")
      const used = yield* Pool.use(pool, idOf)
      yield* TestClock.adjust("2 minutes")
      assert.deepInclude(yield* Pool.stats(pool), { idle: 1 })
      assert.notInclude(server.closed, used)
      assert.strictEqual((yield* Pool.stats(pool)).closed.idle, 1)
    }).pipe(isolated))

  it.effect("an item is not lent beyond its lifetime, and not closed while it is borrowed", () =>
    Effect.gen(function*() {
      const server = new PoolServer(1)
      const pool = yield* Pool.make({
        acquire: server.connect,
        max: 1,
        maxLifetime: "10 minutes",
        idleTimeToLive: "Infinity"
      })
      const gate = yield* Deferred.make<void>()
      const long = yield* Effect.forkChild(Pool.use(pool, () => Deferred.await(gate)), { startImmediately: true })
      yield* TestClock.adjust("11 minutes")
      assert.deepStrictEqual(server.closed, [])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(long)
      assert.deepStrictEqual(server.closed, [1])
      assert.strictEqual(yield* Pool.use(pool, idOf), 2)
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(server.closed, [1, 2])
      assert.strictEqual((yield* Pool.stats(pool)).closed.lifetime, 2)
    }).pipe(isolated))

  it.effect("an item is closed after `maxUses` loans", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new PoolServer(1).connect, max: 1, maxUses: 2 })
      const ids = yield* Effect.forEach([1, 2, 3, 4, 5], () => Pool.use(pool, idOf))
      assert.deepStrictEqual(ids, [1, 1, 2, 2, 3])
    }).pipe(isolated))

  it.effect("keep-alive checks idle items, and replaces those that are dead", () =>
    Effect.gen(function*() {
      const server = new PoolServer(1)
      let isAlive = true
      let checks = 0
      yield* Pool.make({
        acquire: server.connect,
        max: 1,
        min: 1,
        validate: () => Effect.sync(() => (checks++, isAlive)),
        keepAlive: "1 minute"
      })
      yield* turn(2)
      yield* TestClock.adjust("1 minute")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(checks, 2)
      assert.strictEqual(server.opened, 1)
      isAlive = false
      yield* TestClock.adjust("1 minute")
      isAlive = true
      yield* turn(3)
      assert.deepStrictEqual([server.opened, server.open], [2, 1])
    }).pipe(isolated))

  it.effect("an invalidated item is closed when it is returned, once; another pool's item changes nothing", () =>
    Effect.gen(function*() {
      const server = new PoolServer(2)
      const pool = yield* Pool.make({ acquire: server.connect, max: 2 })
      yield* Pool.invalidate(pool, { id: 1 })
      const kept = yield* Pool.use(pool, (item) =>
        Effect.gen(function*() {
          yield* Pool.invalidate(pool, item)
          yield* Pool.invalidate(pool, item)
          assert.deepStrictEqual(server.closed, [])
          return item
        }))
      assert.deepStrictEqual(server.closed, [1])
      yield* Pool.invalidate(pool, kept)
      assert.deepInclude(yield* Pool.stats(pool), { total: 0 })
    }).pipe(isolated))

  it.effect("an item that is no number is invalidated, and a connect that is under way is no item", () =>
    Effect.gen(function*() {
      let opened = 0
      const pool = yield* Pool.make({ acquire: Effect.sync(() => (opened++, Number.NaN)), max: 1 })
      yield* Pool.use(pool, (item) => Pool.invalidate(pool, item))
      yield* Pool.use(pool, () => Effect.void)
      assert.strictEqual(opened, 2)
      let isInterrupted = false
      const connect = Effect.onInterrupt(
        Effect.never as Effect.Effect<void>,
        () => Effect.sync(() => isInterrupted = true)
      )
      const slow = yield* Pool.make({ acquire: connect, max: 1 })
      yield* Effect.forkChild(Pool.use(slow, () => Effect.void), { startImmediately: true })
      yield* Pool.invalidate(slow, undefined)
      yield* turn(2)
      assert.isFalse(isInterrupted)
    }).pipe(isolated))

  it.effect("of two items that are the same value, the caller invalidates the one that it has", () =>
    Effect.gen(function*() {
      let closed = 0
      const same = Effect.acquireRelease(Effect.succeed("same"), () => Effect.sync(() => closed++))
      const pool = yield* Pool.make({ acquire: same, max: 2, min: 2 })
      yield* turn(2)
      yield* Pool.use(
        pool,
        (item) => Effect.andThen(Pool.invalidate(pool, item), Effect.sync(() => assert.strictEqual(closed, 0)))
      )
      assert.strictEqual(closed, 1)
    }).pipe(isolated))

  it.effect("`refresh` replaces what is idle at once, what is borrowed at its return, and what is being opened", () =>
    Effect.gen(function*() {
      const server = new PoolServer(3)
      const pool = yield* Pool.make({ acquire: server.connect, max: 3, min: 2 })
      yield* turn(2)
      yield* Pool.use(pool, (item) =>
        Effect.gen(function*() {
          server.connecting = Effect.sleep("1 second")
          yield* Pool.refresh(pool)
          yield* turn(3)
          assert.strictEqual(server.closed.length, 1)
          assert.notInclude(server.closed, item.id)
          assert.deepInclude(yield* Pool.stats(pool), { busy: 1, opening: 1 })
          yield* Pool.refresh(pool)
          yield* turn(3)
          assert.deepInclude(yield* Pool.stats(pool), { busy: 1, opening: 1 })
        }))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Pool.stats(pool), { idle: 2, opened: 4 })
      assert.sameMembers(server.closed, [1, 2])
    }).pipe(isolated))

  it.effect("a loan that is too long is reported once, with where it was borrowed", () =>
    Effect.gen(function*() {
      const logged: Array<string> = []
      const logger = Logger.make(({ message }) => {
        logged.push(JSON.stringify(message))
      })
      yield* Effect.gen(function*() {
        const pool = yield* Pool.make({ acquire: Effect.succeed(1), max: 1, name: "db", leakThreshold: "1 minute" })
        const leak = yield* Effect.forkChild(
          Pool.use(pool, () => Effect.delay(Effect.void, "5 minutes")),
          { startImmediately: true }
        )
        yield* TestClock.adjust("4 minutes")
        assert.lengthOf(logged, 1)
        assert.include(logged[0], "borrowed for more than 1m")
        assert.include(logged[0], "PoolItems.test.ts")
        assert.notInclude(logged[0], "/src/Pool.ts")
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(leak)
        assert.lengthOf(logged, 2)
        assert.include(logged[1], "was returned after 5m")
      }).pipe(Effect.provide(Logger.layer([logger])))
    }).pipe(isolated))

  it.effect("a loan of `get` of a service is reported with where it was borrowed", () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => {
      logged.push(JSON.stringify(message))
    })
    class Db extends Pool.Service<Db>()("app/Db", {
      acquire: Effect.succeed(1),
      max: 1,
      leakThreshold: "1 minute"
    }) {}
    return Effect.gen(function*() {
      yield* Db.use(() => Effect.void)
      yield* Db.get
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(logged, 1)
      assert.include(logged[0], "PoolItems.test.ts")
    }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(Db.layer, Logger.layer([logger]))), isolated)
  })

  it.effect("metrics show what the pool has when they are read, and vanish with the pool", () =>
    Series.isolated(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const work = Effect.gen(function*() {
        const pool = yield* Pool.make({ acquire: Effect.succeed(1), max: 1, name: "db", acquireTimeout: "1 second" })
        const holder = yield* Effect.forkChild(Pool.use(pool, () => Deferred.await(gate)), { startImmediately: true })
        const late = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)), { startImmediately: true })
        yield* turn(2)
        const before = yield* Series.seen
        assert.deepInclude(before, {
          "clawback.pool.items db busy": 1,
          "clawback.pool.items db idle": 0,
          "clawback.pool.items.max db": 1,
          "clawback.pool.pending_requests db": 1,
          "clawback.pool.opened db": 1
        })
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(late)
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(holder)
        yield* Pool.refresh(pool)
        assert.deepInclude(yield* Series.seen, {
          "clawback.pool.items db busy": 0,
          "clawback.pool.timeouts db": 1,
          "clawback.pool.closed db refreshed": 1,
          "clawback.pool.use_time db": 1,
          "clawback.pool.create_time db": 1
        })
      })
      yield* Effect.scoped(work)
      const after = Object.keys(yield* Series.seen)
      assert.isEmpty(after.filter((name) => name.startsWith("clawback.pool.items")))
    })).pipe(isolated))
})
