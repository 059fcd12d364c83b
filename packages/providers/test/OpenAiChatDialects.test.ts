/** In what providers of OpenAI's protocols differ: where the model is named, schemas, usage, finishes and limits. */
import {
  AnthropicMessages,
  type ChatRequest,
  ChatResponse,
  OpenAiChat,
  OpenAiEmbeddings,
  type Protocol,
  type RateLimit
} from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Result } from "effect"
import { httpRequest } from "./support/httpRequest.ts"

type Quirks = Partial<OpenAiChat.Quirks>

const peer: Protocol.Peer = { provider: "test", redact: (text) => text }
const messages: ReadonlyArray<ChatRequest.Message> = [{ role: "user", content: "Why?" }]
const delivery: Protocol.Delivery = { stream: false, includeUsage: true }

const encoded = (quirks: Quirks, fields: Partial<ChatRequest.ChatRequest>) =>
  OpenAiChat.make(quirks).encodeRequest({ model: "m", messages, ...fields }, delivery)

const encode = (quirks: Quirks, fields: Partial<ChatRequest.ChatRequest> = {}) =>
  Result.getOrThrow(encoded(quirks, fields))

const usageOf = (quirks: Quirks, usage: object) =>
  Result.getOrThrow(
    OpenAiChat.make(quirks).decodeResponse(peer, {
      status: 200,
      headers: {},
      body: JSON.stringify({ choices: [{ message: { content: "Hi." }, finish_reason: "stop" }], usage })
    })
  ).usage

const answer = (usage: Partial<NonNullable<ChatResponse.ChatResponse["usage"]>> = {}): ChatResponse.ChatResponse => ({
  id: "1",
  model: "m",
  choices: [{
    content: [{ type: "tool-call", id: "c1", name: "f", arguments: "{}" }],
    finish: { reason: "tool-calls", raw: "tool_calls" }
  }],
  usage: {
    inputTokens: 9,
    cachedInputTokens: undefined,
    cacheWriteTokens: undefined,
    outputTokens: 30,
    reasoningTokens: undefined,
    raw: {},
    ...usage
  }
})

const stream = (quirks: Quirks) => {
  const encoder = OpenAiChat.make(quirks).makeEncoder({ stream: true, includeUsage: true })
  const text = encoder.push(ChatResponse.toEvents(answer())) + encoder.end()
  return text.split("\n\n").filter((event) => event !== "").map((event) => event.replace("data: ", ""))
}

describe("the model of a request", () => {
  const modelIn = { apiVersion: "2024-10-21" }

  it.each(
    [
      ["chat", OpenAiChat.make({ modelIn }), "/chat/completions"],
      ["embeddings", OpenAiEmbeddings.make({ modelIn }), "/embeddings"]
    ] as const
  )("is in the path of %s, and not in the body", (_, protocol, operation) => {
    const path = `/openai/deployments/my%20model${operation}`
    assert.deepInclude(protocol.request("my model", { ...delivery, encoding: "float" }), {
      path,
      query: { "api-version": "2024-10-21" }
    })
    assert.strictEqual(protocol.methodAt(path), "POST")
    assert.isUndefined(protocol.methodAt(operation))
    assert.isUndefined(protocol.methodAt(`/openai/deployments/%E0%A4%A${operation}`))
    const body = JSON.stringify({ messages, input: ["a"] })
    const received = protocol.decodeRequest({ ...httpRequest(body), path })
    assert.strictEqual(Result.getOrThrow<{ request: { model: string } }, unknown>(received).request.model, "my model")
  })

  it("is in no body then", () => {
    assert.notProperty(encode({ modelIn }), "model")
    const protocol = OpenAiEmbeddings.make({ modelIn })
    assert.notProperty(
      Result.getOrThrow(protocol.encodeRequest({ model: "m", input: ["a"] }, protocol.delivery)),
      "model"
    )
  })
})

