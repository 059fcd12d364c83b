/**
 * The errors that providers send, as behaviors: each with the status, headers and body of its vendor, by name.
 *
 * Each name is `vendor.code`. Each error has four forms: as it is, and with a wait of two seconds in its headers, in
 * seconds (`.retry-after`), as an HTTP date (`.retry-after-date`) and in milliseconds (`.retry-after-ms`).
 *
 * Sources: the vendors' API references, and the error handling of `openai` 7 and `@anthropic-ai/sdk` 1, as of November 2026.
 *
 * @stable
 */

import type { ProviderError } from "@clawback/providers/ProviderError"
import * as Behavior from "./Behavior.ts"
import { rowErrors } from "./internal/vendorErrors/rows.ts"

/** One error as a vendor sends it. */
export interface VendorError {
  readonly name: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  /** The name of the provider's row, if the error is of a row. */
  readonly provider?: string | undefined
  /** What an error of a row means. */
  readonly means?: ProviderError["_tag"] | undefined
  /** Where an error of a row was recorded, reported or documented. */
  readonly source?: string | undefined
  /** The name of the server-sent event that carries the error in a stream. Default: none. */
  readonly event?: string | undefined
}

/** What a rate-limited OpenAI account sees: how much is left, and when it is more, as a Go duration. */
const openAiLimits = {
  "x-ratelimit-limit-requests": "500",
  "x-ratelimit-limit-tokens": "30000",
  "x-ratelimit-remaining-requests": "0",
  "x-ratelimit-remaining-tokens": "120",
  "x-ratelimit-reset-requests": "120ms",
  "x-ratelimit-reset-tokens": "6m0s"
}

const openAi = (
  status: number,
  code: string,
  message: string,
  type = "invalid_request_error",
  headers: Readonly<Record<string, string>> = {}
): VendorError => ({
  name: `openai.${code}`,
  status,
  headers: { "x-request-id": "req_0123456789abcdef", "openai-processing-ms": "12", ...headers },
  body: { error: { message, type, param: null, code } }
})

const quota = (code: string) =>
  openAi(
    429,
    code,
    "You exceeded your current quota, please check your plan and billing details.",
    "insufficient_quota"
  )

const anthropicLimits = {
  "anthropic-ratelimit-requests-limit": "50",
  "anthropic-ratelimit-requests-remaining": "0",
  "anthropic-ratelimit-requests-reset": "2126-01-01T00:00:00Z",
  "anthropic-ratelimit-tokens-limit": "40000",
  "anthropic-ratelimit-tokens-remaining": "1000",
  "anthropic-ratelimit-tokens-reset": "2126-01-01T00:00:00Z"
}

const anthropic = (
  status: number,
  type: string,
  message: string,
  { details, headers = {}, name = type }: {
    readonly details?: unknown
    readonly headers?: Readonly<Record<string, string>>
    readonly name?: string
  } = {}
): VendorError => ({
  name: `anthropic.${name}`,
  event: "error",
  status,
  headers: { "request-id": "req_0123456789abcdef", ...headers },
  body: {
    type: "error",
    error: { type, message, ...(details !== undefined && { details }) },
    request_id: "req_0123456789abcdef"
  }
})

const spendLimit = (code: string) =>
  anthropic(429, "rate_limit_error", "This request would exceed a spend limit.", {
    name: code,
    details: { error_code: code }
  })

const gemini = (
  code: number,
  status: string,
  message: string,
  details: ReadonlyArray<unknown> = [],
  name = status
): VendorError => ({
  name: `gemini.${name}`,
  status: code,
  headers: {},
  body: { error: { code, message, status, details } }
})

const geminiQuota = (quotaId: string, name: string) =>
  gemini(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", [
    {
      "@type": "type.googleapis.com/google.rpc.QuotaFailure",
      violations: [{ quotaMetric: "generativelanguage.googleapis.com/generate_content_requests", quotaId }]
    },
    { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "46s" }
  ], name)

const mistral = (status: number, type: string, message: unknown): VendorError => ({
  name: `mistral.${type}`,
  status,
  headers: {},
  body: { object: "error", message, type, param: null, code: null }
})

