import type * as Context from "effect/Context"
import { Attribute, Metrics } from "../../Conventions.ts"
import * as Instrument from "../../Instrument.ts"

/** The figures of a pool. */
export interface Figures {
  readonly connections: number
  readonly idleConnections: number
  readonly waiting: number
  readonly max: number
}

/** The states of a connection other than idle and used. */
type Phase = "connecting" | "closing"

const origins = Instrument.bounded(Attribute.pool, 64)

/** The series of one pool, while it has connections or waiters. */
export class PoolMetrics {
  private readonly origin: Instrument.Use
  private readonly stops: ReadonlyArray<() => void>
  private readonly phases = { connecting: 0, closing: 0 }
  private sent: Instrument.Series | undefined = undefined
  private received: Instrument.Series | undefined = undefined
  private timeouts: Instrument.Series | undefined = undefined
  private waitTime: Instrument.Series | undefined = undefined
  private createTime: Instrument.Series | undefined = undefined

  constructor(pool: Figures, origin: string, context: Context.Context<never>) {
    this.origin = Instrument.use(origins, { [Attribute.pool]: origin }, context)
    const { origin: { labels }, phases } = this
    const observe = (state: string, read: () => number) =>
      Instrument.observe(Metrics.connections, { ...labels, [Attribute.connectionState]: state }, context, read)
    this.stops = [
      observe("connecting", () => phases.connecting),
      observe("closing", () => phases.closing),
      observe("idle", () => pool.idleConnections),
      observe("used", () => pool.connections - pool.idleConnections - phases.connecting - phases.closing),
      Instrument.observe(Metrics.connectionsMax, labels, context, () => pool.max),
      Instrument.observe(Metrics.connectionsPending, labels, context, () => pool.waiting)
    ]
  }

  enter(phase: Phase): void {
    this.phases[phase]++
  }

  leave(phase: Phase): void {
    this.phases[phase]--
  }

  connected(millis: number): void {
    this.createTime ??= this.origin.series(Metrics.connectionCreateTime)
    this.createTime.record(millis / 1000)
  }

  waited(millis: number): void {
    this.waitTime ??= this.origin.series(Metrics.connectionWaitTime)
    this.waitTime.record(millis / 1000)
  }

  transferred(sent: number, received: number): void {
    this.sent ??= this.origin.series(Metrics.connectionIo, { [Attribute.ioDirection]: "transmit" })
    this.received ??= this.origin.series(Metrics.connectionIo, { [Attribute.ioDirection]: "receive" })
    this.sent.record(sent)
    this.received.record(received)
  }

  timedOut(): void {
    this.timeouts ??= this.origin.series(Metrics.connectionTimeouts)
    this.timeouts.record(1)
  }

  stop(): void {
    for (const stop of this.stops) stop()
    this.origin.release()
  }
}
