/** In what servers of OpenAI's chat completions differ. Each test fails without its quirk. */
import { type ChatRequest, ChatResponse, OpenAiChat, type Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Option, Result } from "effect"
import { httpRequest } from "./support/httpRequest.ts"

const peer: Protocol.Peer = { provider: "test", redact: (text) => text }
const messages: ReadonlyArray<ChatRequest.Message> = [{ role: "user", content: "Why?" }]

const encode = (quirks: Partial<OpenAiChat.Quirks>, fields: Partial<ChatRequest.ChatRequest>, stream = false) =>
  Result.getOrThrow(
    OpenAiChat.make(quirks).encodeRequest({ model: "m", messages, ...fields }, {
      stream,
      includeUsage: stream
    })
  )

const decode = (quirks: Partial<OpenAiChat.Quirks>, fields: object) =>
  Result.getOrThrow(
    OpenAiChat.make(quirks).decodeRequest(httpRequest(JSON.stringify({ model: "m", messages, ...fields })))
  )

const assistant = (...content: ReadonlyArray<ChatRequest.AssistantPart>): ChatRequest.Message => ({
  role: "assistant",
  content
})

const sent = (quirks: Partial<OpenAiChat.Quirks>, ...history: ReadonlyArray<ChatRequest.Message>) =>
  encode(quirks, { messages: history })["messages"]

const streamed = (quirks: Partial<OpenAiChat.Quirks>, chunks: ReadonlyArray<object>) => {
  const decoder = OpenAiChat.make(quirks).makeDecoder(peer)
  const text = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("") + "data: [DONE]\n\n"
  return decoder.push(new TextEncoder().encode(text))
}

const encodeStream = (quirks: Partial<OpenAiChat.Quirks>, response: ChatResponse.ChatResponse) => {
  const encoder = OpenAiChat.make(quirks).makeEncoder({ stream: true, includeUsage: true })
  return encoder.push(ChatResponse.toEvents(response)) + encoder.end()
}

const answer = (...content: ReadonlyArray<ChatRequest.AssistantPart>): ChatResponse.ChatResponse => ({
  id: "1",
  model: "m",
  choices: [{ content, finish: { reason: "stop", raw: "stop" } }],
  usage: undefined
})

const noUsage = {
  inputTokens: undefined,
  cachedInputTokens: undefined,
  cacheWriteTokens: undefined,
  outputTokens: undefined,
  reasoningTokens: undefined,
  raw: {}
}

const thought = (name: string, text = "Hm."): ChatRequest.ReasoningPart => ({
  type: "reasoning",
  text,
  extras: { "openai-chat": { name } }
})

