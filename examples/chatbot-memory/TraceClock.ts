/** The clock of the trace. Its hours pass as fast as the chatbot answers, and what sleeps wakes at its time. */
import { type Clock, Duration, Effect } from "effect"

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

export class TraceClock implements Clock.Clock {
  private now = 0
  private sleepers: Array<Sleeper> = []

  /** Lets time pass up to a moment, and what wakes before it go on. */
  readonly passUntil = (at: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      let next = 0
      for (let other = 1; other < this.sleepers.length; other++) {
        if ((this.sleepers[other]?.at ?? 0) < (this.sleepers[next]?.at ?? 0)) next = other
      }
      const sleeper = this.sleepers[next]
      if (sleeper === undefined || sleeper.at > at) {
        this.now = Math.max(this.now, at)
        return Effect.void
      }
      this.sleepers.splice(next, 1)
      this.now = Math.max(this.now, sleeper.at)
      sleeper.wake()
      return Effect.andThen(Effect.yieldNow, this.passUntil(at))
    })

  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = this.currentTimeNanos

  currentTimeMillisUnsafe(): number {
    return this.now
  }

  currentTimeNanosUnsafe(): bigint {
    return BigInt(Math.round(this.now * 1e6))
  }

  monotonicTimeNanosUnsafe(): bigint {
    return this.currentTimeNanosUnsafe()
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const sleeper = { at: this.now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
      this.sleepers.push(sleeper)
      return Effect.sync(() => {
        this.sleepers = this.sleepers.filter((other) => other !== sleeper)
      })
    })
  }
}
