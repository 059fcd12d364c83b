import { type Clock, type Duration, Effect } from "effect"

/** A clock whose wall time is set forward and back, as time servers do. Its monotonic time goes on. */
export class JumpingClock implements Clock.Clock {
  private readonly base: Clock.Clock
  private offset = 0

  constructor(base: Clock.Clock) {
    this.base = base
  }

  /** Monotonic milliseconds. */
  get now(): number {
    return Number(this.base.monotonicTimeNanosUnsafe()) / 1e6
  }

  jump(millis: number): void {
    this.offset += millis
  }

  currentTimeMillisUnsafe(): number {
    return this.base.currentTimeMillisUnsafe() + this.offset
  }

  currentTimeNanosUnsafe(): bigint {
    return this.base.currentTimeNanosUnsafe() + BigInt(this.offset) * 1_000_000n
  }

  monotonicTimeNanosUnsafe(): bigint {
    return this.base.monotonicTimeNanosUnsafe()
  }

  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return this.base.sleep(duration)
  }
}
