import { ConversationBusy } from "@clawback/core/ConversationBusy"
import type * as Credential from "@clawback/core/Credential"
import type * as Deadline from "@clawback/core/Deadline"
import * as ReadableError from "@clawback/core/ReadableError"
import type * as Retry from "@clawback/core/Retry"
import type * as Timeouts from "@clawback/core/Timeouts"
import type * as TransportError from "@clawback/core/TransportError"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import type { Unsupported } from "./unsupported.ts"

/**
 * The URL that a response came from, without its query, and its content type. Set if the response may be another server's:
 * if its status is 404 or 405, or its body is no JSON.
 */
const from = Schema.optional(Schema.String)

/** The provider's status, message and codes, and the id by which it finds the request. */
const said = {
  provider: Schema.String,
  status: Schema.Int,
  detail: Schema.String,
  code: Schema.UndefinedOr(Schema.String),
  requestId: Schema.UndefinedOr(Schema.String),
  from
}

export interface Said {
  readonly provider: string
  readonly status: number
  readonly detail: string
  readonly code: string | undefined
  readonly requestId: string | undefined
  readonly from?: string | undefined
}

const origin = (from: string | undefined): string => from === undefined ? "" : ` It came from ${from}.`

const quote = ({ provider, status, detail, code, requestId, from }: Said) =>
  `${provider} answered ${status}${code === undefined ? "" : ` ${code}`}: ` +
  (detail.replace(/[.\s]+$/, "") || "no explanation") +
  (requestId === undefined ? "." : ` (request ${requestId}).`) + origin(from)

export { ConversationBusy } from "@clawback/core/ConversationBusy"

/** The key is missing, wrong, expired or revoked. */
export class AuthenticationFailed
  extends ReadableError.tagged<AuthenticationFailed>("@clawback/providers/AuthenticationFailed")(
    "AuthenticationFailed",
    said
  )
{
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${quote(this)} The provider rejected the key: check that it is correct, complete and not revoked.`
  }
}

/** The key is good, but not for this model, project or region. */
export class PermissionDenied extends ReadableError.tagged<PermissionDenied>("@clawback/providers/PermissionDenied")(
  "PermissionDenied",
  said
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${quote(this)} The key lacks permission: request access, or use another model, project or region.`
  }
}

/** The account is out of money or over its spending limit. Waiting does not help. */
export class QuotaExhausted extends ReadableError.tagged<QuotaExhausted>("@clawback/providers/QuotaExhausted")(
  "QuotaExhausted",
  said
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${quote(this)} The account's quota is used up: raise it or use another account. Retrying will not help.`
  }
}

/** Too many requests or tokens for now. */
export class RateLimited extends ReadableError.tagged<RateLimited>("@clawback/providers/RateLimited")("RateLimited", {
  ...said,
  /** The wait that the provider requests, if any. */
  retryAfter: Schema.UndefinedOr(Schema.Duration)
}) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: true, retryAfter: this.retryAfter }
  }
  override get message() {
    const wait = this.retryAfter === undefined ? "a while" : Duration.format(this.retryAfter)
    return `${quote(this)} Wait ${wait} before the next request, or use another key or provider.`
  }
}

/** The provider is overloaded. The request is within the limits of this account. */
export class Overloaded extends ReadableError.tagged<Overloaded>("@clawback/providers/Overloaded")("Overloaded", {
  ...said,
  retryAfter: Schema.UndefinedOr(Schema.Duration)
}) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: true, retryAfter: this.retryAfter }
  }
  override get message() {
    return `${quote(this)} The provider is overloaded: try again shortly, or elsewhere.`
  }
}

/** The provider failed on its side. */
export class ProviderFailed extends ReadableError.tagged<ProviderFailed>("@clawback/providers/ProviderFailed")(
  "ProviderFailed",
  { ...said, retryAfter: Schema.UndefinedOr(Schema.Duration) }
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: true, retryAfter: this.retryAfter }
  }
  override get message() {
    return `${quote(this)} The provider failed on its side: try again, or elsewhere.`
  }
}

