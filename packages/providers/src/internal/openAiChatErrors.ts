import type * as Wire from "@clawback/core/Wire"
import type { Peer } from "../OpenAiChat.ts"
import * as ProviderError from "../ProviderError.ts"
import * as From from "./json.ts"
import { retryAfter } from "./retryAfter.ts"

/** Codes and types by which OpenAI says that money is missing, not time. */
const quota = new Set([
  "insufficient_quota",
  "billing_hard_limit_reached",
  "credit_balance_exhausted",
  "organization_spend_limit_exceeded",
  "project_spend_limit_exceeded",
  "organization_usage_limit_exceeded"
])

const excerptLength = 200

const excerpt = (text: string): string => text.length > excerptLength ? `${text.slice(0, excerptLength)}…` : text

export const invalidResponse = (peer: Peer, detail: string, text: string) =>
  new ProviderError.InvalidResponse({ provider: peer.provider, detail, excerpt: excerpt(peer.redact(text)) })

const requestIdOf = (peer: Peer, headers: Wire.Headers): string | undefined => {
  const id = From.string(headers["x-request-id"])
  return id === undefined ? undefined : peer.redact(id)
}

/** The error that a response means whose status is not a success, or that came in the middle of a stream. */
export const classify = (
  peer: Peer,
  response: { readonly status: number; readonly headers: Wire.Headers; readonly body: string }
): ProviderError.ProviderError => {
  const { headers, body } = response
  const error = From.object(From.object(From.parse(body))?.["error"])
  const isSuccess = response.status >= 200 && response.status < 300
  // Where the status was sent before the error came about, some servers repeat what it would have been as a code.
  const late = isSuccess ? From.count(error?.["code"]) : undefined
  const status = late !== undefined && late >= 400 && late < 600 ? late : response.status
  const type = From.string(error?.["type"])
  const code = From.string(error?.["code"]) ?? type
  const said: ProviderError.Said = {
    provider: peer.provider,
    status,
    detail: excerpt(peer.redact(From.string(error?.["message"]) ?? body.trim())),
    code: code === undefined ? undefined : peer.redact(code),
    requestId: requestIdOf(peer, headers)
  }
  const isQuota = (code !== undefined && quota.has(code)) || (type !== undefined && quota.has(type))

  if (isQuota || status === 402) return new ProviderError.QuotaExhausted(said)
  if (status === 401) return new ProviderError.AuthenticationFailed(said)
  if (status === 403) return new ProviderError.PermissionDenied(said)
  const waiting = { ...said, retryAfter: retryAfter(headers) }
  if (status === 429 || code === "rate_limit_exceeded") return new ProviderError.RateLimited(waiting)
  if (status === 503 || status === 529) return new ProviderError.Overloaded(waiting)
  // 408 and 409: the provider gave up waiting for a lock or for the rest of the request; neither is about its content.
  if (status >= 500 || status === 408 || status === 409) return new ProviderError.ProviderFailed(waiting)
  if (status >= 400) return new ProviderError.RequestRejected(said)
  // A success whose stream turned into an error: the provider's fault unless it says that it was the request's.
  if (status >= 200 && status < 300) {
    return type === "invalid_request_error"
      ? new ProviderError.RequestRejected(said)
      : new ProviderError.ProviderFailed(waiting)
  }
  return invalidResponse(peer, `status ${status}, which is neither a success nor an error`, body)
}
