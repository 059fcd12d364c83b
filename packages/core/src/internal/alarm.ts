import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Monotonic from "./monotonic.ts"

/** What is to happen at a moment, unless it is cleared before. */
export interface Timer {
  /** Monotonic milliseconds. */
  readonly at: number
  readonly ring: () => void
}

/**
 * Many timers on one fiber, for limits that almost never pass: setting and clearing one costs no fiber and no timer of
 * the platform. The fiber sleeps until the earliest moment that it knows of, and starts over only where an earlier one
 * is set; what was cleared in the meantime makes it wake once for nothing.
 */
export interface Alarm {
  /** Monotonic milliseconds of the clock that it goes by. */
  readonly now: () => number
  readonly set: (timer: Timer) => void
  /** Clearing one that rang, or was never set, does nothing. */
  readonly clear: (timer: Timer) => void
}

/** An alarm that rings for as long as its scope is open. */
export const make: Effect.Effect<Alarm, never, Scope.Scope> = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const scope = yield* Scope.fork(yield* Effect.scope)
  const timers = new Set<Timer>()
  const now = () => Monotonic.millis(clock)
  let fiber: Fiber.Fiber<unknown> | undefined
  /** When the fiber wakes. */
  let wakesAt = Infinity
  let isRinging = false

  /** Rings for those whose moment has come. One step, so that nothing is half done where the scope closes. */
  const ring = () => {
    const at = now()
    const due: Array<Timer> = []
    wakesAt = Infinity
    for (const timer of timers) {
      if (timer.at <= at) due.push(timer)
      else if (timer.at < wakesAt) wakesAt = timer.at
    }
    isRinging = true
    for (const timer of due) if (timers.delete(timer)) timer.ring()
    isRinging = false
  }
  const watch: Effect.Effect<void> = Effect.suspend(() =>
    wakesAt === Infinity
      ? Effect.void
      // Whole milliseconds: a clock that stands still for less than one would be asked for ever.
      : Effect.flatMap(Effect.sleep(Duration.millis(Math.max(0, Math.ceil(wakesAt - now())))), () => {
        ring()
        return watch
      })
  )

  return {
    now,
    set: (timer) => {
      timers.add(timer)
      if (timer.at >= wakesAt) return
      wakesAt = timer.at
      // The fiber itself looks when it goes to sleep next.
      if (isRinging) return
      fiber?.interruptUnsafe()
      fiber = Fiber.runIn(runFork(watch), scope)
    },
    clear: (timer) => void timers.delete(timer)
  }
})
