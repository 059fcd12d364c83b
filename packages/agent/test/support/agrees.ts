/** A store answers as the one in memory, which performs what the machine says. */
import { ConversationStore } from "@clawback/agent"
import { assert, type Vitest } from "@effect/vitest"
import { Clock, Effect } from "effect"
import * as fc from "fast-check"
import { play, Steps } from "./randomChanges.ts"

/** A clock that goes on by a millisecond each time it is read, so that no two conversations begin at the same moment. */
const ticking = (start: number): Clock.Clock => {
  let now = start
  const own = { currentTimeMillisUnsafe: () => ++now, currentTimeMillis: Effect.sync(() => ++now) }
  return Object.setPrototypeOf(own, Clock.Clock.defaultValue())
}

export const agrees = <R>(it: Vitest.MethodsNonLive<R>, maxBytes: number, runs: number): void => {
  it.effect("gives the same answers as the store in memory to random changes", () =>
    Effect.gen(function*() {
      const store = yield* ConversationStore.ConversationStore
      const memory = yield* ConversationStore.ConversationStore.pipe(
        Effect.provide(ConversationStore.layerMemory({ maxBytes }))
      )
      const clock = ticking(yield* Clock.currentTimeMillis)
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(Steps, async (steps) => {
            const played = Effect.all([play(store, steps), play(memory, steps)])
            const [given, expected] = await Effect.runPromise(Effect.provideService(played, Clock.Clock, clock))
            assert.deepStrictEqual(given, expected)
          }),
          { numRuns: runs }
        )
      )
    }))
}
