/** Effect's `ScopedCache`: what a lookup acquired stays open when the `get` that ran it is interrupted. */
import { Simulation } from "@clawback/testing"
import { Effect, Fiber, RcMap, type Scope, ScopedCache } from "effect"
import { Ledger } from "../../support/ledger.ts"

type Get = (key: number) => Effect.Effect<number, never, Scope.Scope>

const program = (make: (lookup: Get) => Effect.Effect<Get, never, Scope.Scope>) =>
  Effect.gen(function*() {
    const ledger = new Ledger()
    yield* Effect.scoped(Effect.gen(function*() {
      const get = yield* make(() => ledger.acquire)
      const fibers = yield* Effect.forEach(
        [1, 2, 3, 4, 5],
        (key) =>
          Simulation.fork(
            Effect.scoped(Effect.andThen(get(key % 2), Effect.andThen(Simulation.latency(0, 2), get(key)))),
            "user"
          )
      )
      for (const fiber of fibers) yield* Fiber.await(fiber)
    }))
    yield* ledger.allBack
  })

export default {
  name: "EffectScopedCache",
  program: program((lookup) =>
    Effect.map(ScopedCache.make({ lookup, capacity: 10 }), (cache) => (key) => ScopedCache.get(cache, key))
  )
} satisfies Simulation.Scenario

export const control: Simulation.Scenario = {
  name: "RcMap",
  program: program((lookup) => Effect.map(RcMap.make({ lookup }), (map) => (key) => RcMap.get(map, key)))
}