/** The model does not exist, no longer exists, or is not for this account. */
export class ModelNotFound extends ReadableError.tagged<ModelNotFound>("@clawback/providers/ModelNotFound")(
  "ModelNotFound",
  said
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${quote(this)} Check the name of the model and the base URL, or use another model.`
  }
}

/** The provider does not serve this region. */
export class RegionBlocked extends ReadableError.tagged<RegionBlocked>("@clawback/providers/RegionBlocked")(
  "RegionBlocked",
  said
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${quote(this)} The provider does not serve this region: use another provider or a region that it serves.`
  }
}

/** The conversation and the requested length of the answer exceed the model's context. */
export class ContextTooLong extends ReadableError.tagged<ContextTooLong>("@clawback/providers/ContextTooLong")(
  "ContextTooLong",
  said
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${quote(this)} Shorten the conversation, ask for fewer output tokens, or use a model with a longer context.`
  }
}

/** The provider's filter stopped the request or the answer. */
export class ContentFiltered extends ReadableError.tagged<ContentFiltered>("@clawback/providers/ContentFiltered")(
  "ContentFiltered",
  said
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${quote(this)} The provider's content filter stopped it: change the request; another provider may allow it.`
  }
}

/** The provider rejects the request, and will reject it again. */
export class RequestRejected extends ReadableError.tagged<RequestRejected>("@clawback/providers/RequestRejected")(
  "RequestRejected",
  said
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${quote(this)} Correct the request: the provider will reject the same one again.`
  }
}

/** The response violates the provider's own format. `excerpt` is its beginning, or empty if it is not text. */
export class InvalidResponse extends ReadableError.tagged<InvalidResponse>("@clawback/providers/InvalidResponse")(
  "InvalidResponse",
  { provider: Schema.String, detail: Schema.String, excerpt: Schema.String, from }
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${this.provider} violated its own format: ${this.detail}.` +
      (this.excerpt === "" ? "" : ` It began with ${JSON.stringify(this.excerpt)}.`) +
      `${origin(this.from)} Check that the base URL is an API of this kind.`
  }
}

/** The stream ended before the answer. The delivered events are valid, but the answer is not whole. */
export class StreamTruncated extends ReadableError.tagged<StreamTruncated>("@clawback/providers/StreamTruncated")(
  "StreamTruncated",
  {
    provider: Schema.String,
    /** The number of events that were delivered. */
    delivered: Schema.Int
  }
) {
  get retry(): Retry.Advice {
    return { reach: this.delivered === 0 ? "unanswered" : "delivered", isTransient: true }
  }
  override get message() {
    return `The stream of ${this.provider} ended without a finish, after ${this.delivered} events. ` +
      "The answer is not whole: discard it or try again."
  }
}

const located: ReadonlySet<unknown> = new Set([
  AuthenticationFailed,
  PermissionDenied,
  QuotaExhausted,
  RateLimited,
  Overloaded,
  ConversationBusy,
  ProviderFailed,
  ModelNotFound,
  RegionBlocked,
  ContextTooLong,
  ContentFiltered,
  RequestRejected,
  InvalidResponse
])

/** The same error, with where its response came from. An error that is none of ours stays as it is. */
export const withSource = (error: ProviderError, from: string): ProviderError =>
  located.has(error?.constructor)
    ? new (error.constructor as new(fields: object) => ProviderError)({ ...error, from })
    : error

/** The errors that a provider reports or causes in its response. */
export type ProviderError =
  | AuthenticationFailed
  | PermissionDenied
  | QuotaExhausted
  | RateLimited
  | Overloaded
  | ConversationBusy
  | ProviderFailed
  | ModelNotFound
  | RegionBlocked
  | ContextTooLong
  | ContentFiltered
  | RequestRejected
  | InvalidResponse
  | StreamTruncated

/** Everything that a call can fail with. */
export type CallError =
  | ProviderError
  | Unsupported
  | TransportError.TransportError
  | TransportError.BodyTooLarge
  | Timeouts.IdleTimeout
  | Deadline.DeadlineExceeded
  | Credential.CredentialUnavailable
