/** A lease that is held: it is renewed until it is released, and its users are interrupted when it is lost. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Environment } from "../pool/environment.ts"
import * as Monotonic from "../time/monotonic.ts"
import * as Timers from "../time/timers.ts"
import { LeaseLost, type LossReason } from "./errors.ts"
import { waitersOf } from "./line.ts"
import { Tenure } from "./machine.ts"
import type { LeaseMetrics } from "./metrics.ts"
import type { Grant, LeaseStore } from "./model.ts"
import type { Settings } from "./settings.ts"
import { releaseLater, within } from "./steps.ts"

class Alarm implements Timers.Timer {
  at = Infinity
  slot = Timers.unset
  readonly fire: () => void

  constructor(fire: () => void) {
    this.fire = fire
  }
}

/** What all leases of a caller share. */
export interface Holding {
  readonly settings: Settings
  readonly store: LeaseStore
  readonly environment: Environment
  readonly metrics: LeaseMetrics
}

export class Hold {
  readonly grant: Grant
  private readonly of: Holding
  private readonly tenure: Tenure
  private loss: LeaseLost | undefined = undefined
  private readonly users = new Set<(loss: LeaseLost) => void>()
  private readonly end = new Alarm(() => this.look())
  private readonly renewal = new Alarm(() => this.run(this.renewed))
  private lastFailure: unknown = undefined
  private readonly askedAt: number

  constructor(of: Holding, grant: Grant, askedAt: number) {
    this.of = of
    this.grant = grant
    this.askedAt = askedAt
    const { margin, ttl } = of.settings
    this.tenure = new Tenure({ token: grant.token, ttl, margin }, askedAt)
  }

  get now(): number {
    return Monotonic.millis(this.of.environment.clock)
  }

  /** Begins to renew it. Its release must be registered before. */
  start(): void {
    if (!this.tenure.isHeld) return
    this.armEnd()
    this.renewAt(this.askedAt + this.pace)
  }

  /** Why it may not be used any more. Looks at the clock, since a process that was paused may run before its timers. */
  get whyLost(): LeaseLost | undefined {
    this.look()
    return this.loss
  }

  /** The same, unless it was released. */
  get whyTaken(): LeaseLost | undefined {
    const { whyLost } = this
    return whyLost?.reason === "released" ? undefined : whyLost
  }

  /** Calls `user` when it is lost or released, or at once if it is. Returns a function that stops this. */
  onLost(user: (loss: LeaseLost) => void): () => void {
    const { whyLost } = this
    if (whyLost === undefined) this.users.add(user)
    else user(whyLost)
    return () => void this.users.delete(user)
  }

  /** Releases it once, and frees its place in the store if that can be reached. Never fails, and ends in time. */
  get release(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { environment, metrics, settings: { key, stepTimeout, ttl }, store } = this.of
      this.look()
      if (this.tenure.release()) this.endWith("released")
      metrics.end()
      const released = within(store.release(this.grant), { store, operation: "release", key, millis: stepTimeout })
      return Effect.matchCauseEffect(released, {
        onSuccess: () => Effect.sync(() => waitersOf(store).wake(key)),
        onFailure: (cause) =>
          Effect.andThen(
            Effect.logWarning(
              `The lease of ${key} could not be released at once. It is tried again, or expires`,
              cause
            ),
            releaseLater(store, this.grant, ttl, stepTimeout, environment.context)
          )
      })
    })
  }

  /** From one renewal to the next: a third of the time to live, less up to a fifth of that. */
  private get pace(): number {
    return this.of.settings.ttl / 3 * (0.8 + 0.2 * this.of.environment.random.nextDoubleUnsafe())
  }

  /** From a renewal that failed to the next. */
  private get pause(): number {
    return Math.min(1000, this.of.settings.ttl / 10) * (0.5 + 0.5 * this.of.environment.random.nextDoubleUnsafe())
  }

  private readonly renewed: Effect.Effect<void> = Effect.suspend(() => {
    this.look()
    if (!this.tenure.isHeld) return Effect.void
    const { settings: { key, stepTimeout, ttl }, store } = this.of
    const askedAt = this.now
    const millis = Math.min(stepTimeout, this.tenure.until - askedAt)
    const step = Effect.suspend(() => store.renew({ ...this.grant, ttl }))
    return Effect.flatMap(
      Effect.exit(within(step, { store, operation: "renew", key, millis })),
      (exit) => this.settle(exit, askedAt)
    )
  })

  private settle(exit: Exit.Exit<boolean, unknown>, askedAt: number): Effect.Effect<void> {
    if (!this.tenure.isHeld) return Effect.void
    if (Exit.isFailure(exit)) return this.failed(exit.cause)
    if (!exit.value) {
      if (this.tenure.refuse()) this.endWith("refused")
      return Effect.void
    }
    this.lastFailure = undefined
    this.tenure.renewed(askedAt)
    this.armEnd()
    this.renewAt(askedAt + this.pace)
    return Effect.void
  }

  private failed(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    const { metrics, settings: { key } } = this.of
    this.lastFailure = Cause.squash(cause)
    metrics.failedToRenew()
    this.renewAt(this.now + this.pause)
    const left = Math.max(0, Math.round(this.tenure.until - this.now))
    return Effect.logWarning(
      `The lease of ${key} could not be renewed. It is lost in ${left} ms unless that succeeds`,
      cause
    )
  }

  private renewAt(at: number): void {
    this.renewal.at = at
    this.of.environment.timers.set(this.renewal)
  }

  private armEnd(): void {
    this.end.at = this.tenure.until
    this.of.environment.timers.set(this.end)
  }

  private look(): void {
    if (this.tenure.expire(this.now)) this.endWith("expired")
    else if (this.tenure.isHeld && this.end.slot === Timers.unset) this.armEnd()
  }

  private endWith(reason: LossReason): void {
    const { environment: { timers }, metrics, settings: { key } } = this.of
    timers.clear(this.end)
    timers.clear(this.renewal)
    const { token } = this.grant
    const loss = new LeaseLost({
      key,
      token,
      reason,
      ...this.lastFailure === undefined ? {} : { cause: this.lastFailure }
    })
    this.loss = loss
    if (reason !== "released") {
      metrics.lost(reason)
      this.run(Effect.logWarning(loss.message))
    }
    for (const user of this.users) user(loss)
    this.users.clear()
  }

  private run(effect: Effect.Effect<void>): void {
    Effect.runForkWith(this.of.environment.context)(effect)
  }
}
