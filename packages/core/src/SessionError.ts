/** Why a session could not be opened, or could not be kept. */
import * as Schema from "effect/Schema"
import type * as Retry from "./Retry.ts"

/**
 * The session, or one around it, was taken back while it was held. What it held is released.
 *
 * `id`, `kind` and `session` (its name) say which session. Work whose own session was revoked fails with that one's error, whatever was
 * revoked inside of it. Where only a session inside was revoked, its error is one like any other of the work: it passes
 * through to the sessions around unless it is caught. So catch it where that session is used; further out, the same tag
 * stands for both, and the fields tell them apart.
 *
 * Where nobody revoked it, but its scope was closed by another fiber while it was still used, the reason is
 * `"its scope was closed"`. `id` is 0 where there was no session yet, or none at all, as for a stream under a limit.
 */
export class SessionRevoked extends Schema.TaggedError<SessionRevoked>("@clawback/core/SessionRevoked")(
  "SessionRevoked",
  { id: Schema.Int, kind: Schema.String, session: Schema.String, reason: Schema.String }
) {
  get retry(): Retry.Advice {
    return { reach: "unanswered", isTransient: false }
  }
  override get message() {
    return `The ${this.kind} session #${this.id} (${this.session}) was revoked: ${this.reason}. What it held was released.`
  }
}

/** The tenant has as many sessions open as it may. Nothing was acquired. */
export class QuotaExceeded extends Schema.TaggedError<QuotaExceeded>("@clawback/core/QuotaExceeded")("QuotaExceeded", {
  tenant: Schema.String,
  kind: Schema.String,
  limit: Schema.Int
}) {
  get retry(): Retry.Advice {
    return { reach: "unsent", isTransient: false }
  }
  override get message() {
    return `Tenant ${this.tenant} has ${this.limit} sessions open, which is its limit, so no ${this.kind} was opened. ` +
      "Wait until one ends, or raise the quota."
  }
}

/**
 * A release failed as often as it was tried: what the session held may be held still. It is raised as a defect, next to
 * the error with which the work itself ended, since nobody is left to handle it.
 */
export class ReleaseFailed extends Schema.TaggedError<ReleaseFailed>("@clawback/core/ReleaseFailed")("ReleaseFailed", {
  id: Schema.Int,
  kind: Schema.String,
  session: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `The ${this.kind} session #${this.id} (${this.session}) could not be released; what it held may be held still.`
  }
}

export type SessionError = SessionRevoked | QuotaExceeded
