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

const optional = Schema.UndefinedOr

/** What the provider answered, if the conversation is one that it keeps. */
const Said = Schema.Struct({
  provider: Schema.String,
  status: Schema.Int,
  detail: Schema.String,
  code: optional(Schema.String),
  requestId: optional(Schema.String),
  from: Schema.optional(Schema.String)
})

const quote = ({ code, detail, from, provider, requestId, status }: typeof Said.Type): string =>
  `${provider} answered ${status}${code === undefined ? "" : ` ${code}`}: ` +
  (detail.replace(/[.\s]+$/, "") || "no explanation") +
  (requestId === undefined ? "." : ` (request ${requestId}).`) + (from === undefined ? "" : ` It came from ${from}.`)

/** The conversation is in use. Nothing of it was read or changed. */
export class ConversationBusy extends ReadableError.tagged<ConversationBusy>("@clawback/core/ConversationBusy")(
  "ConversationBusy",
  {
    /** Its id. Undefined: it is one of the provider's, which does not name it. */
    conversation: optional(Schema.String),
    /** How many callers of this process wait for it. */
    waiting: Schema.Int,
    /** How long to wait at least. */
    retryAfter: optional(Schema.Duration),
    said: optional(Said)
  }
) {
  get retry(): Advice {
    return { reach: this.said === undefined ? "unsent" : "answered", isTransient: true, retryAfter: this.retryAfter }
  }
  override get message() {
    const wait = this.retryAfter === undefined ? "shortly" : `in ${Duration.format(this.retryAfter)}`
    if (this.said !== undefined) return `${quote(this.said)} Another request uses the conversation: try again ${wait}.`
    const others = this.waiting === 0 ? "" : `, and ${this.waiting} callers of this process wait for it`
    return `The conversation ${this.conversation} is open elsewhere${others}. Try again ${wait}, or raise \`wait\` or \`maxWaiters\`.`
  }
}
