import * as AiError from "effect/ai/AiError"
import * as Option from "effect/Option"
import type { CallError, Said } from "../ProviderError.ts"

/** What an `AiError` was made of. Its reason is the key, since that is what survives when an `AiError` is made anew. */
const origins = new WeakMap<AiError.AiErrorReason, CallError>()

const http = ({ detail, status }: Said) => ({ http: { response: { status, headers: {} }, body: detail } })

const network = (error: CallError, url: string) =>
  new AiError.NetworkError({
    reason: "TransportError",
    method: "POST",
    url,
    description: error.message,
    cause: error
  })

const reasonOf = (error: CallError, url: string): AiError.AiErrorReason => {
  const description = error.message
  switch (error._tag) {
    case "AuthenticationFailed":
      return new AiError.AuthenticationError({ kind: "InvalidKey", description, ...http(error) })
    case "PermissionDenied":
    case "RegionBlocked":
      return new AiError.AuthenticationError({ kind: "InsufficientPermissions", description, ...http(error) })
    case "CredentialUnavailable":
      return new AiError.AuthenticationError({ kind: "MissingKey", description })
    case "QuotaExhausted":
      return new AiError.QuotaExhaustedError(http(error))
    case "RateLimited":
      return new AiError.RateLimitError({
        ...http(error),
        ...(error.retryAfter !== undefined && { retryAfter: error.retryAfter })
      })
    case "Overloaded":
    case "ProviderFailed":
      return new AiError.InternalProviderError({ description, ...http(error) })
    case "ContentFiltered":
      return new AiError.ContentPolicyError({ description, ...http(error) })
    case "ModelNotFound":
    case "ContextTooLong":
    case "RequestRejected":
      return new AiError.InvalidRequestError({ description, ...http(error) })
    case "Unsupported":
      return new AiError.InvalidUserInputError({ description })
    case "InvalidRequest":
      return new AiError.InvalidRequestError({ description })
    case "InvalidResponse":
    case "StreamTruncated":
    case "BodyTooLarge":
      return new AiError.InvalidResponseError({ description })
    case "InvalidUrl":
      return new AiError.NetworkError({ reason: "InvalidUrlError", method: "POST", url: error.url, description })
    case "ConnectFailed":
    case "ConnectTimeout":
    case "ConnectionLost":
    case "QueueTimeout":
    case "QueueFull":
    case "FirstTokenTimeout":
    case "IdleTimeout":
      return network(error, url)
    // Nobody waits for a retry any more, so these must not look as if one helped.
    case "DeadlineExceeded":
    case "QuotaExceeded":
    case "SessionRevoked":
    case "TransportClosed":
      return new AiError.UnknownError({ description })
  }
}

export const toAiError = (error: CallError, method: string, url: string): AiError.AiError => {
  const reason = reasonOf(error, url)
  origins.set(reason, error)
  return AiError.make({ module: "Clawback", method, reason })
}

export const fromAiError = (error: AiError.AiError): Option.Option<CallError> =>
  Option.fromUndefinedOr(origins.get(error.reason))
