import { AnthropicMessages, ChatResponse, OpenAiChat, OpenAiEmbeddings, type Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Option, Result } from "effect"

const peer = { provider: "test", redact: (text: string) => text }

const whole = (body: object) => ({ status: 200, headers: {}, body: JSON.stringify(body) })

const streamed = (protocol: Protocol.ChatProtocol, events: ReadonlyArray<object>) => {
  const decoder = protocol.makeDecoder(peer)
  const text = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")
  const decoded = [...decoder.push(new TextEncoder().encode(text)), ...decoder.end()]
  assert.isUndefined(decoder.failure)
  return Option.getOrThrow(ChatResponse.fromEvents(decoded)).usage
}

const content = [{ type: "text", text: "Because." }]

/** What each protocol makes of what a provider says that it used. */
const decoders: ReadonlyArray<readonly [string, (usage: object | null) => unknown]> = [
  ["OpenAiChat, in one piece", (usage) => {
    const choices = [{ index: 0, message: { role: "assistant", content: "Because." }, finish_reason: "stop" }]
    return Result.getOrThrow(OpenAiChat.protocol.decodeResponse(peer, whole({ id: "1", model: "m", choices, usage })))
      .usage
  }],
  ["OpenAiChat, streamed", (usage) =>
    streamed(OpenAiChat.protocol, [
      { id: "1", model: "m", choices: [{ index: 0, delta: { content: "Because." }, finish_reason: "stop" }] },
      { id: "1", model: "m", choices: [], usage }
    ])],
  ["AnthropicMessages, in one piece", (usage) => {
    const body = { id: "1", type: "message", role: "assistant", model: "m", content, stop_reason: "end_turn", usage }
    return Result.getOrThrow(AnthropicMessages.protocol.decodeResponse(peer, whole(body))).usage
  }],
  ["AnthropicMessages, streamed", (usage) =>
    streamed(AnthropicMessages.protocol, [
      {
        type: "message_start",
        message: { id: "1", type: "message", role: "assistant", model: "m", content: [], usage }
      },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "Because." } },
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage },
      { type: "message_stop" }
    ])],
  ["OpenAiEmbeddings", (usage) => {
    const data = [{ object: "embedding", index: 0, embedding: [1] }]
    return Result.getOrThrow(
      OpenAiEmbeddings.protocol.decodeResponse(peer, whole({ object: "list", model: "m", data, usage }))
    ).usage
  }]
]

describe.each(decoders)("usage, by %s", (_, decode) => {
  it("is absent if the provider reports none", () => {
    for (const usage of [null, {}, { input_tokens: null, prompt_tokens: null }]) assert.isUndefined(decode(usage))
  })

  it("keeps the provider's other fields beside missing counts", () => {
    assert.deepInclude(decode({ cost: 0.25 }), { inputTokens: undefined, raw: { cost: 0.25 } })
  })
})
