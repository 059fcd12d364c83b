/** Anthropic's clients in front of other providers: what they send, and what they get. */
import { AnthropicMessages, type ChatEvent, type ChatResponse, OpenAiChat, type Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { ofSdk } from "./support/anthropicAnswer.ts"
import * as Sdk from "./support/anthropicSdk.ts"
import { httpRequest } from "./support/httpRequest.ts"

const { protocol } = AnthropicMessages
const delivery: Protocol.Delivery = { stream: false, includeUsage: true }
const peer: Protocol.Peer = { provider: "provider", redact: (text) => text }

/** The messages that an OpenAI-compatible server gets for an Anthropic client's. */
const sent = (messages: ReadonlyArray<object>, quirks: Partial<OpenAiChat.Quirks> = {}) => {
  const body = JSON.stringify({ model: "model-1", max_tokens: 100, messages })
  const { request } = Result.getOrThrow(protocol.decodeRequest(httpRequest(body)))
  return Result.getOrThrow(OpenAiChat.make(quirks).encodeRequest(request, delivery))["messages"]
}

const written = (events: ReadonlyArray<ChatEvent.ChatEvent>): string => {
  const encoder = protocol.makeEncoder({ stream: true, includeUsage: true })
  return encoder.push(events) + encoder.end()
}

const started: ChatEvent.ChatEvent = { _tag: "Started", id: "msg_1", model: "model-1" }
const stopReason = (events: ReadonlyArray<ChatEvent.ChatEvent>) =>
  /"stop_reason":"(\w+)"/.exec(written([started, ...events]))?.[1]
const call: ChatEvent.ChatEvent = { _tag: "ToolCallStarted", index: 0, id: "a", name: "f" }

describe("an answer with tool calls whose finish says nothing of them", () => {
  // OpenAI answers `stop` to a forced tool, and so does Ollama to any.
  const finishes: ReadonlyArray<ChatResponse.Choice["finish"]> = [
    { reason: "stop", raw: "stop" },
    { reason: "other", raw: "" }
  ]

  it.each(finishes)("stops for them: $raw", async (finish) => {
    const content = [{ type: "tool-call", id: "a", name: "f", arguments: "{}" }] as const
    const body = protocol.encodeResponse({
      id: "1",
      model: "model-1",
      choices: [{ content, finish }],
      usage: undefined
    })
    assert.strictEqual((await Sdk.decodedBody(body)).stop_reason, "tool_use")
  })

  it.each(finishes)("stops for them in a stream: $raw", async (finish) => {
    const text = written([started, call, { _tag: "Finished", ...finish }])
    assert.strictEqual((await Sdk.decodedStream(text)).stop_reason, "tool_use")
  })

  it("keeps Anthropic's own word, a limit, and the finish of an answer without calls", () => {
    assert.strictEqual(stopReason([call, { _tag: "Finished", reason: "stop", raw: "end_turn" }]), "end_turn")
    assert.strictEqual(stopReason([call, { _tag: "Finished", reason: "length", raw: "length" }]), "max_tokens")
    assert.strictEqual(stopReason([{ _tag: "Finished", reason: "stop", raw: "stop" }]), "end_turn")
    assert.strictEqual(
      stopReason([{ ...call, choice: 1 }, { _tag: "Finished", reason: "stop", raw: "stop" }]),
      "end_turn"
    )
  })
})

describe("unsigned thinking of an earlier answer", () => {
  const uses = { type: "tool_use", id: "a", name: "f", input: {} }
  const turn = (thinking: object) => [
    { role: "user", content: "Hi." },
    { role: "assistant", content: [thinking, uses] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "a", content: "1" }] }
  ]
  const [name, wantsIt] = ["reasoning_content", { reasoningField: "reasoning_content" }] as const

  it.each(["Hm.", ""])("goes back to a provider that wants it back: \"%s\"", (thinking) => {
    for (const block of [{ type: "thinking", thinking }, { type: "thinking", thinking, signature: "" }]) {
      assert.nestedPropertyVal(sent(turn(block), wantsIt), `[1].${name}`, thinking)
    }
  })

  it("goes back also where another provider's client sent it without content", () => {
    const messages = [
      { role: "user", content: "Hi." },
      {
        role: "assistant",
        content: null,
        reasoning_content: "",
        tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: "{}" } }]
      },
      { role: "tool", tool_call_id: "a", content: "1" }
    ]
    for (const quirks of [{}, wantsIt]) {
      const deepSeek = OpenAiChat.make(quirks)
      const body = JSON.stringify({ model: "deepseek-reasoner", messages })
      const { request } = Result.getOrThrow(deepSeek.decodeRequest(httpRequest(body)))
      assert.deepStrictEqual(Result.getOrThrow(deepSeek.encodeRequest(request, delivery))["messages"], messages)
    }
  })

  it("comes to an Anthropic client as thinking, which it sends back", () => {
    const reasoning = { type: "reasoning", text: "Hm.", extras: { "openai-chat": { name } } } as const
    const { content } = protocol.encodeResponse({
      id: "1",
      model: "model-1",
      choices: [{ content: [reasoning], finish: { reason: "stop", raw: "stop" } }],
      usage: undefined
    })
    assert.nestedPropertyVal(sent([{ role: "assistant", content }], wantsIt), `[0].${name}`, "Hm.")
  })
})

