/** What servers of many vendors send and accept that OpenAI's reference does not have, as it was recorded. */
import { AnthropicMessages, type ChatRequest, ChatResponse, OpenAiChat, type Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Option, Result } from "effect"
import { httpRequest } from "./support/httpRequest.ts"
import { decodeText } from "./support/openAiDecoded.ts"
import { utf8 } from "./support/openAiWire.ts"

const { protocol } = OpenAiChat
const peer: Protocol.Peer = { provider: "provider", redact: (text) => text }

const whole = (choice: object, fields: object = {}) =>
  protocol.decodeResponse(peer, {
    status: 200,
    headers: {},
    body: JSON.stringify({ id: "gen-1", model: "m", choices: [{ index: 0, ...choice }], ...fields })
  })

const answer = (choice: object) => Result.getOrThrow(whole(choice)).choices[0]

const event = (fields: object) => `data: ${JSON.stringify({ id: "gen-1", model: "m", choices: [], ...fields })}\n\n`
const chunk = (delta: object, finish: string | null = null, fields: object = {}) =>
  event({ choices: [{ index: 0, delta, finish_reason: finish }], ...fields })
const done = "data: [DONE]\n\n"

const streamed = (text: string): ChatResponse.Choice => {
  const { events, failure } = decodeText(text)
  assert.isUndefined(failure)
  return Option.getOrThrow(ChatResponse.fromEvents(events)).choices[0]
}

const call = (id: string | undefined, name: string, text: string, fields: object = {}) => ({
  ...(id !== undefined && { id }),
  type: "function",
  function: { name, arguments: text },
  ...fields
})
const called = (id: string, name: string, text: string): ChatRequest.ToolCallPart => ({
  type: "tool-call",
  id,
  name,
  arguments: text
})

const text = (text: string): ChatRequest.TextPart => ({ type: "text", text })
const thought = (text: string, extras: ChatRequest.JsonObject): ChatRequest.ReasoningPart => ({
  type: "reasoning",
  text,
  extras: { "openai-chat": extras }
})

const reencoded = (choice: object): unknown => {
  const body: { choices?: ReadonlyArray<object> } = protocol.encodeResponse(Result.getOrThrow(whole(choice)))
  return body.choices?.[0]
}

describe("tool calls without ids", () => {
  const calls = [called("call_gen-1_0_0", "f", "{\"a\":1}"), called("call_gen-1_0_1", "f", "{\"a\":2}")]
  const both = [call("", "f", "{\"a\":1}"), call("", "f", "{\"a\":2}")]

  it("have ids of their own, the same in a whole answer and in a stream", () => {
    assert.deepStrictEqual(answer({ message: { tool_calls: both }, finish_reason: "stop" }).content, calls)
    assert.deepStrictEqual(streamed(chunk({ tool_calls: both }, "stop") + done).content, calls)
    const one = (number: number) => chunk({ tool_calls: [both[number]] })
    assert.deepStrictEqual(streamed(one(0) + one(1) + chunk({}, "stop") + done).content, calls)
  })

  it("are told apart by their numbers, or by their names", () => {
    const numbered = (index: number, name: string | undefined, text: string) =>
      chunk({ tool_calls: [{ index, id: "", function: { ...(name !== undefined && { name }), arguments: text } }] })
    const fragments = numbered(0, "f", "{\"a\"") + numbered(1, "f", "{\"a\"") + numbered(0, undefined, ":1}") +
      numbered(1, undefined, ":2}")
    assert.deepStrictEqual(streamed(fragments + chunk({}, "stop") + done).content, calls)
    const unnumbered = chunk({ tool_calls: [call(undefined, "f", "{")] }) +
      chunk({ tool_calls: [{ function: { arguments: "}" } }] }) + chunk({ tool_calls: [call(undefined, "g", "[]")] })
    assert.deepStrictEqual(streamed(unnumbered + chunk({}, "stop") + done).content, [
      called("call_gen-1_0_0", "f", "{}"),
      called("call_gen-1_0_1", "g", "[]")
    ])
  })

  it("continue a call with an id, if they repeat its name", () => {
    const fragments = chunk({ tool_calls: [call("a", "f", "{")] }) + chunk({ tool_calls: [call("", "f", "}")] })
    assert.deepStrictEqual(streamed(fragments + chunk({}, "stop") + done).content, [called("a", "f", "{}")])
  })
})

