import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type Timer, Timers } from "./timers.ts"

/** The two clocks start at different times, so that a mix-up of them is noticed. */
const wallClockStart = 1_800_000_000_000

/** Virtual time, which only the run advances. */
export class VirtualClock implements Clock.Clock {
  /** Milliseconds since the start. */
  now = 0
  private readonly timers = new Timers()
  private readonly schedule: (wake: () => void) => () => void

  /** A fiber that sleeps calls `schedule`. The returned function must wake it some time later. */
  constructor(schedule: (wake: () => void) => () => void) {
    this.schedule = schedule
  }

  currentTimeMillisUnsafe(): number {
    return wallClockStart + this.now
  }

  currentTimeNanosUnsafe(): bigint {
    return BigInt(wallClockStart) * 1_000_000n + this.monotonicTimeNanosUnsafe()
  }

  monotonicTimeNanosUnsafe(): bigint {
    return BigInt(Math.round(this.now * 1e6))
  }

  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const millis = Duration.toMillis(duration)
    if (millis <= 0) return Effect.yieldNow
    if (millis === Infinity) return Effect.never
    return Effect.callback<void>((resume) => {
      const fire = this.schedule(() => {
        if (!timer.isCancelled) resume(Effect.void)
      })
      const timer: Timer = this.timers.add(this.now + millis, fire)
      return Effect.sync(() => {
        timer.isCancelled = true
      })
    })
  }

  /** Advances to the earliest moment for which a fiber sleeps. Returns false if none does. */
  advance(): boolean {
    const due = this.timers.takeNext()
    const [first] = due
    if (first === undefined) return false
    this.now = first.at
    for (const { fire } of due) fire()
    return true
  }

  /** Moves on at once. Every fiber that sleeps until a moment before that wakes. */
  leap(millis: number): void {
    this.now += millis
    for (const { fire } of this.timers.takeUntil(this.now)) fire()
  }
}
