/**
 * Who may use which connection to one origin, and who waits. A state machine without clock or effect: each method is one
 * transition and returns what the shell must do next.
 *
 * Its laws: connections that are opening, idle, busy or closing never number more than `max`; waiters are served in the
 * order in which they came, but for those whose time is up, who are passed over; nobody else waits while a connection is idle or
 * room for a new one is left.
 */

/** The right to a connection: one that is open and idle, or room to open a new one. */
export type Grant<C> = { readonly _tag: "Reuse"; readonly connection: C } | { readonly _tag: "Open" }

/** A waiter and the grant that it is woken with. The waiter owns the grant from this transition on. */
export interface Wake<C, W> {
  readonly waiter: W
  readonly grant: Grant<C>
}

/** Who waits, and until which moment a grant is of any use to it. */
export interface Waiting {
  readonly until: number
}

const open: Grant<never> = { _tag: "Open" }

export class ConnectionPool<C, W extends Waiting> {
  /** The one used last is reused first, so that the others can go idle and be closed. */
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

  /** Nothing is left of it, so that its owner may forget it. */
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

  /** False where too many wait already. */
  enqueue(waiter: W): boolean {
    if (this.waiters.size >= this.maxWaiting) return false
    this.waiters.add(waiter)
    return true
  }

  /** False where the waiter does not wait any more: it was woken, and must give its grant back. */
  leave(waiter: W): boolean {
    return this.waiters.delete(waiter)
  }

  /** A busy connection that may be used again. */
  give(connection: C, now: number): Wake<C, W> | undefined {
    const waiter = this.nextWaiter(now)
    if (waiter !== undefined) return { waiter, grant: { _tag: "Reuse", connection } }
    this.idle.push(connection)
    return undefined
  }

  /** An idle connection that must not be used any more, though it is not closed yet. False where it is not idle. */
  retire(connection: C): boolean {
    const at = this.idle.indexOf(connection)
    if (at >= 0) this.idle.splice(at, 1)
    return at >= 0
  }

  /** A connection that is closed now, or was never opened. Pass it where it could be idle. */
  gone(connection: C | undefined, now: number): Wake<C, W> | undefined {
    if (connection !== undefined) this.retire(connection)
    const waiter = this.nextWaiter(now)
    if (waiter !== undefined) return { waiter, grant: open }
    this.total--
    return undefined
  }

  /** Everyone who waits, who waits no longer. */
  drain(): ReadonlyArray<W> {
    const waiters = Array.from(this.waiters)
    this.waiters.clear()
    return waiters
  }

  /** Those who are passed over stay until they leave by themselves, which their own time makes them do. */
  private nextWaiter(now: number): W | undefined {
    for (const waiter of this.waiters) {
      if (waiter.until <= now) continue
      this.waiters.delete(waiter)
      return waiter
    }
    return undefined
  }
}