describe("an answer without a finish", () => {
  const unknown = { reason: "unknown", raw: "" } as const

  it.each([[undefined], [null], [""]])("is whole in one piece, if the reason is %o", (finish_reason) => {
    const choice = { message: { content: "Hello" }, ...(finish_reason !== undefined && { finish_reason }) }
    assert.deepStrictEqual(answer(choice), { content: [text("Hello")], finish: unknown })
  })

  it("is whole as a stream that ends with [DONE], and keeps its usage", () => {
    const usage = { prompt_tokens: 22, completion_tokens: 5 }
    const said = chunk({ content: "4" }) + chunk({ content: "" }, "") + event({ usage })
    const { events, failure, isDone } = decodeText(said + done)
    assert.isUndefined(failure)
    assert.isTrue(isDone)
    assert.deepStrictEqual(events.slice(2).map(({ _tag }) => _tag), ["Finished", "Used"])
    assert.deepStrictEqual(events[2], { _tag: "Finished", ...unknown })
    assert.strictEqual(decodeText(said).failure?._tag, "StreamTruncated")
  })

  it("has a finish for the clients of our server", () => {
    assert.deepInclude(reencoded({ message: { content: "Hello" } }), { finish_reason: "stop" })
  })
})

describe("empty fields of Snowflake's", () => {
  const empty = { function_call: { name: "", arguments: "" } }
  const custom = { custom: { input: "", name: "" } }

  it("are no calls", () => {
    const message = { content: "Hello", ...empty, tool_calls: null }
    assert.deepStrictEqual(answer({ message, finish_reason: "" }).content, [text("Hello")])
    assert.deepStrictEqual(streamed(chunk({ content: "Hello", ...empty }) + done).content, [text("Hello")])
  })

  it("do not hide the call beside them", () => {
    const tool_calls = [call("a", "f", "{}", custom)]
    const expected = [called("a", "f", "{}")]
    assert.deepStrictEqual(answer({ message: { ...empty, tool_calls }, finish_reason: "" }).content, expected)
    assert.deepStrictEqual(streamed(chunk({ ...empty, tool_calls }) + done).content, expected)
  })
})

describe("a filtered answer", () => {
  it("may have no message", () => {
    assert.deepStrictEqual(answer({ finish_reason: "content_filter", content_filter_results: { hate: {} } }), {
      content: [{
        type: "native",
        protocol: "openai-chat",
        value: { choice: { content_filter_results: { hate: {} } } }
      }],
      finish: { reason: "content-filter", raw: "content_filter" }
    })
    assert.isTrue(Result.isFailure(whole({ finish_reason: "stop" })))
  })
})

const part = (text: string, fields: object = {}) => ({
  type: "thinking",
  thinking: [{ type: "text", text }],
  ...fields
})

