/** The one place of the core where it meets the garbage collector and promises. */
import * as Effect from "effect/Effect"
import type { LeakProbe } from "../LeakProbe.ts"

export const makeLeakProbe = (): LeakProbe => {
  const registry = new FinalizationRegistry<() => void>((onLost) => onLost())
  return {
    watch: (target, onLost) => {
      registry.register(target, onLost, onLost)
      return () => void registry.unregister(onLost)
    }
  }
}

/** What `await using` waits for. */
export const runPromise = (effect: Effect.Effect<void>): Promise<void> => Effect.runPromise(effect)
