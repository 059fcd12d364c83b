import {
  APIError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError
} from "@anthropic-ai/sdk"
import { AnthropicMessages, type Protocol, ProviderError, type RateLimit } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import * as Sdk from "./support/anthropicSdk.ts"

const { protocol } = AnthropicMessages
const peer: Protocol.Peer = { provider: "anthropic", redact: (text) => text.replaceAll("sk-secret", "<redacted>") }

type Tag = ProviderError.ProviderError["_tag"]
type Headers = Readonly<Record<string, string>>

const error = (type: string, message = "Oops", details?: object) =>
  JSON.stringify({ type: "error", error: { type, message, ...(details && { details }) }, request_id: "req_body" })
const coded = (type: string, error_code: string) => error(type, "Oops", { error_code })
const classify = (status: number, body: string, headers: Headers = {}) =>
  protocol.classify(peer, { status, headers, body })

const date = (seconds: number) => `Sun, 22 Nov 2026 12:00:${String(seconds).padStart(2, "0")} GMT`
const noon = Date.parse(date(0)) / 1000

describe("classification", () => {
  it.each<[number, string, string, Tag, string | undefined]>([
    [400, "a bad request", error("invalid_request_error"), "RequestRejected", "invalid_request_error"],
    [
      400,
      "no money",
      error("invalid_request_error", "Your credit balance is too low to access the API."),
      "QuotaExhausted",
      "invalid_request_error"
    ],
    [
      400,
      "a limit of one's own",
      error(
        "invalid_request_error",
        "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."
      ),
      "QuotaExhausted",
      "invalid_request_error"
    ],
    [
      400,
      "too long a prompt",
      error("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
      "ContextTooLong",
      "invalid_request_error"
    ],
    [
      400,
      "too long an answer to a long prompt",
      error("invalid_request_error", "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000"),
      "ContextTooLong",
      "invalid_request_error"
    ],
    [
      400,
      "a filtered answer",
      error("invalid_request_error", "Output blocked by content filtering policy"),
      "ContentFiltered",
      "invalid_request_error"
    ],
    [
      400,
      "an organization that is banned",
      coded("invalid_request_error", "organization_on_hold"),
      "PermissionDenied",
      "organization_on_hold"
    ],
    [
      400,
      "an image that is too large",
      coded("invalid_request_error", "image_dimensions_too_large"),
      "RequestRejected",
      "image_dimensions_too_large"
    ],
    [
      401,
      "a wrong key",
      error("authentication_error", "invalid x-api-key"),
      "AuthenticationFailed",
      "authentication_error"
    ],
    [402, "a bill to pay", error("billing_error"), "QuotaExhausted", "billing_error"],
    [
      402,
      "another's bill to pay",
      coded("billing_error", "linked_organization_spend_limit_reached"),
      "QuotaExhausted",
      "linked_organization_spend_limit_reached"
    ],
    [403, "no permission", error("permission_error"), "PermissionDenied", "permission_error"],
    [
      403,
      "a country that is not served",
      "{\"error\":{\"type\":\"forbidden\",\"message\":\"Request not allowed\"}}",
      "RegionBlocked",
      "forbidden"
    ],
    [404, "an unknown model", error("not_found_error", "model: claude-9"), "ModelNotFound", "not_found_error"],
    [404, "an unknown address", error("not_found_error", "Not found"), "ModelNotFound", "not_found_error"],
    [404, "an unknown thread", coded("not_found_error", "thread_not_found"), "RequestRejected", "thread_not_found"],
    [404, "an unknown file", error("not_found_error", "File not found: file_1"), "RequestRejected", "not_found_error"],
    [404, "a page", "<html>404</html>", "ModelNotFound", undefined],
    [408, "a slow request", "", "ProviderFailed", undefined],
    [409, "a conflict", error("conflict_error"), "ProviderFailed", "conflict_error"],
    [
      409,
      "a thread in use",
      coded("conflict_error", "thread_continue_in_flight"),
      "ConversationBusy",
      "thread_continue_in_flight"
    ],
    [
      413,
      "a large request",
      error("request_too_large", "Request exceeds the maximum size"),
      "RequestRejected",
      "request_too_large"
    ],
    [413, "a large request, told by a proxy", "<html>413</html>", "RequestRejected", undefined],
    [422, "an unprocessable request", error("invalid_request_error"), "RequestRejected", "invalid_request_error"],
    [429, "a limit on requests", error("rate_limit_error"), "RateLimited", "rate_limit_error"],
    [429, "too fast a growth", coded("rate_limit_error", "ramp_limit_exceeded"), "RateLimited", "ramp_limit_exceeded"],
    [
      429,
      "a limit of spending",
      coded("rate_limit_error", "enforced_spend_limit_reached"),
      "QuotaExhausted",
      "enforced_spend_limit_reached"
    ],
    [
      429,
      "a contract's limit",
      coded("rate_limit_error", "contract_spend_limit_reached"),
      "QuotaExhausted",
      "contract_spend_limit_reached"
    ],
    [
      429,
      "a plan without long prompts",
      error("rate_limit_error", "Extra usage is required for long context requests."),
      "QuotaExhausted",
      "rate_limit_error"
    ],
    [429, "no body", "", "RateLimited", undefined],
    [500, "a failure", error("api_error"), "ProviderFailed", "api_error"],
    [500, "too much load, by its type alone", error("overloaded_error"), "Overloaded", "overloaded_error"],
    [500, "JSON that says nothing", "null", "ProviderFailed", undefined],
    [500, "an error that is a string", "{\"error\":\"Oops\"}", "ProviderFailed", undefined],
    [502, "a bad gateway", "<html>502</html>", "ProviderFailed", undefined],
    [503, "a page", "<html>503</html>", "Overloaded", undefined],
    [
      503,
      "settings that cannot be read",
      coded("api_error", "cmek_context_unavailable"),
      "Overloaded",
      "cmek_context_unavailable"
    ],
    [504, "a timeout", error("timeout_error"), "ProviderFailed", "timeout_error"],
    [529, "too much load", error("overloaded_error", "Overloaded"), "Overloaded", "overloaded_error"],
    [529, "no body", "", "Overloaded", undefined]
  ])("of status %i with %s becomes its own error", (status, _, body, tag, code) => {
    const failure = classify(status, body, { "request-id": "req_7" })
    assert.strictEqual(failure._tag, tag)
    assert.deepInclude(failure, { provider: "anthropic", status, code, requestId: "req_7" } as object)
  })

  it.each<[number, string]>([[302, ""], [199, "{}"]])("of status %i is an invalid response", (status, body) => {
    assert.strictEqual(classify(status, body)._tag, "InvalidResponse")
  })

  it.each<[string, Tag, number]>([
    [error("overloaded_error"), "Overloaded", 529],
    [error("rate_limit_error"), "RateLimited", 429],
    [error("invalid_request_error", "prompt is too long"), "ContextTooLong", 400],
    [error("some_new_error"), "ProviderFailed", 500],
    [error("constructor"), "ProviderFailed", 500],
    ["{\"type\":\"error\"}", "ProviderFailed", 500]
  ])("finds an error under the status of a success: %s", (body, tag, status) => {
    const failure = classify(200, body)
    assert.strictEqual(failure._tag, tag)
    assert.deepInclude(failure, { status } as object)
  })

  it("keeps the beginning of the provider's message, without secrets", () => {
    assert.deepInclude(
      classify(500, error("api_error", "sk-secret is tired")),
      { detail: "<redacted> is tired" } as object
    )
    assert.deepInclude(classify(500, "  upstream connect error\n"), { detail: "upstream connect error" } as object)
    assert.deepInclude(classify(500, error("sk-secret")), { code: "<redacted>" } as object)
    assert.isBelow(classify(500, "x".repeat(100_000)).message.length, 1000)
  })

  it("finds the request id in the body if no header has it", () => {
    assert.deepInclude(classify(500, error("api_error")), { requestId: "req_body" } as object)
  })
})

const limit = (
  dimension: string,
  limit: number | undefined,
  remaining: number | undefined,
  resetAfter: Duration.Duration | undefined
): RateLimit.RateLimit => ({ dimension, limit, remaining, resetAfter })

describe("limits", () => {
  const answered = { date: date(0) }
  const limits = (headers: Headers) => protocol.limits({ status: 200, headers: { ...answered, ...headers }, body: "" })
  const one = (dimension: string, fields: Headers): Headers =>
    Object.fromEntries(
      Object.entries(fields).map(([field, value]) => [`anthropic-ratelimit-${dimension}-${field}`, value])
    )

  it.each<[string, Headers, ReadonlyArray<RateLimit.RateLimit>]>([
    ["requests", one("requests", { limit: "1000", remaining: "999", reset: "2026-11-22T12:00:01Z" }), [
      limit("requests", 1000, 999, Duration.seconds(1))
    ]],
    ["tokens", one("tokens", { limit: "96000", remaining: "95000", reset: "2026-11-22T12:00:30.5Z" }), [
      limit("tokens", 96_000, 95_000, Duration.millis(30_500))
    ]],
    ["both kinds of tokens", {
      ...one("input-tokens", { limit: "80000", remaining: "80000", reset: "2026-11-22T13:00:00+01:00" }),
      ...one("output-tokens", { limit: "16000", remaining: "0", reset: "2026-11-22T12:01:00Z" })
    }, [limit("input-tokens", 80_000, 80_000, Duration.zero), limit("output-tokens", 16_000, 0, Duration.minutes(1))]],
    ["a reset that has passed", one("requests", { limit: "1", remaining: "1", reset: "2026-11-22T11:59:59Z" }), [
      limit("requests", 1, 1, Duration.zero)
    ]],
    ["a reset that is no time", one("requests", { limit: "1", remaining: "1", reset: "soon" }), [
      limit("requests", 1, 1, undefined)
    ]],
    ["a reset alone", one("requests", { reset: "2026-11-22T12:00:05Z" }), [
      limit("requests", undefined, undefined, Duration.seconds(5))
    ]],
    ["what is no number", one("requests", { limit: "many", remaining: "-1" }), [
      limit("requests", undefined, undefined, undefined)
    ]],
    ["priority", {
      "anthropic-priority-input-tokens-limit": "10000",
      "anthropic-priority-input-tokens-remaining": "9618",
      "anthropic-priority-input-tokens-reset": "2026-11-22T12:00:00Z"
    }, [limit("priority-input-tokens", 10_000, 9618, Duration.zero)]],
    ["the windows of a plan", {
      ...one("unified-5h", { utilization: "0.25", status: "allowed", reset: String(noon + 3600) }),
      ...one("unified-7d", { utilization: "1.04", status: "rejected", reset: String(noon + 86_400) })
    }, [limit("unified-5h", 1, 0.75, Duration.hours(1)), limit("unified-7d", 1, 0, Duration.days(1))]],
    ["a status without anything else", one("unified", { status: "allowed" }), []],
    ["other headers", {
      "x-ratelimit-limit-requests": "5",
      "anthropic-organization-id": "o",
      "anthropic-version": "2023-06-01"
    }, []],
    ["no header", {}, []]
  ])("are read from %s", (_, headers, expected) => {
    assert.deepStrictEqual(limits(headers).limits, expected)
  })

  it("have no reset time if the response has no date", () => {
    const headers = one("requests", { limit: "1", remaining: "0", reset: "2026-11-22T12:00:01Z" })
    assert.deepStrictEqual(protocol.limits({ status: 200, headers, body: "" }).limits, [
      limit("requests", 1, 0, undefined)
    ])
  })

  it.each<[string, Headers, Duration.Duration | undefined]>([
    ["seconds", { "retry-after": "20" }, Duration.seconds(20)],
    ["fractions of seconds", { "retry-after": "1.5" }, Duration.millis(1500)],
    ["zero", { "retry-after": "0" }, Duration.zero],
    ["milliseconds", { "retry-after-ms": "350" }, Duration.millis(350)],
    ["a date", { "retry-after": date(30) }, Duration.seconds(30)],
    ["garbage", { "retry-after": "soon" }, undefined],
    ["nothing", {}, undefined],
    [
      "a window that is used up",
      one("unified-5h", { status: "rejected", reset: String(noon + 60) }),
      Duration.minutes(1)
    ],
    ["the later of two windows that are used up", {
      ...one("unified-5h", { status: "rejected", reset: String(noon + 60) }),
      ...one("unified-7d", { status: "rejected", reset: String(noon + 600) })
    }, Duration.minutes(10)],
    ["the window that is used up, not the other", {
      ...one("unified-5h", { status: "rejected", reset: String(noon + 60) }),
      ...one("unified-7d", { status: "allowed", reset: String(noon + 600) })
    }, Duration.minutes(1)],
    ["a window that is open later than it says", {
      "retry-after": "5",
      ...one("unified-5h", { status: "rejected", reset: String(noon + 60) })
    }, Duration.minutes(1)],
    ["more than a window", {
      "retry-after": "90",
      ...one("unified-5h", { status: "rejected", reset: String(noon + 60) })
    }, Duration.seconds(90)]
  ])("state how long to wait: %s", (_, headers, expected) => {
    assert.deepStrictEqual(limits(headers).retryAfter, expected)
    for (const status of [429, 500, 503, 529]) {
      const failure = classify(status, "", { ...answered, ...headers })
      assert.deepStrictEqual("retryAfter" in failure ? failure.retryAfter : "absent", expected)
    }
  })
})

const said = { provider: "openai", status: 418, detail: "Oops", code: "teapot", requestId: "req_9" }
const waiting = { ...said, retryAfter: Duration.millis(1200) }

describe("an error that our server sends", () => {
  it.each<[ProviderError.ProviderError, number, new(...args: Array<never>) => Error, Tag]>([
    [new ProviderError.AuthenticationFailed(said), 401, AuthenticationError, "AuthenticationFailed"],
    [new ProviderError.PermissionDenied(said), 403, PermissionDeniedError, "PermissionDenied"],
    [new ProviderError.QuotaExhausted(said), 402, APIError, "QuotaExhausted"],
    [new ProviderError.RateLimited(waiting), 429, RateLimitError, "RateLimited"],
    [new ProviderError.Overloaded(waiting), 529, InternalServerError, "Overloaded"],
    [new ProviderError.ConversationBusy(waiting), 409, ConflictError, "ConversationBusy"],
    [
      new ProviderError.ProviderFailed({ ...waiting, status: 504 }),
      504,
      InternalServerError,
      "ProviderFailed"
    ],
    [
      new ProviderError.ProviderFailed({ ...waiting, status: 408 }),
      500,
      InternalServerError,
      "ProviderFailed"
    ],
    [new ProviderError.ModelNotFound(said), 404, NotFoundError, "ModelNotFound"],
    [new ProviderError.RegionBlocked(said), 403, PermissionDeniedError, "RegionBlocked"],
    [new ProviderError.ContextTooLong(said), 400, BadRequestError, "ContextTooLong"],
    [new ProviderError.ContentFiltered(said), 400, BadRequestError, "ContentFiltered"],
    [new ProviderError.RequestRejected(said), 418, APIError, "RequestRejected"],
    [new ProviderError.RequestRejected({ ...said, status: 404 }), 400, BadRequestError, "RequestRejected"],
    [new ProviderError.RequestRejected({ ...said, status: 413 }), 413, APIError, "RequestRejected"],
    [
      new ProviderError.InvalidResponse({ provider: "openai", detail: "not JSON", excerpt: "<html>" }),
      502,
      InternalServerError,
      "ProviderFailed"
    ],
    [
      new ProviderError.StreamTruncated({ provider: "openai", delivered: 3 }),
      502,
      InternalServerError,
      "ProviderFailed"
    ]
  ])("is decoded by the vendor's SDK and by our client: $_tag", async (failure, status, sdkError, tag) => {
    const reply = protocol.encodeError(failure)
    assert.strictEqual(reply.status, status)
    const told = await Sdk.decodedError({ ...reply, body: Object(reply.body) })
    assert.instanceOf(told, APIError)
    assert.isTrue(told instanceof sdkError)
    const again = classify(reply.status, JSON.stringify(reply.body), reply.headers)
    assert.strictEqual(again._tag, tag)
    if (!("detail" in failure) || failure._tag === "InvalidResponse") return
    assert.deepInclude(again, { requestId: "req_9" } as object)
    assert.include("detail" in again ? again.detail : "", "Oops")
    if ("retryAfter" in failure) assert.deepInclude(again, { retryAfter: Duration.seconds(2) } as object)
  })

  it("has the error's own message if the provider sent none", () => {
    const { body } = protocol.encodeError(new ProviderError.Overloaded({ ...waiting, detail: "" }))
    assert.include(JSON.stringify(body), "overloaded")
  })

  it("ends a stream that has begun, for the vendor's SDK and for our client", async () => {
    const encoder = protocol.makeEncoder({ stream: true, includeUsage: true })
    const failure = new ProviderError.Overloaded(waiting)
    const text = encoder.push([
      { _tag: "Started", id: "msg_1", model: "claude" },
      { _tag: "TextDelta", text: "It rains" }
    ]) + encoder.fail(failure)
    const told = await Sdk.decodedStream(text).then(() => undefined, (error: unknown) => error)
    assert.instanceOf(told, APIError)
    assert.strictEqual(told.type, "overloaded_error")
    const decoder = protocol.makeDecoder(peer)
    const events = decoder.push(new TextEncoder().encode(text))
    assert.deepStrictEqual(events.map(({ _tag }) => _tag), ["Started", "TextDelta"])
    assert.strictEqual(decoder.failure?._tag, "Overloaded")
  })
})
