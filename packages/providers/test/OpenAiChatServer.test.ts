/** The half of the protocol with which servers of ours answer, held against what OpenAI's SDK makes of it. */
import { type ChatEvent, ChatResponse, OpenAiChat, type Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Option, Result } from "effect"
import { ofChunks, ofCompletion, ofEvents } from "./support/openAiAnswer.ts"
import * as OpenAiSdk from "./support/openAiSdk.ts"

const { protocol } = OpenAiChat
const peer: Protocol.Peer = { provider: "openai", redact: (text) => text }
const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

const named = (name: string) => ({ "openai-chat": { name } })
const stop = { reason: "stop", raw: "stop" } as const
const usage = {
  inputTokens: 11,
  cachedInputTokens: 3,
  cacheWriteTokens: 1,
  outputTokens: 7,
  reasoningTokens: 2,
  raw: {
    prompt_tokens: 11,
    completion_tokens: 7,
    total_tokens: 18,
    prompt_tokens_details: { cached_tokens: 3, cache_write_tokens: 1 },
    completion_tokens_details: { reasoning_tokens: 2 }
  }
}
const token = { token: "a", logprob: -0.1, bytes: [97], top_logprobs: [] }

const answer = (
  content: ChatResponse.Choice["content"],
  fields: Partial<ChatResponse.ChatResponse> = {},
  finish: ChatResponse.Choice["finish"] = stop
): ChatResponse.ChatResponse => ({
  id: "chatcmpl-1",
  model: "gpt-5",
  choices: [{ content, finish }],
  usage: undefined,
  extras: { "openai-chat": { created: 7 } },
  ...fields
})

const cases: ReadonlyArray<readonly [string, ChatResponse.ChatResponse]> = [
  ["nothing", answer([])],
  ["a text", answer([{ type: "text", text: "Grüße 🌍\n\ndata: [DONE]\r\n" }], { usage })],
  ["a text that was cut off", answer([{ type: "text", text: "a" }], {}, { reason: "length", raw: "length" })],
  ["a text that was filtered", answer([], {}, { reason: "content-filter", raw: "content_filter" })],
  ["a finish that only the provider knows", answer([], {}, { reason: "other", raw: "pause_turn" })],
  ["a refusal", answer([{ type: "refusal", text: "No." }])],
  [
    "thinking, and a text",
    answer([{ type: "reasoning", text: "Hm.", extras: named("reasoning_content") }, { type: "text", text: "a" }])
  ],
  [
    "parallel calls",
    answer(
      [
        { type: "text", text: "Looking." },
        { type: "tool-call", id: "call_a", name: "weather", arguments: "{\"city\":\"Łódź\"}" },
        { type: "tool-call", id: "call_b", name: "time", arguments: "" },
        { type: "tool-call", id: "call_c", name: "weather", arguments: "{oops" }
      ],
      { usage },
      { reason: "tool-calls", raw: "tool_calls" }
    )
  ],
  [
    "a call with a signature",
    answer([{
      type: "tool-call",
      id: "call_a",
      name: "f",
      arguments: "{}",
      extras: { "openai-chat": { extra_content: { google: { thought_signature: "c2ln" } } } }
    }])
  ],
  [
    "a call of a tool without a schema",
    answer([{
      type: "tool-call",
      id: "call_a",
      name: "run",
      arguments: "ls -l",
      extras: { "openai-chat": { type: "custom" } }
    }])
  ],
  [
    "probabilities",
    answer([
      { type: "text", text: "a" },
      { type: "native", protocol: "openai-chat", value: { choice: { logprobs: { content: [token] } } } }
    ])
  ],
  [
    "what the message has besides",
    answer([
      { type: "text", text: "a" },
      { type: "native", protocol: "openai-chat", value: { message: { annotations: [{ type: "url_citation" }] } } }
    ])
  ],
  [
    "two answers",
    answer([], {
      choices: [
        { content: [{ type: "text", text: "a" }], finish: stop },
        { content: [{ type: "text", text: "b" }], finish: { reason: "length", raw: "length" } }
      ],
      usage
    })
  ],
  ["a tier", answer([{ type: "text", text: "a" }], { extras: { "openai-chat": { created: 7, service_tier: "flex" } } })]
]

const streamed = (events: ReadonlyArray<ChatEvent.ChatEvent>, includeUsage = true): string => {
  const encoder = protocol.makeEncoder({ stream: true, includeUsage })
  return encoder.push(events) + encoder.end()
}

const decoded = (text: string, choices = 1): ReadonlyArray<ChatEvent.ChatEvent> => {
  const decoder = protocol.makeDecoder(peer, choices)
  const events = [...decoder.push(utf8(text)), ...decoder.end()]
  assert.isUndefined(decoder.failure)
  return events
}