describe("the quirks of OpenAI's chat completions", () => {
  it("are data, and OpenAI's where none are given", () => {
    assert.deepStrictEqual(OpenAiChat.protocol.quirks, {
      maxTokensField: "max_completion_tokens",
      reasoningField: "as-received",
      reasoningDetails: "as-received",
      toolIds: "any",
      usage: "include_usage",
      lacks: [],
      efforts: "any",
      fileUrl: "unsupported",
      systemRole: "system",
      seedField: "seed",
      requiredTool: "required",
      namedTool: "function",
      modelIn: "body",
      formats: "json_schema",
      json: "json_object",
      unsupported: [],
      tokensOutside: [],
      cachedTokens: "prompt_tokens_details",
      toolFinish: "tool_calls",
      streamEnd: "[DONE]",
      limitHeaders: {
        requests: {
          limit: "x-ratelimit-limit-requests",
          remaining: "x-ratelimit-remaining-requests",
          reset: "x-ratelimit-reset-requests"
        },
        tokens: {
          limit: "x-ratelimit-limit-tokens",
          remaining: "x-ratelimit-remaining-tokens",
          reset: "x-ratelimit-reset-tokens"
        }
      }
    })
    const { quirks } = OpenAiChat.make({ maxTokensField: "max_tokens" })
    assert.deepStrictEqual(quirks, { ...OpenAiChat.protocol.quirks, maxTokensField: "max_tokens" })
  })

  it("name the field of the most tokens", () => {
    assert.deepInclude(encode({}, { maxOutputTokens: 7 }), { max_completion_tokens: 7 })
    const body = encode({ maxTokensField: "max_tokens" }, { maxOutputTokens: 7 })
    assert.deepInclude(body, { max_tokens: 7 })
    assert.notProperty(body, "max_completion_tokens")
    assert.strictEqual(decode({ maxTokensField: "max_tokens" }, { max_tokens: 7 }).request.maxOutputTokens, 7)
  })

  it("name the field of a seed", () => {
    const quirks = { seedField: "random_seed" } as const
    const body = encode(quirks, { seed: 7 })
    assert.deepInclude(body, { random_seed: 7 })
    assert.notProperty(body, "seed")
    const { request } = decode(quirks, { random_seed: 7 })
    assert.strictEqual(request.seed, 7)
    assert.isUndefined(request.extras)
  })

  it("name the choice of any tool", () => {
    const quirks = { requiredTool: "any" } as const
    const tools = [{ name: "f", parameters: {} }]
    assert.deepInclude(encode(quirks, { tools, toolChoice: "required" }), { tool_choice: "any" })
    assert.strictEqual(decode(quirks, { tool_choice: "any" }).request.toolChoice, "required")
    assert.strictEqual(decode({}, { tool_choice: "any" }).request.toolChoice, "required")
  })

  it("allow the URL of a file", () => {
    const url = "https://a.test/b.pdf"
    const content = [{ type: "file", file: { filename: "b.pdf", file_data: url } }]
    const fields = { messages: [{ role: "user", content }] }
    const { request } = decode({}, fields)
    assert.deepStrictEqual<unknown>(request.messages[0]?.content, [{ type: "file", source: { url }, name: "b.pdf" }])
    assert.deepInclude(encode({ fileUrl: "file_data" }, request), fields)
  })

  it("name the role of instructions, unless they name their own", () => {
    const history: ReadonlyArray<ChatRequest.Message> = [
      { role: "system", content: "a" },
      { role: "system", content: "b", extras: { "openai-chat": { role: "developer" } } }
    ]
    const roles = (quirks: Partial<OpenAiChat.Quirks>) =>
      JSON.stringify(sent(quirks, ...history)).match(/"role":"\w+"/g)
    assert.deepStrictEqual(roles({}), ["\"role\":\"system\"", "\"role\":\"developer\""])
    assert.deepStrictEqual(roles({ systemRole: "developer" }), ["\"role\":\"developer\"", "\"role\":\"developer\""])
  })

  it("do not send a top K to a server that has none", () => {
    assert.deepInclude(encode({}, { topK: 7 }), { top_k: 7 })
    assert.notProperty(encode({ lacks: ["topK"] }, { topK: 7 }), "top_k")
  })
})

const message = (content: string, fields: object = {}) => ({ role: "assistant", content, ...fields })

describe("the quirk of thinking", () => {
  const history = [
    assistant(thought("reasoning"), { type: "text", text: "a" }),
    assistant({ type: "reasoning", text: "Hm." }, { type: "text", text: "b" }),
    assistant({ type: "reasoning", text: "Hm.", signature: "x" }, { type: "text", text: "c" })
  ]

  it("sends it back under the name under which it came, by default", () => {
    assert.deepStrictEqual(sent({}, ...history), [message("a", { reasoning: "Hm." }), message("b"), message("c")])
  })

  it("sends it back under the declared name, unless another provider signed it", () => {
    assert.deepStrictEqual(sent({ reasoningField: "reasoning_content" }, ...history), [
      message("a", { reasoning_content: "Hm." }),
      message("b", { reasoning_content: "Hm." }),
      message("c")
    ])
  })

  it("sends none back to a server that refuses it", () => {
    assert.deepStrictEqual(sent({ reasoningField: "never" }, ...history), [message("a"), message("b"), message("c")])
  })

  it.each(
    [
      ["as-received", "content"],
      ["never", "content"],
      ["reasoning_content", "content"],
      ["reasoning", "plain"]
    ] as const
  )("with %s, reads the %s of two fields", (reasoningField, text) => {
    const fields = { reasoning: "plain", reasoning_content: "content" }
    const body = { choices: [{ message: { content: "a", ...fields }, finish_reason: "stop" }] }
    const whole = OpenAiChat.make({ reasoningField }).decodeResponse(peer, {
      status: 200,
      headers: {},
      body: JSON.stringify(body)
    })
    assert.deepInclude(Result.getOrThrow(whole).choices[0].content[0], { type: "reasoning", text })
    const events = streamed({ reasoningField }, [{ id: "1", choices: [{ index: 0, delta: fields }] }])
    assert.deepInclude(events[1], { _tag: "ReasoningDelta", text })
  })

  it.each(
    [
      ["as-received", "reasoning", "reasoning"],
      ["never", "reasoning", "reasoning"],
      ["reasoning_content", "reasoning", "reasoning_content"],
      ["reasoning", "reasoning_content", "reasoning"]
    ] as const
  )("with %s, a server sends what came as %s as %s", (reasoningField, received, name) => {
    const response = answer(thought(received))
    assert.include(encodeStream({ reasoningField }, response), `"delta":{"${name}":"Hm."}`)
    assert.include(JSON.stringify(OpenAiChat.make({ reasoningField }).encodeResponse(response)), `"${name}":"Hm."`)
  })
})

