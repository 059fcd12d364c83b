import { type ChatRequest, OpenAiChat } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { cases, encode, request } from "./support/openAiRequests.ts"
import * as OpenAiSdk from "./support/openAiSdk.ts"

describe("the encoder of a request", () => {
  it("is compared with OpenAI's SDK in sixty cases or more", () => {
    assert.strictEqual(new Set(cases.map(([name]) => name)).size, cases.length)
    assert.isAtLeast(cases.length, 60)
  })

  it.effect.each(cases)("sends %s as OpenAI's SDK does", ([, request, parameters]) =>
    Effect.gen(function*() {
      const whole = encode(request, false)
      assert.deepStrictEqual(whole, parameters)
      assert.deepStrictEqual(whole, yield* Effect.promise(() => OpenAiSdk.sentBody(parameters)))

      const streamed = { ...parameters, stream: true, stream_options: { include_usage: true } } as const
      const encoded = encode(request, true)
      assert.deepStrictEqual(encoded, streamed)
      assert.deepStrictEqual(encoded, yield* Effect.promise(() => OpenAiSdk.sentBody(streamed)))
    }))

  it.each<[string, Partial<ChatRequest.ChatRequest>]>([
    ["a part of another protocol", {
      messages: [{ role: "user", content: [{ type: "native", protocol: "anthropic-messages", value: {} }] }]
    }],
    ["an answer's part of another protocol", {
      messages: [{ role: "assistant", content: [{ type: "native", protocol: "anthropic-messages", value: {} }] }]
    }],
    ["a tool of another protocol", { tools: [{ protocol: "anthropic-messages", definition: {} }] }],
    ["an image that was uploaded before", {
      messages: [{ role: "user", content: [{ type: "image", source: { fileId: "f" } }] }]
    }],
    ["a file by its URL", {
      messages: [{ role: "user", content: [{ type: "file", source: { url: "https://a.test/b.pdf" } }] }]
    }]
  ])("rejects %s", (_, fields) => {
    const result = OpenAiChat.protocol.encodeRequest(request(fields), { stream: false, includeUsage: false })
    assert.deepInclude(
      Result.getOrThrow(Result.flip(result)),
      { _tag: "Unsupported", protocol: "openai-chat" } as object
    )
  })
})