describe("thinking in parts of the content", () => {
  const closed = part("Hm.", { closed: true })
  const content = [closed, { type: "text", text: "4" }]

  it("is reasoning, and the same part for the clients of our server", () => {
    const { content: parts } = answer({ message: { content }, finish_reason: "stop" })
    assert.deepStrictEqual(parts, [thought("Hm.", { name: "thinking", closed: true }), text("4")])
    assert.deepInclude(reencoded({ message: { content }, finish_reason: "stop" }), {
      message: { role: "assistant", content, refusal: null }
    })
  })

  it("is reasoning in a stream too, and comes out of our server as it came in", () => {
    const said = chunk({ content: [part("H")] }) + chunk({ content: [part("m")] }) +
      chunk({ content: [part("."), { type: "text", text: "4" }] }) + chunk({ content: "2" }, "stop") + done
    const { events } = decodeText(said)
    const parts = [thought("Hm.", { name: "thinking" }), text("42")]
    assert.deepStrictEqual(Option.getOrThrow(ChatResponse.fromEvents(events)).choices[0].content, parts)
    const encoder = protocol.makeEncoder({ stream: true, includeUsage: true })
    const again = encoder.push(events) + encoder.end()
    assert.include(again, JSON.stringify([part("H")]))
    assert.deepStrictEqual(streamed(again).content, parts)
  })

  it("goes back with the history, and is reasoning of a client's history", () => {
    const messages = [{ role: "user", content: "2 * 21?" }, { role: "assistant", content }]
    const body = { model: "m", messages }
    const { request } = Result.getOrThrow(protocol.decodeRequest(httpRequest(JSON.stringify(body))))
    assert.deepStrictEqual(request.messages[1]?.content, [
      thought("Hm.", { name: "thinking", closed: true }),
      text("4")
    ])
    const delivery = { stream: false, includeUsage: false }
    assert.deepStrictEqual(Result.getOrThrow(protocol.encodeRequest(request, delivery)), body)
    const fields = OpenAiChat.make({ reasoningField: "reasoning" }).encodeRequest(request, delivery)
    assert.deepInclude(Result.getOrThrow(fields), {
      messages: [messages[0]!, { role: "assistant", content: "4", reasoning: "Hm." }]
    })
    const others = [{ ...request.messages[1]!, content: [thought("Hm.", {}), text("4")] } as ChatRequest.Message]
    const mistral = OpenAiChat.make({ reasoningField: "thinking" }).encodeRequest(
      { model: "m", messages: others },
      delivery
    )
    assert.deepInclude(Result.getOrThrow(mistral), {
      messages: [{ role: "assistant", content: [part("Hm."), { type: "text", text: "4" }] }]
    })
  })

  it("keeps parts of it that are no texts", () => {
    const reference = { type: "reference", reference_ids: [1] }
    const { content: parts } = answer({
      message: { content: [{ type: "thinking", thinking: [reference] }] },
      finish_reason: "stop"
    })
    const value = { type: "thinking", thinking: [reference] }
    assert.deepStrictEqual(parts, [{ type: "native", protocol: "openai-chat", value }])
  })
})

describe("thinking under two names", () => {
  const same = { reasoning: "Hm.", reasoning_content: "Hm." }
  const different = { reasoning: "In short: hm.", reasoning_content: "Hm." }

  it("is read once if both are the same, and both are encoded again", () => {
    const { content } = answer({ message: same, finish_reason: "stop" })
    assert.deepStrictEqual(content, [thought("Hm.", { name: "reasoning_content", copy: "reasoning" })])
    assert.deepStrictEqual(streamed(chunk(same, "stop") + done).content, content)
    assert.deepNestedInclude(reencoded({ message: same, finish_reason: "stop" }), {
      "message.reasoning": "Hm.",
      "message.reasoning_content": "Hm."
    })
  })

  it("is the declared one if they differ, and the other is kept", () => {
    const { content } = answer({ message: different, finish_reason: "stop" })
    assert.deepStrictEqual(content[0], thought("Hm.", { name: "reasoning_content" }))
    assert.deepNestedInclude(reencoded({ message: different, finish_reason: "stop" }), {
      "message.reasoning": "In short: hm.",
      "message.reasoning_content": "Hm."
    })
  })

  it.each([[same], [different], [{ reasoning: "Hm.", reasoning_content: "" }]])(
    "goes back with the history as it came: %o",
    (fields) => {
      const messages = [{ role: "assistant", content: "4", ...fields }]
      const body = { model: "m", messages }
      const { delivery, request } = Result.getOrThrow(protocol.decodeRequest(httpRequest(JSON.stringify(body))))
      assert.deepStrictEqual(Result.getOrThrow(protocol.encodeRequest(request, delivery)), body)
    }
  )
})

