/** Why a caller fails whose time is up. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import type { Entry } from "./entry.ts"
import { AcquireTimeout } from "./errors.ts"
import { type Item, type Lender, loansOf } from "./item.ts"
import type { PoolMachine } from "./machine.ts"
import type { Waiter } from "./waiter.ts"

interface Pool<A, E> extends Lender {
  readonly machine: PoolMachine<Item<A>, Waiter<A, E>>
  readonly metrics: { readonly timedOut: () => void }
  readonly settings: { readonly name: string }
}

/** `failure` is why connecting fails, if it does. */
export const tooLate = <A, E>(
  pool: Pool<A, E>,
  waiter: Waiter<A, E>,
  failure: Cause.Cause<unknown> | undefined
): AcquireTimeout => {
  const { machine, settings: { name } } = pool
  pool.metrics.timedOut()
  return new AcquireTimeout({
    pool: name,
    waited: Duration.millis(Math.max(0, waiter.at - waiter.since)),
    total: machine.total,
    idle: machine.count("idle"),
    busy: machine.count("busy"),
    waiting: machine.waiting,
    max: machine.limits.max,
    held: loansOf(waiter.loan, pool, machine.entries as Iterable<Entry<Item<unknown>>>).size,
    ...waiter.isPastDeadline ? { isPastDeadline: true } : {},
    ...failure === undefined ? {} : { cause: Cause.squash(failure) }
  })
}
