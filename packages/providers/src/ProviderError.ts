/**
 * What can go wrong with a call, as the provider tells it: one error for each thing that a caller would do differently.
 *
 * | error | the caller's move |
 * | --- | --- |
 * | `AuthenticationFailed` | replace the key |
 * | `PermissionDenied` | ask for access, or use another model or region |
 * | `QuotaExhausted` | pay, or use another account; waiting does not help |
 * | `RateLimited` | wait `retryAfter`, or use another key or provider |
 * | `Overloaded` | try again soon, or elsewhere; the key is not at fault |
 * | `ProviderFailed` | try again, or elsewhere |
 * | `ModelNotFound` | use another model; this one is not there, or not for this account |
 * | `RegionBlocked` | use another provider or region |
 * | `ContextTooLong` | shorten the conversation, or use a model that takes more |
 * | `ContentFiltered` | change what is asked; another provider may allow it |
 * | `RequestRejected` | correct the request; it fails everywhere |
 * | `InvalidResponse` | report it: the provider broke its own format |
 * | `StreamTruncated` | try again; the answer is not whole |
 *
 * Each keeps what the provider said. The errors of the way there and back (timeouts, connections) are the transport's.
 */
import type * as Credential from "@clawback/core/Credential"
import type * as Deadline from "@clawback/core/Deadline"
import type * as Retry from "@clawback/core/Retry"
import type * as Timeouts from "@clawback/core/Timeouts"
import type * as TransportError from "@clawback/core/TransportError"
import { type AiError, isAiError } from "effect/ai/AiError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Internal from "./internal/effect/aiError.ts"
import type { Unsupported } from "./internal/model/unsupported.ts"

/** What the provider said: its status, its message and codes, and the name by which it can find the request. */
const said = {
  provider: Schema.String,
  status: Schema.Int,
  detail: Schema.String,
  code: Schema.UndefinedOr(Schema.String),
  requestId: Schema.UndefinedOr(Schema.String)
}

export interface Said {
  readonly provider: string
  readonly status: number
  readonly detail: string
  readonly code: string | undefined
  readonly requestId: string | undefined
}

const quote = ({ provider, status, detail, code, requestId }: Said) =>
  `${provider} answered ${status}${code === undefined ? "" : ` ${code}`}: ` +
  (detail.replace(/[.\s]+$/, "") || "no explanation") +
  (requestId === undefined ? "." : ` (request ${requestId}).`)

/** The key is missing, wrong, expired or revoked. */
export class AuthenticationFailed
  extends Schema.TaggedError<AuthenticationFailed>("@clawback/providers/AuthenticationFailed")(
    "AuthenticationFailed",
    said
  )
{
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${quote(this)} The key was not accepted: check that it is the right one, whole and not revoked.`
  }
}

/** The key is good, but not for this model, project or region. */
export class PermissionDenied extends Schema.TaggedError<PermissionDenied>("@clawback/providers/PermissionDenied")(
  "PermissionDenied",
  said
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${quote(this)} The key may not do this: ask for access, or use another model, project or region.`
  }
}

