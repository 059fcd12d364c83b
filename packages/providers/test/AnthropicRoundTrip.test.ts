import {
  AnthropicMessages,
  type ChatEvent,
  type ChatRequest,
  type ChatResponse,
  type Protocol
} from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import { conversations, type WireMessage } from "../../../test/support/conversations.ts"
import { ofEvents, ofResponse, ofSdk } from "./support/anthropicAnswer.ts"
import * as Sdk from "./support/anthropicSdk.ts"
import { cases } from "./support/anthropicStreams.ts"
import { anyRequest, sequence } from "./support/anyRequest.ts"
import { httpRequest } from "./support/httpRequest.ts"

const { protocol } = AnthropicMessages
const peer: Protocol.Peer = { provider: "anthropic", redact: (text) => text }
const delivery: Protocol.Delivery = { stream: false, includeUsage: true }

const again = (request: ChatRequest.ChatRequest): ChatRequest.ChatRequest =>
  Result.getOrThrow(
    protocol.decodeRequest(httpRequest(JSON.stringify(Result.getOrThrow(protocol.encodeRequest(request, delivery)))))
  )
    .request

const plain = <A>(value: A): A => JSON.parse(JSON.stringify(value))

const ofWire = (message: WireMessage): ChatRequest.Message => {
  switch (message.role) {
    case "system":
    case "user":
      return { role: message.role, content: message.content }
    case "tool":
      return { role: "tool", toolCallId: message.tool_call_id, content: message.content }
    case "assistant":
      return {
        role: "assistant",
        content: [
          ...(message.content === null ? [] : [{ type: "text" as const, text: message.content }]),
          ...(message.tool_calls ?? []).map(({ function: { arguments: text, name }, id }) => ({
            type: "tool-call" as const,
            id,
            name,
            arguments: text
          }))
        ]
      }
  }
}

describe("a request survives encoding and decoding", () => {
  it("in recorded conversations", () => {
    for (const { messages } of conversations()) {
      const request = { model: "claude", maxOutputTokens: 1, messages: messages.map(ofWire) }
      assert.deepStrictEqual(sequence(again(request).messages), sequence(request.messages))
    }
  })

  it("in any generated conversation", () => {
    fc.assert(
      fc.property(anyRequest({ isRich: true }), (request) => {
        const { messages, ...rest } = plain(again(request))
        const { messages: told, ...others } = plain(request)
        assert.deepStrictEqual(rest, others)
        assert.deepStrictEqual(sequence(messages), sequence(told))
      }),
      { numRuns: 1000, seed: 5 }
    )
  })

  it("and decoding again changes nothing", () => {
    fc.assert(
      fc.property(anyRequest({ isRich: true }), (request) => {
        const once = again(request)
        assert.deepStrictEqual(again(once), once)
      }),
      { numRuns: 300, seed: 6 }
    )
  })
})

const decode = (text: string) => {
  const decoder = protocol.makeDecoder(peer)
  const events = [...decoder.push(new TextEncoder().encode(text)), ...decoder.end()]
  return { events, failure: decoder.failure }
}

const encode = (events: ReadonlyArray<ChatEvent.ChatEvent>, size = 1) => {
  const encoder = protocol.makeEncoder({ stream: true, includeUsage: true })
  let text = ""
  for (let at = 0; at < events.length; at += size) text += encoder.push(events.slice(at, at + size))
  return text + encoder.end()
}

/** What this protocol must count, whether it was counted or not. */
const counted = ({ usage, ...answer }: ReturnType<typeof ofEvents>) => ({
  ...answer,
  id: answer.id ?? "msg_unnamed",
  usage: { ...usage, input: usage.input ?? 0, output: usage.output ?? 0 }
})

const begins = (index: number): ChatEvent.ChatEvent => ({
  _tag: "ToolCallStarted",
  index,
  id: `t${index}`,
  name: "f"
})
const writes = (index: number, text: string): ChatEvent.ChatEvent => ({
  _tag: "ToolCallDelta",
  index,
  arguments: text
})

/** The body of which a stream is the pieces, as the SDK puts them together. */
const bodyOf = async (text: string) => plain(await Sdk.decodedStream(text))

