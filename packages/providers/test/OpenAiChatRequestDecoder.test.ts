import { OpenAiChat } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { httpRequest } from "./support/httpRequest.ts"
import { cases, encode, hello, request, schema } from "./support/openAiRequests.ts"
import * as OpenAiSdk from "./support/openAiSdk.ts"

/** What a client wrote, as the decoder understands it. */
const decode = (body: object) =>
  Result.getOrThrow(OpenAiChat.protocol.decodeRequest(httpRequest(JSON.stringify({ ...hello, ...body }))))

describe("the decoder of a request", () => {
  // What has no other form on the wire.
  const lossy = [
    "image of a tool's result",
    "nothing for an answer",
    "not at all",
    "without its prob",
    "budgetTokens",
    "of nothing"
  ]

  it.each(cases.filter(([name]) => !lossy.some((part) => name.includes(part))))(
    "reads %s, and encodes it again unchanged",
    (_, __, parameters) => {
      const { delivery, request } = decode(parameters)
      assert.deepStrictEqual(delivery, { stream: false, includeUsage: false })
      const { max_tokens: older, ...rest } = parameters
      assert.deepStrictEqual(encode(request, false), {
        ...rest,
        // The older name for the same.
        ...(typeof older === "number" && { max_completion_tokens: older })
      })
    }
  )

  it.each<[string, object, object]>([
    ["a list for one text to stop at", { stop: "END" }, { stop: ["END"] }],
    ["the older name of a limit", { max_tokens: 9 }, { maxOutputTokens: 9 }],
    ["the newer of two limits", { max_tokens: 9, max_completion_tokens: 8 }, {
      maxOutputTokens: 8,
      extras: { "openai-chat": { max_tokens: 9 } }
    }],
    ["nothing for null", { temperature: null, tools: null, stop: null, user: null }, {}],
    ["nothing for a format of text", { response_format: { type: "text" } }, {}],
    ["a format that only OpenAI knows", { response_format: { type: "grammar", grammar: "a" } }, {
      extras: { "openai-chat": { response_format: { type: "grammar", grammar: "a" } } }
    }],
    ["a tool without parameters", { tools: [{ type: "function", function: { name: "f" } }] }, {
      tools: [{ name: "f", parameters: { type: "object", properties: {} } }]
    }],
    ["functions as tools", { functions: [{ name: "f", parameters: schema }], function_call: { name: "f" } }, {
      tools: [{ name: "f", parameters: schema }],
      toolChoice: { tool: "f" }
    }],
    ["what it does not know", { logit_bias: { "1": 2 }, unknown_field: 1 }, {
      extras: { "openai-chat": { logit_bias: { "1": 2 }, unknown_field: 1 } }
    }]
  ])("reads %s", (_, body, fields) => {
    assert.deepStrictEqual(decode(body).request, request(fields))
  })

  it("keeps a field with the name of the prototype as a field", () => {
    const body = `{"model":"gpt-5","messages":[{"role":"user","content":"a"}],"__proto__":{"a":1}}`
    const { request } = Result.getOrThrow(OpenAiChat.protocol.decodeRequest(httpRequest(body)))
    const encoded = OpenAiChat.protocol.encodeRequest(request, { stream: false, includeUsage: false })
    assert.deepStrictEqual(JSON.stringify(Result.getOrThrow(encoded)).includes("\"__proto__\":{\"a\":1}"), true)
  })

  it("gives ids to function calls and their results", () => {
    const { request } = decode({
      messages: [
        { role: "user", content: "a" },
        { role: "assistant", content: null, function_call: { name: "f", arguments: "{}" } },
        { role: "function", name: "f", content: "b" },
        { role: "assistant", content: null, function_call: { name: "f", arguments: "[]" } },
        { role: "function", name: "f", content: null }
      ]
    })
    assert.deepStrictEqual(request.messages.slice(1), [
      { role: "assistant", content: [{ type: "tool-call", id: "call_1", name: "f", arguments: "{}" }] },
      { role: "tool", toolCallId: "call_1", content: "b" },
      { role: "assistant", content: [{ type: "tool-call", id: "call_3", name: "f", arguments: "[]" }] },
      { role: "tool", toolCallId: "call_3", content: "" }
    ])
  })

  it("reads how the answer is to be delivered", () => {
    assert.deepStrictEqual(decode({ stream: true }).delivery, { stream: true, includeUsage: false })
    assert.deepStrictEqual(
      decode({ stream: true, stream_options: { include_usage: true, include_obfuscation: false } }),
      {
        request: request({ extras: { "openai-chat": { stream_options: { include_obfuscation: false } } } }),
        delivery: { stream: true, includeUsage: true }
      }
    )
  })

  it.each<[string, unknown]>([
    ["", "no JSON"],
    ["", []],
    ["model", { messages: [{ role: "user", content: "a" }] }],
    ["model", { ...hello, model: "" }],
    ["messages", { model: "gpt-5" }],
    ["messages", { model: "gpt-5", messages: [] }],
    ["messages[0]", { ...hello, messages: ["a"] }],
    ["messages[0].role", { ...hello, messages: [{ role: "me", content: "a" }] }],
    ["messages[0].content", { ...hello, messages: [{ role: "user" }] }],
    ["messages[0].content", { ...hello, messages: [{ role: "user", content: null }] }],
    ["messages[0].content[1].type", {
      ...hello,
      messages: [{ role: "user", content: [{ type: "text", text: "" }, {}] }]
    }],
    ["messages[0].content[0].image_url.url", {
      ...hello,
      messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }]
    }],
    ["messages[0].content[0].file", { ...hello, messages: [{ role: "user", content: [{ type: "file", file: {} }] }] }],
    ["messages[0].tool_call_id", { ...hello, messages: [{ role: "tool", content: "a" }] }],
    ["messages[0]", { ...hello, messages: [{ role: "function", name: "f", content: "a" }] }],
    ["messages[0].tool_calls[0].id", {
      ...hello,
      messages: [{
        role: "assistant",
        tool_calls: [{ id: 7, type: "function", function: { name: "f", arguments: "" } }]
      }]
    }],
    ["messages[2].tool_call_id", {
      ...hello,
      messages: [
        { role: "assistant", tool_calls: [{ id: "", type: "function", function: { name: "f", arguments: "" } }] },
        { role: "tool", tool_call_id: "", content: "a" },
        { role: "tool", tool_call_id: "", content: "b" }
      ]
    }],
    ["messages[0].tool_calls[0].function.arguments", {
      ...hello,
      messages: [{
        role: "assistant",
        tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: 7 } }]
      }]
    }],
    ["tools[0].function.name", { ...hello, tools: [{ type: "function", function: {} }] }],
    ["tool_choice", { ...hello, tool_choice: "maybe" }],
    ["response_format.json_schema", { ...hello, response_format: { type: "json_schema" } }],
    ["temperature", { ...hello, temperature: "hot" }],
    ["n", { ...hello, n: 1.5 }],
    ["stop[0]", { ...hello, stop: [7] }],
    ["stream", { ...hello, stream: "yes" }],
    ["stream_options.include_usage", { ...hello, stream_options: { include_usage: 1 } }]
  ])("names %s as the mistake in %j", (path, body) => {
    const text = typeof body === "string" ? body : JSON.stringify(body)
    const failure = Result.getOrThrow(Result.flip(OpenAiChat.protocol.decodeRequest(httpRequest(text))))
    assert.deepInclude(failure, { _tag: "RequestInvalid", protocol: "openai-chat", path } as object)
  })

  it("reads what OpenAI's SDK writes, in every case of the encoder", async () => {
    for (const body of await Promise.all(cases.map(([, , parameters]) => OpenAiSdk.sentBody(parameters)))) {
      assert.isTrue(Result.isSuccess(OpenAiChat.protocol.decodeRequest(httpRequest(JSON.stringify(body)))))
    }
  })
})
