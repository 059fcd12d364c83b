/** A caller that waits for an item of a pool. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { SessionRevoked } from "../session/errors.ts"
import type { SessionRecord } from "../session/record.ts"
import * as Deadline from "../time/deadline.ts"
import * as Timers from "../time/timers.ts"
import type { Entry } from "./entry.ts"
import * as HandOver from "./handOver.ts"
import type { Item } from "./item.ts"
import type { Linked } from "./line.ts"

export type Lent<A> = Entry<Item<A>>

/** What a waiter needs of its pool. */
export interface Queue<A, E> {
  /** Why a waiter fails whose time is up. */
  readonly tooLate: (waiter: Waiter<A, E>) => E
  readonly leave: (waiter: Waiter<A, E>) => boolean
}

export class Waiter<A, E> implements Linked<Waiter<A, E>>, Timers.Timer, HandOver.Resumable {
  isWaiting = false
  before: Waiter<A, E> | undefined = undefined
  after: Waiter<A, E> | undefined = undefined
  slot = Timers.unset
  /** Until then it waits. */
  readonly at: number
  readonly since: number
  readonly loan: SessionRecord
  private readonly fiber: Fiber.Fiber<unknown, unknown>
  /** The item that it was lent, which it owns from then on. */
  lent: Lent<A> | undefined = undefined
  private readonly queue: Queue<A, E>
  private resume: ((exit: Exit.Exit<Lent<A>, E | SessionRevoked>) => void) | undefined = undefined
  private answer: Exit.Exit<Lent<A>, E | SessionRevoked> | undefined = undefined

  constructor(
    queue: Queue<A, E>,
    fiber: Fiber.Fiber<unknown, unknown>,
    loan: SessionRecord,
    since: number,
    at: number
  ) {
    this.queue = queue
    this.fiber = fiber
    this.loan = loan
    this.since = since
    this.at = at
  }

  /** Its session, or one around it, was revoked. */
  readonly onRevoked = (): void => {
    const { revoked } = this.loan
    if (revoked !== undefined && this.queue.leave(this)) this.settle(Exit.fail(revoked))
  }

  /** Whether its deadline had passed before it began to wait. */
  get isPastDeadline(): boolean {
    return (Deadline.inForce(this.fiber)?.at ?? Infinity) <= this.since
  }

  fire(): void {
    if (this.queue.leave(this)) this.settle(Exit.fail(this.queue.tooLate(this)))
  }

  /** The pool has lent it an item. It goes on when the pool has ended its step. */
  lend(entry: Lent<A>): void {
    this.lent = entry
    this.answer = Exit.succeed(entry)
    if (this.resume !== undefined) HandOver.add(this)
  }

  goOn(): void {
    if (this.answer !== undefined) this.resume?.(this.answer)
  }

  goOnLater(): void {
    this.fiber.currentDispatcher.scheduleTask(() => this.goOn(), 0)
  }

  settle(answer: Exit.Exit<Lent<A>, E | SessionRevoked>): void {
    this.answer = answer
    this.resume?.(answer)
  }

  /** Waits for the answer. It may have come already. */
  get awaited(): Effect.Effect<Lent<A>, E | SessionRevoked> {
    return Effect.callback((resume) => {
      if (this.answer === undefined) this.resume = resume
      else resume(this.answer)
    })
  }
}
