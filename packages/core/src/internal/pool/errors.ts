/** The errors of pools. */
import * as Schema from "effect/Schema"
import * as ReadableError from "../../ReadableError.ts"
import type { Advice } from "../retry/advice.ts"
import type { SessionError } from "../session/errors.ts"
import * as Time from "../time/format.ts"

/**
 * The caller got no item in time. `cause` is why connecting failed last, if it fails at present. As JSON, only its name is
 * shown: what a driver says may hold a secret.
 */
export class AcquireTimeout extends ReadableError.tagged<AcquireTimeout>("@clawback/core/AcquireTimeout")(
  "AcquireTimeout",
  {
    pool: Schema.String,
    /** How long the caller has waited. */
    waited: Schema.Duration,
    /** How many places were taken: by items that are idle, busy, opening, closing, validated or reset. */
    total: Schema.Int,
    idle: Schema.Int,
    busy: Schema.Int,
    /** How many other callers waited. */
    waiting: Schema.Int,
    max: Schema.Int,
    /** How many items of this pool the caller held while it waited for another one. */
    held: Schema.Int,
    /** Whether the deadline in force had passed before the caller asked. Then it has not waited. */
    isPastDeadline: Schema.optional(Schema.Boolean),
    cause: Schema.optional(Schema.Defect())
  }
) {
  get retry(): Advice {
    return { reach: "unsent", isTransient: this.held === 0 && this.isPastDeadline !== true }
  }
  override get message() {
    const underWay = this.total - this.busy - this.idle
    const state = `${this.busy} of at most ${this.max} items were busy, ${this.idle} idle, ${underWay} being opened, ` +
      `checked, reset or closed, and ${this.waiting} other callers waited`
    if (this.isPastDeadline === true) {
      return `The pool ${this.pool} had no item at once, and the caller's deadline had passed before it asked: ${state}. ` +
        "If this is a finalizer, provide `Deadline.Current` as undefined to it, so that it may wait."
    }
    const advice = this.held > 0
      ? `The caller held ${this.held} of them itself: such a nested borrow waits for its own caller. ` +
        "Use the item that it has, or return that first."
      : this.cause !== undefined
      ? "Connecting fails: see the cause."
      : this.busy < this.max && underWay > 0
      ? "Opening or checking items takes too long: look at the server, or raise `acquireTimeout`."
      : "Return items sooner, raise `max`, or shed load."
    return `The pool ${this.pool} had no item within ${Time.format(this.waited)}: ${state}. ${advice}`
  }
  override toJSON(): unknown {
    const { cause } = this
    const shown = super.toJSON() as object
    return cause === undefined ? shown : { ...shown, cause: cause instanceof Error ? cause.name : typeof cause }
  }
}

/** As many callers wait as `maxWaiters` allows. */
export class PoolFull extends ReadableError.tagged<PoolFull>("@clawback/core/PoolFull")("PoolFull", {
  pool: Schema.String,
  max: Schema.Int,
  waiting: Schema.Int
}) {
  get retry(): Advice {
    return { reach: "unsent", isTransient: true }
  }
  override get message() {
    return `All ${this.max} items of the pool ${this.pool} are taken and ${this.waiting} callers wait already. ` +
      "Shed load, or raise `max` or `maxWaiters`."
  }
}

/** The pool is being closed, or is closed. */
export class PoolClosed extends ReadableError.tagged<PoolClosed>("@clawback/core/PoolClosed")("PoolClosed", {
  pool: Schema.String
}) {
  get retry(): Advice {
    return { reach: "unsent", isTransient: false }
  }
  override get message() {
    return `The pool ${this.pool} was closed by its owner, so it lends nothing any more.`
  }
}

/** An item was not opened in time. */
export class PoolConnectTimeout
  extends ReadableError.tagged<PoolConnectTimeout>("@clawback/core/PoolConnectTimeout")("PoolConnectTimeout", {
    pool: Schema.String,
    limit: Schema.Duration
  })
{
  get retry(): Advice {
    return { reach: "unsent", isTransient: true }
  }
  override get message() {
    return `The pool ${this.pool} could not open an item within ${Time.format(this.limit)}. ` +
      "Check that the server can be reached, or raise `connectTimeout`."
  }
}

/** Why a pool lends nothing to a caller, beside the errors of connecting. */
export type PoolError = AcquireTimeout | PoolFull | PoolClosed | PoolConnectTimeout | SessionError
