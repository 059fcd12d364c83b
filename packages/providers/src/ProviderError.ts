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

import type * as Retry from "@clawback/core/Retry"
import { type AiError, isAiError } from "effect/ai/AiError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Internal from "./internal/effect/aiError.ts"
import type { CallError } from "./internal/model/providerError.ts"

export * from "./internal/model/providerError.ts"

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