describe("a failure within a stream", () => {
  it("is reported by a field `error` too", () => {
    const error = { detail: "a", error: { message: "failed to decode, try again" } }
    const { events, failure } = decodeText(`${chunk({ content: "Well" })}error: ${JSON.stringify(error)}\n\n`)
    assert.strictEqual(events.length, 2)
    assert.deepInclude(failure, { _tag: "ProviderFailed", detail: "failed to decode, try again" } as object)
  })

  it.each([
    ["a chunk", event({ error: { code: 400, message: "Token limit reached" }, usage: { completion_tokens: 9 } })],
    [
      "an event",
      "event: error\ndata: {\"error\":{\"message\":\"Oops\"}}\n\n" + event({ usage: { completion_tokens: 9 } })
    ]
  ])("does not matter after the finish: %s", (_, error) => {
    const { events, failure, isDone } = decodeText(chunk({ content: "Well" }) + chunk({}, "length") + error + done)
    assert.isUndefined(failure)
    assert.isTrue(isDone)
    assert.deepInclude(events.at(-1), { _tag: "Used", outputTokens: 9 })
  })
})

describe("a client that knows only function calls", () => {
  const messages = [{ role: "user", content: "Weather?" }]
  const functions = [{ name: "f", parameters: {} }]
  const { delivery } = Result.getOrThrow(
    protocol.decodeRequest(httpRequest(JSON.stringify({ model: "m", messages, functions, stream: true })))
  )
  const finish = { reason: "tool-calls", raw: "tool_calls" } as const
  const response = (...calls: ReadonlyArray<ChatRequest.ToolCallPart>): ChatResponse.ChatResponse => ({
    id: "1",
    model: "m",
    choices: [{ content: calls, finish }],
    usage: undefined
  })
  const one = response(called("a", "f", "{}"))
  const wanted = { name: "f", arguments: "{}" }

  it("gets one", () => {
    const body: { choices?: ReadonlyArray<object> } = protocol.encodeResponse(one, delivery)
    assert.deepStrictEqual(body.choices?.[0], {
      index: 0,
      message: { role: "assistant", content: null, refusal: null, function_call: wanted },
      logprobs: null,
      finish_reason: "function_call"
    })
    const encoder = protocol.makeEncoder(delivery)
    const text = encoder.push(ChatResponse.toEvents(one)) + encoder.end()
    assert.notInclude(text, "tool_calls")
    assert.include(text, "\"finish_reason\":\"function_call\"")
    assert.deepInclude(streamed(text).content[0], { type: "tool-call", name: "f", arguments: "{}" })
  })

  it("gets several calls as tool calls, since the old form holds one", () => {
    const body: { choices?: ReadonlyArray<object> } = protocol.encodeResponse(
      response(called("a", "f", "{}"), called("b", "f", "[]")),
      delivery
    )
    assert.deepNestedInclude(body.choices?.[0], { "message.tool_calls[1].id": "b", "finish_reason": "tool_calls" })
  })

  it("gets one from a server that sends one, whoever asks", () => {
    const choice = { message: { content: null, function_call: wanted }, finish_reason: "function_call" }
    assert.deepInclude(reencoded(choice), {
      message: { role: "assistant", content: null, refusal: null, function_call: wanted },
      finish_reason: "function_call"
    })
    const { events } = decodeText(chunk({ function_call: wanted }, "function_call") + done)
    const encoder = protocol.makeEncoder({ stream: true, includeUsage: false })
    const again = encoder.push(events)
    assert.include(again, "\"function_call\":{\"name\":\"f\"")
    assert.notInclude(again, "tool_calls")
  })
})

describe("an answer with nothing in it", () => {
  it("has an empty text, as OpenAI's own servers send it", () => {
    const choice = { message: { role: "assistant", content: "", annotations: [] }, finish_reason: "length" }
    assert.deepNestedInclude(reencoded(choice), { "message.content": "" })
  })

  it.each([
    ["a call", { tool_calls: [call("a", "f", "{}")] }],
    ["a call in the old form", { function_call: { name: "f", arguments: "{}" } }],
    ["a refusal", { refusal: "No." }],
    ["thinking", { reasoning_content: "Hm." }],
    ["a sound", { audio: { id: "a", data: "", transcript: "Hm." } }]
  ])("has none beside %s", (_, fields) => {
    const choice = { message: { role: "assistant", content: null, ...fields }, finish_reason: "stop" }
    assert.deepNestedInclude(reencoded(choice), { "message.content": null })
  })
})

