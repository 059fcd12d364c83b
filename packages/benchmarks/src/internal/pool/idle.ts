/** What an idle item of a pool costs in memory, beyond the resource itself. */
import * as Pool from "@clawback/core/Pool"
import { Effect, Pool as EffectPool, type Scope } from "effect"
import { heapGrowth } from "../measure.ts"

const resource = { descriptor: 7 }
const acquire = Effect.succeed(resource)

/** Bytes for each idle item. */
export const idle = (size: number) => {
  const bytes = (open: Effect.Effect<unknown, never, Scope.Scope>) =>
    Effect.scoped(Effect.map(heapGrowth(open), (grown) => grown / size))
  return {
    ours: bytes(Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire, min: size, max: size, validate: () => Effect.void })
      while ((yield* Pool.stats(pool)).idle < size) yield* Effect.yieldNow
    })),
    peer: bytes(EffectPool.make({ acquire, size }))
  }
}
