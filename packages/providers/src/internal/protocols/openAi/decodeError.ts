import type * as Wire from "@clawback/core/Wire"
import type { HttpResponse, Peer } from "../../../Protocol.ts"
import type * as ProviderError from "../../../ProviderError.ts"
import * as From from "../../json/json.ts"
import { type Class, classified } from "../../model/classified.ts"
import { byWords } from "../../model/errorWords.ts"
import { excerpt, invalidResponse } from "../../model/invalidResponse.ts"
import { errorOf, messageOf } from "./errorBody.ts"
import { retryAfter } from "./limits.ts"

/** The meaning of a code or a type, whatever the status. */
const meanings: ReadonlyMap<string, Class> = new Map([
  // The account is out of money. Waiting does not help.
  ["insufficient_quota", "QuotaExhausted"],
  ["billing_hard_limit_reached", "QuotaExhausted"],
  ["credit_balance_exhausted", "QuotaExhausted"],
  ["organization_spend_limit_exceeded", "QuotaExhausted"],
  ["project_spend_limit_exceeded", "QuotaExhausted"],
  ["organization_usage_limit_exceeded", "QuotaExhausted"],
  // Moonshot; Alibaba.
  ["exceeded_current_quota_error", "QuotaExhausted"],
  ["Arrearage", "QuotaExhausted"],
  ["rate_limit_exceeded", "RateLimited"],
  ["invalid_api_key", "AuthenticationFailed"],
  ["permission_denied", "PermissionDenied"],
  ["unsupported_country_region_territory", "RegionBlocked"],
  ["model_not_found", "ModelNotFound"],
  // Mistral and Perplexity; Hugging Face.
  ["invalid_model", "ModelNotFound"],
  ["model_not_supported", "ModelNotFound"],
  ["context_length_exceeded", "ContextTooLong"],
  // llama.cpp; Perplexity; GitHub Models.
  ["exceed_context_size_error", "ContextTooLong"],
  ["too_many_prompt_tokens", "ContextTooLong"],
  ["requested_too_many_tokens", "ContextTooLong"],
  ["tokens_limit_reached", "ContextTooLong"],
  ["content_filter", "ContentFiltered"],
  ["content_policy_violation", "ContentFiltered"],
  // Alibaba.
  ["data_inspection_failed", "ContentFiltered"],
  // Groq: the model wrote a call that cannot be read. It may write a better one.
  ["tool_use_failed", "ProviderFailed"],
  ["slow_down", "Overloaded"],
  // Two requests on one conversation of the provider's.
  ["conversation_locked", "ConversationBusy"],
  // Moonshot sends it with 429.
  ["engine_overloaded_error", "Overloaded"]
])

const byStatus = (status: number): Class | undefined => {
  if (status === 401) return "AuthenticationFailed"
  if (status === 402) return "QuotaExhausted"
  if (status === 403) return "PermissionDenied"
  if (status === 404) return "ModelNotFound"
  if (status === 429) return "RateLimited"
  if (status === 503 || status === 529) return "Overloaded"
  // 408 and 409: the provider stopped waiting for a lock or for the rest of the request. The request itself is valid.
  if (status >= 500 || status === 408 || status === 409) return "ProviderFailed"
  return status >= 400 ? "RequestRejected" : undefined
}

const requestIdOf = (peer: Peer, headers: Wire.Headers): string | undefined => {
  const id = From.string(headers["x-request-id"])
  return id === undefined ? undefined : peer.redact(id)
}

/** Decodes the error of a response, or an error within a stream. */
export const classify = (peer: Peer, received: HttpResponse): ProviderError.ProviderError => {
  const { body, headers } = received
  const parsed = From.parse(body)
  const error = errorOf(parsed) ?? From.object(parsed)
  const isSuccess = received.status >= 200 && received.status < 300
  // In a stream, the status was sent before the error. Some servers send the status of the error as its code.
  const late = isSuccess ? From.count(error?.["code"]) : undefined
  const status = late !== undefined && late >= 400 && late < 600 ? late : received.status
  const type = From.string(error?.["type"])
  const code = From.string(error?.["code"]) ?? type
  const message = messageOf(error)
  const said: ProviderError.Said = {
    provider: peer.provider,
    status,
    detail: excerpt(peer.redact(message ?? body.trim())),
    code: code === undefined ? undefined : peer.redact(code),
    requestId: requestIdOf(peer, headers)
  }
  const coarse = byStatus(status) ??
    // A stream that failed after a success: the provider's fault, unless it blames the request.
    (isSuccess ? type === "invalid_request_error" ? "RequestRejected" : "ProviderFailed" : undefined)
  const tag = meanings.get(code ?? "") ?? meanings.get(type ?? "") ?? (coarse && byWords(coarse, message ?? ""))
  return tag === undefined
    ? invalidResponse(peer, `status ${status}, which is neither a success nor an error`, body)
    : classified(tag, said, retryAfter(headers, error))
}
