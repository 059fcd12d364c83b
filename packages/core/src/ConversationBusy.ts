/**
 * Somebody else works on the conversation: one at a time may.
 *
 * Raised for a conversation of ours that another fiber or process has open, and for one that a provider keeps and has locked.
 *
 * @experimental
 */

import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import type { Advice } from "./internal/retry/advice.ts"
import * as ReadableError from "./ReadableError.ts"

/** The conversation is in use. Nothing of it was read or changed. */
export class ConversationBusy extends ReadableError.tagged<ConversationBusy>("@clawback/core/ConversationBusy")(
  "ConversationBusy",
  {
    /** The id of a conversation of ours. A provider does not name its own. */
    conversation: Schema.optional(Schema.String),
    /** How many callers of this process wait for it. */
    waiting: Schema.optional(Schema.Int),
    /** How long to wait at least. */
    retryAfter: Schema.UndefinedOr(Schema.Duration),
    /** What the provider answered, if the conversation is one that it keeps. */
    provider: Schema.optional(Schema.String),
    status: Schema.optional(Schema.Int),
    detail: Schema.optional(Schema.String),
    code: Schema.optional(Schema.String),
    requestId: Schema.optional(Schema.String),
    from: Schema.optional(Schema.String)
  }
) {
  get retry(): Advice {
    const reach = this.provider === undefined ? "unsent" : "answered"
    return { reach, isTransient: true, retryAfter: this.retryAfter }
  }
  override get message() {
    const { code, conversation, detail = "", from, provider, requestId, retryAfter, status, waiting = 0 } = this
    const wait = retryAfter === undefined ? "shortly" : `in ${Duration.format(retryAfter)}`
    if (provider === undefined) {
      const others = waiting === 0 ? "" : `, and ${waiting} callers of this process wait for it`
      return `The conversation ${conversation} is open elsewhere${others}. ` +
        `Try again ${wait}, or raise \`wait\` or \`maxWaiters\`.`
    }
    return `${provider} answered ${status}${code === undefined ? "" : ` ${code}`}: ` +
      (detail.replace(/[.\s]+$/, "") || "no explanation") +
      (requestId === undefined ? "." : ` (request ${requestId}).`) +
      (from === undefined ? "" : ` It came from ${from}.`) +
      ` Another request uses this conversation: try again ${wait}.`
  }
}
