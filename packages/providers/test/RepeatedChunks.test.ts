/**
 * A chunk that differs from the previous one in its text only is not parsed. In a second stream, each chunk ends with another
 * number of spaces, which JSON ignores, so that each is parsed. Both streams must decode to the same events.
 */
import { AnthropicMessages, type ChatEvent, OpenAiChat, type Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"

const peer: Protocol.Peer = { provider: "test", redact: (text) => text }

const decode = (protocol: Protocol.ChatProtocol, chunks: ReadonlyArray<string>) => {
  const decoder = protocol.makeDecoder(peer)
  const text = chunks.map((chunk) => `data: ${chunk}\n\n`).join("")
  const events = decoder.push(new TextEncoder().encode(text)).concat(decoder.end())
  const { failure, isDone } = decoder
  // What an error quotes of the stream has the spaces.
  return { events, isDone, failure: failure && [failure._tag, "detail" in failure ? failure.detail : ""] }
}

const assertSame = (
  protocol: Protocol.ChatProtocol,
  chunks: ReadonlyArray<string>
): ReadonlyArray<ChatEvent.ChatEvent> => {
  const found = decode(protocol, chunks)
  assert.deepStrictEqual(
    found,
    decode(protocol, chunks.map((chunk, index) => chunk.startsWith("[") ? chunk : chunk + " ".repeat(index)))
  )
  return found.events
}

/** Mostly the same few, so that chunks are alike where they need not be. */
const anyText = fc.oneof(
  { arbitrary: fc.constantFrom("", "a", "b"), weight: 3 },
  { arbitrary: fc.constantFrom("\"", "\\n", " the", "a rather long piece of text"), weight: 1 },
  { arbitrary: fc.string({ unit: "binary", maxLength: 30 }), weight: 1 }
)

const oneOf = <A>(...values: ReadonlyArray<A>): fc.Arbitrary<A> => fc.constantFrom(...values)

/** A kind of chunk, of which the stream has several in a row. */
type Kind = (text: string, other: string) => object

const choice = (delta: object, fields: object = {}) => ({
  index: 0,
  delta,
  logprobs: null,
  finish_reason: null,
  ...fields
})

const both = (text: string, other: string) =>
  JSON.stringify({ id: "1", choices: [choice({ content: text }), choice({ content: other }, { index: 1 })] })

const openAiKinds = (envelope: object): ReadonlyArray<Kind> => {
  const chunk = (...choices: ReadonlyArray<object>) => ({ ...envelope, choices })
  return [
    (content) => chunk(choice({ content })),
    (content, obfuscation) => ({ ...chunk(choice({ content })), obfuscation }),
    (content) => ({ ...chunk(choice({ content })), usage: { prompt_tokens: 3, completion_tokens: content.length } }),
    (content) => ({ ...chunk(choice({ content })), usage: {} }),
    (content) => ({ ...chunk(choice({ content })), x: 1 }),
    (content, p) => ({ ...chunk(choice({ content })), p }),
    (content, channel) => chunk(choice({ content, channel })),
    (content) => chunk(choice({ content }, { content_filter_results: { hate: { filtered: false } } })),
    (content, other) => chunk(choice({ content }, { content_filter_results: { text: other } })),
    (content) => chunk(choice({ content }, { finish_reason: "stop" })),
    (content) => chunk(choice({ content }, { logprobs: { content: [] } })),
    (content) => chunk(choice({ content }, { index: 1 })),
    (content, other) => chunk(choice({ content }), choice({ content: other }, { index: 1 })),
    (content) => chunk(choice({ content }), choice({}, { index: 1 })),
    (text) => chunk(choice({ content: [{ type: "text", text }] })),
    (text) => ({ ...chunk(choice({ content: [{ type: "text", text }] })), content: text }),
    (refusal) => chunk(choice({ refusal })),
    (reasoning) => chunk(choice({ content: "", reasoning })),
    (reasoning_content) => chunk(choice({ content: null, reasoning_content })),
    (reasoning) => chunk(choice({ reasoning, reasoning_content: reasoning })),
    (reasoning) => chunk(choice({ reasoning, reasoning_content: "" })),
    (reasoning, content) => chunk(choice({ reasoning, content })),
    (text) => chunk(choice({ tool_calls: [{ index: 0, id: "a", function: { name: "f", arguments: text } }] })),
    (text) => chunk(choice({ tool_calls: [{ index: 1, id: "b", function: { name: "g", arguments: text } }] })),
    (text) => chunk(choice({ tool_calls: [{ index: 0, function: { arguments: text } }] })),
    (text) => chunk(choice({ tool_calls: [{ function: { arguments: text } }] })),
    (text) => chunk(choice({ tool_calls: [{ index: 0, custom: { input: text }, function: { arguments: text } }] })),
    (text, other) =>
      chunk(choice({ tool_calls: [{ index: 0, custom: { input: other }, function: { arguments: text } }] })),
    (text, other) =>
      chunk(choice({
        tool_calls: [{ index: 0, function: { arguments: text } }, { index: 1, function: { arguments: other } }]
      })),
    (text) => chunk(choice({ function_call: { name: "h", arguments: text } }))
  ]
}

const block = (type: string, fields: object, index = 0) => ({ type: `content_block_${type}`, index, ...fields })

const anthropicKinds: ReadonlyArray<Kind> = [
  (text) => block("delta", { delta: { type: "text_delta", text } }),
  (text) => block("delta", { delta: { type: "text_delta", text } }, 1),
  (text) => block("delta", { delta: { type: "text_delta", text, partial_json: text, thinking: text } }),
  (thinking) => block("delta", { delta: { type: "thinking_delta", thinking } }),
  (partial_json) => block("delta", { delta: { type: "input_json_delta", partial_json } }, 2),
  (partial_json) => block("delta", { delta: { type: "input_json_delta", partial_json } }, 3),
  (signature) => block("delta", { delta: { type: "signature_delta", signature } }),
  (text) => block("delta", { delta: { type: "citations_delta", text } }),
  (text) => block("start", { content_block: { type: "text", text }, delta: { type: "text_delta", text } }),
  () => block("stop", {}),
  () => block("stop", {}, 2),
  () => ({ type: "ping" }),
  (text) => ({ type: "message_delta", delta: { stop_reason: "end_turn", text } })
]

const begun = [
  { type: "message_start", message: { id: "1", model: "m", usage: { input_tokens: 1 } } },
  block("start", { content_block: { type: "text", text: "" } }),
  block("start", { content_block: { type: "thinking", thinking: "" } }, 1),
  block("start", { content_block: { type: "tool_use", id: "a", name: "f", input: {} } }, 2),
  block("start", { content_block: { type: "server_tool_use", id: "b", name: "g", input: {} } }, 3)
]

/** Runs of chunks, each of one of a few kinds. */
const runs = (kinds: ReadonlyArray<Kind>): fc.Arbitrary<ReadonlyArray<object>> =>
  fc.shuffledSubarray([...kinds], { minLength: 1, maxLength: 3 }).chain((some) =>
    fc.array(fc.tuple(oneOf(...some), fc.array(fc.tuple(anyText, anyText), { maxLength: 5 })), { maxLength: 10 })
  ).map((runs) => runs.flatMap(([kind, texts]) => texts.map(([text, other]) => kind(text, other))))

/** As JSON, with spaces as Python writes it or without, and sometimes with a letter that is changed. */
const written = (
  chunk: object,
  isSpaced: boolean,
  change: readonly [at: number, by: string] | undefined
): string => {
  const compact = JSON.stringify(chunk)
  const text = isSpaced ? JSON.stringify(chunk, null, 1).replaceAll(/\n */g, "") : compact
  if (change === undefined) return text
  const at = change[0] % text.length
  return text.slice(0, at) + change[1] + text.slice(at + 1)
}

const streams = (chunks: fc.Arbitrary<ReadonlyArray<object>>) =>
  fc.tuple(
    chunks,
    fc.boolean(),
    fc.option(fc.tuple(fc.nat(), fc.nat(), oneOf("\"", "\\", "x", "}", ",", "", "0")), { freq: 3, nil: undefined })
  ).map(([chunks, isSpaced, change]) =>
    chunks.map((chunk, index) =>
      written(
        chunk,
        isSpaced,
        change !== undefined && change[0] % chunks.length === index ? [change[1], change[2]] : undefined
      )
    )
  )

describe("a chunk that repeats the previous one", () => {
  it("decodes to the same events as a parsed chunk of OpenAI's chat completions", () => {
    const envelope = { id: "1", object: "chat.completion.chunk", created: 1, model: "m" }
    const first = JSON.stringify({ ...envelope, choices: [choice({ role: "assistant", content: "" })] })
    let events = 0
    fc.assert(
      fc.property(streams(runs(openAiKinds(envelope))), (chunks) => {
        events += assertSame(OpenAiChat.protocol, [first, ...chunks, "[DONE]"]).length
      }),
      { numRuns: 2_000, seed: 0x5eed }
    )
    assert.isAbove(events, 10_000)
  })

  it("decodes to the same events as a parsed chunk of Anthropic's Messages", () => {
    let events = 0
    fc.assert(
      fc.property(streams(runs(anthropicKinds)), (chunks) => {
        const all = [...begun.map((event) => JSON.stringify(event)), ...chunks, "{\"type\":\"message_stop\"}"]
        events += assertSame(AnthropicMessages.protocol, all).length
      }),
      { numRuns: 2_000, seed: 0x5eed }
    )
    assert.isAbove(events, 10_000)
  })

  it("keeps two texts apart that happened to be equal", () => {
    const events = assertSame(OpenAiChat.protocol, [both("", ""), both("a", "a"), both("b", "a")])
    assert.deepStrictEqual(events.slice(-2), [
      { _tag: "TextDelta", text: "b" },
      { _tag: "TextDelta", text: "a", choice: 1 }
    ])
  })

  it("is not parsed, in a stream of either protocol", () => {
    const parse = JSON.parse
    const parsed = (protocol: Protocol.ChatProtocol, chunks: ReadonlyArray<object>) => {
      let times = 0
      JSON.parse = (...args) => {
        times++
        return parse(...args)
      }
      try {
        decode(protocol, chunks.map((chunk) => JSON.stringify(chunk)))
      } finally {
        JSON.parse = parse
      }
      return times
    }
    const text = Array.from({ length: 100 }, (_, index) => `word${index}`)
    const openAi = text.map((content) => ({ id: "1", choices: [choice({ content })] }))
    const anthropic = text.map((text) => block("delta", { delta: { type: "text_delta", text } }))
    assert.isBelow(parsed(OpenAiChat.protocol, openAi), 10)
    assert.isBelow(parsed(AnthropicMessages.protocol, [...begun, ...anthropic]), 15)
  })
})
