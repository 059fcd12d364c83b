/** What a fiber died of that was ended before its time: whoever ended it has an answer already, and tells of this beside it. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"

const diedOf = (exit: Exit.Exit<unknown, unknown> | undefined): Cause.Cause<never> | undefined => {
  if (exit === undefined || Exit.isSuccess(exit)) return undefined
  const defects = exit.cause.reasons.filter(Cause.isDieReason)
  return defects.length === 0 ? undefined : Cause.fromReasons(defects)
}

/** Dies of what the fiber died of, if it did. */
export const defectsOf = (fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const cause = diedOf(fiber.pollUnsafe())
    return cause === undefined ? Effect.void : Effect.failCause(cause)
  })

/** An error instead of an exit, and beside it what that died of. */
export const failBeside = <E>(exit: Exit.Exit<unknown, unknown>, error: E): Exit.Exit<never, E> => {
  const defects = diedOf(exit)
  return defects === undefined ? Exit.fail(error) : Exit.failCause(Cause.combine(Cause.fail(error), defects))
}

const defectsIn = (exit: Exit.Exit<unknown, unknown> | undefined): ReadonlyArray<unknown> =>
  diedOf(exit)?.reasons.filter(Cause.isDieReason).map(({ defect }) => defect) ?? []

/** Whether an exit tells of what the fiber died of. */
export const toldOf = (exit: Exit.Exit<unknown, unknown>, fiber: Fiber.Fiber<unknown, unknown>): boolean => {
  const told = defectsIn(exit)
  return defectsIn(fiber.pollUnsafe()).every((defect) => told.includes(defect))
}

/** What comes instead of an exit, and beside it what that died of. */
export const besideDefects = <A, E, R>(
  exit: Exit.Exit<unknown, unknown>,
  instead: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const defects = diedOf(exit)
  return defects === undefined
    ? instead
    : Effect.matchCauseEffect(instead, {
      onFailure: (cause) => Effect.failCause(Cause.combine(cause, defects)),
      onSuccess: () => Effect.failCause(defects)
    })
}
