import { Pool, Session, SessionRegistry } from "@clawback/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import { turn } from "./Moments.ts"
import { type Connection, PoolServer } from "./PoolServer.ts"

const isolated = Effect.provide(SessionRegistry.layer())
const silent = Effect.provide(Logger.layer([]))

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

/** A pool in a scope of its own. */
const pooled = <A, E, R>(options: Pool.Options<A, E, R>) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const pool = yield* Scope.provide(Pool.make(options), scope)
    return { pool, close: Scope.close(scope, Exit.void) }
  })

const tagOf = (fiber: Fiber.Fiber<unknown, unknown>) =>
  Effect.map(Effect.flip(Fiber.join(fiber)), (error) => (error as { readonly _tag: string })._tag)

describe("The end of a pool", () => {
  it.effect("waits for its borrowers, and fails waiters and newcomers with `PoolClosed`", () =>
    Effect.gen(function*() {
      const server = new PoolServer(1)
      const { close, pool } = yield* pooled({ acquire: server.connect, max: 1, name: "db" })
      const gate = yield* Deferred.make<void>()
      const holder = yield* start(Pool.use(pool, () => Effect.as(Deferred.await(gate), "done")))
      const waiter = yield* start(Pool.use(pool, () => Effect.void))
      yield* turn(2)
      const closing = yield* start(close)
      assert.strictEqual(yield* tagOf(waiter), "PoolClosed")
      assert.deepInclude(yield* Effect.flip(Pool.use(pool, () => Effect.void)), { _tag: "PoolClosed", pool: "db" })
      assert.deepInclude(yield* Effect.flip(Effect.scoped(Pool.get(pool))), { _tag: "PoolClosed", pool: "db" })
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(closing.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(holder), "done")
      yield* Fiber.join(closing)
      assert.deepStrictEqual([server.opened, server.open], [1, 0])
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(isolated))

  it.effect("revokes the borrowers that are left after `drainTimeout`, and takes items from those that do not stop", () =>
    Effect.gen(function*() {
      const server = new PoolServer(3)
      const { close, pool } = yield* pooled({
        acquire: server.connect,
        max: 3,
        drainTimeout: "3 seconds",
        closeTimeout: "1 second"
      })
      const slow = yield* start(Pool.use(pool, () => Effect.never))
      const stuck = yield* start(Effect.uninterruptible(Pool.use(pool, () => Effect.sleep("1 hour"))))
      const leaked = yield* Scope.make()
      yield* Scope.provide(Pool.get(pool), leaked)
      yield* turn(2)
      const closing = yield* start(close)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* tagOf(slow), "SessionRevoked")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      assert.strictEqual(server.open, 0)
      assert.isUndefined(stuck.pollUnsafe())
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
      yield* Scope.close(leaked, Exit.void)
      yield* TestClock.adjust("1 hour")
      // What could not be interrupted ran to its end, on an item that was closed.
      yield* Fiber.join(stuck)
      assert.strictEqual(server.closed.length, 3)
    }).pipe(isolated))

  it.effect("a close that hangs is abandoned, and a connect that is under way is interrupted", () =>
    Effect.gen(function*() {
      const server = new PoolServer()
      const stuck = yield* Deferred.make<void>()
      server.closing = Deferred.await(stuck)
      const { close, pool } = yield* pooled({ acquire: server.connect, max: 2, closeTimeout: "1 second" })
      yield* Pool.use(pool, () => Effect.void)
      let isInterrupted = false
      server.connecting = Effect.onInterrupt(Effect.never, () => Effect.sync(() => isInterrupted = true))
      const gate = yield* Deferred.make<void>()
      yield* start(Pool.use(pool, () => Deferred.await(gate)))
      const waiter = yield* start(Pool.use(pool, () => Effect.void))
      yield* turn(2)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(waiter)
      const closing = yield* start(close)
      yield* turn(3)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      assert.isTrue(isInterrupted)
      assert.deepInclude(yield* Pool.stats(pool), { total: 0, abandoned: 1 })
      // It is still listed, until it ends after all.
      assert.deepStrictEqual(yield* SessionRegistry.counts, { resource: 1 })
      yield* Deferred.succeed(stuck, undefined)
      yield* turn(3)
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(silent, isolated))

  it.effect("every caller of `drain` returns once it is over, and a second end changes nothing", () =>
    Effect.gen(function*() {
      const server = new PoolServer()
      server.closing = Effect.sleep("1 second")
      const { close, pool } = yield* pooled({ acquire: server.connect, max: 1 })
      yield* Pool.use(pool, () => Effect.void)
      const first = yield* start(Pool.drain(pool))
      const second = yield* start(close)
      yield* turn(3)
      assert.deepStrictEqual([first.pollUnsafe(), second.pollUnsafe()], [undefined, undefined])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      yield* Pool.drain(pool)
      yield* Pool.refresh(pool)
      assert.deepStrictEqual(server.closed, [1])
    }).pipe(isolated))

  it.effect("a borrower that closes its pool is not waited for, and its item is closed when it returns it", () =>
    Effect.gen(function*() {
      const server = new PoolServer()
      const { close, pool } = yield* pooled({ acquire: server.connect, max: 2 })
      yield* Pool.use(pool, () => Effect.void)
      yield* Pool.use(pool, () =>
        Effect.gen(function*() {
          yield* close
          assert.strictEqual(server.open, 1)
          assert.deepInclude(yield* Effect.flip(Pool.use(pool, () => Effect.void)), { _tag: "PoolClosed" })
        }))
      assert.strictEqual(server.open, 0)
    }).pipe(isolated))

  it.effect("revoking a waiting caller fails it, and revoking a borrower closes its item", () =>
    Effect.gen(function*() {
      const server = new PoolServer()
      const pool = yield* Pool.make({ acquire: server.connect, max: 1 })
      const job = (name: string, work: Effect.Effect<unknown, unknown>) =>
        start(Session.scoped({ kind: "job", name })(work))
      const holder = yield* job("holder", Pool.use(pool, () => Effect.never))
      const waiter = yield* job("waiter", Effect.uninterruptible(Pool.use(pool, () => Effect.void)))
      const next = yield* start(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* turn(2)
      yield* SessionRegistry.revoke({ name: "waiter" }, { reason: "stopped" })
      assert.strictEqual(yield* tagOf(waiter), "SessionRevoked")
      assert.deepInclude(yield* Pool.stats(pool), { waiting: 1 })
      yield* SessionRegistry.revoke({ name: "holder" }, { reason: "stopped" })
      assert.strictEqual(yield* tagOf(holder), "SessionRevoked")
      assert.strictEqual(yield* Fiber.join(next), 2)
      assert.deepStrictEqual(server.closed, [1])
      assert.strictEqual((yield* Pool.stats(pool)).closed.revoked, 1)
    }).pipe(isolated))

  it.effect("revoking an item closes it, at once if it is idle, and the pool opens another", () =>
    Effect.gen(function*() {
      const server = new PoolServer()
      const pool = yield* Pool.make({ acquire: server.connect, max: 1, name: "db" })
      yield* Pool.use(pool, () => Effect.void)
      const { stuck } = yield* SessionRegistry.revoke({ kind: "resource" }, { reason: "stopped" })
      assert.deepStrictEqual([server.closed, stuck], [[1], []])
      assert.strictEqual(yield* Pool.use(pool, ({ id }) => Effect.succeed(id)), 2)
      yield* Pool.use(pool, () =>
        Effect.gen(function*() {
          const revocation = yield* start(
            SessionRegistry.revoke({ kind: "resource" }, { reason: "stopped", deadline: "1 second" })
          )
          assert.deepStrictEqual(server.closed, [1])
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(revocation)
          assert.deepStrictEqual(server.closed, [1, 2])
        }))
      assert.deepInclude(yield* Pool.stats(pool), { total: 0 })
    }).pipe(isolated))

  it.effect("a pool that outlives the session in which it was made opens items when that was revoked", () =>
    Effect.gen(function*() {
      const server = new PoolServer(1)
      const scope = yield* Effect.scope
      const made = yield* Deferred.make<Pool.Pool<Connection, string>>()
      const first = yield* start(
        Session.scoped({ kind: "request", name: "first" })(Effect.gen(function*() {
          const pool = yield* Scope.provide(Pool.make({ acquire: server.connect, max: 1 }), scope)
          yield* Pool.use(pool, () => Effect.void)
          yield* Deferred.succeed(made, pool)
          return yield* Effect.never
        }))
      )
      const pool = yield* Deferred.await(made)
      yield* SessionRegistry.revoke({ name: "first" }, { reason: "stopped" })
      assert.strictEqual(yield* tagOf(first), "SessionRevoked")
      assert.strictEqual(yield* Pool.use(pool, ({ id }) => Effect.succeed(id)), 1)
      yield* Pool.refresh(pool)
      assert.strictEqual(yield* Pool.use(pool, ({ id }) => Effect.succeed(id)), 2)
    }).pipe(isolated))

  it.effect("a loan that is revoked in the first step of its work is interrupted", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed(1), min: 1, max: 1 })
      yield* turn(3)
      const revoke = SessionRegistry.revoke({ kind: "borrow" }, { reason: "stopped" })
      const work = () => Effect.andThen(Effect.forkDetach(revoke, { startImmediately: true }), Effect.never)
      assert.deepInclude(yield* Effect.flip(Pool.use(pool, work)), { _tag: "SessionRevoked", reason: "stopped" })
      yield* turn(3)
      assert.deepInclude((yield* Pool.stats(pool)).closed, { revoked: 1 })
    }).pipe(isolated))

  it.effect("an item that was revoked while it was opened is not lent", () =>
    Effect.gen(function*() {
      const steps: Array<string> = []
      const acquire = Effect.acquireRelease(
        Effect.as(Effect.sleep("1 second"), steps),
        () => Effect.sync(() => steps.push("closed"))
      )
      const pool = yield* Pool.make({ acquire, max: 1 })
      const use = Pool.use(pool, () => Effect.sync(() => steps.push("used")))
      const first = yield* start(use)
      yield* turn(2)
      yield* start(SessionRegistry.revoke({ kind: "resource" }, { reason: "stopped" }))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* tagOf(first), "SessionRevoked")
      const second = yield* start(use)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(second)
      assert.deepStrictEqual(steps, ["closed", "used"])
    }).pipe(isolated))

  it.effect("a release of one item may borrow from another pool, and a borrow inside a release works", () =>
    Effect.gen(function*() {
      const log = yield* Pool.make({ acquire: Effect.succeed("log"), max: 1 })
      const used: Array<string> = []
      const note = Pool.use(log, (item) => Effect.sync(() => used.push(item)))
      const { close, pool } = yield* pooled({
        acquire: Effect.acquireRelease(Effect.succeed(1), () => Effect.ignore(note)),
        max: 1
      })
      yield* Effect.acquireUseRelease(Effect.void, () => Effect.void, () => Effect.ignore(Pool.use(pool, () => note)))
      yield* close
      assert.deepStrictEqual(used, ["log", "log"])
    }).pipe(isolated))

  it.effect("a pool that is made inside of a closed scope lends nothing", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      const server = new PoolServer()
      const pool = yield* Scope.provide(Pool.make({ acquire: server.connect, max: 1, min: 1 }), scope)
      yield* turn(2)
      assert.strictEqual(server.opened, 0)
      assert.deepInclude(yield* Effect.flip(Pool.use(pool, () => Effect.void)), { _tag: "PoolClosed" })
    }).pipe(isolated))
})
