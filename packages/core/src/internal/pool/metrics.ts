/** The figures of a pool: counted here once, read by metrics and `stats`. */
import type * as Context from "effect/Context"
import * as Instrument from "../../Instrument.ts"
import { Attribute } from "../metrics/attributes.ts"
import { poolMetrics } from "../metrics/poolMetrics.ts"
import type { Reason, State } from "./entry.ts"
import type { Stats } from "./model.ts"

/** What is counted elsewhere. */
export interface Counted {
  readonly machine: {
    readonly limits: { readonly min: number; readonly max: number }
    readonly total: number
    readonly waiting: number
    readonly count: (state: Exclude<State, "closed">) => number
  }
}

export const statsOf = ({ machine, metrics }: Counted & { readonly metrics: PoolMetrics }): Stats => ({
  total: machine.total,
  idle: machine.count("idle"),
  busy: machine.count("busy"),
  opening: machine.count("opening"),
  validating: machine.count("validating"),
  resetting: machine.count("resetting"),
  closing: machine.count("closing"),
  waiting: machine.waiting,
  min: machine.limits.min,
  max: machine.limits.max,
  opened: metrics.opened,
  failed: metrics.failed,
  closed: { ...metrics.closed },
  abandoned: metrics.abandoned
})

const pools = Instrument.bounded(Attribute.poolName, 64)

const states = ["idle", "busy", "opening", "validating", "resetting", "closing"] as const

const reasons: Readonly<Record<Reason, 0>> = {
  idle: 0,
  lifetime: 0,
  uses: 0,
  invalid: 0,
  resetFailed: 0,
  invalidated: 0,
  refreshed: 0,
  revoked: 0,
  shutdown: 0
}

export class PoolMetrics {
  /** How many items were opened. */
  opened = 0
  /** How many connects have failed. */
  failed = 0
  /** How many were closed, by reason. */
  readonly closed: Record<Reason, number> = { ...reasons }
  /** How many connects, checks, resets and closes did not end in time. */
  abandoned = 0
  private leaks = 0
  private timeouts = 0
  private readonly pool: Instrument.Use
  private readonly context: Context.Context<never>
  private readonly stops: Array<() => void> = []
  private readonly waitTime: Instrument.Series
  private readonly createTime: Instrument.Series
  private readonly useTime: Instrument.Series

  constructor(name: string, context: Context.Context<never>) {
    this.context = context
    this.pool = Instrument.use(pools, { [Attribute.poolName]: name }, context)
    this.waitTime = this.pool.series(poolMetrics.poolWaitTime)
    this.createTime = this.pool.series(poolMetrics.poolCreateTime)
    this.useTime = this.pool.series(poolMetrics.poolUseTime)
  }

  observe(source: Counted): void {
    const { context, pool: { labels }, stops } = this
    const { observe } = Instrument
    for (const state of states) {
      stops.push(
        observe(
          poolMetrics.poolItems,
          { ...labels, [Attribute.itemState]: state },
          context,
          () => source.machine.count(state)
        )
      )
    }
    for (const reason of Object.keys(reasons) as ReadonlyArray<Reason>) {
      stops.push(
        observe(
          poolMetrics.poolClosed,
          { ...labels, [Attribute.closeReason]: reason },
          context,
          () => this.closed[reason]
        )
      )
    }
    stops.push(
      observe(poolMetrics.poolMax, labels, context, () => source.machine.limits.max),
      observe(poolMetrics.poolMin, labels, context, () => source.machine.limits.min),
      observe(poolMetrics.poolPending, labels, context, () => source.machine.waiting),
      observe(poolMetrics.poolOpened, labels, context, () => this.opened),
      observe(poolMetrics.poolFailures, labels, context, () => this.failed),
      observe(poolMetrics.poolTimeouts, labels, context, () => this.timeouts),
      observe(poolMetrics.poolLeaks, labels, context, () => this.leaks),
      observe(poolMetrics.poolAbandoned, labels, context, () => this.abandoned)
    )
  }

  connected(millis: number): void {
    this.opened++
    this.createTime.record(millis / 1000)
  }

  connectFailed(): void {
    this.failed++
  }

  waited(millis: number): void {
    this.waitTime.record(millis / 1000)
  }

  used(millis: number): void {
    this.useTime.record(millis / 1000)
  }

  ended(reason: Reason): void {
    this.closed[reason]++
  }

  timedOut(): void {
    this.timeouts++
  }

  leaked(): void {
    this.leaks++
  }

  abandon(): void {
    this.abandoned++
  }

  stop(): void {
    for (const stop of this.stops) stop()
    this.pool.release()
  }
}
