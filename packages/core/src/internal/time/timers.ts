/**
 * One queue of timers for each clock. These limits use it:
 * - `CutOff` (cutOff.ts): the deadline of an effect, and of the work of a session.
 * - `LimitedPump` (limitedStream.ts): `Deadline.withinStream`, and `firstToken` and `idle` of `Timeouts.applyStream`.
 * - `PooledConnection` and `Waiter` (transport/pool.ts): the age and idle time of a connection, and the limit `queue`.
 * - `Exchange` (transport/exchange.ts): the limit `firstToken` of a request.
 *
 * Other waits use the clock of Effect (`Effect.sleep`, `Effect.timeout…`), with a fiber each: the backoff of a retry, the limit
 * `connect`, the limits of a shutdown's phases, and limits on how long a release may take.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { Scheduler } from "effect/Scheduler"
import * as Monotonic from "./monotonic.ts"
import { type Timed, TimerHeap } from "./timerHeap.ts"

export { unset } from "./timerHeap.ts"

/** Fires once at its moment, unless it is cleared before. */
export interface Timer extends Timed {
  readonly fire: () => void
}

/**
 * Many timers on one fiber. Most limits never pass, so setting and clearing a timer costs no fiber and no timer of the
 * platform.
 *
 * The fiber sleeps until the earliest moment that it knows, and restarts only when an earlier timer is set. If the
 * earliest timer is cleared, the fiber wakes once for nothing. It runs only while there are timers, so it needs no scope.
 */
export class Timers {
  private readonly heap = new TimerHeap<Timer>()
  private readonly clock: Clock.Clock
  private readonly runFork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private fiber: Fiber.Fiber<void> | undefined
  /** When the fiber wakes. */
  private wakesAt = Infinity
  private isFiring = false

  constructor(clock: Clock.Clock, scheduler: Scheduler) {
    this.clock = clock
    this.runFork = Effect.runForkWith(
      Context.make(Clock.Clock, clock).pipe(Context.add(Scheduler, scheduler))
    )
  }

  /** Monotonic milliseconds of the clock that the timers use. */
  get now(): number {
    return Monotonic.millis(this.clock)
  }

  get areSet(): boolean {
    return this.heap.size > 0
  }

  set(timer: Timer): void {
    this.heap.set(timer)
    if (timer.at >= this.wakesAt) return
    this.wakesAt = timer.at
    // The fiber itself reads the moment before it sleeps again.
    if (this.isFiring) return
    this.fiber?.interruptUnsafe()
    this.fiber = this.runFork(this.watch)
  }

  /** Does nothing if the timer has fired or was never set. */
  clear(timer: Timer): void {
    if (!this.heap.remove(timer) || this.heap.size > 0 || this.isFiring) return
    this.wakesAt = Infinity
    this.fiber?.interruptUnsafe()
    this.fiber = undefined
  }

  private readonly watch: Effect.Effect<void> = Effect.suspend(() =>
    this.wakesAt === Infinity
      ? Effect.void
      // Whole milliseconds: with a clock that stands still for less than one, the fiber would never sleep.
      : Effect.flatMap(Effect.sleep(Duration.millis(Math.max(0, Math.ceil(this.wakesAt - this.now)))), () => {
        this.fireDue()
        return this.watch
      })
  )

  /** Fires all timers whose moment has come, in one step. A timer may clear another one that is due. */
  private fireDue() {
    const { heap, now } = this
    this.isFiring = true
    for (const timer of heap.due(now)) if (heap.remove(timer)) this.fireOne(timer)
    this.isFiring = false
    this.wakesAt = heap.earliest
  }

  /** A timer may wake fibers, and so run their observers, in the same step. If one throws, the others still fire. */
  private fireOne(timer: Timer) {
    try {
      timer.fire()
    } catch (defect) {
      this.runFork(Effect.logError("An observer of a fiber threw when a time limit ended the fiber", Cause.die(defect)))
    }
  }
}

/** The timers of each clock. */
const timersByClock = new WeakMap<Clock.Clock, Timers>()

/** The timers of a fiber's clock. */
export const of = (fiber: Fiber.Fiber<unknown, unknown>): Timers => {
  const clock = fiber.getRef(Clock.Clock)
  let timers = timersByClock.get(clock)
  if (timers === undefined) timersByClock.set(clock, timers = new Timers(clock, fiber.getRef(Scheduler)))
  return timers
}