describe("a stream that we write", () => {
  it.each(cases)("is decoded alike by the vendor's SDK and by our client: $name", async ({ text }) => {
    const { events } = decode(text)
    const written = encode(events)
    const expected = counted(ofEvents(events))
    assert.deepStrictEqual(ofSdk(await Sdk.decodedStream(written)), expected)
    const read = decode(written)
    assert.isUndefined(read.failure)
    assert.deepStrictEqual(counted(ofEvents(read.events)), expected)
    assert.deepStrictEqual(encode(events, 1000), written)
  })

  const started: ChatEvent.ChatEvent = { _tag: "Started", id: "msg_1", model: "claude" }
  const finished: ChatEvent.ChatEvent = { _tag: "Finished", reason: "tool-calls", raw: "tool_calls" }

  it("writes mixed tool calls one after the other", async () => {
    const events: ReadonlyArray<ChatEvent.ChatEvent> = [
      started,
      { _tag: "TextDelta", text: "Hm." },
      begins(0),
      writes(0, "{\"a\":"),
      begins(1),
      writes(1, "{\"b\":"),
      writes(0, "1}"),
      begins(2),
      writes(1, "2}"),
      finished
    ]
    const text = encode(events)
    const blocks = [...text.matchAll(/"type":"content_block_(start|stop)","index":(\d)/g)].map(([, kind, at]) =>
      `${kind} ${at}`
    )
    assert.deepStrictEqual(
      blocks,
      [0, 1, 2, 3].flatMap((index) => [`start ${index}`, `stop ${index}`])
    )
    const answer = ofSdk(await Sdk.decodedStream(text))
    assert.deepStrictEqual(answer.pieces, [
      { text: "Hm." },
      { call: "t0", name: "f", input: { a: 1 } },
      { call: "t1", name: "f", input: { b: 2 } },
      { call: "t2", name: "f", input: {} }
    ])
    assert.strictEqual(answer.finish, "tool_use")
  })

  it.each<[string, ReadonlyArray<ChatEvent.ChatEvent>, object]>([
    ["text", [{ _tag: "TextDelta", text: "H" }, { _tag: "TextDelta", text: "m." }], { text: "Hm." }],
    [
      "thinking",
      [{ _tag: "ReasoningDelta", text: "Hm." }, { _tag: "ReasoningSigned", signature: "c2ln" }],
      { thinking: "Hm.", signature: "c2ln" }
    ]
  ])("keeps the arguments of calls between which there is %s", async (_, [one, other], block) => {
    const text = encode([
      started,
      begins(0),
      writes(0, "{\"a\":"),
      begins(1),
      one!,
      writes(0, "1}"),
      other!,
      writes(1, "{\"b\":2}"),
      finished
    ])
    const { content } = await Sdk.decodedStream(text)
    assert.deepInclude(content[0], { id: "t0", input: { a: 1 } })
    assert.deepInclude(content[1], { id: "t1", input: { b: 2 } })
    assert.deepInclude(content[2], block)
    assert.lengthOf(content, 3)
  })

  it("writes waiting tool calls before the content that follows them", async () => {
    const text = encode([
      started,
      begins(0),
      begins(1),
      writes(1, "{\"b\":2}"),
      { _tag: "TextDelta", text: "Hm." },
      finished
    ])
    assert.deepStrictEqual(ofSdk(await Sdk.decodedStream(text)).pieces, [
      { call: "t0", name: "f", input: {} },
      { call: "t1", name: "f", input: { b: 2 } },
      { text: "Hm." }
    ])
  })

  it("has the first of several answers only, and no events of other protocols", () => {
    const text = encode([
      started,
      { _tag: "TextDelta", text: "One." },
      { _tag: "TextDelta", text: "Two.", choice: 1 },
      { _tag: "Native", protocol: "openai-chat", value: { logprobs: null } },
      { _tag: "Finished", reason: "length", raw: "length" },
      { _tag: "Finished", reason: "stop", raw: "stop", choice: 1 }
    ])
    const answer = ofEvents(decode(text).events)
    assert.deepStrictEqual(answer.pieces, [{ text: "One." }])
    assert.strictEqual(answer.finish, "max_tokens")
  })

  it.each<[ChatEvent.FinishReason, string, string]>([
    ["stop", "stop", "end_turn"],
    ["length", "length", "max_tokens"],
    ["tool-calls", "tool_calls", "tool_use"],
    ["content-filter", "content_filter", "refusal"],
    ["other", "pause_turn", "pause_turn"],
    ["other", "hologram", "hologram"],
    ["other", "", "end_turn"]
  ])("has its own word for another provider's finish reason: %s, %s", (reason, raw, expected) => {
    assert.strictEqual(ofEvents(decode(encode([started, { _tag: "Finished", reason, raw }])).events).finish, expected)
  })
})