const idsOf = (quirks: Partial<OpenAiChat.Quirks>, id: string) =>
  [
    ...JSON.stringify(
      sent(
        quirks,
        assistant({ type: "tool-call", id, name: "f", arguments: "{}" }),
        { role: "tool", toolCallId: id, content: "1" }
      )
    ).matchAll(/"(?:tool_call_)?id":"([^"]*)"/g)
  ].map(([, id]) => id)

describe("the quirk of a tool call's id", () => {
  const quirks = { toolIds: { alphanumeric: 9 } } as const

  it("keeps an id that the server accepts", () => {
    assert.deepStrictEqual(idsOf({}, "call_1"), ["call_1", "call_1"])
    assert.deepStrictEqual(idsOf(quirks, "aB3dE6gH9"), ["aB3dE6gH9", "aB3dE6gH9"])
  })

  it("sends another id as one that the server accepts, in the call and in its result, and each as its own", () => {
    const found = new Set<string | undefined>()
    for (const id of ["", "call_1", "call_2", "toolu_01A09q90qw90lq917835lq9", "aB3dE6g_9", "aB3dE6gH9x"]) {
      const [call, result] = idsOf(quirks, id)
      assert.match(call ?? "", /^[0-9A-Za-z]{9}$/)
      assert.strictEqual(result, call)
      assert.deepStrictEqual(idsOf(quirks, id), [call, result])
      found.add(call)
    }
    assert.strictEqual(found.size, 6)
  })

  it("leaves the ids of answers as they are, since Mistral's own have other forms too", () => {
    const response = answer({ type: "tool-call", id: "chatcmpl-tool-9f14", name: "f", arguments: "{}" })
    assert.include(encodeStream(quirks, response), "\"id\":\"chatcmpl-tool-9f14\"")
    assert.include(JSON.stringify(OpenAiChat.make(quirks).encodeResponse(response)), "\"id\":\"chatcmpl-tool-9f14\"")
  })
})

const used = (quirks: Partial<OpenAiChat.Quirks>, chunks: ReadonlyArray<object>) => {
  const event = streamed(quirks, chunks).at(-1)
  return event?._tag === "Used" ? event.outputTokens : undefined
}

const asks = (quirks: Partial<OpenAiChat.Quirks>) => decode(quirks, { stream: true }).delivery.includeUsage

describe("the quirk of usage", () => {
  const counted = { prompt_tokens: 3, completion_tokens: 4 }
  const text = { id: "1", choices: [{ index: 0, delta: { content: "a" } }] }
  const last = { id: "1", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }

  it("asks for it, unless the server reports it unasked", () => {
    assert.deepInclude(encode({}, {}, true), { stream_options: { include_usage: true } })
    assert.notProperty(encode({ usage: "unasked" }, {}, true), "stream_options")
    assert.notProperty(encode({ usage: "x_groq" }, {}, true), "stream_options")
  })

  it("counts a stream as asking for it, where none can ask", () => {
    assert.deepStrictEqual([{}, { usage: "unasked" }, { usage: "x_groq" }].map((quirks) => asks(quirks as object)), [
      false,
      true,
      true
    ])
  })

  it("reads it where the server reports it", () => {
    const chunks = [text, { ...last, x_groq: { id: "req_1", usage: counted } }]
    assert.isUndefined(used({}, chunks))
    assert.strictEqual(used({ usage: "x_groq" }, chunks), 4)
    assert.strictEqual(used({ usage: "x_groq" }, [text, { ...last, usage: counted }]), 4)
    assert.strictEqual(used({ usage: "unasked" }, [text, { ...last, usage: counted }]), 4)
  })

  it("writes it where a client of such a server looks for it", () => {
    const response = { ...answer({ type: "text", text: "a" }), usage: { ...noUsage, outputTokens: 4 } }
    assert.include(encodeStream({ usage: "x_groq" }, response), "\"x_groq\":{\"usage\":{\"completion_tokens\":4}}")
    assert.include(encodeStream({ usage: "unasked" }, response), "\"usage\":{\"completion_tokens\":4}")
  })
})

const chunk = (delta: object, finish: string | null = null) => ({
  id: "1",
  model: "m",
  choices: [{ index: 0, delta, finish_reason: finish }]
})

const piece = (text: string, more: object = {}) =>
  chunk({
    content: "",
    reasoning: text,
    reasoning_details: [{ type: "reasoning.text", text, index: 0, ...more }]
  })

