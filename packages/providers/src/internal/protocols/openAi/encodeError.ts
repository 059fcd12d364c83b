import * as Duration from "effect/Duration"
import type { JsonObject } from "../../../Json.ts"
import type { ErrorReply, HttpRequest } from "../../../Protocol.ts"
import type { ProviderError } from "../../../ProviderError.ts"
import { fields } from "../../json/json.ts"

interface Form {
  readonly status: number
  readonly type: string
  readonly code: string | null
}

/** OpenAI's status, type and code for each of our errors. */
const forms: Readonly<Record<ProviderError["_tag"], Form>> = {
  AuthenticationFailed: { status: 401, type: "invalid_request_error", code: "invalid_api_key" },
  PermissionDenied: { status: 403, type: "invalid_request_error", code: "permission_denied" },
  RegionBlocked: { status: 403, type: "invalid_request_error", code: "unsupported_country_region_territory" },
  QuotaExhausted: { status: 429, type: "insufficient_quota", code: "insufficient_quota" },
  RateLimited: { status: 429, type: "requests", code: "rate_limit_exceeded" },
  Overloaded: { status: 503, type: "server_error", code: "slow_down" },
  ConversationBusy: { status: 400, type: "invalid_request_error", code: "conversation_locked" },
  ProviderFailed: { status: 500, type: "server_error", code: null },
  ModelNotFound: { status: 404, type: "invalid_request_error", code: "model_not_found" },
  ContextTooLong: { status: 400, type: "invalid_request_error", code: "context_length_exceeded" },
  ContentFiltered: { status: 400, type: "invalid_request_error", code: "content_filter" },
  RequestRejected: { status: 400, type: "invalid_request_error", code: null },
  InvalidResponse: { status: 502, type: "server_error", code: null },
  StreamTruncated: { status: 502, type: "server_error", code: null }
}

const headersOf = (error: ProviderError): Readonly<Record<string, string>> => {
  const wait = "retryAfter" in error ? error.retryAfter : undefined
  if (wait === undefined) return error._tag === "QuotaExhausted" ? { "x-should-retry": "false" } : {}
  const millis = Math.ceil(Duration.toMillis(wait))
  return { "retry-after": String(Math.ceil(millis / 1_000)), "retry-after-ms": String(millis) }
}

/** The error as OpenAI's server answers it, with the provider's message if there is one. */
export const encodeError = (error: ProviderError): ErrorReply<JsonObject> => {
  const { code, status, type } = forms[error._tag]
  const message = "status" in error && error.detail ? error.detail : error.message
  return { status, headers: headersOf(error), body: { error: fields({ message, type, param: null, code }) } }
}

/** OpenAI's answer to an unknown path. */
export const notFound = ({ method, url }: Pick<HttpRequest, "method" | "url">): ErrorReply<JsonObject> => {
  const [path = ""] = url.split("?")
  return {
    status: 404,
    headers: {},
    body: {
      error: { message: `Invalid URL (${method} ${path})`, type: "invalid_request_error", param: null, code: null }
    }
  }
}
