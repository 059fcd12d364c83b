/** A caller that waits for an item of a pool. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { SessionRecord } from "../session/record.ts"
import * as Timers from "../time/timers.ts"
import type { Entry } from "./entry.ts"
import type { Item } from "./item.ts"
import type { Linked } from "./line.ts"

export type Lent<A> = Entry<Item<A>>

/** What a waiter needs of its pool. */
export interface Queue<A, E> {
  /** Why a waiter fails whose time is up. */
  readonly tooLate: (waiter: Waiter<A, E>) => E
  readonly leave: (waiter: Waiter<A, E>) => boolean
}

export class Waiter<A, E> implements Linked<Waiter<A, E>>, Timers.Timer {
  isWaiting = false
  before: Waiter<A, E> | undefined = undefined
  after: Waiter<A, E> | undefined = undefined
  slot = Timers.unset
  /** Until then it waits. */
  readonly at: number
  readonly since: number
  readonly record: SessionRecord
  private readonly fiber: Fiber.Fiber<unknown, unknown>
  /** The item that it was lent, which it owns from then on. */
  lent: Lent<A> | undefined = undefined
  private readonly queue: Queue<A, E>
  private resume: ((exit: Exit.Exit<Lent<A>, E>) => void) | undefined = undefined
  private answer: Exit.Exit<Lent<A>, E> | undefined = undefined

  constructor(
    queue: Queue<A, E>,
    fiber: Fiber.Fiber<unknown, unknown>,
    record: SessionRecord,
    since: number,
    at: number
  ) {
    this.queue = queue
    this.fiber = fiber
    this.record = record
    this.since = since
    this.at = at
  }

  fire(): void {
    if (this.queue.leave(this)) this.settle(Exit.fail(this.queue.tooLate(this)))
  }

  /** The waiter goes on in its own turn. Otherwise many waiters that need no time would go on inside of each other's returns. */
  lend(entry: Lent<A>): void {
    this.lent = entry
    const answer = this.answer = Exit.succeed(entry)
    const { fiber, resume } = this
    if (resume !== undefined) fiber.currentDispatcher.scheduleTask(() => resume(answer), 0)
  }

  settle(answer: Exit.Exit<Lent<A>, E>): void {
    this.answer = answer
    this.resume?.(answer)
  }

  /** Waits for the answer. It may have come already. */
  get awaited(): Effect.Effect<Lent<A>, E> {
    return Effect.callback((resume) => {
      if (this.answer === undefined) this.resume = resume
      else resume(this.answer)
    })
  }
}
