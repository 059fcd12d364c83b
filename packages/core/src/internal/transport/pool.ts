/** The connections to one origin, and the callers that wait for one. */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { DeadlineExceeded } from "../../Deadline.ts"
import type { SessionError } from "../../SessionError.ts"
import type * as Timeouts from "../../Timeouts.ts"
import type { Connection, Transferred } from "../../Wire.ts"
import { type Timer, unset } from "../time/timers.ts"
import type { ConnectFailed, ProxyFailed, QueueFull, TransportClosed } from "./errors.ts"
import { ConnectionPool, type Grant, type Wake } from "./machine.ts"
import { PoolMetrics } from "./metrics.ts"
import { Offers } from "./offers.ts"

/** A connection of a pool. Its fiber holds it: interrupting that fiber closes it. */
export class PooledConnection implements Timer {
  readonly wire: Connection
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly pool: Pool
  /** From then on it carries no further request. */
  readonly expiresAt: number
  /** Whether it has carried a request, so that its server may have closed it since. */
  isReused = false
  /** How long it may be idle, as of when it was given back last. */
  idleMillis = 0
  /** Until then it may be idle, or be given to a waiter. */
  at = Infinity
  slot = unset
  private counted: Transferred = { sent: 0, received: 0 }

  constructor(wire: Connection, fiber: Fiber.Fiber<unknown, unknown>, pool: Pool, expiresAt: number) {
    this.wire = wire
    this.fiber = fiber
    this.pool = pool
    this.expiresAt = expiresAt
  }

  /** It was idle for too long. */
  fire(): void {
    if (this.pool.retire(this)) discard(this)
  }

  /** Adds what it has sent and received since the last time to the metrics of its pool. */
  count(): void {
    const now = this.wire.transferred?.()
    if (now === undefined) return
    const { received, sent } = this.counted
    this.counted = now
    this.pool.metrics.transferred(now.sent - sent, now.received - received)
  }

  /** Whether another request may be sent now. */
  isUsable(now: number): boolean {
    try {
      return this.at > now && this.wire.isUsable()
    } catch {
      // A wire may have a bug. Its connection must not keep its place because of that.
      return false
    }
  }
}

export type CheckoutError =
  | QueueFull
  | Timeouts.QueueTimeout
  | ConnectFailed
  | ProxyFailed
  | Timeouts.ConnectTimeout
  | TransportClosed
  | DeadlineExceeded
  | SessionError

/** A caller that waits for a connection, until it is woken or its time is up. */
export class Waiter implements Timer {
  readonly woken = Deferred.makeUnsafe<
    Grant<PooledConnection>,
    Timeouts.QueueTimeout | DeadlineExceeded | TransportClosed
  >()
  grant: Grant<PooledConnection> | undefined = undefined
  readonly at: number
  slot = unset
  private readonly pool: Pool
  private readonly tooLate: () => Timeouts.QueueTimeout | DeadlineExceeded

  constructor(at: number, pool: Pool, tooLate: Waiter["tooLate"]) {
    this.at = at
    this.pool = pool
    this.tooLate = tooLate
  }

  get until() {
    return this.at
  }

  fire(): void {
    if (this.pool.leave(this)) Deferred.doneUnsafe(this.woken, Exit.fail(this.tooLate()))
  }
}

export class Pool extends ConnectionPool<PooledConnection, Waiter> {
  readonly origin: string
  readonly metrics: PoolMetrics
  readonly offers = new Offers()

  constructor(max: number, maxWaiting: number, origin: string, context: Context.Context<never>) {
    super(max, maxWaiting)
    this.origin = origin
    this.metrics = new PoolMetrics(this, origin, context)
  }
}

/** Gives a waiter what it was granted. */
export const wake = (woken: Wake<PooledConnection, Waiter> | undefined) => {
  if (woken === undefined) return
  woken.waiter.grant = woken.grant
  Deferred.doneUnsafe(woken.waiter.woken, Exit.succeed(woken.grant))
}

export const discard = (connection: PooledConnection) => connection.fiber.interruptUnsafe()
