/**
 * The errors of a call that a provider reports. One error for each different reaction of a caller.
 *
 * | error | what the caller can do |
 * | --- | --- |
 * | `AuthenticationFailed` | replace the key |
 * | `PermissionDenied` | request access, or use another model or region |
 * | `QuotaExhausted` | pay, or use another account; waiting does not help |
 * | `RateLimited` | wait `retryAfter`, or use another key or provider |
 * | `Overloaded` | try again soon, or elsewhere; the key is not at fault |
 * | `ConversationBusy` | wait: another request uses the conversation that the provider keeps |
 * | `ProviderFailed` | try again, or elsewhere |
 * | `ModelNotFound` | use another model: this one does not exist, or not for this account |
 * | `RegionBlocked` | use another provider or region |
 * | `ContextTooLong` | shorten the conversation, or use a model with a longer context |
 * | `ContentFiltered` | change the request; another provider may allow it |
 * | `RequestRejected` | correct the request: it fails every time |
 * | `InvalidResponse` | report it: the response violates the provider's own format |
 * | `StreamTruncated` | try again: the answer is not whole |
 *
 * Each error keeps the provider's status, message and codes. Timeouts and lost connections are errors of the transport.
 *
 * @stable
 */

import type * as Retry from "@clawback/core/Retry"
import { type AiError, isAiError } from "effect/ai/AiError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Internal from "./internal/effect/aiError.ts"
import type { CallError } from "./internal/model/providerError.ts"

export * from "./internal/model/providerError.ts"

/**
 * The precise error behind an `AiError`, the one error type of Effect's models. It is also the `cause` of the `AiError`'s
 * reason.
 *
 * Returns None for other libraries' errors, `UnsupportedSchemaError` (nothing sent) and `InvalidOutputError` (the model
 * failed).
 *
 * | `AiError` reason | stands for |
 * | --- | --- |
 * | `AuthenticationError` | `AuthenticationFailed`, `PermissionDenied`, `RegionBlocked`, `CredentialUnavailable` |
 * | `QuotaExhaustedError` | `QuotaExhausted` |
 * | `RateLimitError` | `RateLimited`, `ConversationBusy` |
 * | `InternalProviderError` | `Overloaded`, `ProviderFailed` |
 * | `InvalidRequestError` | `RequestRejected`, `ModelNotFound`, `ContextTooLong`, `InvalidRequest` |
 * | `ContentPolicyError` | `ContentFiltered` |
 * | `InvalidUserInputError` | `Unsupported` |
 * | `InvalidResponseError` | `InvalidResponse`, `StreamTruncated`, `BodyTooLarge` |
 * | `NetworkError` | `ConnectFailed`, `ConnectTimeout`, `ConnectionLost`, `QueueTimeout`, `QueueFull`, `FirstTokenTimeout`, `IdleTimeout`, `InvalidUrl` |
 * | `UnknownError` | `DeadlineExceeded`, `TransportClosed`, `SessionRevoked`, `QuotaExceeded` |
 */
export const fromAiError: (error: AiError) => Option.Option<CallError> = Internal.fromAiError

/** Replaces `AiError` by the precise error, which can be caught by its tag. Other libraries' `AiError`s stay. */
export const precise = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, Exclude<E, AiError> | AiError | CallError, R> =>
  Effect.mapError(
    self,
    (error) => isAiError(error) ? Option.getOrElse(fromAiError(error), () => error) : error as Exclude<E, AiError>
  )

/** `precise` for a stream. */
export const preciseStream = <A, E, R>(
  self: Stream.Stream<A, E, R>
): Stream.Stream<A, Exclude<E, AiError> | AiError | CallError, R> =>
  Stream.mapError(
    self,
    (error) => isAiError(error) ? Option.getOrElse(fromAiError(error), () => error) : error as Exclude<E, AiError>
  )

/**
 * Whether and when to retry after an `AiError` from one of our layers: the `classify` of a retry policy around Effect's
 * `LanguageModel`. If the layer retries as well, the attempts of both multiply.
 */
export const advice = (error: AiError): Retry.Advice | undefined => Option.getOrUndefined(fromAiError(error))?.retry
