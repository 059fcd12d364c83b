/** What pools are made of, below everything that uses them. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Reason } from "./entry.ts"

/** The options of a pool. Durations that may be `"Infinity"` are switched off by it. */
export interface Options<A, E, R, R2 = never, R3 = never> {
  /**
   * Opens one item. What it acquires in its scope is released when the item is closed. It runs on a fiber of the pool, not of a
   * caller. Keep it interruptible where it waits, or a connect that is not wanted any more ends late.
   */
  readonly acquire: Effect.Effect<A, E, R>
  /** The name in sessions, metrics, errors and logs. Default: `"pool"`. Must hold no secret. */
  readonly name?: string | undefined
  /**
   * How many items there may be, those that are being opened and closed included. Too low, and callers wait; too high, and the
   * server is overloaded or rejects connections.
   */
  readonly max: number
  /**
   * How many items the pool keeps open, also if they are idle. They are opened when the pool is made. Default: 0. Too low, and
   * bursts wait for connects; too high, and the server holds connections that are not used.
   */
  readonly min?: number | undefined
  /**
   * Checks that an item still works, before it is lent. An item is valid unless the effect fails, dies, takes too long or
   * returns `false`. What it acquires in its scope is released when it ends. Default: no check.
   */
  readonly validate?: ((item: A) => Effect.Effect<unknown, unknown, R2>) | undefined
  /**
   * An item that was used or checked within this time is lent without a check. Default: 500 milliseconds. Too low, and busy
   * pools pay for checks; too high, and callers get items that have just broken.
   */
  readonly validateBypass?: Duration.Input | undefined
  /** How long a check may take. Default: 5 seconds. Too low, and slow items are replaced; too high, and callers wait. */
  readonly validateTimeout?: Duration.Input | undefined
  /**
   * Prepares a returned item for its next caller, such as by a rollback. Runs on a fiber of the pool, so its caller does not
   * wait. If it fails, the item is closed. What it acquires in its scope is released when it ends. Default: nothing.
   */
  readonly reset?: ((item: A) => Effect.Effect<unknown, unknown, R3>) | undefined
  /** How long a reset may take. Default: 5 seconds. Too low, and slow items are replaced; too high, and callers wait. */
  readonly resetTimeout?: Duration.Input | undefined
  /**
   * How long an item may be idle, if there are more than `min`. Default: 10 minutes; `"Infinity"` keeps it. Too low, and items
   * are opened again and again; too high, and the server holds connections that are not used.
   */
  readonly idleTimeToLive?: Duration.Input | undefined
  /**
   * How old an item may be when it is lent. Each item gets 80 to 100 % of it, at random, so that they do not end together.
   * Default: 30 minutes; `"Infinity"` for any age. Must be shorter than any limit of the server. Too low, and items are opened
   * again and again; too high, and the server or a firewall closes items first.
   */
  readonly maxLifetime?: Duration.Input | undefined
  /** How often an item is lent before it is closed. Default: any number. Too low, and items are opened again and again. */
  readonly maxUses?: number | undefined
  /**
   * How often idle items are checked by `validate`, so that no server or firewall takes them for dead. Each item gets 90 to
   * 100 % of it. Default: never. Too low, and checks load the server; too high, and idle items die.
   */
  readonly keepAlive?: Duration.Input | undefined
  /**
   * How long a caller waits for an item. Default: 30 seconds, or until the deadline in force if that is earlier. Too low, and a
   * short burst fails; too high, and callers wait for a pool that cannot serve them.
   */
  readonly acquireTimeout?: Duration.Input | undefined
  /** How long opening an item may take. Default: 10 seconds. Too low, and a slow server is never reached. */
  readonly connectTimeout?: Duration.Input | undefined
  /**
   * How long closing an item may take, and how long an interrupted connect gets to end. After that it is abandoned: the pool
   * logs it and frees its place. Default: 5 seconds. Too low, and more items than `max` are open at the server; too high, and
   * stuck items keep their places.
   */
  readonly closeTimeout?: Duration.Input | undefined
  /**
   * How many callers may wait that no free place and no item on its way is meant for. Default: 1,024. Too low, and a burst
   * is rejected with `PoolFull`; too high, and callers wait for items that do not come in time.
   */
  readonly maxWaiters?: number | undefined
  /**
   * After this time, a loan is reported once in the log, with the place in the code that borrowed. Nothing is taken away from
   * the borrower. Default: never. While it is set, each session of the process records its place, which costs microseconds.
   */
  readonly leakThreshold?: Duration.Input | undefined
  /**
   * How long a pool that closes waits for its borrowers. Those left are then revoked, with `closeTimeout` to stop. Default: 10
   * seconds. Too low, and work is cut off; too high, and a leaked item delays the end of its owner.
   */
  readonly drainTimeout?: Duration.Input | undefined
  /**
   * How long connecting pauses after a failure: from `base`, doubled with each failure in a row, up to `max`, each less up to a
   * half at random. Not below a millisecond; `base` at most `max`. Connects that fail together count once. While connecting fails, one connect at a time is tried. Default: 10
   * milliseconds and 5 seconds. Too low, and a server that restarts is flooded; too high, and the pool recovers late.
   */
  readonly backoff?:
    | { readonly base?: Duration.Input | undefined; readonly max?: Duration.Input | undefined }
    | undefined
}

/** How many items a pool has, by what they do, at one moment. */
export interface Stats {
  /** The sum of the states below: never more than `max`. */
  readonly total: number
  readonly idle: number
  readonly busy: number
  readonly opening: number
  readonly validating: number
  readonly resetting: number
  readonly closing: number
  /** Callers that wait. */
  readonly waiting: number
  readonly min: number
  readonly max: number
  /** How many items were opened since the pool was made. */
  readonly opened: number
  /** How many connects have failed. */
  readonly failed: number
  /** How many were closed, by reason. */
  readonly closed: Readonly<Record<Reason, number>>
  /** How many did not end in time, so that they may still be open. They are not counted in `total`. */
  readonly abandoned: number
}