describe("a whole answer", () => {
  const whole = cases.filter(({ name }) => !name.startsWith("a stream ") && !name.includes("lone surrogate"))

  it.each(whole)("decodes as by the vendor's SDK: $name", async ({ text }) => {
    const body = await bodyOf(text)
    const response = Result.getOrThrow(
      protocol.decodeResponse(peer, { status: 200, headers: {}, body: JSON.stringify(body) })
    )
    assert.deepStrictEqual(ofResponse(response), ofSdk(body))
  })

  it.each(whole)("is decoded by the vendor's SDK and by our client as it was encoded: $name", async ({ text }) => {
    const read = (body: unknown): ChatResponse.ChatResponse =>
      Result.getOrThrow(protocol.decodeResponse(peer, { status: 200, headers: {}, body: JSON.stringify(body) }))
    const response = read(await bodyOf(text))
    const written = plain(protocol.encodeResponse(response))
    assert.deepStrictEqual(ofSdk(await Sdk.decodedBody(written)), counted(ofResponse(response)))
    const { usage, ...rest } = read(written)
    const { usage: before, ...others } = response
    assert.deepStrictEqual(rest, { ...others, id: others.id ?? "msg_unnamed" })
    assert.deepStrictEqual({ ...usage, raw: {} }, { ...before, raw: {} })
  })

  it("keeps the reason of a refusal, and does not write notes as blocks", () => {
    const stop_details = { type: "refusal", category: "cyber", explanation: "No." }
    const body = {
      content: [{ type: "text", text: "No." }],
      stop_reason: "refusal",
      stop_details,
      container: { id: "c" }
    }
    const response = Result.getOrThrow(
      protocol.decodeResponse(peer, { status: 200, headers: {}, body: JSON.stringify(body) })
    )
    const [choice] = response.choices
    assert.deepStrictEqual(choice.finish, {
      reason: "content-filter",
      raw: "refusal",
      extras: { "anthropic-messages": { stop_details } }
    })
    assert.deepStrictEqual(response.extras, { "anthropic-messages": { container: { id: "c" } } })
    const note: ChatRequest.NativePart = {
      type: "native",
      protocol: "anthropic-messages",
      value: { type: "citations_delta", citation: {} }
    }
    const written = protocol.encodeResponse({
      ...response,
      choices: [{ ...choice, content: [...choice.content, note] }]
    })
    assert.deepInclude(written, { stop_details, container: { id: "c" } })
    assert.deepStrictEqual(written["content"], [{ citations: null, type: "text", text: "No." }])
  })

  it.each<[string, string, string]>([
    [
      "an error under the status of a success",
      JSON.stringify({ type: "error", error: { type: "overloaded_error", message: "Oops" } }),
      "Overloaded"
    ],
    ["no JSON", "<html>", "InvalidResponse"],
    ["nothing", "", "InvalidResponse"],
    ["a list", "[]", "InvalidResponse"],
    ["no content", JSON.stringify({ stop_reason: "end_turn" }), "InvalidResponse"],
    ["a reason to stop that is no text", JSON.stringify({ content: [], stop_reason: 7 }), "InvalidResponse"],
    ["a block that is none", JSON.stringify({ content: [7], stop_reason: "end_turn" }), "InvalidResponse"],
    [
      "a call without a name",
      JSON.stringify({ content: [{ type: "tool_use", id: "a", input: {} }], stop_reason: "tool_use" }),
      "InvalidResponse"
    ],
    [
      "input that nests without end",
      `{"content":[{"type":"tool_use","id":"a","name":"f","input":{"a":${"[".repeat(9999)}${
        "]".repeat(9999)
      }}}],"stop_reason":"tool_use"}`,
      "InvalidResponse"
    ]
  ])("fails with its mistake: %s", (_, body, tag) => {
    const failure = Result.getOrThrow(Result.flip(protocol.decodeResponse(peer, { status: 200, headers: {}, body })))
    assert.strictEqual(failure._tag, tag)
  })

  it("fails with the provider's error if its status is one", () => {
    const failure = Result.getOrThrow(
      Result.flip(protocol.decodeResponse(peer, { status: 529, headers: {}, body: "" }))
    )
    assert.strictEqual(failure._tag, "Overloaded")
  })
})
