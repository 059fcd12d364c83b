import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

/** Waits for a fiber, for at most `duration`. After that, interrupts the fiber without waiting for its end. */
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
 * Runs an effect on a fiber of its own for at most `duration`, even where interruption is not allowed. Returns whether it
 * succeeded. After `duration`, interrupts the effect without waiting for its end.
 */
export const atMost = <A, E>(effect: Effect.Effect<A, E>, duration: Duration.Duration): Effect.Effect<boolean> =>
  Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true }), (fiber) => endsIn(fiber, duration))
