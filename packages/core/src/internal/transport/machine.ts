/**
 * The connections to one origin and the callers that wait: a state machine without clock or effect. Each method is one
 * transition and returns what the shell must do next.
 *
 * Guarantees:
 * - Opening, idle, busy and closing connections together never exceed `max`.
 * - Waiters are served in order. A waiter whose time is up is skipped.
 * - Apart from those, no caller waits while a connection is idle or a new one may be opened.
 */

/** The right to a connection: an idle one, or room to open a new one. */
export type Grant<C> = { readonly _tag: "Reuse"; readonly connection: C } | { readonly _tag: "Open" }

/** A waiter and the grant that it is woken with. The waiter owns the grant from this transition on. */
export interface Wake<C, W> {
  readonly waiter: W
  readonly grant: Grant<C>
}

/** A waiting caller, and until which moment it can use a grant. */
export interface Waiting {
  readonly until: number
}

const open: Grant<never> = { _tag: "Open" }

export class ConnectionPool<C, W extends Waiting> {
  /** The connection used last is reused first, so that the others become idle and are closed. */
  private readonly idle: Array<C> = []
  private readonly waiters = new Set<W>()
  /** Opening + idle + busy + closing. */
  private total = 0
  readonly max: number
  readonly maxWaiting: number

  constructor(max: number, maxWaiting: number) {
    this.max = max
    this.maxWaiting = maxWaiting
  }

  get connections(): number {
    return this.total
  }

  get idleConnections(): number {
    return this.idle.length
  }

  get waiting(): number {
    return this.waiters.size
  }

  /** Whether its owner may drop it. */
  get isEmpty(): boolean {
    return this.total === 0 && this.waiters.size === 0
  }

  /** Undefined where the caller must wait. */
  take(): Grant<C> | undefined {
    const connection = this.idle.pop()
    if (connection !== undefined) return { _tag: "Reuse", connection }
    if (this.total >= this.max) return undefined
    this.total++
    return open
  }

  /** False if too many callers wait already. */
  enqueue(waiter: W): boolean {
    if (this.waiters.size >= this.maxWaiting) return false
    this.waiters.add(waiter)
    return true
  }

  /** False if the waiter was woken already. It must then return its grant. */
  leave(waiter: W): boolean {
    return this.waiters.delete(waiter)
  }

  /** A busy connection becomes free. */
  give(connection: C, now: number): Wake<C, W> | undefined {
    const waiter = this.nextWaiter(now)
    if (waiter !== undefined) return { waiter, grant: { _tag: "Reuse", connection } }
    this.idle.push(connection)
    return undefined
  }

  /** Takes an idle connection out of use before it is closed. False if it is not idle. */
  retire(connection: C): boolean {
    const at = this.idle.indexOf(connection)
    if (at >= 0) this.idle.splice(at, 1)
    return at >= 0
  }

  /** A connection was closed, or was never opened. Pass the connection if it may be idle. */
  gone(connection: C | undefined, now: number): Wake<C, W> | undefined {
    if (connection !== undefined) this.retire(connection)
    const waiter = this.nextWaiter(now)
    if (waiter !== undefined) return { waiter, grant: open }
    this.total--
    return undefined
  }

  /** Removes all waiters, and returns them. */
  drain(): ReadonlyArray<W> {
    const waiters = Array.from(this.waiters)
    this.waiters.clear()
    return waiters
  }

  /** A skipped waiter stays until its own timer removes it. */
  private nextWaiter(now: number): W | undefined {
    for (const waiter of this.waiters) {
      if (waiter.until <= now) continue
      this.waiters.delete(waiter)
      return waiter
    }
    return undefined
  }
}
