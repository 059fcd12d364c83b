/** The errors of conversations. */
import * as ReadableError from "@clawback/core/ReadableError"
import * as Schema from "effect/Schema"

/** An entry of the log cannot be read: a newer release wrote it, or it was damaged. */
export class Unreadable extends ReadableError.tagged<Unreadable>("@clawback/agent/Unreadable")("Unreadable", {
  conversation: Schema.String,
  position: Schema.Number,
  reason: Schema.String
}) {
  override get message() {
    return `The conversation ${this.conversation} cannot be read at position ${this.position}: ${this.reason}. ` +
      "Update to the release that wrote it, restore a backup, or remove the conversation."
  }
}

/** A message holds what JSON cannot, such as a bigint or an object that holds itself. Nothing was stored. */
export class NotStorable extends ReadableError.tagged<NotStorable>("@clawback/agent/NotStorable")("NotStorable", {
  conversation: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The message for the conversation ${this.conversation} cannot be stored as JSON: ${this.reason}. ` +
      "Nothing was stored. Convert its parameters and results to JSON first."
  }
}

/** The tool call is not in the state that the operation needs. Nothing was changed, and no handler ran. */
export class ToolCallState extends ReadableError.tagged<ToolCallState>("@clawback/agent/ToolCallState")(
  "ToolCallState",
  {
    conversation: Schema.String,
    call: Schema.String,
    /** `missing`: no message of the history has a call with this id. */
    state: Schema.Literals(["missing", "proposed", "awaiting", "approved", "denied", "started", "resolved"])
  }
) {
  override get message() {
    return `The tool call ${this.call} of the conversation ${this.conversation} ${advice[this.state]}`
  }
}

const advice = {
  missing: "is not in its history. Append the message that proposes it first; a clear or a compaction removes calls.",
  proposed: "awaits no approval. Run it, or append a message that requests the approval.",
  awaiting: "awaits approval. Approve or deny it first.",
  approved: "was approved before. Run it.",
  denied: "was denied. It will not run.",
  started: "was started before. It never runs a second time; its outcome is unknown unless a result follows.",
  resolved: "has its result. Read it from the history."
} as const

/** The compaction failed, and changed nothing. */
export class CompactionFailed extends ReadableError.tagged<CompactionFailed>("@clawback/agent/CompactionFailed")(
  "CompactionFailed",
  { conversation: Schema.String, cause: Schema.Defect() }
) {
  override get message() {
    return `The compaction of the conversation ${this.conversation} failed, and changed nothing. See the cause, and try again.`
  }
}