/** The account is out of money or over its spending limit. Waiting does not help. */
export class QuotaExhausted extends Schema.TaggedError<QuotaExhausted>("@clawback/providers/QuotaExhausted")(
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
export class RateLimited extends Schema.TaggedError<RateLimited>("@clawback/providers/RateLimited")("RateLimited", {
  ...said,
  /** How long the provider asks to wait, if it says. */
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

/** The provider has too much to do. No limit of this account was hit. */
export class Overloaded extends Schema.TaggedError<Overloaded>("@clawback/providers/Overloaded")("Overloaded", {
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
export class ProviderFailed extends Schema.TaggedError<ProviderFailed>("@clawback/providers/ProviderFailed")(
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
export class ModelNotFound extends Schema.TaggedError<ModelNotFound>("@clawback/providers/ModelNotFound")(
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

/** The provider does not serve this place. */
export class RegionBlocked extends Schema.TaggedError<RegionBlocked>("@clawback/providers/RegionBlocked")(
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

/** The conversation, with the answer it leaves room for, is longer than the model takes. */
export class ContextTooLong extends Schema.TaggedError<ContextTooLong>("@clawback/providers/ContextTooLong")(
  "ContextTooLong",
  said
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${quote(this)} Shorten the conversation, ask for fewer output tokens, or use a model that takes more.`
  }
}

/** The provider's filter stopped the request or the answer. */
export class ContentFiltered extends Schema.TaggedError<ContentFiltered>("@clawback/providers/ContentFiltered")(
  "ContentFiltered",
  said
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${
      quote(this)
    } The provider's content filter stopped it: change what is asked; another provider may allow it.`
  }
}

/** The provider does not accept the request, and will not the next time either. */
export class RequestRejected extends Schema.TaggedError<RequestRejected>("@clawback/providers/RequestRejected")(
  "RequestRejected",
  said
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${quote(this)} Correct the request: the same one will be refused again.`
  }
}

/** The provider's answer is not in its own format. `excerpt` is its beginning, empty where it is no text. */
export class InvalidResponse extends Schema.TaggedError<InvalidResponse>("@clawback/providers/InvalidResponse")(
  "InvalidResponse",
  { provider: Schema.String, detail: Schema.String, excerpt: Schema.String }
) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${this.provider} sent what its format does not allow: ${this.detail}. ` +
      (this.excerpt === "" ? "" : `It began with ${JSON.stringify(this.excerpt)}. `) +
      "Check that the base URL is an API of this kind."
  }
}

/** The stream ended before the answer did. What was delivered stands, but it is not whole. */
export class StreamTruncated extends Schema.TaggedError<StreamTruncated>("@clawback/providers/StreamTruncated")(
  "StreamTruncated",
  {
    provider: Schema.String,
    /** Events that were delivered before. */
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

/** The provider answered, and it was not an answer. */
export type ProviderError =
  | AuthenticationFailed
  | PermissionDenied
  | QuotaExhausted
  | RateLimited
  | Overloaded
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

/**
 * The error that an `AiError` stands for, with all that it knows. Effect's models have one error type for all
 * providers; this is the way back from it. None where the `AiError` is not from one of our layers, and none where its
 * reason is all there is to know: `UnsupportedSchemaError`, since such a tool or schema was not sent, and
 * `InvalidOutputError`, since the model, not the provider, is at fault. Without this function, it is the `cause` of the
 * reason, as the platform's errors have one.
 *
 * | `AiError` reason | stands for |
 * | --- | --- |
 * | `AuthenticationError` | `AuthenticationFailed`, `PermissionDenied`, `RegionBlocked`, `CredentialUnavailable` |
 * | `QuotaExhaustedError` | `QuotaExhausted` |
 * | `RateLimitError` | `RateLimited` |
 * | `InternalProviderError` | `Overloaded`, `ProviderFailed` |
 * | `InvalidRequestError` | `RequestRejected`, `ModelNotFound`, `ContextTooLong`, `InvalidRequest` |
 * | `ContentPolicyError` | `ContentFiltered` |
 * | `InvalidUserInputError` | `Unsupported` |
 * | `InvalidResponseError` | `InvalidResponse`, `StreamTruncated`, `BodyTooLarge` |
 * | `NetworkError` | `ConnectFailed`, `ConnectTimeout`, `ConnectionLost`, `QueueTimeout`, `QueueFull`, `FirstTokenTimeout`, `IdleTimeout`, `InvalidUrl` |
 * | `UnknownError` | `DeadlineExceeded`, `TransportClosed`, `SessionRevoked`, `QuotaExceeded` |
 */
export const fromAiError: (error: AiError) => Option.Option<CallError> = Internal.fromAiError

/**
 * Makes an effect fail with the precise errors instead of `AiError`, so that each can be caught by its tag. An `AiError`
 * that is not from one of our layers stays.
 */
export const precise = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, Exclude<E, AiError> | AiError | CallError, R> =>
  Effect.mapError(
    self,
    (error) => isAiError(error) ? Option.getOrElse(fromAiError(error), () => error) : error as Exclude<E, AiError>
  )

/** The same for a stream. */
export const preciseStream = <A, E, R>(
  self: Stream.Stream<A, E, R>
): Stream.Stream<A, Exclude<E, AiError> | AiError | CallError, R> =>
  Stream.mapError(
    self,
    (error) => isAiError(error) ? Option.getOrElse(fromAiError(error), () => error) : error as Exclude<E, AiError>
  )

/**
 * What an `AiError` from one of our layers says about trying again: the `classify` of a policy around Effect's
 * `LanguageModel`. Where the layer retries by itself already, the attempts of both multiply.
 */
export const advice = (error: AiError): Retry.Advice | undefined => Option.getOrUndefined(fromAiError(error))?.retry
