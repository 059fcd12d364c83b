import type * as Context from "effect/Context"
import { Attribute, Metrics } from "../Conventions.ts"
import * as Instrument from "../Instrument.ts"

/** What a pool knows of itself. */
export interface Figures {
  readonly connections: number
  readonly idleConnections: number
  readonly waiting: number
  readonly max: number
}

/** What a connection does, beside being idle or used. */
type Phase = "connecting" | "closing"

/** So many origins of one transport have series of their own. */
const maxOrigins = 64

/** Names pools by where they lead, up to a number of them. */
export const namer = (): (origin: string) => string => Instrument.bounded(maxOrigins)

/** The series of one pool, for as long as there is anything in it. */
export class PoolMetrics {
  private readonly context: Context.Context<never>
  private readonly labels: { readonly [Attribute.pool]: string }
  private readonly stops: ReadonlyArray<() => void>
  private readonly phases = { connecting: 0, closing: 0 }
  private timeouts: Instrument.Series | undefined = undefined
  private waitTime: Instrument.Series | undefined = undefined
  private createTime: Instrument.Series | undefined = undefined

  constructor(pool: Figures, name: string, context: Context.Context<never>) {
    this.context = context
    this.labels = { [Attribute.pool]: name }
    const { phases } = this
    const observe = (state: string, read: () => number) =>
      Instrument.observe(Metrics.connections, { ...this.labels, [Attribute.connectionState]: state }, context, read)
    this.stops = [
      observe("connecting", () => phases.connecting),
      observe("closing", () => phases.closing),
      observe("idle", () => pool.idleConnections),
      observe("used", () => pool.connections - pool.idleConnections - phases.connecting - phases.closing),
      Instrument.observe(Metrics.connectionsMax, this.labels, context, () => pool.max),
      Instrument.observe(Metrics.connectionsPending, this.labels, context, () => pool.waiting)
    ]
  }

  enter(phase: Phase): void {
    this.phases[phase]++
  }

  leave(phase: Phase): void {
    this.phases[phase]--
  }

  connected(millis: number): void {
    this.createTime ??= Instrument.series(Metrics.connectionCreateTime, this.labels, this.context)
    this.createTime.record(millis / 1000)
  }

  waited(millis: number): void {
    this.waitTime ??= Instrument.series(Metrics.connectionWaitTime, this.labels, this.context)
    this.waitTime.record(millis / 1000)
  }

  timedOut(): void {
    this.timeouts ??= Instrument.series(Metrics.connectionTimeouts, this.labels, this.context)
    this.timeouts.record(1)
  }

  stop(): void {
    for (const stop of this.stops) stop()
  }
}
