import { OpenAiChat, type Protocol, ProviderError } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import * as OpenAiSdk from "./support/openAiSdk.ts"

const peer: Protocol.Peer = { provider: "openai", redact: (text) => text }

const error = (fields: { readonly type?: string; readonly code?: string | null }) =>
  JSON.stringify({ error: { message: "Oops", type: "invalid_request_error", param: null, code: null, ...fields } })
const classify = (status: number, body: string, headers: Record<string, string> = {}) =>
  OpenAiChat.protocol.classify(peer, { status, headers, body })

const date = (seconds: number) => `Sun, 22 Nov 2026 12:00:${String(seconds).padStart(2, "0")} GMT`

describe("classification", () => {
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
    [404, "a page", "<html>404 Not Found</html>", "ModelNotFound", undefined],
    [403, "a model of others", error({ code: "model_not_found" }), "ModelNotFound", "model_not_found"],
    [400, "a filter", error({ code: "content_filter" }), "ContentFiltered", "content_filter"],
    [400, "a policy", error({ code: "content_policy_violation" }), "ContentFiltered", "content_policy_violation"],
    [
      400,
      "too long a context in words",
      "{\"error\":{\"message\":\"This model's maximum context length is 8192 tokens.\"}}",
      "ContextTooLong",
      undefined
    ],
    [
      400,
      "an error of vLLM's",
      "{\"object\":\"error\",\"message\":\"Oops\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}",
      "RequestRejected",
      "BadRequestError"
    ],
    [
      422,
      "an error of Mistral's",
      "{\"object\":\"error\",\"message\":{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"Oops\",\"type\":\"missing\"}]},\"type\":\"invalid_request_error\"}",
      "RequestRejected",
      "invalid_request_error"
    ],
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
    [
      400,
      "a locked conversation",
      error({ type: "invalid_request_error", code: "conversation_locked" }),
      "ConversationBusy",
      "conversation_locked"
    ],
    [401, "a page", "<html><h1>401 Authorization Required</h1></html>", "AuthenticationFailed", undefined],
    [429, "no body", "", "RateLimited", undefined],
    [503, "a page", "<html><h1>503 Service Unavailable</h1></html>", "Overloaded", undefined],
    [500, "an error that is a string", "{\"error\":\"Oops\"}", "ProviderFailed", undefined],
    [500, "JSON that says nothing", "null", "ProviderFailed", undefined],
    [302, "a redirect", "", "InvalidResponse", undefined]
  ])("of status %i with %s becomes its own error", (status, _, body, tag, code) => {
    const failure = classify(status, body, { "x-request-id": "req_7" })
    assert.strictEqual(failure._tag, tag)
    if (failure._tag === "InvalidResponse") return
    assert.deepInclude(failure, { provider: "openai", status, code, requestId: "req_7" } as object)
  })

  it("keeps the provider's message and codes", () => {
    assert.deepInclude(classify(500, error({})), { detail: "Oops" } as object)
    assert.deepInclude(classify(500, "  upstream connect error\n"), { detail: "upstream connect error" } as object)
    assert.deepInclude(classify(500, ""), { detail: "" } as object)
    assert.deepInclude(classify(500, "{\"error\":\"Oops\"}"), { detail: "Oops" } as object)
    assert.deepInclude(
      classify(422, "{\"detail\":[{\"msg\":\"Oops\"},{\"msg\":\"Ouch\"}]}"),
      { detail: "Oops; Ouch" } as object
    )
    assert.deepInclude(classify(400, "{\"object\":\"error\",\"message\":\"Oops\"}"), { detail: "Oops" } as object)
  })

  it("quotes only the beginning of a long body", () => {
    const failure = classify(500, "x".repeat(100_000))
    assert.isBelow(failure.message.length, 1000)
  })

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

const inWords = (message: string) => JSON.stringify({ error: { message, code: "rate_limit_exceeded" } })

const limits = (headers: Record<string, string>, status = 200, body = "") =>
  OpenAiChat.protocol.limits({ status, headers, body })

