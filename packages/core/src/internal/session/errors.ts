/** The errors of sessions. */
import * as Schema from "effect/Schema"
import * as ReadableError from "../../ReadableError.ts"
import type { Advice } from "../retry/advice.ts"

/**
 * The session, or one around it, was revoked while it was held. What it held is released.
 *
 * `id`, `kind` and `session` (its name) say which session. Work whose own session was revoked fails with the error of that
 * session, whatever else was revoked inside of it. If only an inner session was revoked, its error passes through to the
 * sessions around unless it is caught. So catch it where that session is used: further out, both have the same tag, and
 * the fields tell them apart.
 *
 * `reason` is for the user whose work was ended. `message` is for the log: it names the session, and so may name a model.
 *
 * If another fiber closed the scope of a session that was still in use, the reason is `"its scope was closed"`. `id` is 0
 * where there was no session yet, or none at all, as for a stream under a limit.
 */
export class SessionRevoked extends ReadableError.tagged<SessionRevoked>("@clawback/core/SessionRevoked")(
  "SessionRevoked",
  { id: Schema.Int, kind: Schema.String, session: Schema.String, reason: Schema.String }
) {
  get retry(): Advice {
    return { reach: "unanswered", isTransient: false }
  }
  override get message() {
    return `The ${this.kind} session #${this.id} (${this.session}) was revoked: ${this.reason}. What it held was released.`
  }
}

/**
 * The tenant has as many sessions open as its quota allows. Nothing was acquired. `message` is for the log: it names the tenant
 * and the limit, and tells the operator what to do.
 */
export class QuotaExceeded
  extends ReadableError.tagged<QuotaExceeded>("@clawback/core/QuotaExceeded")("QuotaExceeded", {
    tenant: Schema.String,
    kind: Schema.String,
    limit: Schema.Int,
    /** Whether the limit is on sessions of this kind. Otherwise it is on all of the tenant's. */
    isOfKind: Schema.optional(Schema.Boolean)
  })
{
  get retry(): Advice {
    return { reach: "unsent", isTransient: false }
  }
  override get message() {
    const open = `${this.limit} sessions${this.isOfKind === true ? ` of the kind ${this.kind}` : ""}`
    return `Tenant ${this.tenant} has ${open} open, which is its limit, so no ${this.kind} was opened. ` +
      "Wait until one ends, or raise the quota."
  }
}

/**
 * A release failed as often as it was tried: the session may still hold what it held. It is raised as a defect, next to
 * the error with which the work ended, since no caller is left to handle it.
 */
export class ReleaseFailed
  extends ReadableError.tagged<ReleaseFailed>("@clawback/core/ReleaseFailed")("ReleaseFailed", {
    id: Schema.Int,
    kind: Schema.String,
    session: Schema.String,
    cause: Schema.Defect()
  })
{
  override get message() {
    return `The ${this.kind} session #${this.id} (${this.session}) could not be released; what it held may be held still.`
  }
}

/** Why a session could not be opened, or could not be kept. */
export type SessionError = SessionRevoked | QuotaExceeded

/** Those made here for a session of this process, and not decoded from a message. */
const ofThisProcess = new WeakSet<SessionRevoked>()

/** The error of a session of this process that was revoked. */
export const revocation = (id: number, kind: string, session: string, reason: string): SessionRevoked => {
  // Its stack would show only our own frames, and is most of the cost of revoking many.
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    const error = new SessionRevoked({ id, kind, session, reason })
    ofThisProcess.add(error)
    return error
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** Whether this is the error of a session of this process, revoked for that reason. */
export const isRevocation = (error: unknown, reason: string): boolean =>
  error instanceof SessionRevoked && error.reason === reason && ofThisProcess.has(error)
