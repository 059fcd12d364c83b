/** How a caller begins and ends to wait for an item. */
import type { Kernel } from "../session/kernel.ts"
import type { SessionRecord } from "../session/record.ts"
import * as Deadline from "../time/deadline.ts"
import type { Core } from "./core.ts"
import { PoolClosed, type PoolError, PoolFull } from "./errors.ts"
import type { AnyFiber } from "./loan.ts"
import { type Lent, Waiter } from "./waiter.ts"

/** How many milliseconds the work that set a deadline has to end the wait itself, with its own error. */
const grace = 10

/** Joins the callers that wait. If it may not, its session is closed. */
export const join = <A, E>(
  core: Core<A, E>,
  loan: SessionRecord,
  kernel: Kernel,
  fiber: AnyFiber,
  now: number
): Waiter<A, E | PoolError> | PoolClosed | PoolFull => {
  const { machine, patience, settings: { acquireTimeout, name }, timers } = core
  const latest = now + acquireTimeout
  const until = Math.min(latest, (Deadline.inForce(fiber)?.at ?? Infinity) + grace)
  const waiter = new Waiter<A, E | PoolError>(core, fiber, loan, now, until)
  const joined = machine.join(waiter, now)
  if (typeof joined === "string") {
    kernel.close(loan)
    return joined === "shut"
      ? new PoolClosed({ pool: name })
      : new PoolFull({ pool: name, max: machine.limits.max, waiting: machine.waiting })
  }
  core.perform(joined)
  if (waiter.isWaiting) {
    if (until < latest) timers.set(waiter)
    else patience.began(waiter)
    loan.addUser(waiter.onRevoked)
  }
  return waiter
}

/** Stops waiting, and closes its session. */
export const leave = <A, E>(
  core: Core<A, E>,
  waiter: Waiter<A, E | PoolError>,
  loan: SessionRecord,
  kernel: Kernel
): void => {
  core.timers.clear(waiter)
  // An interruption may come between the loan and the next step of its borrower.
  if (!core.leave(waiter) && waiter.lent !== undefined) core.pass(waiter.lent)
  core.patience.ended()
  kernel.close(loan)
}

/** Returns an item that was taken, and not used. */
export const unused = <A, E>(core: Core<A, E>, entry: Lent<A>, loan: SessionRecord, kernel: Kernel): void => {
  core.pass(entry)
  kernel.close(loan)
}

/** Goes on with the item that it has waited for. */
export const arrive = <A, E>(
  core: Core<A, E>,
  waiter: Waiter<A, E | PoolError>,
  loan: SessionRecord,
  entry: Lent<A>
): void => {
  core.timers.clear(waiter)
  core.patience.ended()
  loan.removeUser(waiter.onRevoked)
  core.metrics.waited(entry.takenAt - waiter.since)
}
