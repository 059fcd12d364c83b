import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { besideDefects, defectsOf } from "../session/defects.ts"
import * as Timers from "./timers.ts"

/**
 * Runs an effect until a moment in monotonic milliseconds, on a fiber of its own. When that comes, interrupts it, waits for
 * its releases, and goes on with `orElse`. What they died of is told beside that.
 *
 * It is what `Effect.timeoutOrElse` does, for a moment instead of a duration, without a fiber and a timer for the time. To
 * be called inside of an effect, on `fiber`, where interruption is not allowed: from the start of the effect on nobody
 * else ends it.
 */
export const cutOff = <A, E, R, A2, E2, R2>(
  self: Effect.Effect<A, E, R>,
  { at, context, fiber: parent, orElse, restore }: {
    readonly at: number
    /** What the effect runs in. */
    readonly context: Context.Context<R>
    readonly orElse: () => Effect.Effect<A2, E2, R2>
    readonly fiber: Fiber.Fiber<unknown, unknown>
    readonly restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  }
): Effect.Effect<A | A2, E | E2, R2> => {
  const fiber = Effect.runForkWith(context)(self)
  const exit = fiber.pollUnsafe()
  if (exit !== undefined) return exit
  let isOver = false
  const timers = Timers.of(parent)
  const timer: Timers.Timer = {
    at,
    slot: Timers.unset,
    fire: () => {
      isOver = true
      fiber.interruptUnsafe()
    }
  }
  timers.set(timer)
  return Effect.flatMap(
    Effect.onExitPrimitive(restore(Fiber.await(fiber)), () => {
      timers.clear(timer)
      return fiber.pollUnsafe() === undefined ? Effect.andThen(Fiber.interrupt(fiber), defectsOf(fiber)) : undefined
    }),
    (exit): Effect.Effect<A | A2, E | E2, R2> => isOver ? besideDefects(exit, restore(orElse())) : exit
  )
}
