import { KeyedPool, SessionRegistry } from "@clawback/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { turn } from "./Moments.ts"
import { PoolServer } from "./PoolServer.ts"
import * as Series from "./Series.ts"

const isolated = Effect.provide(SessionRegistry.layer())

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const servers = () => {
  const all = new Map<string, PoolServer>()
  return (key: string): PoolServer => {
    const server = all.get(key) ?? new PoolServer(2)
    all.set(key, server)
    return server
  }
}

const idOf = ({ id }: { readonly id: number }) => Effect.succeed(id)

describe("KeyedPool", () => {
  it.effect("lends up to `max` items of each key, and the waiters of one key do not wait for another", () => {
    const of = servers()
    class Tenants extends KeyedPool.Service<Tenants>()("app/Tenants", {
      acquire: (tenant: string) => of(tenant).connect,
      max: 2
    }) {}
    return Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      for (let i = 0; i < 3; i++) yield* start(Tenants.use("a", () => Deferred.await(gate)))
      yield* turn(2)
      assert.strictEqual(yield* Tenants.use("b", idOf), 1)
      assert.deepInclude(yield* Tenants.stats, { busy: 2, idle: 1, waiting: 1, max: 4 })
      assert.sameMembers([...(yield* Tenants.keys)], ["a", "b"])
      yield* Deferred.succeed(gate, undefined)
      yield* turn(5)
      assert.strictEqual((yield* Effect.scoped(Tenants.get("b"))).id, 1)
      yield* Tenants.drain
      assert.deepStrictEqual([of("a").open, of("b").open], [0, 0])
      const error = yield* Effect.flip(Tenants.use("c", idOf))
      assert.deepInclude(error, { _tag: "PoolClosed", pool: "app/Tenants" })
      assert.deepStrictEqual(yield* Tenants.keys, [])
    }).pipe(Effect.provide(Tenants.layer), isolated)
  })

  it.effect("keeps nothing of a key without items and waiters", () =>
    Effect.gen(function*() {
      const of = servers()
      const pool = yield* KeyedPool.make({
        acquire: (key: string) => of(key).connect,
        max: 1,
        idleTimeToLive: "1 minute",
        acquireTimeout: "1 second"
      })
      for (const key of ["a", "b", "c"]) yield* KeyedPool.use(pool, key, idOf)
      assert.lengthOf(yield* KeyedPool.keys(pool), 3)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      of("d").connecting = Effect.never
      const late = yield* start(Effect.flip(KeyedPool.use(pool, "d", idOf)))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(late), { _tag: "AcquireTimeout" })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(isolated))

  it.effect("backs off from a key whose connects fail, also between callers, and forgets it after a while", () =>
    Effect.gen(function*() {
      let connects = 0
      const pool = yield* KeyedPool.make({
        acquire: (key: string) => Effect.andThen(Effect.sync(() => ++connects), Effect.fail(`${key} refused`)),
        max: 1,
        backoff: { base: "1 second", max: "4 seconds" }
      })
      const call = Effect.flip(KeyedPool.use(pool, "a", () => Effect.void))
      assert.strictEqual(yield* call, "a refused")
      const second = yield* start(call)
      yield* turn(3)
      assert.strictEqual(connects, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(second), "a refused")
      const third = yield* start(call)
      yield* TestClock.adjust("499 millis")
      assert.strictEqual(connects, 2)
      yield* TestClock.adjust("1501 millis")
      assert.strictEqual(yield* Fiber.join(third), "a refused")
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), ["a"])
      yield* TestClock.adjust("8 seconds")
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
    }).pipe(isolated))

  it.effect("forgets a closed key that had only callers that waited", () =>
    Effect.gen(function*() {
      const pool = yield* KeyedPool.make({
        acquire: () => Effect.delay(Effect.fail("refused" as const), "1 millis"),
        max: 1,
        backoff: { base: "1 second", max: "1 second" }
      })
      for (let i = 0; i < 2; i++) yield* start(Effect.exit(KeyedPool.use(pool, "a", () => Effect.void)))
      yield* TestClock.adjust("1 millis")
      assert.deepInclude(yield* KeyedPool.stats(pool), { total: 0, waiting: 1 })
      yield* KeyedPool.drain(pool)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
    }).pipe(Effect.scoped, isolated))

  it.effect("`invalidate` and `refresh` concern the items of one key", () =>
    Effect.gen(function*() {
      const of = servers()
      const pool = yield* KeyedPool.make({ acquire: (key: string) => of(key).connect, max: 1 })
      const item = yield* KeyedPool.use(pool, "a", Effect.succeed)
      yield* KeyedPool.use(pool, "b", idOf)
      yield* KeyedPool.invalidate(pool, item)
      assert.deepStrictEqual([of("a").closed, of("b").closed], [[1], []])
      yield* KeyedPool.refresh(pool, "b")
      yield* KeyedPool.refresh(pool, "none")
      assert.deepStrictEqual([of("a").closed, of("b").closed], [[1], [1]])
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
    }).pipe(isolated))

  it.effect("an acquire function that throws is a defect of its caller; equal keys have one pool", () =>
    Effect.gen(function*() {
      const pool = yield* KeyedPool.make({
        acquire: ({ host }: { readonly host: string }) => {
          if (host === "") throw new Error("no host")
          return Effect.succeed({ host })
        },
        max: 1
      })
      const exit = yield* Effect.exit(KeyedPool.use(pool, { host: "" }, () => Effect.void))
      assert.isTrue(Exit.isFailure(exit))
      yield* KeyedPool.use(pool, { host: "a" }, () => Effect.void)
      yield* KeyedPool.use(pool, { host: "a" }, () => Effect.void)
      assert.deepInclude(yield* KeyedPool.stats(pool), { opened: 1 })
    }).pipe(isolated))

  it.effect("has one series for all keys, which vanishes with the pools", () =>
    Series.isolated(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const made = KeyedPool.make({ acquire: (key: string) => Effect.succeed({ key }), max: 1, name: "tenants" })
      const pool = yield* Scope.provide(made, scope)
      yield* KeyedPool.use(pool, "a", () => Effect.void)
      yield* KeyedPool.use(pool, "b", () => Effect.void)
      assert.deepInclude(yield* Series.seen, {
        "clawback.pool.items tenants idle": 2,
        "clawback.pool.opened tenants": 2,
        "clawback.pool.use_time tenants": 2
      })
      yield* Scope.close(scope, Exit.void)
      const left = Object.keys(yield* Series.seen).filter((name) => name.startsWith("clawback.pool.items"))
      assert.isEmpty(left)
    })).pipe(isolated))
})
