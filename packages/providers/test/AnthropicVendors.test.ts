/** What servers with Anthropic's protocol may send that Anthropic's reference does not have. */
import { AnthropicMessages, type ChatRequest, ChatResponse, type Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Option, Result } from "effect"
import * as Wire from "./support/anthropicWire.ts"

const { protocol } = AnthropicMessages
const peer: Protocol.Peer = { provider: "provider", redact: (text) => text }

const whole = (content: ReadonlyArray<object>, fields: object = { stop_reason: "end_turn" }): ChatResponse.Choice =>
  Result.getOrThrow(
    protocol.decodeResponse(peer, {
      status: 200,
      headers: {},
      body: JSON.stringify({ id: "msg_1", content, ...fields })
    })
  ).choices[0]

const streamed = (text: string): ChatResponse.Choice => {
  const decoder = protocol.makeDecoder(peer)
  const events = [...decoder.push(new TextEncoder().encode(text)), ...decoder.end()]
  assert.isUndefined(decoder.failure)
  return Option.getOrThrow(ChatResponse.fromEvents(events)).choices[0]
}

const called = (id: string, text: string): ChatRequest.ToolCallPart => ({
  type: "tool-call",
  id,
  name: "f",
  arguments: text
})

describe("an answer without a reason to stop", () => {
  it.each([{}, { stop_reason: null }, { stop_reason: "" }])("is whole: %j", (fields) => {
    assert.deepStrictEqual(whole([{ type: "text", text: "a" }], fields), {
      content: [{ type: "text", text: "a" }],
      finish: { reason: "unknown", raw: "" }
    })
  })
})

describe("calls without ids", () => {
  const calls = [called("call_msg_1_0_0", "{\"a\":1}"), called("call_msg_1_0_1", "{\"a\":2}")]

  it.each([undefined, null, ""])("get ids that are stable within the answer: %s", (id) => {
    const block = (a: number) => ({ type: "tool_use", ...(id !== undefined && { id }), name: "f", input: { a } })
    assert.deepStrictEqual(whole([block(1), block(2)]).content, calls)
    const text = Wire.starts() + Wire.begins(0, block(1)) + Wire.ends(0) + Wire.begins(1, block(2)) + Wire.ends(1) +
      Wire.stops("tool_use") + Wire.stop
    assert.deepStrictEqual(
      streamed(text).content.map((part) => "id" in part && part.id.replace(/_msg_[^_]+/, "_msg_1")),
      [
        "call_msg_1_0_0",
        "call_msg_1_0_1"
      ]
    )
  })

  it.each([{}, { input: null }])("may have no input: %j", (fields) => {
    assert.deepStrictEqual(whole([{ type: "tool_use", id: "a", name: "f", ...fields }]).content, [called("a", "{}")])
  })
})
