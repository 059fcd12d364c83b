/** How a caller borrows: it opens its session, takes an item or waits for one, and returns it when its session closes. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { LeakProbe } from "../../LeakProbe.ts"
import { SessionRegistry } from "../session/current.ts"
import { type Kernel, kernelOf } from "../session/kernel.ts"
import * as Lifecycle from "../session/lifecycle.ts"
import { SessionRecord } from "../session/record.ts"
import type { Core } from "./core.ts"
import type { PoolError } from "./errors.ts"
import { returned, work } from "./lentWork.ts"
import { type AnyFiber, currentFiber, lend, momentOf, open, type Source } from "./loan.ts"
import { queued } from "./queued.ts"
import { type Lent, Waiter } from "./waiter.ts"
import { arrive, join, leave } from "./waiting.ts"

/** What follows once an item is borrowed. It must arrange in its first step that the loan is returned. */
type Then<A, E, B, E2, R2> = (
  core: Core<A, E>,
  entry: Lent<A>,
  loan: SessionRecord,
  kernel: Kernel,
  fiber: AnyFiber
) => Effect.Effect<B, E2, R2>

/** Waits for an item. Only the wait can be interrupted, also by a revocation of the session. */
const wait = <A, E, B, E2, R2>(
  core: Core<A, E>,
  loan: SessionRecord,
  kernel: Kernel,
  fiber: AnyFiber,
  restore: Lifecycle.Mask,
  now: number,
  then: Then<A, E, B, E2, R2>
): Effect.Effect<B, E | PoolError | E2, R2> => {
  const waiter = join(core, loan, kernel, fiber, now)
  if (!(waiter instanceof Waiter)) return Effect.fail(waiter)
  if (waiter.lent !== undefined) return then(core, waiter.lent, loan, kernel, fiber)
  return Effect.matchCauseEffect(restore(waiter.awaited), {
    onFailure: (cause) => {
      leave(core, waiter, loan, kernel)
      return Effect.failCause(cause)
    },
    onSuccess: (entry) => {
      arrive(core, waiter, loan, entry)
      return then(core, entry, loan, kernel, fiber)
    }
  })
}

const borrow = <A, E, B, E2, R2>(
  source: Source<A, E>,
  site: string | undefined,
  fiber: AnyFiber,
  restore: Lifecycle.Mask,
  then: Then<A, E, B, E2, R2>
): Effect.Effect<B, E | PoolError | E2, R2> => {
  const kernel = kernelOf(fiber.getRef(SessionRegistry))
  const clock = fiber.getRef(Clock.Clock)
  const loan = open(source, site, fiber, kernel, clock)
  if (!(loan instanceof SessionRecord)) return Exit.fail(loan)
  const { core } = source
  const now = momentOf(core, loan, clock)
  const entry = core.machine.take(now)
  return entry === undefined
    ? wait(core, loan, kernel, fiber, restore, now, then)
    : then(core, entry, loan, kernel, fiber)
}

/** `Pool.use`, asked for at `site`. */
export const useAt = <A, E, B, E2, R2>(
  site: string | undefined,
  source: Source<A, E>,
  f: (item: A) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2 | PoolError, R2> =>
  Effect.uninterruptibleMask((restore) =>
    source.hasIdle
      ? borrow(
        source,
        site,
        currentFiber(),
        restore,
        (core, entry, loan, kernel, fiber) => work(lend(core, entry, loan), loan, kernel, f, fiber, restore)
      )
      : restore(queued(source, site, f, Lifecycle.optionsOf(restore)))
  )

/** Made apart: a scope that keeps this does not keep the item. */
const closing = (loan: SessionRecord, kernel: Kernel) => (exit: Exit.Exit<unknown, unknown>) =>
  returned(loan, kernel, exit) ?? Effect.void

/** `Pool.get`, asked for at `site`. */
export const getAt = <A, E>(
  site: string | undefined,
  source: Source<A, E>
): Effect.Effect<A, E | PoolError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) => {
    const fiber = currentFiber()
    // Without a scope this fails before anything is borrowed.
    const scope = Context.get(fiber.context as Context.Context<Scope.Scope>, Scope.Scope)
    return borrow(source, site, fiber, restore, (core, entry, loan, kernel, fiber) => {
      const { resource } = lend(core, entry, loan)
      if (loan.site !== undefined) Lifecycle.watch(loan, scope, fiber.getRef(LeakProbe))
      const close = closing(loan, kernel)
      if (loan.revoked !== undefined) {
        const failure = Exit.fail(loan.revoked)
        return Effect.andThen(close(failure), failure)
      }
      return Effect.as(Scope.addFinalizerExit(scope, close), resource)
    })
  })
