import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Alarm from "./alarm.ts"

/**
 * Runs an effect until a moment in monotonic milliseconds, on a fiber of its own. When that comes, interrupts it, waits for
 * its releases, and goes on with `orElse`.
 *
 * It is what `Effect.timeoutOrElse` does, for a moment instead of a duration, without a fiber and a timer for the time.
 */
export const cutOff = <A, E, R, A2, E2, R2>(
  self: Effect.Effect<A, E, R>,
  options: {
    readonly at: number
    /** What the effect runs in. */
    readonly context: Context.Context<R>
    readonly orElse: () => Effect.Effect<A2, E2, R2>
  }
): Effect.Effect<A | A2, E | E2, R2> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((parent) => {
      // From here on nobody else ends it, so that no interruption may come before its end is arranged for.
      const fiber = Effect.runForkWith(options.context)(self)
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return exit
      let isOver = false
      const alarm = Alarm.of(parent)
      const timer: Alarm.Timer = {
        at: options.at,
        ring: () => {
          isOver = true
          fiber.interruptUnsafe()
        }
      }
      alarm.set(timer)
      return Effect.flatMap(
        Effect.onExitPrimitive(restore(Fiber.await(fiber)), () => {
          alarm.clear(timer)
          return fiber.pollUnsafe() === undefined ? Fiber.interrupt(fiber) : undefined
        }),
        (exit): Effect.Effect<A | A2, E | E2, R2> => isOver ? restore(options.orElse()) : exit
      )
    })
  )