describe("a schema of an answer", () => {
  const schema = { type: "object", properties: { city: { type: "string" } } }
  const format = { type: "json-schema", name: "answer", schema } as const

  it("goes beside the type json_object", () => {
    assert.deepInclude(encode({ formats: "json_object_schema" }, { format }), {
      response_format: { type: "json_object", schema }
    })
  })

  it.each<[string, ReadonlyArray<ChatRequest.Message>, ReadonlyArray<object>]>([
    ["its own system message", [], [{ role: "system", content: "…" }]],
    ["the system message", [{ role: "system", content: "Be brief." }], [{ role: "system", content: "Be brief.\n\n…" }]],
    [
      "the parts of the system message",
      [{ role: "system", content: [{ type: "text", text: "Be brief." }] }],
      [{ role: "system", content: [{ type: "text", text: "Be brief." }, { type: "text", text: "…" }] }]
    ]
  ])("is told in %s where the server knows none", (_, before, expected) => {
    const body = encode({ formats: "json_object" }, { format, messages: [...before, ...messages] })
    assert.deepStrictEqual(body["response_format"], { type: "json_object" })
    const text = `Answer with one JSON object that fits this JSON schema, and nothing else: ${JSON.stringify(schema)}`
    assert.deepStrictEqual(
      body["messages"],
      JSON.parse(JSON.stringify([...expected, ...messages]).replace("…", JSON.stringify(text).slice(1, -1)))
    )
  })

  it("is told to nobody who asks for any JSON", () => {
    const body = encode({ formats: "json_object" }, { format: { type: "json" } })
    assert.deepStrictEqual([body["response_format"], body["messages"]], [{ type: "json_object" }, messages])
  })
})

describe("what a server lacks", () => {
  const tools = [{ name: "f", parameters: { type: "object" } }]
  const picture: ChatRequest.Message = {
    role: "user",
    content: [{ type: "image", source: { url: "https://a.test/b.png" } }]
  }

  it.each<[string, Quirks, Partial<ChatRequest.ChatRequest>]>([
    ["tools", { unsupported: ["tools"] }, { tools }],
    ["a required call", { unsupported: ["forced tools"] }, { tools, toolChoice: "required" }],
    ["a call by name", { unsupported: ["forced tools"] }, { tools, toolChoice: { tool: "f" } }],
    ["an image", { unsupported: ["images"] }, { messages: [picture] }],
    ["an image of a tool", { unsupported: ["images"] }, {
      messages: [{ role: "tool", toolCallId: "c", content: picture.content as ReadonlyArray<ChatRequest.UserPart> }]
    }]
  ])("is refused before it is sent: %s", (_, quirks, fields) => {
    assert.isTrue(Result.isFailure(encoded(quirks, fields)))
    assert.isTrue(Result.isSuccess(encoded({}, fields)))
  })

  it("does not refuse what it does not name", () => {
    const quirks: Quirks = { unsupported: ["forced tools", "images"] }
    assert.isTrue(Result.isSuccess(encoded(quirks, { tools, toolChoice: "auto" })))
    assert.isTrue(Result.isSuccess(encoded({ unsupported: ["tools"] }, { tools: [] })))
  })
})

describe("usage", () => {
  it("includes reasoning that the server counts outside of completion_tokens", () => {
    const usage = {
      prompt_tokens: 288,
      completion_tokens: 27,
      total_tokens: 665,
      completion_tokens_details: { reasoning_tokens: 350 }
    }
    assert.deepInclude(usageOf({ tokensOutside: ["reasoning"] }, usage), { outputTokens: 377, reasoningTokens: 350 })
    assert.deepInclude(usageOf({}, usage), { outputTokens: 27 })
    const { encodeResponse } = OpenAiChat.make({ tokensOutside: ["reasoning"] })
    assert.deepNestedInclude(encodeResponse(answer({ reasoningTokens: 20 })), {
      "usage.completion_tokens": 10,
      "usage.total_tokens": 39
    })
  })

  it("includes sound that the server counts outside of prompt_tokens", () => {
    const usage = {
      completion_tokens: 15,
      prompt_tokens: 11,
      prompt_tokens_details: { audio_tokens: 375, cached_tokens: 9 },
      total_tokens: 401
    }
    assert.deepInclude(usageOf({ tokensOutside: ["audio"] }, usage), { inputTokens: 386, cachedInputTokens: 9 })
  })

  it.each(["prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"] as const)(
    "counts the cache in %s",
    (cachedTokens) => {
      const usage = { prompt_tokens: 9, completion_tokens: 1, [cachedTokens]: 4 }
      assert.deepInclude(usageOf({}, usage), { inputTokens: 9, cachedInputTokens: 4 })
      const { encodeResponse } = OpenAiChat.make({ cachedTokens })
      assert.deepStrictEqual(encodeResponse(answer({ cachedInputTokens: 4 }))["usage"], {
        prompt_tokens: 9,
        completion_tokens: 30,
        total_tokens: 39,
        [cachedTokens]: 4
      })
    }
  )
})

