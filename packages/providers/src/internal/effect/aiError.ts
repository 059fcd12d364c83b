import * as ReadableError from "@clawback/core/ReadableError"
import * as AiError from "effect/ai/AiError"
import * as Option from "effect/Option"
import type { CallError, Said } from "../model/providerError.ts"

/** The errors that became an `AiError`. Another library's reason may have another error as its `cause`. */
const origins = new WeakSet<object>()

const isOrigin = (error: unknown): error is CallError =>
  typeof error === "object" && error !== null && origins.has(error)

const http = ({ detail, status }: Pick<Said, "detail" | "status">) => ({
  http: { response: { status, headers: {} }, body: detail }
})

const network = (error: CallError, url: string) =>
  new AiError.NetworkError({
    reason: "TransportError",
    method: "POST",
    url,
    description: error.message
  })

/** Undefined: no call declares this error. */
const reasonOf = (error: CallError, url: string): AiError.AiErrorReason | undefined => {
  const description = error.message
  switch (error._tag) {
    case "AuthenticationFailed":
      return new AiError.AuthenticationError({ kind: "InvalidKey", description, ...http(error) })
    case "PermissionDenied":
    case "RegionBlocked":
      return new AiError.AuthenticationError({ kind: "InsufficientPermissions", description, ...http(error) })
    case "CredentialUnavailable":
      return error.isWiped === true
        ? new AiError.UnknownError({ description })
        : new AiError.AuthenticationError({ kind: "MissingKey", description })
    case "QuotaExhausted":
      return new AiError.QuotaExhaustedError(http(error))
    case "RateLimited":
      return new AiError.RateLimitError({
        ...http(error),
        ...(error.retryAfter !== undefined && { retryAfter: error.retryAfter })
      })
    case "ConversationBusy": {
      const { detail = error.message, retryAfter, status = 409 } = error
      return new AiError.RateLimitError({
        ...http({ detail, status }),
        ...(retryAfter !== undefined && { retryAfter })
      })
    }
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
    case "HeadersTooLarge":
      return new AiError.InvalidResponseError({ description })
    case "InvalidUrl":
      return new AiError.NetworkError({ reason: "InvalidUrlError", method: "POST", url: error.url, description })
    case "ConnectFailed":
    case "ProxyFailed":
    case "ConnectTimeout":
    case "ConnectionLost":
    case "RequestBodyFailed":
    case "QueueTimeout":
    case "QueueFull":
    case "FirstTokenTimeout":
    case "IdleTimeout":
      return network(error, url)
    // A retry does not help after these, so the reason must not be retryable.
    case "DeadlineExceeded":
    case "QuotaExceeded":
    case "SessionRevoked":
    case "TransportClosed":
      return new AiError.UnknownError({ description })
    default:
      error satisfies never
      return undefined
  }
}

/** How an `AiError` is printed. Its reason has the same message. */
const shown = ({ isRetryable, method, module, reason }: AiError.AiError): ReadableError.View => ({
  fields: { module, method, reason: reason._tag, isRetryable },
  cause: reason.cause
})

/** The error becomes the `cause` of the reason, as `new Error(message, { cause })` sets it. A copy of the `AiError` keeps it. */
const causedBy = (error: unknown, method: string, reason: AiError.AiErrorReason): AiError.AiError => {
  Object.defineProperty(reason, "cause", { value: error, writable: true, configurable: true, enumerable: false })
  return ReadableError.show(AiError.make({ module: "Clawback", method, reason }), shown)
}

/**
 * The `AiError` of an error that no call declares, such as one that a protocol or an authentication of one's own fails with
 * against its type. It stays a failure, as it is for the other callers of the model, so that a fallback can handle it.
 */
export const unknownError = (error: unknown, method: string): AiError.AiError =>
  causedBy(
    error,
    method,
    new AiError.UnknownError({ description: error instanceof Error ? error.message : String(error) })
  )

export const toAiError = (error: CallError, method: string, url: string): AiError.AiError => {
  const reason = typeof error === "object" && error !== null ? reasonOf(error, url) : undefined
  if (reason === undefined) return unknownError(error, method)
  origins.add(error)
  return causedBy(error, method, reason)
}

export const fromAiError = ({ reason }: AiError.AiError): Option.Option<CallError> =>
  isOrigin(reason.cause) ? Option.some(reason.cause) : Option.none()
