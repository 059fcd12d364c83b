/** Work under a lease. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { besideDefects, defectsOf } from "../session/defects.ts"
import type { LeaseLost } from "./errors.ts"
import type { Hold } from "./hold.ts"

/** The exit of work, or the loss of its lease. */
const judged = <A, E>(hold: Hold, exit: Exit.Exit<A, E>): Effect.Effect<A, E | LeaseLost> => {
  const loss = hold.whyTaken
  return loss === undefined ? exit : besideDefects(exit, Effect.fail(loss))
}

/**
 * Renews the lease while an effect runs. If the lease is lost, interrupts the effect, waits for its releases, and fails with
 * `LeaseLost`. The effect has a fiber of its own, so that it is interrupted even where interruption is not allowed outside.
 */
export const under = <A, E, R>(hold: Hold, self: Effect.Effect<A, E, R>): Effect.Effect<A, E | LeaseLost, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((parent) => {
      hold.start()
      const loss = hold.whyTaken
      if (loss !== undefined) return Effect.fail(loss)
      const fiber = Effect.runForkWith(parent.context as Context.Context<R>)(self)
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return judged(hold, exit)
      const stop = hold.onLost(() => fiber.interruptUnsafe())
      return Effect.flatMap(
        Effect.onExitPrimitive(restore(Fiber.await(fiber)), (awaited) => {
          stop()
          return Exit.isSuccess(awaited) ? undefined : Effect.andThen(Fiber.interrupt(fiber), defectsOf(fiber))
        }),
        (exit) => judged(hold, exit)
      )
    })
  )
