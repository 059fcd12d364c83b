/** The session of a borrower: how it opens, and how it comes to hold an item. */
import type * as Clock from "effect/Clock"
import * as Fiber from "effect/Fiber"
import { Current } from "../session/current.ts"
import type { SessionError } from "../session/errors.ts"
import type { Kernel } from "../session/kernel.ts"
import type { Info } from "../session/model.ts"
import type { SessionRecord } from "../session/record.ts"
import * as Monotonic from "../time/monotonic.ts"
import type { Core } from "./core.ts"
import type { Item } from "./item.ts"
import type { Lent } from "./waiter.ts"

export type AnyFiber = Fiber.Fiber<unknown, unknown>

/** Where a caller borrows. It is asked in the step in which the caller takes an item or joins the waiters. */
export interface Source<A, E> {
  /** What the sessions of its borrowers are called. Its texts are checked. */
  readonly info: Info
  readonly core: Core<A, E>
  /** Whether an item is idle. To ask this makes no pool. */
  readonly hasIdle: boolean
}

/** The session has read the clock in this step. It is another one than the pool's only where a program uses two. */
export const momentOf = <A, E>(core: Core<A, E>, loan: SessionRecord, clock: Clock.Clock): number =>
  clock === core.environment.clock ? loan.openedAt : core.now

/** Opens the session of a borrower. */
export const open = <A, E>(
  source: Source<A, E>,
  site: string | undefined,
  fiber: AnyFiber,
  kernel: Kernel,
  clock: Clock.Clock
): SessionRecord | SessionError =>
  kernel.openAt(Monotonic.millis(clock), source.info, fiber, fiber.getRef(Current), site)

export const lend = <A, E>(core: Core<A, E>, entry: Lent<A>, loan: SessionRecord): Item<A> => {
  const item = entry.resource as Item<A>
  item.loan = loan
  loan.hold(item)
  core.arm()
  return item
}

/** The fiber whose step this is. */
export const currentFiber = (): AnyFiber => Fiber.getCurrent() as AnyFiber
