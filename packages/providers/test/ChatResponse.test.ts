import { type ChatEvent, ChatResponse } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"

const started: ChatEvent.ChatEvent = { _tag: "Started", id: "1", model: "m" }
const stopped: ChatEvent.ChatEvent = { _tag: "Finished", reason: "stop", raw: "stop" }
const text = (text: string, choice?: number): ChatEvent.ChatEvent => ({
  _tag: "TextDelta",
  text,
  ...(choice !== undefined && { choice })
})
const native = (value: number, isNote: boolean): ChatEvent.ChatEvent => ({
  _tag: "Native",
  protocol: "p",
  value: { value },
  ...(isNote && { isNote })
})
const part = (value: number) => ({ type: "native", protocol: "p", value: { value } })

const contentOf = (...events: ReadonlyArray<ChatEvent.ChatEvent>) =>
  Option.getOrThrow(ChatResponse.fromEvents([started, ...events, stopped])).choices[0].content as ReadonlyArray<unknown>

describe("the response of a stream's events", () => {
  it("has one part for each run of one kind", () => {
    assert.deepStrictEqual(
      contentOf(
        { _tag: "ReasoningDelta", text: "H" },
        { _tag: "ReasoningDelta", text: "m." },
        text("a"),
        text("b"),
        { _tag: "RefusalDelta", text: "c" },
        text("d")
      ),
      [
        { type: "reasoning", text: "Hm." },
        { type: "text", text: "ab" },
        { type: "refusal", text: "c" },
        { type: "text", text: "d" }
      ]
    )
  })

  it("puts notes after the part that they are about, and other native parts in their place", () => {
    assert.deepStrictEqual(contentOf(text("a"), native(1, true), text("b"), native(2, true), text("c")), [
      { type: "text", text: "abc" },
      part(1),
      part(2)
    ])
    assert.deepStrictEqual(contentOf(text("a"), native(1, true), native(2, false), text("b")), [
      { type: "text", text: "a" },
      part(1),
      part(2),
      { type: "text", text: "b" }
    ])
  })

  it("ends a piece of thinking with its signature, and keeps redacted thinking", () => {
    assert.deepStrictEqual(
      contentOf(
        { _tag: "ReasoningDelta", text: "a" },
        { _tag: "ReasoningSigned", signature: "s" },
        { _tag: "ReasoningDelta", text: "b" },
        { _tag: "ReasoningSigned", signature: "t" },
        { _tag: "ReasoningSigned", redacted: "r" }
      ),
      [
        { type: "reasoning", text: "a", signature: "s" },
        { type: "reasoning", text: "b", signature: "t" },
        { type: "reasoning", text: "", redacted: "r" }
      ]
    )
  })

  it("orders tool calls by their start, however their fragments are mixed", () => {
    assert.deepStrictEqual(
      contentOf(
        { _tag: "ToolCallStarted", index: 1, id: "b", name: "g", extras: { p: { a: 1 } } },
        { _tag: "ToolCallStarted", index: 0, id: "a", name: "f" },
        { _tag: "ToolCallDelta", index: 1, arguments: "[" },
        { _tag: "ToolCallDelta", index: 0, arguments: "{}" },
        { _tag: "ToolCallDelta", index: 1, arguments: "]" },
        { _tag: "ToolCallDelta", index: 7, arguments: "of no call" }
      ),
      [
        { type: "tool-call", id: "b", name: "g", arguments: "[]", extras: { p: { a: 1 } } },
        { type: "tool-call", id: "a", name: "f", arguments: "{}" }
      ]
    )
  })

  it("orders several answers by number, and needs a finish of each", () => {
    const second: ChatEvent.ChatEvent = { _tag: "Finished", reason: "length", raw: "length", choice: 1 }
    const events = [started, text("b", 1), text("a"), second]
    assert.isTrue(Option.isNone(ChatResponse.fromEvents([])))
    assert.isTrue(Option.isNone(ChatResponse.fromEvents(events)))
    const { choices, usage } = Option.getOrThrow(ChatResponse.fromEvents([...events, stopped]))
    assert.deepStrictEqual<unknown>(choices, [
      { content: [{ type: "text", text: "a" }], finish: { reason: "stop", raw: "stop" } },
      { content: [{ type: "text", text: "b" }], finish: { reason: "length", raw: "length" } }
    ])
    assert.isUndefined(usage)
  })

  it("survives conversion to events and back", () => {
    const response: ChatResponse.ChatResponse = {
      id: "1",
      model: "m",
      choices: [
        {
          content: [
            { type: "reasoning", text: "Hm.", signature: "s", extras: { p: { a: 1 } } },
            { type: "reasoning", text: "", redacted: "r" },
            { type: "text", text: "a" },
            { type: "native", protocol: "p", value: { a: 1 } },
            { type: "text", text: "b" },
            { type: "refusal", text: "No." },
            { type: "tool-call", id: "a", name: "f", arguments: "{}" },
            { type: "tool-call", id: "b", name: "g", arguments: "", extras: { p: { b: 1 } } }
          ],
          finish: { reason: "other", raw: "pause", stopSequence: "END", extras: { p: { c: 1 } } }
        },
        { content: [], finish: { reason: "stop", raw: "stop" } }
      ],
      usage: {
        inputTokens: 1,
        cachedInputTokens: undefined,
        cacheWriteTokens: undefined,
        outputTokens: 0,
        reasoningTokens: undefined,
        raw: { a: 1 }
      },
      extras: { p: { d: 1 } }
    }
    assert.deepStrictEqual(Option.getOrThrow(ChatResponse.fromEvents(ChatResponse.toEvents(response))), response)
  })
})
