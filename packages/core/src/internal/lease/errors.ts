/** The errors of leases. */
import * as Schema from "effect/Schema"
import * as ReadableError from "../../ReadableError.ts"
import type { Advice } from "../retry/advice.ts"
import * as Time from "../time/format.ts"

/** As many hold the key as may, and none of them released it in time. */
export class LeaseBusy extends ReadableError.tagged<LeaseBusy>("@clawback/core/LeaseBusy")("LeaseBusy", {
  key: Schema.String,
  limit: Schema.Int,
  waited: Schema.Duration,
  /** When the first holder expires, unless it renews its lease. */
  retryIn: Schema.Duration
}) {
  get retry(): Advice {
    return { reach: "unsent", isTransient: true }
  }
  override get message() {
    const holders = this.limit === 1 ? "Another holder has" : `${this.limit} holders, which is the limit, have`
    const waited = this.waited.pipe(Time.format)
    return `${holders} the lease of ${this.key}, and the caller got none within ${waited}. ` +
      "Try again later, or raise `wait`."
  }
}

/** Why a holder must stop. */
export const LossReason = Schema.Literals(["expired", "refused", "released"])
export type LossReason = typeof LossReason.Type

const why: Readonly<Record<LossReason, string>> = {
  expired: "it could not be renewed in time. Check that the store can be reached and that the process is not paused; " +
    "or raise `ttl`",
  refused: "its store knows it no longer: it had expired there, or the store has lost its data",
  released: "it was released, with the scope or the session that held it"
}

/**
 * The lease may be held by another one from now on, so its holder was interrupted. `reason` is `"expired"` if it was not renewed
 * in time, `"refused"` if the store no longer knows it, and `"released"` if it was used after its release.
 */
export class LeaseLost extends ReadableError.tagged<LeaseLost>("@clawback/core/LeaseLost")("LeaseLost", {
  key: Schema.String,
  token: Schema.Number,
  reason: LossReason,
  /** Why the last renewal failed. */
  cause: Schema.optional(Schema.Defect())
}) {
  get retry(): Advice {
    return { reach: "unanswered", isTransient: false }
  }
  override get message() {
    return `The lease of ${this.key} with the token ${this.token} is lost: ${why[this.reason]}.`
  }
}

/** A step of a store that failed. `isUnknown` says that it may have been made nevertheless. */
export class LeaseStoreError extends ReadableError.tagged<LeaseStoreError>("@clawback/core/LeaseStoreError")(
  "LeaseStoreError",
  {
    store: Schema.String,
    operation: Schema.Literals(["open", "acquire", "renew", "release", "holders"]),
    key: Schema.optional(Schema.String),
    /** What went wrong, and what to do. */
    problem: Schema.String,
    isUnknown: Schema.Boolean,
    cause: Schema.optional(Schema.Defect())
  }
) {
  get retry(): Advice {
    return { reach: this.isUnknown ? "unanswered" : "unsent", isTransient: this.operation !== "open" }
  }
  override get message() {
    const of = this.key === undefined ? "" : ` the lease of ${this.key}`
    return `The lease store ${this.store} could not ${this.operation}${of}: ${this.problem}`
  }
}