const decode = (fields: object) => {
  const body = { model: "m", messages: [{ role: "user", content: "a" }], ...fields }
  return Result.getOrThrow(protocol.decodeRequest(httpRequest(JSON.stringify(body)))).request
}

const calls = (...names: ReadonlyArray<string>) => ({
  role: "assistant",
  content: null,
  tool_calls: names.map((name) => call("", name, "{}"))
})
const result = (content: string, fields: object = {}) => ({ role: "tool", tool_call_id: "", content, ...fields })

const pairs = (...messages: ReadonlyArray<object>) =>
  decode({ messages: [{ role: "user", content: "a" }, ...messages] }).messages.flatMap((message) =>
    message.role === "tool"
      ? [`${String(message.content)} answers ${message.toolCallId}`]
      : typeof message.content === "string"
      ? []
      : message.content.flatMap((part) => part.type === "tool-call" ? [`${part.name} is ${part.id}`] : [])
  )

describe("calls and results without ids, as Google's endpoint and LM Studio accept them", () => {
  it("belong together by their order", () => {
    assert.deepStrictEqual(pairs(calls("f", "f"), result("1"), result("2"), calls("f"), result("3")), [
      "f is call_1_0",
      "f is call_1_1",
      "1 answers call_1_0",
      "2 answers call_1_1",
      "f is call_4_0",
      "3 answers call_4_0"
    ])
  })

  it("belong together by their names, if the results have them", () => {
    assert.deepStrictEqual(pairs(calls("f", "g"), result("1", { name: "g" }), result("2", { name: "f" })).slice(2), [
      "1 answers call_1_1",
      "2 answers call_1_0"
    ])
  })

  it("may have no field for the id, or null in it", () => {
    const unnamed = { role: "assistant", content: null, tool_calls: [call(undefined, "f", "{}", { id: null })] }
    assert.deepStrictEqual(pairs(unnamed, { role: "tool", content: "1" }), ["f is call_1_0", "1 answers call_1_0"])
  })

  it("leave the ids of others as they are", () => {
    const mixed = { role: "assistant", content: null, tool_calls: [call("a", "f", "{}"), call("", "g", "{}")] }
    assert.deepStrictEqual(pairs(mixed, result("1", { tool_call_id: "a" }), result("2")).slice(2), [
      "1 answers a",
      "2 answers call_1_1"
    ])
  })

  it("do not take the results of later calls", () => {
    assert.deepStrictEqual(pairs(calls("f"), calls("g"), result("1")).at(-1), "1 answers call_2_0")
  })
})

const user = (part: object) => decode({ messages: [{ role: "user", content: [part] }] }).messages[0]?.content

describe("requests of other vendors' clients", () => {
  it("may have a tool without a type", () => {
    const tools = [{ function: { name: "f", description: "", parameters: {} } }]
    assert.deepStrictEqual(decode({ tools }).tools, [{ name: "f", description: "", parameters: {} }])
  })

  it("may have the URL of an image as a text, and a sound without its format", () => {
    const url = "https://a.test/b.png"
    assert.deepStrictEqual<unknown>(user({ type: "image_url", image_url: url }), [{ type: "image", source: { url } }])
    const sound = { type: "input_audio", input_audio: "//NkxAA" }
    assert.deepStrictEqual<unknown>(user(sound), [{ type: "native", protocol: "openai-chat", value: sound }])
  })

  it("may have a schema without a name, and a top K of -1", () => {
    assert.deepStrictEqual(decode({ response_format: { type: "json_schema", json_schema: { schema: {} } } }).format, {
      type: "json-schema",
      name: "response",
      schema: {}
    })
    assert.strictEqual(decode({ top_k: -1 }).topK, -1)
  })
})

describe("the arguments `null`", () => {
  it("stay as they are, and are no arguments for Anthropic's clients", () => {
    const message = { tool_calls: [call("a", "f", "null")] }
    const response = Result.getOrThrow(whole({ message, finish_reason: "tool_calls" }))
    assert.deepStrictEqual(response.choices[0].content, [called("a", "f", "null")])
    const { content } = AnthropicMessages.protocol.encodeResponse(response)
    assert.deepNestedInclude({ content }, { "content[0].input": {} })
  })
})

