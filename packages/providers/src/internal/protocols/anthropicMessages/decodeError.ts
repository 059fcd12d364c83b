import type { HttpResponse, Peer } from "../../../Protocol.ts"
import type * as ProviderError from "../../../ProviderError.ts"
import * as From from "../../json/json.ts"
import { type Class, classified } from "../../model/classified.ts"
import { byWords } from "../../model/errorWords.ts"
import { excerpt, invalidResponse } from "../../model/invalidResponse.ts"
import { waitOf } from "./limits.ts"

/** The status of each type, for errors within a stream, whose own status is a success. */
const statuses: ReadonlyMap<string | undefined, number> = new Map([
  ["invalid_request_error", 400],
  ["authentication_error", 401],
  ["billing_error", 402],
  ["permission_error", 403],
  ["forbidden", 403],
  ["not_found_error", 404],
  ["conflict_error", 409],
  ["request_too_large", 413],
  ["rate_limit_error", 429],
  ["api_error", 500],
  ["timeout_error", 504],
  ["overloaded_error", 529]
])

/** Codes that mean: the account is out of money. Waiting does not help. */
const quotaCodes = new Set([
  "enforced_spend_limit_reached",
  "contract_spend_limit_reached",
  "linked_organization_billing_unavailable",
  "linked_organization_spend_limit_reached"
])

/** Anthropic's own messages of an account that is out of money. */
const quotaTexts = /specified API usage limits|(?:extra usage is|usage credits are) required/i

/** The model or the address was not found, and not some other thing that the request names. */
const isModelMissing = (code: string | undefined, detail: string): boolean =>
  code !== "thread_not_found" && !/\b(?:file|container|skill)\b/i.test(detail)

interface Facts {
  readonly status: number
  readonly type: string | undefined
  readonly code: string | undefined
  readonly detail: string
}

const isQuota = ({ code, detail, status, type }: Facts): boolean =>
  status === 402 || type === "billing_error" || (code !== undefined && quotaCodes.has(code)) ||
  ((status === 400 || status === 429) && quotaTexts.test(detail))

const is = (facts: Facts, type: string, ...status: ReadonlyArray<number>): boolean =>
  facts.type === type || status.includes(facts.status)

const byStatus = (facts: Facts): Class => {
  const { code, detail, status, type } = facts
  // Two requests that continue one thread of the provider's.
  if (code === "thread_continue_in_flight") return "ConversationBusy"
  if (isQuota(facts)) return "QuotaExhausted"
  if (is(facts, "rate_limit_error", 429)) return "RateLimited"
  if (is(facts, "overloaded_error", 503, 529)) return "Overloaded"
  if (is(facts, "authentication_error", 401)) return "AuthenticationFailed"
  // Not in the reference: the API's answer to callers from a country that it does not serve.
  if (type === "forbidden" && /request not allowed/i.test(detail)) return "RegionBlocked"
  if (is(facts, "permission_error", 403) || code === "organization_on_hold") return "PermissionDenied"
  if (status === 404) return isModelMissing(code, detail) ? "ModelNotFound" : "RequestRejected"
  // 408 and 409: the provider stopped waiting, or something changed meanwhile. The request itself is valid.
  return status >= 500 || status === 408 || status === 409 ? "ProviderFailed" : "RequestRejected"
}

/** Decodes the error of a response, or an error within a stream. */
export const classify = (
  peer: Peer,
  { body, headers, status: answered }: HttpResponse
): ProviderError.ProviderError => {
  const response = From.object(From.parse(body))
  const error = From.object(response?.["error"])
  const type = From.string(error?.["type"])
  const isSuccess = answered >= 200 && answered < 300
  const status = isSuccess ? statuses.get(type) ?? 500 : answered
  if (status < 400) {
    return invalidResponse(peer, `status ${status}, which is neither a success nor an error`, body)
  }
  const message = From.string(error?.["message"]) ?? body.trim()
  const code = From.string(From.object(error?.["details"])?.["error_code"]) ?? type
  const requestId = From.string(headers["request-id"]) ?? From.string(response?.["request_id"])
  const facts: Facts = { status, type, code, detail: message }
  const said: ProviderError.Said = {
    provider: peer.provider,
    status,
    detail: excerpt(peer.redact(message)),
    code: code === undefined ? undefined : peer.redact(code),
    requestId: requestId === undefined ? undefined : peer.redact(requestId)
  }
  return classified(byWords(byStatus(facts), message), said, waitOf(headers))
}
