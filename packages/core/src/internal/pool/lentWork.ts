/** The work of a borrower: it ends, or is ended by a revocation, and then its item is returned. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Current } from "../session/current.ts"
import { defectsOf, toldOf } from "../session/defects.ts"
import type { SessionRevoked } from "../session/errors.ts"
import type { Kernel } from "../session/kernel.ts"
import * as Lifecycle from "../session/lifecycle.ts"
import type { SessionRecord } from "../session/record.ts"
import { Item } from "./item.ts"

const applied = <A, B, E, R>(f: (item: A) => Effect.Effect<B, E, R>, item: A): Effect.Effect<B, E, R> => {
  try {
    return f(item)
  } catch (defect) {
    return Exit.die(defect)
  }
}

/**
 * Returns the item of a loan, and closes its session. Undefined if that is done at once, or was done before. Otherwise a
 * listener of the session wants to know how it ends, or another fiber is releasing it.
 */
export const returned = (
  loan: SessionRecord,
  kernel: Kernel,
  exit: Exit.Exit<unknown, unknown>
): Effect.Effect<void> | undefined => {
  const { held } = loan
  if (!(held instanceof Item) || loan.state !== "open") return Lifecycle.closeAtExit(loan, exit, kernel.close)
  loan.beginRelease()
  held.lender.giveBack(held, kernel)
  return undefined
}

/** Returns the item when the work is over. */
export const ended = <A, E>(
  loan: SessionRecord,
  kernel: Kernel,
  exit: Exit.Exit<A, E>
): Effect.Effect<A, E | SessionRevoked> => {
  const left = returned(loan, kernel, exit)
  const end = Lifecycle.revokedOr(loan, exit)
  return left === undefined ? end : Effect.andThen(left, end)
}

/** Waits for the fiber of the work. The item is returned in the step in which that ends, whatever becomes of its caller. */
const awaited = <A, E>(
  loan: SessionRecord,
  kernel: Kernel,
  worker: Fiber.Fiber<A, E>,
  restore: Lifecycle.Mask
): Effect.Effect<A, E | SessionRevoked> => {
  let resume: ((exit: Effect.Effect<A, E | SessionRevoked>) => void) | undefined
  let end: Effect.Effect<A, E | SessionRevoked> | undefined
  worker.addObserver((exit) => {
    end = ended(loan, kernel, exit)
    resume?.(end)
  })
  loan.addUser(worker)
  // It may have been revoked while the worker took its first steps.
  if (loan.isRevoked) worker.interruptUnsafe()
  const waiting = Effect.callback<A, E | SessionRevoked>((own) => {
    if (end === undefined) resume = own
    else own(end)
  })
  return Effect.onExitPrimitive(
    restore(waiting),
    (exit) => {
      if (worker.pollUnsafe() === undefined) return Effect.andThen(Fiber.interrupt(worker), defectsOf(worker))
      // What the work died of while it was interrupted is raised next to the interruption.
      return Exit.isSuccess(exit) || toldOf(exit, worker) ? undefined : defectsOf(worker)
    },
    true
  )
}

/**
 * Runs what a borrower does with its item, and returns the item. Call it where interruption is not allowed, in the step in
 * which the item was lent. Work that is over when `f` returns needs no fiber of its own.
 */
export const work = <A, B, E, R>(
  item: Item<A>,
  loan: SessionRecord,
  kernel: Kernel,
  f: (item: A) => Effect.Effect<B, E, R>,
  fiber: Fiber.Fiber<unknown, unknown>,
  restore: Lifecycle.Mask
): Effect.Effect<B, E | SessionRevoked, R> => {
  if (loan.revoked !== undefined) return ended(loan, kernel, Exit.fail(loan.revoked))
  const effect = applied(f, item.resource)
  if (Exit.isExit(effect)) return ended(loan, kernel, effect as Exit.Exit<B, E>)
  const context = Context.add(fiber.context as Context.Context<R>, Current, loan)
  if (Lifecycle.isTurning(loan)) {
    const region = Lifecycle.region(loan, context, effect, restore)
    return Effect.onExitPrimitive(region, (exit) => returned(loan, kernel, exit), true)
  }
  const worker = Effect.runForkWith(context)(effect, Lifecycle.optionsOf(restore))
  const exit = worker.pollUnsafe()
  return exit === undefined ? awaited(loan, kernel, worker, restore) : ended(loan, kernel, exit)
}