/** All errors. */
export const table: ReadonlyArray<VendorError> = [
  openAi(400, "invalid_value", "Invalid value for 'temperature': expected a number."),
  openAi(400, "context_length_exceeded", "This model's maximum context length is 128000 tokens."),
  openAi(401, "invalid_api_key", "Incorrect API key provided."),
  openAi(
    403,
    "unsupported_country_region_territory",
    "Country, region, or territory not supported",
    "request_forbidden"
  ),
  openAi(404, "model_not_found", "The model does not exist or you do not have access to it."),
  openAi(408, "request_timeout", "Request timed out.", "timeout"),
  openAi(409, "conflict", "The resource was updated by another request.", "conflict"),
  openAi(429, "rate_limit_exceeded", "Rate limit reached for gpt-5 on tokens per min.", "tokens", openAiLimits),
  quota("insufficient_quota"),
  quota("credit_balance_exhausted"),
  quota("organization_spend_limit_exceeded"),
  quota("project_spend_limit_exceeded"),
  quota("organization_usage_limit_exceeded"),
  openAi(500, "server_error", "The server had an error while processing your request.", "server_error"),
  openAi(503, "slow_down", "The engine is currently overloaded, please slow down.", "service_unavailable_error"),
  anthropic(400, "invalid_request_error", "max_tokens: Field required"),
  anthropic(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", {
    name: "credit_balance_too_low"
  }),
  anthropic(401, "authentication_error", "invalid x-api-key"),
  anthropic(402, "billing_error", "There is an issue with your billing or payment information."),
  anthropic(403, "permission_error", "Your API key does not have permission to use the specified resource."),
  anthropic(404, "not_found_error", "model: claude-0"),
  anthropic(409, "conflict_error", "The resource was changed by another request."),
  anthropic(413, "request_too_large", "Request exceeds the maximum allowed number of bytes."),
  anthropic(429, "rate_limit_error", "This request would exceed your organization's rate limit.", {
    headers: anthropicLimits
  }),
  spendLimit("enforced_spend_limit_reached"),
  spendLimit("contract_spend_limit_reached"),
  anthropic(429, "rate_limit_error", "Your traffic grew too fast.", {
    name: "ramp_limit_exceeded",
    details: { error_code: "ramp_limit_exceeded" }
  }),
  anthropic(500, "api_error", "Internal server error"),
  anthropic(504, "timeout_error", "Request timed out"),
  anthropic(529, "overloaded_error", "Overloaded"),
  gemini(400, "INVALID_ARGUMENT", "Invalid value at 'contents'."),
  gemini(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [
    { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID", domain: "googleapis.com" }
  ], "API_KEY_INVALID"),
  gemini(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
  gemini(403, "PERMISSION_DENIED", "Permission denied on resource project."),
  gemini(404, "NOT_FOUND", "models/gemini-0 is not found."),
  geminiQuota("GenerateRequestsPerMinutePerProjectPerModel", "RESOURCE_EXHAUSTED"),
  geminiQuota("GenerateRequestsPerDayPerProjectPerModel", "RESOURCE_EXHAUSTED_PER_DAY"),
  gemini(500, "INTERNAL", "An internal error has occurred."),
  gemini(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
  gemini(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
  mistral(400, "invalid_request_message_order", "Expected last role User or Tool (or Assistant with prefix True)."),
  mistral(401, "unauthorized", "Unauthorized"),
  mistral(422, "invalid_request_error", {
    detail: [{ type: "missing", loc: ["body", "model"], msg: "Field required" }]
  }),
  {
    name: "mistral.extra_forbidden",
    status: 422,
    headers: {},
    body: {
      detail: [{ type: "extra_forbidden", loc: ["body", "stream_options"], msg: "Extra inputs are not permitted" }]
    }
  },
  mistral(429, "rate_limited", "Requests rate limit exceeded"),
  mistral(500, "internal_server_error", "Service unavailable."),
  mistral(503, "service_unavailable", "Service tier capacity exceeded for this model."),
  ...rowErrors
]

/** An error of this meaning, as the provider of this row sends it. Undefined: none is known. */
export const ofRow = (provider: string, means: ProviderError["_tag"]): VendorError | undefined =>
  table.find((error) => error.provider === provider && error.means === means)

/** Answers a request with a vendor's error. */
export const behavior = ({ body, headers, name, status }: VendorError): Behavior.Behavior =>
  Behavior.named(Behavior.status(status, { headers, body }), name)

/**
 * An error in the middle of a stream: status 200, the given events, then the error as its vendor sends it in a stream.
 */
export const inStream = (
  { body, event, name }: VendorError,
  before: ReadonlyArray<Behavior.SseEvent> = []
): Behavior.Behavior => {
  const error: Behavior.SseEvent = event === undefined ? { data: body } : { event, data: body }
  return Behavior.named(Behavior.sse([...before, error]), `${name} in a stream`)
}

const forms = { "retry-after": "seconds", "retry-after-date": "date", "retry-after-ms": "millis" } as const

/** All errors by name: each without a stated wait, and with one in each of its forms. */
export const behaviors: Readonly<Record<string, Behavior.Behavior>> = Object.fromEntries(
  table.flatMap((error) => {
    const plain = behavior(error)
    const waiting = Object.entries(forms).map(([suffix, form]) =>
      Behavior.retryAfter(Behavior.named(plain, `${error.name}.${suffix}`), form, "2 seconds")
    )
    return [plain].concat(waiting).map((behavior) => [behavior.name, behavior])
  })
)

/** The error of this name. */
export const named = (name: string): Behavior.Behavior => {
  const found = behaviors[name]
  if (found === undefined) throw new Error(`${name} is not the name of a vendor's error. See VendorErrors.table.`)
  return found
}