describe("an answer of our server", () => {
  it.each(cases)("in one piece, %s, is decoded by our client, and by OpenAI's SDK", async (name, response) => {
    const body = JSON.stringify(protocol.encodeResponse(response))
    assert.deepStrictEqual(
      Result.getOrThrow(protocol.decodeResponse(peer, { status: 200, headers: {}, body })),
      response
    )
    assert.deepStrictEqual(ofCompletion(await OpenAiSdk.whole(body)), ofEvents(ChatResponse.toEvents(response)), name)
  })

  it.each(cases)("as a stream, %s, is decoded by our client, and by OpenAI's SDK", async (name, response) => {
    const text = streamed(ChatResponse.toEvents(response))
    const events = decoded(text, response.choices.length)
    assert.deepStrictEqual(Option.getOrThrow(ChatResponse.fromEvents(events)), response)
    const chunks = await OpenAiSdk.chunks(utf8(text))
    const theirs = ofChunks(chunks)
    if (!name.includes("without a schema")) assert.deepStrictEqual(theirs, ofEvents(events))
    assert.isTrue(chunks.every((chunk) => chunk.id === "chatcmpl-1" && chunk.created === 7 && chunk.model === "gpt-5"))
  })

  it("has usage only if the client requested it, in its own chunk", async () => {
    const response = answer([{ type: "text", text: "a" }], { usage })
    const without = await OpenAiSdk.chunks(utf8(streamed(ChatResponse.toEvents(response), false)))
    assert.isTrue(without.every((chunk) => !("usage" in chunk)))
    const counted = await OpenAiSdk.chunks(utf8(streamed(ChatResponse.toEvents(response))))
    assert.deepStrictEqual(counted.filter(({ usage }) => usage !== null).map(({ choices }) => choices), [[]])
  })

  it("leaves out native parts of other protocols, and has thinking under the usual name", () => {
    const foreign = answer([
      { type: "reasoning", text: "Hm.", signature: "c2ln" },
      { type: "native", protocol: "anthropic-messages", value: { type: "server_tool_use" } },
      { type: "text", text: "a" }
    ], { extras: { "anthropic-messages": { container: {} } }, usage: { ...usage, raw: { input_tokens: 1 } } })
    const expected = answer(
      [{ type: "reasoning", text: "Hm.", extras: named("reasoning_content") }, { type: "text", text: "a" }],
      { extras: { "openai-chat": { created: 0 } }, usage }
    )
    const body = JSON.stringify(protocol.encodeResponse(foreign))
    assert.deepStrictEqual(
      Result.getOrThrow(protocol.decodeResponse(peer, { status: 200, headers: {}, body })),
      expected
    )
    const events = decoded(streamed(ChatResponse.toEvents(foreign)))
    assert.deepStrictEqual(Option.getOrThrow(ChatResponse.fromEvents(events)), expected)
  })
})

describe("an answer with log probabilities", () => {
  const told = ["a", "b"].map((content) =>
    `data: ${
      JSON.stringify({
        id: "chatcmpl-1",
        choices: [{
          index: 0,
          delta: { content },
          logprobs: { content: [{ ...token, token: content }], refusal: null },
          finish_reason: content === "b" ? "stop" : null
        }]
      })
    }\n\n`
  ).join("")

  it("is one text with all of them, also in one piece", async () => {
    const response = Option.getOrThrow(ChatResponse.fromEvents(decoded(told)))
    const [first] = response.choices[0].content
    assert.deepStrictEqual(first, { type: "text", text: "ab" })
    const { choices } = ofCompletion(await OpenAiSdk.whole(JSON.stringify(protocol.encodeResponse(response))))
    assert.deepStrictEqual(choices.map(({ text, tokens }) => ({ text, tokens })), [{ text: "ab", tokens: ["a", "b"] }])
  })
})

const chunk = (index: number, finish: string | null) =>
  `data: ${JSON.stringify({ id: "1", choices: [{ index, delta: { content: "a" }, finish_reason: finish }] })}\n\n`

describe("several answers", () => {
  it("are not whole if one of them has no finish and the stream ends before [DONE]", () => {
    const decoder = protocol.makeDecoder(peer, 2)
    decoder.push(utf8(chunk(0, "stop") + chunk(1, null)))
    decoder.end()
    assert.deepInclude(decoder.failure, { _tag: "StreamTruncated", delivered: 4 } as object)
  })

  // LiteLLM finishes only the first.
  it("are whole at [DONE], and those without a finish end for an unknown reason", () => {
    const events = decoded(chunk(0, "stop") + chunk(1, null) + "data: [DONE]\n\n", 2)
    assert.deepStrictEqual(events.at(-1), { _tag: "Finished", reason: "unknown", raw: "", choice: 1 })
  })

  it("are whole once the requested number has finished", () => {
    const [first = "", ...rest] = streamed(ChatResponse.toEvents(cases.find(([name]) => name === "two answers")![1]))
      .split(/(?<=\n\n)/)
    const untilFirst = [first, ...rest.slice(0, 2)].join("")
    for (const [choices, isFinished] of [[1, true], [2, false]] as const) {
      const decoder = protocol.makeDecoder(peer, choices)
      decoder.push(utf8(untilFirst))
      assert.strictEqual(decoder.isFinished, isFinished)
      decoder.end()
      assert.strictEqual(decoder.failure?._tag, isFinished ? undefined : "StreamTruncated")
    }
  })

  it("may be fewer than requested after [DONE]", () => {
    const text = streamed(ChatResponse.toEvents(answer([{ type: "text", text: "a" }])))
    assert.lengthOf(decoded(text, 3).filter(({ _tag }) => _tag === "Finished"), 1)
  })
})
