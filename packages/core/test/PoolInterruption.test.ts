import { Pool, SessionRegistry } from "@clawback/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Moments from "./Moments.ts"
import { PoolServer } from "./PoolServer.ts"

const isolated = Effect.provide(SessionRegistry.layer())

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

/** Two callers share one item that is slow to open, to check and to reset. One is interrupted, or both are. */
const scenario = (
  borrow: (pool: Pool.Pool<{ readonly id: number }, string>) => Effect.Effect<unknown, unknown>,
  { turns }: Moments.Moment
) =>
  Effect.gen(function*() {
    const server = new PoolServer(1)
    server.connecting = Effect.yieldNow
    server.closing = Effect.yieldNow
    const scope = yield* Scope.make()
    const pool = yield* Scope.provide(
      Pool.make({
        acquire: server.connect,
        max: 1,
        maxUses: 2,
        validate: () => Effect.yieldNow,
        validateBypass: 0,
        reset: () => Effect.yieldNow
      }),
      scope
    )
    const victim = yield* start(Effect.andThen(borrow(pool), borrow(pool)))
    const other = yield* start(Effect.andThen(borrow(pool), borrow(pool)))
    yield* Moments.turn(turns)
    yield* Fiber.interrupt(victim)
    assert.isTrue(Exit.isSuccess(yield* Fiber.await(other)), "the other caller is not held up")
    yield* Moments.turn(30)
    const { busy, idle, total, waiting } = yield* Pool.stats(pool)
    assert.deepStrictEqual([busy, waiting, total], [0, 0, idle])
    assert.strictEqual(server.open, total)
    yield* Scope.close(scope, Exit.void)
    assert.strictEqual(server.open, 0)
    assert.strictEqual(server.closed.length, server.opened)
    assert.deepStrictEqual(yield* SessionRegistry.counts, {})
  })

describe("A borrow that is interrupted at any moment", () => {
  it.effect(
    "by `use` leaves no item, waiter and session behind",
    () => Moments.atEach((moment) => scenario((pool) => Pool.use(pool, () => Effect.yieldNow), moment)).pipe(isolated),
    60_000
  )

  it.effect(
    "by `get` leaves no item, waiter and session behind",
    () =>
      Moments.atEach((moment) =>
        scenario((pool) => Effect.scoped(Effect.andThen(Pool.get(pool), Effect.yieldNow)), moment)
      ).pipe(isolated),
    60_000
  )

  it.effect(
    "while the pool closes ends as well, and the pool is empty",
    () =>
      Moments.atEach(({ turns }) =>
        Effect.gen(function*() {
          const server = new PoolServer(2)
          server.connecting = Effect.yieldNow
          const scope = yield* Scope.make()
          const pool = yield* Scope.provide(Pool.make({ acquire: server.connect, max: 2, min: 1 }), scope)
          const callers = yield* Effect.forEach([1, 2, 3, 4], () => start(Pool.use(pool, () => Effect.yieldNow)))
          yield* Moments.turn(turns)
          const closing = yield* start(Scope.close(scope, Exit.void))
          yield* TestClock.adjust("10 seconds")
          yield* Fiber.join(closing)
          for (const caller of callers) {
            const exit = yield* Fiber.await(caller)
            const error = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
            assert.isTrue(error === undefined || (error._tag === "Fail" && error.error instanceof Pool.PoolClosed))
          }
          assert.strictEqual(server.open, 0)
          assert.deepStrictEqual(yield* SessionRegistry.counts, {})
        })
      ).pipe(isolated),
    60_000
  )
})