describe("limits", () => {
  it("are read by dimension", () => {
    assert.deepStrictEqual(
      limits({
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-reset-tokens": "6m0s",
        "X-RateLimit-Remaining-Project-Tokens": "7",
        "x-request-id": "req_1"
      }),
      {
        limits: [
          { dimension: "requests", limit: 60, remaining: 59, resetAfter: Duration.seconds(1) },
          { dimension: "tokens", limit: 150_000, remaining: 0, resetAfter: Duration.minutes(6) },
          { dimension: "project-tokens", limit: undefined, remaining: 7, resetAfter: undefined }
        ],
        retryAfter: undefined
      }
    )
    assert.deepStrictEqual(limits({}), { limits: [], retryAfter: undefined })
  })

  it.each<[string, number | undefined]>([
    ["1s", 1_000],
    ["6m0s", 360_000],
    ["120ms", 120],
    ["1h2m3.5s", 3_723_500],
    ["2m59.56s", 179_560],
    ["0s", 0],
    ["500us", 0.5],
    ["500µs", 0.5],
    ["17", 17_000],
    ["0.25", 250],
    [" 1s ", 1_000],
    ["", undefined],
    ["soon", undefined],
    ["-1s", undefined],
    ["1d", undefined],
    ["1s x", undefined],
    ["2026-11-24T12:00:00Z", undefined]
  ])("that reset after %o reset in %o milliseconds", (reset, millis) => {
    const [found] = limits({ "x-ratelimit-reset-tokens": reset }).limits
    assert.deepStrictEqual(found?.resetAfter, millis === undefined ? undefined : Duration.millis(millis))
  })

  it.each([["-1"], ["1.5"], ["many"], [""], ["9".repeat(40)]])(
    "that are not numbers, such as %o, are unknown",
    (value) => {
      const [found] = limits({ "x-ratelimit-limit-tokens": value, "x-ratelimit-remaining-tokens": value }).limits
      assert.deepInclude(found, { limit: undefined, remaining: undefined } as object)
    }
  )

  it.each<[string, number, string, Record<string, string>, number | undefined]>([
    ["a header", 200, "", { "retry-after": "2" }, 2_000],
    ["a header rather than words", 429, inWords("Please try again in 9s."), { "retry-after-ms": "5" }, 5],
    ["words", 429, inWords("Rate limit reached. Please try again in 1.2s. Visit our site."), {}, 1_200],
    ["words of minutes", 429, inWords("Please try again in 6m0s."), {}, 360_000],
    ["words of milliseconds", 429, inWords("Please try again in 15ms."), {}, 15],
    ["no words of a success", 200, inWords("Please try again in 15ms."), {}, undefined],
    ["words without a time", 429, inWords("Please try again in a while."), {}, undefined]
  ])("state the wait by %s", (_, status, body, headers, millis) => {
    const expected = millis === undefined ? undefined : Duration.millis(millis)
    assert.deepStrictEqual(limits(headers, status, body).retryAfter, expected)
    if (status !== 429) return
    assert.deepInclude(classify(status, body, headers), { retryAfter: expected } as object)
  })
})

const said: ProviderError.Said = { provider: "anthropic", status: 418, detail: "Oops", code: "teapot", requestId: "r" }
const waiting = { ...said, retryAfter: Duration.millis(1_500) }

const sendable: ReadonlyArray<readonly [ProviderError.ProviderError, number, ProviderError.ProviderError["_tag"]]> = [
  [new ProviderError.AuthenticationFailed(said), 401, "AuthenticationFailed"],
  [new ProviderError.PermissionDenied(said), 403, "PermissionDenied"],
  [new ProviderError.RegionBlocked(said), 403, "RegionBlocked"],
  [new ProviderError.QuotaExhausted(said), 429, "QuotaExhausted"],
  [new ProviderError.RateLimited(waiting), 429, "RateLimited"],
  [new ProviderError.Overloaded(waiting), 503, "Overloaded"],
  [new ProviderError.ConversationBusy(waiting), 400, "ConversationBusy"],
  [new ProviderError.ProviderFailed(waiting), 500, "ProviderFailed"],
  [new ProviderError.ModelNotFound(said), 404, "ModelNotFound"],
  [new ProviderError.ContextTooLong(said), 400, "ContextTooLong"],
  [new ProviderError.ContentFiltered(said), 400, "ContentFiltered"],
  [new ProviderError.RequestRejected(said), 400, "RequestRejected"],
  [new ProviderError.InvalidResponse({ provider: "x", detail: "no JSON", excerpt: "<" }), 502, "ProviderFailed"],
  [new ProviderError.StreamTruncated({ provider: "x", delivered: 3 }), 502, "ProviderFailed"]
]

describe("an error that our server sends", () => {
  it.each(sendable)("%s is decoded by our client, and by OpenAI's SDK", async (error, status, tag) => {
    const { body, headers, status: sent } = OpenAiChat.protocol.encodeError(error)
    const text = JSON.stringify(body)
    const failure = classify(sent, text, { ...headers })
    assert.strictEqual(failure._tag, tag)
    if ("retryAfter" in error) assert.deepInclude(failure, { retryAfter: Duration.millis(1_500) } as object)
    if ("detail" in failure && "status" in error) assert.strictEqual(failure.detail, "Oops")
    const theirs = await OpenAiSdk.failure(sent, { ...headers, "content-type": "application/json" }, text)
    assert.strictEqual(theirs.status, status)
    assert.include(theirs.message, "detail" in failure ? failure.detail ?? "" : "")
  })

  it.each(sendable)("%s is the same after a stream has begun", async (error, _, tag) => {
    const encoder = OpenAiChat.protocol.makeEncoder({ stream: true, includeUsage: true })
    const bytes = encoder.push([{ _tag: "Started", id: "a", model: "m" }, { _tag: "TextDelta", text: "Well" }]) +
      encoder.fail(error)
    const decoder = OpenAiChat.protocol.makeDecoder(peer)
    assert.deepStrictEqual(decoder.push(new TextEncoder().encode(bytes)).at(-1), { _tag: "TextDelta", text: "Well" })
    assert.strictEqual(decoder.failure?._tag, tag)
    const theirs = await OpenAiSdk.chunks(new TextEncoder().encode(bytes)).then(() => undefined, String)
    assert.include(theirs, "detail" in error && "status" in error ? error.detail : error.message)
  })
})
