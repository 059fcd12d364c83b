import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

/**
 * Runs an effect on a fiber of its own until it ends, `millis` have passed or `cut` succeeds. In the latter two cases the
 * fiber is interrupted, its end is not waited for, and there is no exit.
 */
export const bounded = <A, E>(
  effect: Effect.Effect<A, E>,
  millis: number,
  cut: Effect.Effect<void>
): Effect.Effect<Exit.Exit<A, E> | undefined> =>
  Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true }), (fiber) => {
    const given = fiber.pollUnsafe()
    if (given !== undefined) return Effect.succeed(given)
    const over = Effect.as(Effect.raceFirst(Effect.sleep(millis), cut), undefined)
    return Effect.map(Effect.raceFirst(Fiber.await(fiber), over), (exit) => {
      if (exit === undefined) fiber.interruptUnsafe()
      return exit
    })
  })