describe("details of thinking", () => {
  const thought = {
    type: "reasoning.text",
    text: "Sockets leak.",
    format: "anthropic-claude-v1",
    index: 0,
    signature: "s"
  }
  const encrypted = { type: "reasoning.encrypted", data: "bm90", id: "rs_1", index: 1 }
  const call = { type: "tool-call", id: "c1", name: "f", arguments: "{}" } as const

  it("are joined from the pieces of a stream, and come before what follows", () => {
    const events = streamed({}, [
      piece("Sockets", { format: "anthropic-claude-v1", signature: null }),
      piece(" leak."),
      // The same piece again is not a repetition of the frame.
      piece(" leak."),
      chunk({ content: "", reasoning_details: [{ type: "reasoning.text", signature: "s", index: 0 }] }),
      chunk({ content: "Yes." }),
      chunk({ content: "", reasoning_details: [encrypted] }),
      chunk({}, "stop")
    ])
    assert.deepStrictEqual(events.slice(1), [
      ...["Sockets", " leak.", " leak."].map((text) => ({
        _tag: "ReasoningDelta",
        text,
        extras: { "openai-chat": { name: "reasoning" } }
      } as const)),
      { _tag: "ReasoningSigned", details: [{ ...thought, text: "Sockets leak. leak." }] },
      { _tag: "TextDelta", text: "Yes." },
      { _tag: "ReasoningSigned", details: [encrypted] },
      { _tag: "Finished", reason: "stop", raw: "stop" }
    ])
  })

  it("stay apart where they are of another type or number", () => {
    const pieces = [
      { type: "reasoning.summary", summary: "One", index: 0 },
      { type: "reasoning.summary", summary: " two.", index: 0 },
      { type: "reasoning.summary", summary: "Three.", index: 1 },
      encrypted,
      encrypted
    ]
    const events = streamed({}, [chunk({ reasoning_details: pieces }), chunk({}, "stop")])
    assert.deepStrictEqual(events[1], {
      _tag: "ReasoningSigned",
      details: [{ ...pieces[0], summary: "One two." }, pieces[2] ?? {}, encrypted, encrypted]
    })
  })

  it("go back with the history to a server that wants them, and to no other", () => {
    const body = {
      id: "1",
      model: "m",
      choices: [{
        message: { content: null, reasoning: "Sockets leak.", reasoning_details: [thought, encrypted] },
        finish_reason: "stop"
      }]
    }
    const received = Result.getOrThrow(
      OpenAiChat.protocol.decodeResponse(peer, { status: 200, headers: {}, body: JSON.stringify(body) })
    )
    const { content } = received.choices[0]
    const fields = (quirks: Partial<OpenAiChat.Quirks>) => sent(quirks, assistant(...content, call))
    const thinking = { reasoning: "Sockets leak.", reasoning_details: [thought, encrypted] }
    const [first] = fields({}) as ReadonlyArray<object>
    assert.deepInclude(first, thinking)
    const [declared] = fields({ reasoningField: "reasoning", reasoningDetails: "as-received" }) as ReadonlyArray<object>
    assert.deepInclude(declared, thinking)
    const [known] = fields({ reasoningField: "reasoning" }) as ReadonlyArray<object>
    assert.deepInclude(known, { reasoning: "Sockets leak." })
    assert.notProperty(known, "reasoning_details")
    const [never] = fields({ reasoningDetails: "never" }) as ReadonlyArray<object>
    assert.notProperty(never, "reasoning_details")
  })

  it("need no text beside them", () => {
    const events = streamed({}, [chunk({ reasoning_details: [encrypted] }), chunk({}, "stop")])
    const { content } = Option.getOrThrow(ChatResponse.fromEvents(events)).choices[0]
    assert.deepStrictEqual(content, [{ type: "reasoning", text: "", details: [encrypted] }])
    assert.deepStrictEqual(sent({}, assistant(...content, call)), [{
      role: "assistant",
      content: null,
      reasoning_details: [encrypted],
      tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{}" } }]
    }])
  })

  it("are read from a history, and sent by a server whatever it accepts back", () => {
    const message = { role: "assistant", content: "Yes.", reasoning: "Sockets leak.", reasoning_details: [thought] }
    assert.deepStrictEqual(sent({}, ...decode({}, { messages: [message] }).request.messages), [message])
    const response = answer({ type: "reasoning", text: "Sockets leak.", details: [thought] }, {
      type: "text",
      text: "Yes."
    })
    const quirks = { reasoningField: "never" } as const
    assert.include(
      JSON.stringify(OpenAiChat.make(quirks).encodeResponse(response)),
      JSON.stringify({ reasoning_details: [thought] }).slice(1, -1)
    )
    assert.include(encodeStream(quirks, response), JSON.stringify({ reasoning_details: [thought] }))
  })
})
