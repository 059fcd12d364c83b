/**
 * Effect's `Pool.makeWithTTL` in its default strategy: an item that is being retired stays open when the pool's scope
 * closes in the step between its removal from the pool and its finalizer.
 */
import { Simulation } from "@clawback/testing"
import { Effect, Exit, Fiber, Pool, Scope } from "effect"
import { Ledger } from "../../support/ledger.ts"

const timeToLive = 5

const program = (make: (acquire: Ledger["acquire"]) => Effect.Effect<Pool.Pool<number>, never, Scope.Scope>) =>
  Effect.gen(function*() {
    const ledger = new Ledger()
    const scope = yield* Scope.make()
    const pool = yield* Scope.provide(make(ledger.acquire), scope)
    const fibers = yield* Effect.forEach(
      [1, 2, 3, 4, 5],
      () => Simulation.fork(Pool.use(pool, () => Simulation.latency(0, 2)), "user")
    )
    for (const fiber of fibers) yield* Fiber.await(fiber)
    // The items that are too many are retired once or twice their time to live after their last use.
    yield* Simulation.latency(0, 3 * timeToLive)
    yield* Scope.close(scope, Exit.void)
    yield* ledger.allBack
  })

export default {
  name: "EffectPool",
  program: program((acquire) => Pool.makeWithTTL({ acquire, min: 0, max: 4, timeToLive }))
} satisfies Simulation.Scenario

export const control: Simulation.Scenario = {
  name: "Pool of fixed size",
  program: program((acquire) => Pool.make({ acquire, size: 4 }))
}
