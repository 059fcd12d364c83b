import { Simulation } from "@clawback/testing"
import { type Clock, type Duration, Effect } from "effect"

/**
 * A clock whose wall time is set forward and back, as time servers do, and whose monotonic time leaps, as that of a laptop that
 * was suspended. What runs at the moment of a leap, before it or after it, does not know on which side of it the rest ran.
 */
export class JumpingClock implements Clock.Clock {
  private readonly base: Clock.Clock
  private offset = 0
  private leapt = 0
  /** How often it has leapt. */
  leaps = 0
  /** The ends of the last leap. */
  private last = { from: -Infinity, to: -Infinity }
  private readonly listeners: Array<(from: number, to: number) => void> = []

  constructor(base: Clock.Clock) {
    this.base = base
  }

  /** Monotonic milliseconds. */
  get now(): number {
    return Number(this.base.monotonicTimeNanosUnsafe()) / 1e6
  }

  /** Monotonic milliseconds without the leaps: limits of time end no later by these. */
  get awake(): number {
    return this.now - this.leapt
  }

  /** When what happens now may have been decided: before a leap of this moment. */
  get earliest(): number {
    return this.hasJustLeapt ? this.last.from : this.now
  }

  get hasJustLeapt(): boolean {
    return this.now === this.last.to
  }

  jump(millis: number): void {
    this.offset += millis
  }

  onLeap(listener: (from: number, to: number) => void): void {
    this.listeners.push(listener)
  }

  leap(millis: number): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const from = this.now
      // In this step: the leap and what is noted of it belong together.
      Effect.runForkWith(fiber.context)(Simulation.leap(millis))
      this.leaps++
      this.leapt += millis
      // Of two leaps at one moment, the first one began it.
      this.last = { from: from === this.last.to ? this.last.from : from, to: this.now }
      for (const listener of this.listeners) listener(this.last.from, this.now)
      return Effect.void
    })
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
