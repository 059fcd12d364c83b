/** How a caller borrows: it opens its session, takes an item or waits for one, and returns it when its session closes. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { LeakProbe } from "../../LeakProbe.ts"
import { Current, SessionRegistry } from "../session/current.ts"
import { type Kernel, kernelOf } from "../session/kernel.ts"
import * as Lifecycle from "../session/lifecycle.ts"
import type { Info } from "../session/model.ts"
import { SessionRecord } from "../session/record.ts"
import * as Deadline from "../time/deadline.ts"
import * as Monotonic from "../time/monotonic.ts"
import type { Core } from "./core.ts"
import { PoolClosed, type PoolError, PoolFull } from "./errors.ts"
import type { Item } from "./item.ts"
import { returned, work } from "./lentWork.ts"
import { type Lent, Waiter } from "./waiter.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** What follows once an item is borrowed. It must arrange in its first step that the loan is returned. */
type Then<A, E, B, E2, R2> = (
  core: Core<A, E>,
  entry: Lent<A>,
  loan: SessionRecord,
  kernel: Kernel,
  fiber: AnyFiber
) => Effect.Effect<B, E2, R2>

/** How many milliseconds the work that set a deadline has to end the wait itself, with its own error. */
const grace = 10

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
  const { machine, metrics, settings: { acquireTimeout, name }, timers } = core
  const until = Math.min(now + acquireTimeout, (Deadline.inForce(fiber)?.at ?? Infinity) + grace)
  const waiter = new Waiter<A, E | PoolError>(core, fiber, loan, now, until)
  const joined = machine.join(waiter, now)
  if (typeof joined === "string") {
    kernel.close(loan)
    return Effect.fail(
      joined === "shut"
        ? new PoolClosed({ pool: name })
        : new PoolFull({ pool: name, max: machine.limits.max, waiting: machine.waiting })
    )
  }
  core.perform(joined)
  if (waiter.lent !== undefined) return then(core, waiter.lent, loan, kernel, fiber)
  if (until < Infinity && waiter.isWaiting) timers.set(waiter)
  const revoked = () => {
    if (loan.revoked !== undefined && core.leave(waiter)) waiter.settle(Exit.fail(loan.revoked))
  }
  loan.addUser(revoked)
  return Effect.matchCauseEffect(restore(waiter.awaited), {
    onFailure: (cause) => {
      timers.clear(waiter)
      // An interruption may come between the loan and the next step of its borrower.
      if (!core.leave(waiter) && waiter.lent !== undefined) core.pass(waiter.lent)
      kernel.close(loan)
      return Effect.failCause(cause)
    },
    onSuccess: (entry) => {
      timers.clear(waiter)
      loan.removeUser(revoked)
      metrics.waited(entry.takenAt - now)
      return then(core, entry, loan, kernel, fiber)
    }
  })
}

/** Where a caller borrows. It is asked in the step in which the caller takes an item or joins the waiters. */
export interface Source<A, E> {
  /** What the sessions of its borrowers are called. Its texts are checked. */
  readonly info: Info
  readonly core: Core<A, E>
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
  const loan = kernel.openAt(Monotonic.millis(clock), source.info, fiber, fiber.getRef(Current), site)
  if (!(loan instanceof SessionRecord)) return Exit.fail(loan)
  const { core } = source
  // The session has read the clock in this step. It is another one than the pool's only where a program uses two.
  const now = clock === core.environment.clock ? loan.openedAt : core.now
  const entry = core.machine.take(now)
  return entry === undefined
    ? wait(core, loan, kernel, fiber, restore, now, then)
    : then(core, entry, loan, kernel, fiber)
}

const lend = <A, E>(core: Core<A, E>, entry: Lent<A>, loan: SessionRecord): Item<A> => {
  const item = entry.resource as Item<A>
  item.loan = loan
  loan.hold(item)
  core.arm()
  return item
}

/** The fiber whose step this is. */
const currentFiber = (): AnyFiber => Fiber.getCurrent() as AnyFiber

/** `Pool.use`, asked for at `site`. */
export const useAt = <A, E, B, E2, R2>(
  site: string | undefined,
  source: Source<A, E>,
  f: (item: A) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2 | PoolError, R2> =>
  Effect.uninterruptibleMask((restore) =>
    borrow(
      source,
      site,
      currentFiber(),
      restore,
      (core, entry, loan, kernel, fiber) => work(lend(core, entry, loan), loan, kernel, f, fiber, restore)
    )
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
