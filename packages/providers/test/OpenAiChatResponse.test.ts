import { ChatResponse, OpenAiChat, type Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { started, stopped, text, thought, tokens, used } from "./support/openAiWire.ts"

const peer: Protocol.Peer = { provider: "openai", redact: (text) => text }

const body = (message: object, fields: object = {}) =>
  JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1,
    model: "gpt-5-2026-08-07",
    choices: [{
      index: 0,
      message: { role: "assistant", content: null, refusal: null, ...message },
      logprobs: null,
      finish_reason: "stop"
    }],
    ...fields
  })
const decode = (body: string) => OpenAiChat.protocol.decodeResponse(peer, { status: 200, headers: {}, body })
const eventsOf = (body: string) => ChatResponse.toEvents(Result.getOrThrow(decode(body)))

const call = (id: string, name: string, text: string) => ({
  id,
  type: "function",
  function: { name, arguments: text }
})

const nested = (depth: number) => body({ deep: JSON.parse("[".repeat(depth) + "]".repeat(depth)) })

const failureOf = (body: string) => Result.getOrThrow(Result.flip(decode(body)))._tag

describe("the decoder of a whole answer", () => {
  it("returns what a stream of the same answer folds to", () => {
    assert.deepStrictEqual(eventsOf(body({ content: "Hello" }, { usage: tokens(11, 7) })), [
      started,
      text("Hello"),
      stopped,
      used(11, 7)
    ])
  })

  it("finds an error under the status of a success, and ignores arguments that are neither text nor object", () => {
    assert.strictEqual(failureOf("{\"error\":{\"message\":\"Oops\",\"code\":429}}"), "RateLimited")
    const calls = { tool_calls: [{ ...call("c", "f", ""), function: { name: "f", arguments: [1] } }] }
    assert.strictEqual(failureOf(body(calls)), "InvalidResponse")
  })

  it("reads reasoning, refusals and tool calls", () => {
    assert.deepStrictEqual(
      eventsOf(body({
        reasoning_content: "Hm.",
        refusal: "No.",
        tool_calls: [call("call_a", "weather", "{\"city\":\"Rome\"}"), call("call_b", "time", "")]
      })),
      [
        started,
        thought("Hm."),
        { _tag: "RefusalDelta", text: "No." },
        { _tag: "ToolCallStarted", index: 0, id: "call_a", name: "weather" },
        { _tag: "ToolCallDelta", index: 0, arguments: "{\"city\":\"Rome\"}" },
        { _tag: "ToolCallStarted", index: 1, id: "call_b", name: "time" },
        stopped
      ]
    )
  })

  it("reads a legacy function call as a tool call with its own id", () => {
    const [, started] = eventsOf(body({ function_call: { name: "f", arguments: "{}" } }))
    assert.deepStrictEqual(started, {
      _tag: "ToolCallStarted",
      index: 0,
      id: "call_chatcmpl-1_0_0",
      name: "f",
      extras: { "openai-chat": { type: "function_call" } }
    })
  })

  it("rejects JSON that nests too deep to be written again", () => {
    const { length } = JSON.stringify(OpenAiChat.protocol.encodeResponse(Result.getOrThrow(decode(nested(400)))))
    assert.isAbove(length, 800)
    assert.strictEqual(failureOf(nested(600)), "InvalidResponse")
    assert.strictEqual(failureOf("[".repeat(1_000_000)), "InvalidResponse")
    assert.strictEqual(failureOf("[".repeat(100_000) + "]".repeat(100_000)), "InvalidResponse")
  })

  it.each([
    ["nothing", ""],
    ["a page", "<html>Welcome to nginx</html>"],
    ["a list", "[]"],
    ["no choices", "{\"choices\":[]}"],
    ["no message", "{\"choices\":[{\"finish_reason\":\"stop\"}]}"],
    ["a tool call without a name", body({ tool_calls: [{ id: "call_a", function: { arguments: "{}" } }] })]
  ])("fails on %s", (_, body) => {
    const error = Result.getOrThrow(Result.flip(decode(body)))
    assert.strictEqual(error._tag, "InvalidResponse")
  })
})