describe("a stream", () => {
  it("ends with [DONE], or with its finish", () => {
    assert.strictEqual(stream({}).at(-1), "[DONE]")
    assert.notInclude(stream({ streamEnd: "finish" }), "[DONE]")
  })

  it("has its usage with the finish where it comes unasked", () => {
    const [last = ""] = stream({ usage: "unasked", streamEnd: "finish" }).slice(-1)
    assert.deepNestedInclude(JSON.parse(last), { "choices[0].finish_reason": "tool_calls", "usage.prompt_tokens": 9 })
    const encoder = OpenAiChat.make({ usage: "unasked" }).makeEncoder({ stream: true, includeUsage: true })
    const text = encoder.push(ChatResponse.toEvents({ ...answer(), usage: undefined })) + encoder.end()
    assert.match(text, /"finish_reason":"tool_calls".*\n\ndata: \[DONE\]\n\n$/)
  })

  it("finishes with the server's word for an answer that calls tools", () => {
    assert.include(stream({ toolFinish: "stop" }).at(-3), `"finish_reason":"stop"`)
    const whole = OpenAiChat.make({ toolFinish: "stop" }).encodeResponse(answer())
    assert.deepNestedInclude(whole, { "choices[0].finish_reason": "stop" })
  })
})

describe("limits", () => {
  const stated: ReadonlyArray<RateLimit.RateLimit> = [
    { dimension: "requests", limit: 60, remaining: 59, resetAfter: Duration.seconds(20) },
    { dimension: "tokens", limit: 1_000, remaining: 7, resetAfter: undefined }
  ]
  const sentAt = Date.parse("2026-11-01T00:00:00Z")
  const date = "Sun, 01 Nov 2026 00:00:00 GMT"
  const names = { limit: "x-limit", remaining: "x-left", reset: "x-reset" }

  it.each<[OpenAiChat.LimitNames["resetAs"], string]>([
    [undefined, "20s"],
    ["duration", "20s"],
    ["epoch seconds", String(sentAt / 1_000 + 20)],
    ["epoch milliseconds", String(sentAt + 20_000)]
  ])("are stated in the declared headers, with a reset as %s", (resetAs, text) => {
    const limitHeaders = { requests: { ...names, resetAs }, tokens: { limit: "x-tokens" } }
    const { encodeLimits, limits } = OpenAiChat.make({ limitHeaders })
    const headers = encodeLimits?.(stated, sentAt)
    assert.deepStrictEqual(headers, { "x-limit": "60", "x-left": "59", "x-reset": text, "x-tokens": "1000" })
    assert.deepEqual(limits({ status: 200, headers: { ...headers, date }, body: "" }).limits, [
      { dimension: "requests", limit: 60, remaining: 59, resetAfter: Duration.seconds(20) },
      { dimension: "tokens", limit: 1_000, remaining: undefined, resetAfter: undefined }
    ])
  })

  it("have no reset where an instant comes without a date, or undeclared", () => {
    const { limits } = OpenAiChat.make({ limitHeaders: { requests: { ...names, resetAs: "epoch seconds" } } })
    const headers = { "x-reset": "1" }
    assert.deepInclude(limits({ status: 200, headers, body: "" }).limits[0], { resetAfter: undefined })
    const undeclared = { "x-ratelimit-reset-tokens": "1793491200", date }
    assert.deepInclude(limits({ status: 200, headers: undeclared, body: "" }).limits[0], { resetAfter: undefined })
  })

  it("are stated as Anthropic does", () => {
    const headers = AnthropicMessages.protocol.encodeLimits?.(stated, sentAt)
    assert.deepStrictEqual(headers, {
      "anthropic-ratelimit-requests-limit": "60",
      "anthropic-ratelimit-requests-remaining": "59",
      "anthropic-ratelimit-requests-reset": "2026-11-01T00:00:20.000Z",
      "anthropic-ratelimit-tokens-limit": "1000",
      "anthropic-ratelimit-tokens-remaining": "7"
    })
    const read = AnthropicMessages.protocol.limits({ status: 200, headers: { ...headers, date }, body: "" })
    assert.deepEqual(read.limits, stated)
  })
})
