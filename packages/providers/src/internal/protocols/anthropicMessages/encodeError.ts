import * as Duration from "effect/Duration"
import type { JsonObject } from "../../../Json.ts"
import type { ErrorReply } from "../../../Protocol.ts"
import type { ProviderError } from "../../../ProviderError.ts"

interface Reply {
  readonly status: number
  readonly type: string
  /** The message must contain this text, since clients recognise the error only by it. */
  readonly text?: string
  /** The code beside the type. */
  readonly code?: string
}

const isFailure = (status: number): boolean => status >= 500 && status !== 503 && status !== 529

/** Statuses that mean only: correct the request. */
const isRejection = (status: number): boolean =>
  status >= 400 && status < 500 && ![401, 402, 403, 404, 408, 409, 429].includes(status)

const replyOf = (error: ProviderError): Reply => {
  switch (error._tag) {
    case "AuthenticationFailed":
      return { status: 401, type: "authentication_error" }
    case "PermissionDenied":
      return { status: 403, type: "permission_error" }
    case "QuotaExhausted":
      return { status: 402, type: "billing_error" }
    case "RateLimited":
      return { status: 429, type: "rate_limit_error" }
    case "Overloaded":
      return { status: 529, type: "overloaded_error" }
    case "ConversationBusy":
      return { status: 409, type: "conflict_error", code: "thread_continue_in_flight" }
    case "ModelNotFound":
      return { status: 404, type: "not_found_error", text: "model" }
    case "RegionBlocked":
      return { status: 403, type: "forbidden", text: "Request not allowed" }
    case "ContextTooLong":
      return { status: 400, type: "invalid_request_error", text: "prompt is too long" }
    case "ContentFiltered":
      return { status: 400, type: "invalid_request_error", text: "Output blocked by content filtering policy" }
    case "RequestRejected":
      return {
        status: isRejection(error.status) ? error.status : 400,
        type: error.status === 413 ? "request_too_large" : "invalid_request_error"
      }
    case "ProviderFailed":
      return isFailure(error.status)
        ? { status: error.status, type: error.status === 504 ? "timeout_error" : "api_error" }
        : { status: 500, type: "api_error" }
    case "InvalidResponse":
    case "StreamTruncated":
      return { status: 502, type: "api_error" }
  }
}

const messageOf = (error: ProviderError, text: string | undefined): string => {
  const detail = "detail" in error && error._tag !== "InvalidResponse" && error.detail ? error.detail : undefined
  const said = detail ?? text ?? error.message
  return text === undefined || said.toLowerCase().includes(text.toLowerCase()) ? said : `${text}: ${said}`
}

/** The body of an error. A stream sends it as an event. */
export const errorBody = (error: ProviderError): JsonObject => {
  const { code, text, type } = replyOf(error)
  return {
    type: "error",
    error: {
      type,
      message: messageOf(error, text),
      ...code === undefined ? {} : { details: { error_code: code } }
    },
    request_id: "requestId" in error ? error.requestId ?? null : null
  }
}

const wait = (error: ProviderError): Record<string, string> =>
  "retryAfter" in error && error.retryAfter !== undefined
    ? { "retry-after": String(Math.ceil(Duration.toSeconds(error.retryAfter))) }
    : {}

const requestId = (error: ProviderError): Record<string, string> =>
  "requestId" in error && error.requestId !== undefined ? { "request-id": error.requestId } : {}

/** An error as a server of this protocol answers it. */
export const encodeError = (error: ProviderError): ErrorReply<JsonObject> => ({
  status: replyOf(error).status,
  headers: { "content-type": "application/json", ...wait(error), ...requestId(error) },
  body: errorBody(error)
})

/** Anthropic's answer to an unknown path. */
export const notFound = (): ErrorReply<JsonObject> => ({
  status: 404,
  headers: {},
  body: { type: "error", error: { type: "not_found_error", message: "Not Found" } }
})
