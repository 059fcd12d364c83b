import { type Codec, OpenAiChat, type ProviderError } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"

const peer: Codec.Peer = { provider: "openai", redact: (text) => text }

const error = (fields: { readonly type?: string; readonly code?: string | null }) =>
  JSON.stringify({ error: { message: "Oops", type: "invalid_request_error", param: null, code: null, ...fields } })
const classify = (status: number, body: string, headers: Record<string, string> = {}) =>
  OpenAiChat.codec.classify(peer, { status, headers, body })

const date = (seconds: number) => `Sun, 22 Nov 2026 12:00:${String(seconds).padStart(2, "0")} GMT`

describe("classification", () => {
  // C7
  it.each<[number, string, string, ProviderError.ProviderError["_tag"], string | undefined]>([
    [400, "a bad request", error({}), "RequestRejected", "invalid_request_error"],
    [
      400,
      "too long a context",
      error({ code: "context_length_exceeded" }),
      "ContextTooLong",
      "context_length_exceeded"
    ],
    [401, "a wrong key", error({ code: "invalid_api_key" }), "AuthenticationFailed", "invalid_api_key"],
    [402, "a bill to pay", error({ code: null }), "QuotaExhausted", "invalid_request_error"],
    [
      403,
      "a region",
      error({ code: "unsupported_country_region_territory" }),
      "RegionBlocked",
      "unsupported_country_region_territory"
    ],
    [404, "an unknown model", error({ code: "model_not_found" }), "ModelNotFound", "model_not_found"],
    [408, "a slow request", error({}), "ProviderFailed", "invalid_request_error"],
    [409, "a conflict", error({}), "ProviderFailed", "invalid_request_error"],
    [413, "a large request", error({}), "RequestRejected", "invalid_request_error"],
    [422, "an unprocessable request", error({}), "RequestRejected", "invalid_request_error"],
    [
      429,
      "a limit on requests",
      error({ type: "requests", code: "rate_limit_exceeded" }),
      "RateLimited",
      "rate_limit_exceeded"
    ],
    [
      429,
      "a limit on tokens",
      error({ type: "tokens", code: "rate_limit_exceeded" }),
      "RateLimited",
      "rate_limit_exceeded"
    ],
    ...[
      "insufficient_quota",
      "credit_balance_exhausted",
      "organization_spend_limit_exceeded",
      "project_spend_limit_exceeded",
      "organization_usage_limit_exceeded",
      "billing_hard_limit_reached"
    ].map((code) =>
      [429, `the code ${code}`, error({ type: "requests", code }), "QuotaExhausted", code] as [
        number,
        string,
        string,
        "QuotaExhausted",
        string
      ]
    ),
    [
      429,
      "the type insufficient_quota",
      error({ type: "insufficient_quota", code: "other" }),
      "QuotaExhausted",
      "other"
    ],
    [500, "a failure", error({ type: "server_error" }), "ProviderFailed", "server_error"],
    [502, "a bad gateway", "", "ProviderFailed", undefined],
    [503, "too much load", error({ type: "server_error", code: "slow_down" }), "Overloaded", "slow_down"],
    [529, "too much load", "", "Overloaded", undefined],
    [401, "a page", "<html><h1>401 Authorization Required</h1></html>", "AuthenticationFailed", undefined],
    [429, "no body", "", "RateLimited", undefined],
    [503, "a page", "<html><h1>503 Service Unavailable</h1></html>", "Overloaded", undefined],
    [500, "an error that is a string", "{\"error\":\"Oops\"}", "ProviderFailed", undefined],
    [500, "JSON that says nothing", "null", "ProviderFailed", undefined],
    [302, "a redirect", "", "InvalidResponse", undefined]
  ])("takes %i with %s for what it is", (status, _, body, tag, code) => {
    const failure = classify(status, body, { "x-request-id": "req_7" })
    assert.strictEqual(failure._tag, tag)
    if (failure._tag === "InvalidResponse") return
    assert.deepInclude(failure, { provider: "openai", status, code, requestId: "req_7" } as object)
  })

  it("keeps what the provider said (C7)", () => {
    assert.deepInclude(classify(500, error({})), { detail: "Oops" } as object)
    assert.deepInclude(classify(500, "  upstream connect error\n"), { detail: "upstream connect error" } as object)
    assert.deepInclude(classify(500, ""), { detail: "" } as object)
  })

  it("quotes no more than the beginning of a long body", () => {
    const failure = classify(500, "x".repeat(100_000))
    assert.isBelow(failure.message.length, 1000)
  })

  // B6
  it.each<[string, Record<string, string>, Duration.Duration | undefined]>([
    ["seconds", { "retry-after": "20" }, Duration.seconds(20)],
    ["fractions of seconds", { "retry-after": "1.5" }, Duration.millis(1500)],
    ["zero", { "retry-after": "0" }, Duration.zero],
    ["milliseconds", { "retry-after-ms": "350" }, Duration.millis(350)],
    ["milliseconds before seconds", { "retry-after-ms": "350", "retry-after": "1" }, Duration.millis(350)],
    [
      "seconds where the milliseconds are garbage",
      { "retry-after-ms": "soon", "retry-after": "1" },
      Duration.seconds(1)
    ],
    ["a date", { "retry-after": date(30), date: date(0) }, Duration.seconds(30)],
    ["a date that has passed", { "retry-after": date(0), date: date(30) }, Duration.zero],
    ["a date where the response has none", { "retry-after": date(30) }, undefined],
    ["garbage", { "retry-after": "soon", date: date(0) }, undefined],
    ["a negative number", { "retry-after": "-5", date: date(0) }, undefined],
    ["nothing", { "retry-after": "", date: date(0) }, undefined],
    ["no header", {}, undefined]
  ])("reads how long to wait from %s", (_, headers, expected) => {
    for (const status of [429, 500, 503]) {
      const failure = classify(status, "", headers)
      assert.isTrue(
        failure._tag === "RateLimited" || failure._tag === "ProviderFailed" || failure._tag === "Overloaded"
      )
      assert.deepStrictEqual("retryAfter" in failure ? failure.retryAfter : "absent", expected)
    }
  })
})