describe("arguments as an object, as Mistral's own types have them", () => {
  const details = { name: "f", arguments: { a: [1, null] } }

  it("are the text of that object", () => {
    const message = { tool_calls: [{ id: "a", type: "function", function: details }] }
    assert.deepStrictEqual(answer({ message, finish_reason: "tool_calls" }).content, [
      called("a", "f", "{\"a\":[1,null]}")
    ])
    const text = chunk({ tool_calls: [{ index: 0, id: "a", function: details }] }, "tool_calls") + done
    assert.deepStrictEqual(streamed(text).content, [called("a", "f", "{\"a\":[1,null]}")])
  })

  it("are the same in a history, where they may also be missing", () => {
    const calls = [{ id: "a", type: "function", function: details }, { id: "b", function: { name: "f" } }]
    assert.deepStrictEqual(decode({ messages: [{ role: "assistant", tool_calls: calls }] }).messages[0]?.content, [
      called("a", "f", "{\"a\":[1,null]}"),
      called("b", "f", "")
    ])
  })
})

describe("a call of a tool without a schema", () => {
  it("may have no type", () => {
    const message = { tool_calls: [{ id: "a", custom: { name: "f", input: "4 + 4" } }] }
    assert.deepNestedInclude(reencoded({ message, finish_reason: "tool_calls" }), {
      "message.tool_calls[0]": { id: "a", type: "custom", custom: { name: "f", input: "4 + 4" } }
    })
  })
})

describe("a result without content", () => {
  it("is empty", () => {
    const calls = [call("a", "f", "{}")]
    const { messages } = decode({
      messages: [{ role: "assistant", tool_calls: calls }, { role: "tool", tool_call_id: "a" }]
    })
    assert.deepStrictEqual(messages[1], { role: "tool", toolCallId: "a", content: "" })
  })
})

describe("a body after a byte order mark", () => {
  it("is read", () => {
    const body = `\ufeff${JSON.stringify({ choices: [{ message: { content: "a" }, finish_reason: "stop" }] })}`
    assert.isTrue(Result.isSuccess(protocol.decodeResponse(peer, { status: 200, headers: {}, body })))
  })
})

describe("the usage", () => {
  it.each([
    ["Mistral's", { num_cached_tokens: 64 }, { cachedInputTokens: 64 }],
    ["Together's", { cached_tokens: 3 }, { cachedInputTokens: 3 }],
    ["Copilot's", { reasoning_tokens: 7 }, { reasoningTokens: 7 }]
  ])("has the counts of other fields: %s", (_, fields, counts) => {
    const usage = { prompt_tokens: 10, completion_tokens: 9, ...fields }
    const choice = { message: { content: "a" }, finish_reason: "stop" }
    assert.deepInclude(Result.getOrThrow(whole(choice, { usage })).usage, counts)
    const { events } = decodeText(chunk({ content: "a" }, "stop", { usage }) + done)
    assert.deepInclude(events.at(-1), counts)
  })
})

it("a stream of these is the same however it is cut", () => {
  const said = chunk({ content: [{ type: "thinking", thinking: [{ type: "text", text: "Hm" }] }] }) +
    chunk({ reasoning: "a", reasoning_content: "a" }) + chunk({ tool_calls: [call("", "f", "{}")] }) +
    `error: {"error":{"message":"Oops"}}\n\n`
  const expected = decodeText(said)
  for (let at = 1; at < said.length; at++) {
    const decoder = protocol.makeDecoder(peer)
    const events = [...decoder.push(utf8(said.slice(0, at))), ...decoder.push(utf8(said.slice(at))), ...decoder.end()]
    assert.deepStrictEqual({ events, failure: decoder.failure, isDone: decoder.isDone }, {
      ...expected,
      failure: decoder.failure
    })
    assert.strictEqual(decoder.failure?._tag, "ProviderFailed")
  }
})
