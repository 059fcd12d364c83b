import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

/** Waits for a fiber, for no longer than `duration`. Where time ran out it is interrupted, and not waited for any more. */
export const endsIn = <A, E>(fiber: Fiber.Fiber<A, E>, duration: Duration.Duration): Effect.Effect<boolean> =>
  Effect.timeoutOrElse(Effect.map(Fiber.await(fiber), Exit.isSuccess), {
    duration,
    orElse: () =>
      Effect.sync(() => {
        fiber.interruptUnsafe()
        return false
      })
  })

/**
 * Runs an effect on a fiber of its own, for no longer than `duration`, even where interruption is not allowed. Tells
 * whether it succeeded. Where time ran out it was interrupted, and what it then does is not waited for.
 */
export const atMost = <A, E>(effect: Effect.Effect<A, E>, duration: Duration.Duration): Effect.Effect<boolean> =>
  Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true }), (fiber) => endsIn(fiber, duration))
