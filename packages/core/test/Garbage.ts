/** The collector, asked for, to see what is kept alive by whom. */
import { Effect } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

const turn = Effect.promise(() => sleep(5))

/**
 * Collects until something holds, for a second at the most. Answers whether it did. What was looked at in this turn of
 * the platform is not collected in it, and the collector's callbacks come in another one.
 */
export const collectUntil = <E, R>(holds: Effect.Effect<boolean, E, R>): Effect.Effect<boolean, E, R> =>
  Effect.gen(function*() {
    for (let tries = 0; tries < 50; tries++) {
      yield* turn
      collect()
      yield* turn
      if (yield* holds) return true
    }
    return false
  })
