/** The errors of conversation stores. */
import * as ReadableError from "@clawback/core/ReadableError"
import * as Schema from "effect/Schema"
import { Cursor } from "./model.ts"

/** The conversation is not as the caller expected: another writer has changed it. Load it again. */
export class Conflict extends ReadableError.tagged<Conflict>("@clawback/agent/Conflict")("Conflict", {
  conversation: Schema.String,
  /** What differs: the end of the log, its view, or that the conversation was removed meanwhile. */
  what: Schema.Literals(["position", "view", "removed"]),
  actual: Cursor
}) {
  override get message() {
    const what = this.what === "position"
      ? `has changed: its log ends at ${this.actual.position} now`
      : this.what === "view"
      ? "has another view now: it was cleared or compacted meanwhile"
      : "was removed meanwhile"
    return `The conversation ${this.conversation} ${what}. Load it again, and repeat the change if it still applies.`
  }
}

/** An operation was repeated with other entries. */
export class OperationMismatch extends ReadableError.tagged<OperationMismatch>("@clawback/agent/OperationMismatch")(
  "OperationMismatch",
  { conversation: Schema.String, operation: Schema.String }
) {
  override get message() {
    return `The operation ${this.operation} of the conversation ${this.conversation} was made before with other entries. ` +
      "Use an id of its own for each change."
  }
}

/** A newer writer has the conversation: this one's lease had ended. */
export class StaleFence extends ReadableError.tagged<StaleFence>("@clawback/agent/StaleFence")("StaleFence", {
  conversation: Schema.String,
  fence: Schema.Number,
  newest: Schema.Number
}) {
  override get message() {
    return `The writer of the conversation ${this.conversation} was replaced by a newer one (its token is ${this.fence}, ` +
      `the newest ${this.newest}). Acquire the lease again, and load the conversation.`
  }
}

/** The change would make the conversation larger than the store allows. */
export class TooLarge extends ReadableError.tagged<TooLarge>("@clawback/agent/TooLarge")("TooLarge", {
  conversation: Schema.String,
  bytes: Schema.Int,
  maxBytes: Schema.Int
}) {
  override get message() {
    return `The conversation ${this.conversation} would have ${this.bytes} bytes, and the store allows ${this.maxBytes}. ` +
      "Compact and trim it, or raise `maxBytes`."
  }
}

/** The store did not answer, or not as expected. */
export class StoreUnavailable extends ReadableError.tagged<StoreUnavailable>("@clawback/agent/StoreUnavailable")(
  "StoreUnavailable",
  {
    store: Schema.String,
    /** Whether the change may have happened. A repeated append with the same operation id is safe. */
    outcome: Schema.Literals(["none", "unknown"]),
    reason: Schema.String,
    /** What the caller can do. Default: try again. */
    advice: Schema.optional(Schema.String),
    cause: Schema.optional(Schema.Defect())
  }
) {
  override get message() {
    const outcome = this.outcome === "none" ? "Nothing was changed." : "It is not known whether the change was made."
    return `The conversation store ${this.store} failed: ${this.reason}. ${outcome} ${this.advice ?? "Try again."}`
  }
}

/** A newer release has changed the store so that this one cannot use it. */
export class SchemaTooNew extends ReadableError.tagged<SchemaTooNew>("@clawback/agent/SchemaTooNew")("SchemaTooNew", {
  store: Schema.String,
  /** The version of the store's schema. */
  version: Schema.Int,
  /** The oldest version that a release must know to use it. */
  oldest: Schema.Int,
  /** The newest version that this release knows. */
  known: Schema.Int
}) {
  override get message() {
    return `The conversation store ${this.store} has the schema ${this.version}, which needs a release that knows ` +
      `${this.oldest}. This one knows ${this.known}: upgrade it.`
  }
}
