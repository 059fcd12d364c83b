import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { Scheduler } from "effect/Scheduler"
import * as Monotonic from "./monotonic.ts"

/** What is to happen at a moment, unless it is cleared before. */
export interface Timer {
  /** Monotonic milliseconds. */
  readonly at: number
  readonly ring: () => void
}

/**
 * Many timers on one fiber, for limits that almost never pass: setting and clearing one costs no fiber and no timer of
 * the platform.
 *
 * The fiber sleeps until the earliest moment that it knows of, and starts over only where an earlier one is set; what was
 * cleared in the meantime makes it wake once for nothing. It lives while there are timers, so nothing has to close it,
 * and nothing is held when there are none.
 */
export class Alarm {
  private readonly timers = new Set<Timer>()
  private readonly clock: Clock.Clock
  private readonly runFork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private fiber: Fiber.Fiber<void> | undefined
  /** When the fiber wakes. */
  private wakesAt = Infinity
  private isRinging = false

  constructor(clock: Clock.Clock, scheduler: Scheduler) {
    this.clock = clock
    this.runFork = Effect.runForkWith(
      Context.make(Clock.Clock, clock).pipe(Context.add(Scheduler, scheduler))
    )
  }

  /** Monotonic milliseconds of the clock that it goes by. */
  get now(): number {
    return Monotonic.millis(this.clock)
  }

  set(timer: Timer): void {
    this.timers.add(timer)
    if (timer.at >= this.wakesAt) return
    this.wakesAt = timer.at
    // Where it is the fiber itself that sets it, it looks when it goes to sleep next.
    if (this.isRinging) return
    this.fiber?.interruptUnsafe()
    this.fiber = this.runFork(this.watch)
  }

  /** Clearing one that rang, or was never set, does nothing. */
  clear(timer: Timer): void {
    if (!this.timers.delete(timer) || this.timers.size > 0 || this.isRinging) return
    this.wakesAt = Infinity
    this.fiber?.interruptUnsafe()
    this.fiber = undefined
  }

  private readonly watch: Effect.Effect<void> = Effect.suspend(() =>
    this.wakesAt === Infinity
      ? Effect.void
      // Whole milliseconds: a clock that stands still for less than one would be asked for ever.
      : Effect.flatMap(Effect.sleep(Duration.millis(Math.max(0, Math.ceil(this.wakesAt - this.now)))), () => {
        this.ring()
        return this.watch
      })
  )

  /** Rings for those whose moment has come, in one step. */
  private ring() {
    const at = this.now
    const due: Array<Timer> = []
    let next = Infinity
    for (const timer of this.timers) {
      if (timer.at <= at) due.push(timer)
      else if (timer.at < next) next = timer.at
    }
    this.wakesAt = next
    this.isRinging = true
    for (const timer of due) if (this.timers.delete(timer)) this.ringFor(timer)
    this.isRinging = false
    if (this.timers.size === 0) this.wakesAt = Infinity
  }

  /** What it wakes goes on in the same step, up to whoever observes a fiber's end; should that throw, others still wait. */
  private ringFor(timer: Timer) {
    try {
      timer.ring()
    } catch (defect) {
      this.runFork(
        Effect.logError("Something threw that observes a fiber, when a limit of time ended it", Cause.die(defect))
      )
    }
  }
}

/** One for all that goes by one clock. */
const alarms = new WeakMap<Clock.Clock, Alarm>()

/** The alarm of a fiber's clock. */
export const of = (fiber: Fiber.Fiber<unknown, unknown>): Alarm => {
  const clock = fiber.getRef(Clock.Clock)
  let alarm = alarms.get(clock)
  if (alarm === undefined) alarms.set(clock, alarm = new Alarm(clock, fiber.getRef(Scheduler)))
  return alarm
}