const document = (source: object, more: object = {}) =>
  sent([{ role: "user", content: [{ type: "document", source, ...more }] }])

describe("a document", () => {
  const pdf = { type: "base64", media_type: "application/pdf", data: "JVBERi0=" }
  const file_data = "data:application/pdf;base64,JVBERi0="

  it("has a file name where it has no title, since OpenAI rejects it otherwise", () => {
    assert.deepStrictEqual(document(pdf), [
      { role: "user", content: [{ type: "file", file: { file_data, filename: "document.pdf" } }] }
    ])
    assert.deepStrictEqual(document(pdf, { title: "Report" }), [
      { role: "user", content: [{ type: "file", file: { file_data, filename: "Report" } }] }
    ])
  })

  it("of plain text is a text, since OpenAI rejects such a file", () => {
    const source = { type: "text", media_type: "text/plain", data: "Grüße 🌧️" }
    assert.deepStrictEqual(document(source), [{ role: "user", content: [{ type: "text", text: "Grüße 🌧️" }] }])
    assert.deepStrictEqual(document(source, { title: "Weather" }), [
      { role: "user", content: [{ type: "text", text: "Weather\n\nGrüße 🌧️" }] }
    ])
  })
})

const event = (value: { readonly type: string; readonly [key: string]: unknown }) =>
  `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`

describe("the usage of an answer of Anthropic's", () => {
  const counted = {
    input_tokens: 25,
    cache_creation_input_tokens: 7,
    cache_read_input_tokens: 11,
    cache_creation: { ephemeral_1h_input_tokens: 7, ephemeral_5m_input_tokens: 0 },
    output_tokens: 15,
    output_tokens_details: { thinking_tokens: 3 },
    server_tool_use: { web_search_requests: 2, web_fetch_requests: 0 },
    service_tier: "priority",
    inference_geo: "eu",
    speed: "fast",
    iterations: [{ type: "message", input_tokens: 25, output_tokens: 15 }],
    new_count: 1
  }
  const answer = { id: "msg_1", type: "message", role: "assistant", model: "claude", content: [] }

  it("is the same for a client", async () => {
    const body = JSON.stringify({ ...answer, stop_reason: "end_turn", usage: counted })
    const response = Result.getOrThrow(protocol.decodeResponse(peer, { status: 200, headers: {}, body }))
    assert.deepStrictEqual((await Sdk.decodedBody(protocol.encodeResponse(response))).usage as object, counted)
  })

  it("is the same for the client of a stream", async () => {
    const { iterations: _, output_tokens: __, output_tokens_details: ___, server_tool_use: ____, ...first } = counted
    const text = [
      event({ type: "message_start", message: { ...answer, usage: { ...first, output_tokens: 1 } } }),
      event({
        type: "message_delta",
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: {
          output_tokens: 15,
          output_tokens_details: counted.output_tokens_details,
          server_tool_use: counted.server_tool_use,
          iterations: counted.iterations
        }
      }),
      event({ type: "message_stop" })
    ].join("")
    const decoder = protocol.makeDecoder(peer)
    const events = [...decoder.push(new TextEncoder().encode(text)), ...decoder.end()]
    const theirs = await Sdk.decodedStream(text)
    const ours = await Sdk.decodedStream(written(events))
    assert.deepStrictEqual({ ...ours.usage }, { ...theirs.usage })
    assert.deepStrictEqual(ofSdk(ours), ofSdk(theirs))
    assert.include(written(events), JSON.stringify(counted.iterations))
  })
})
