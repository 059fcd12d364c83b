/** What becomes of fields that a provider's protocol lacks: encoders do what the table says. */
import {
  AnthropicMessages,
  type ChatRequest,
  type Json,
  OpenAiChat,
  OpenAiEmbeddings,
  Protocol
} from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import {
  foreign,
  isDeclared,
  type Lack,
  lacking,
  type Place,
  places,
  type Rule
} from "../src/internal/model/crossings.ts"
import { off, withForeign, withLacking, withPart } from "./support/crossings.ts"
import { httpRequest } from "./support/httpRequest.ts"

const delivery: Protocol.Delivery = { stream: false, includeUsage: true }
const openAi = OpenAiChat.protocol
const protocols: ReadonlyArray<Protocol.ChatProtocol> = [AnthropicMessages.protocol, openAi]

/** A protocol that lacks all that the table names, so far as its quirks say it. */
const without: Readonly<Record<string, Pick<Protocol.ChatProtocol, "encodeRequest">>> = {
  "openai-chat": OpenAiChat.make({
    lacks: [
      "choices",
      "frequencyPenalty",
      "parallelToolCalls",
      "presencePenalty",
      "seed",
      "serviceTier",
      "topK",
      "user"
    ],
    efforts: ["none", "high"]
  }),
  "openai-embeddings": {
    encodeRequest: (request, _, onDropped) =>
      OpenAiEmbeddings.make({ lacks: ["dimensions", "user"] }).encodeRequest(
        { ...request, input: ["?"] },
        { encoding: "float" },
        onDropped
      )
  }
}

const named = (name: string): Protocol.ChatProtocol => protocols.find((protocol) => protocol.name === name)!
const others = (name: string) => protocols.filter((protocol) => protocol.name !== name)

/** What an encoder does with a request. */
const encode = (protocol: Pick<Protocol.ChatProtocol, "encodeRequest">, request: ChatRequest.ChatRequest) => {
  const dropped: Array<Protocol.Dropped> = []
  const encoded = protocol.encodeRequest(request, delivery, (field) => dropped.push(field))
  return { encoded, dropped }
}

const assertObeys = (
  protocol: Pick<Protocol.ChatProtocol, "encodeRequest">,
  request: ChatRequest.ChatRequest,
  field: string,
  rule: Rule
) => {
  const { dropped, encoded } = encode(protocol, request)
  assert.strictEqual(Result.isFailure(encoded), rule.choice === "refused", field)
  if (Result.isFailure(encoded)) {
    assert.instanceOf(encoded.failure, Protocol.Unsupported)
    assert.include(encoded.failure.detail, rule.reason)
  }
  assert.deepStrictEqual(dropped, rule.choice === "dropped" ? [{ field, reason: rule.reason }] : [])
  // Nobody needs to listen.
  assert.strictEqual(protocol.encodeRequest(request, delivery)._tag, encoded._tag)
}

const isPlace = (place: string): place is Place => place in places

const fields = Object.entries(foreign).flatMap(([origin, protocol]) =>
  Object.entries(protocol).flatMap(([place, rules]) =>
    Object.entries(rules).map(([name, rule]) => ({ origin, place, name, rule }))
  )
)
const ofPlaces = fields.flatMap(({ place, ...field }) => isPlace(place) ? [{ ...field, place }] : [])
const ofParts = fields.filter(({ place, rule }) => place === "parts" && rule.choice !== "converted")

describe("a field of one protocol alone", () => {
  it.each(ofPlaces)("goes to others as the table says: $origin $place $name", ({ name, origin, place, rule }) => {
    for (const other of others(origin)) {
      assertObeys(other, withForeign(origin, place, name), places[place] + name, rule)
      const value = off[name]
      if (value !== undefined) {
        const { dropped, encoded } = encode(other, withForeign(origin, place, name, value))
        assert.isTrue(Result.isSuccess(encoded), name)
        assert.deepStrictEqual(dropped, [], name)
      }
    }
  })

  it.each(ofPlaces)("goes to its own servers without a report: $origin $place $name", ({ name, origin, place }) => {
    const { dropped, encoded } = encode(named(origin), withForeign(origin, place, name))
    assert.isTrue(Result.isSuccess(encoded))
    assert.deepStrictEqual(dropped, [])
  })

  it.each(ofParts)("is not a part for others, if it is a note: $origin $name", ({ name, origin, rule }) => {
    for (const other of others(origin)) assertObeys(other, withPart(origin, name), places.content + name, rule)
  })

  it("that the table does not list is dropped and reported, whatever its name is", () => {
    for (const name of ["new_field", "constructor", "toString"]) {
      for (const origin of ["anthropic-messages", "openai-chat", "own", "constructor"]) {
        for (const place of Object.keys(places).filter(isPlace)) {
          for (const other of others(origin)) {
            const { dropped, encoded } = encode(other, withForeign(origin, place, name))
            assert.isTrue(Result.isSuccess(encoded))
            assert.deepStrictEqual(dropped.map(({ field }) => field), [places[place] + name])
          }
        }
      }
    }
  })

  it("is reported once, however often it is there", () => {
    const cached = { extras: { "anthropic-messages": { cache_control: { type: "ephemeral" } } } }
    const part: ChatRequest.TextPart = { type: "text", text: "Hello.", ...cached }
    const request = {
      model: "m",
      messages: [{ role: "user", content: [part, part] }, { role: "user", content: [part] }]
    }
    assert.deepStrictEqual(encode(openAi, request as ChatRequest.ChatRequest).dropped.map(({ field }) => field), [
      "messages.content.cache_control"
    ])
  })

  it("is dropped by embeddings too", () => {
    const dropped: Array<string> = []
    const { delivery, encodeRequest } = OpenAiEmbeddings.protocol
    const request = { model: "m", input: ["a"], extras: { "voyage-embeddings": { input_type: "query" } } }
    const body = Result.getOrThrow(encodeRequest(request, delivery, ({ field }) => dropped.push(field)))
    assert.deepStrictEqual(body, { model: "m", input: ["a"], encoding_format: "base64" })
    assert.deepStrictEqual(dropped, ["input_type"])
  })
})

describe("a part or tool of one protocol alone that the table does not list", () => {
  it.each(protocols)("is refused by $name, with its name", (protocol) => {
    const tool = encode(protocol, {
      model: "m",
      messages: [{ role: "user", content: "Hello." }],
      tools: [{ protocol: "own", definition: { type: "search" } }]
    })
    assert.include(Result.getOrThrow(Result.flip(tool.encoded)).detail, "a tool that only own has")
    const part = encode(protocol, withPart("own", "server_tool_use"))
    assert.include(Result.getOrThrow(Result.flip(part.encoded)).detail, "server_tool_use, a part that only own has")
  })

  it("has what its protocol says instead", () => {
    const content = [{
      type: "search_result",
      source: "https://example.test",
      title: "Rain",
      content: [
        { type: "text", text: "It rains." }
      ]
    }, { type: "document", source: { type: "content", content: "It pours." } }]
    const body = JSON.stringify({ model: "m", max_tokens: 1, messages: [{ role: "user", content }] })
    const { request } = Result.getOrThrow(AnthropicMessages.protocol.decodeRequest(httpRequest(body)))
    const { dropped, encoded } = encode(openAi, request)
    assert.deepStrictEqual(Result.getOrThrow(encoded)["messages"], [{
      role: "user",
      content: ["Rain\nhttps://example.test", "It rains.", "It pours."].map((text) => ({ type: "text", text }))
    }])
    assert.deepStrictEqual(dropped, [])
  })
})

/** What OpenAI's servers get of a document of Anthropic's that has only texts. */
const withDocument = (fields: object) => {
  const content = [{ type: "document", title: "Rain", source: { type: "content", content: "It pours." }, ...fields }]
  const body = JSON.stringify({ model: "m", max_tokens: 1, messages: [{ role: "user", content }] })
  return encode(openAi, Result.getOrThrow(AnthropicMessages.protocol.decodeRequest(httpRequest(body))).request)
}

describe("a part that others get as texts", () => {
  it("has its fields reported as those of any part", () => {
    const { dropped, encoded } = withDocument({
      cache_control: { type: "ephemeral" },
      citations: { enabled: true }
    })
    assert.deepStrictEqual(Result.getOrThrow(encoded)["messages"], [{
      role: "user",
      content: [{ type: "text", text: "Rain" }, { type: "text", text: "It pours." }]
    }])
    assert.deepStrictEqual(dropped.map(({ field }) => field), [
      "messages.content.cache_control",
      "messages.content.citations"
    ])
  })

  it("is refused with a context, which the model would not know", () => {
    assert.include(
      Result.getOrThrow(Result.flip(withDocument({ context: "A report." }).encoded)).detail,
      "content.context"
    )
  })
})

describe("thinking of which another protocol has a part", () => {
  const details = [{ type: "reasoning.encrypted", data: "eA==" }]
  it.each<[string, Omit<ChatRequest.ReasoningPart, "type">]>([
    ["with nothing else", { text: "", details }],
    ["beside signed thinking", { text: "Hm.", signature: "c2ln", details }],
    ["beside redacted thinking", { text: "", redacted: "eA==", details }]
  ])("is reported: reasoning_details %s", (_, thought) => {
    const content: ReadonlyArray<ChatRequest.AssistantPart> = [
      { type: "reasoning", ...thought },
      { type: "text", text: "Hi." }
    ]
    const { dropped } = encode(AnthropicMessages.protocol, {
      model: "m",
      messages: [{ role: "user", content: "?" }, { role: "assistant", content }]
    })
    assert.deepStrictEqual(dropped.map(({ field }) => field), ["messages.content.reasoning"])
  })
})

describe("thinking that a server of OpenAI's protocol does not get", () => {
  const details = [{ type: "reasoning.encrypted", data: "eA==" }]
  it.each<[string, Partial<OpenAiChat.Quirks>, Omit<ChatRequest.ReasoningPart, "type">]>([
    ["signed, and not shown", {}, { text: "", signature: "c2ln" }],
    ["redacted", {}, { text: "", redacted: "eA==" }],
    ["details beside its text", { reasoningField: "reasoning_content" }, { text: "Hm.", details }],
    ["details alone", { reasoningDetails: "never" }, { text: "", details }]
  ])("is reported: %s", (_, quirks, thought) => {
    const content: ReadonlyArray<ChatRequest.AssistantPart> = [
      { type: "reasoning", ...thought },
      { type: "text", text: "Hi." }
    ]
    const { dropped } = encode(OpenAiChat.make(quirks), { model: "m", messages: [{ role: "assistant", content }] })
    assert.deepStrictEqual(dropped.map(({ field }) => field), ["messages.content.reasoning"])
  })
})

describe("an empty text", () => {
  it("is not sent to Anthropic, which rejects it, and its extras are reported", () => {
    const extras = { "openai-chat": { prompt_cache_breakpoint: true } }
    const { dropped, encoded } = encode(AnthropicMessages.protocol, {
      model: "m",
      messages: [{ role: "user", content: [{ type: "text", text: "", extras }, { type: "text", text: "Hi." }] }]
    })
    assert.deepStrictEqual(Result.getOrThrow(encoded)["messages"], [{ role: "user", content: "Hi." }])
    assert.deepStrictEqual(dropped.map(({ field }) => field), ["messages.content.prompt_cache_breakpoint"])
  })
})

const lacks = Object.entries<Readonly<Record<string, Lack>>>(lacking).flatMap(([name, rules]) =>
  Object.entries(rules).map(([id, rule]) => ({ name, id, rule }))
)

const bodyOf = (name: string, request: Partial<ChatRequest.ChatRequest>) =>
  Result.getOrThrow(
    encode(named(name), { model: "m", messages: [{ role: "user", content: "?" }], ...request }).encoded
  )

describe("a shared field that a protocol lacks", () => {
  it.each(lacks)("goes to its servers as the table says: $name $id", ({ id, name, rule }) => {
    const requests: Readonly<Record<string, Readonly<Record<string, ChatRequest.ChatRequest>>>> = withLacking
    assertObeys(without[name] ?? named(name), requests[name]![id]!, rule.field, rule)
  })

  it("is declared, unlike a field that only a request knows", () => {
    assert.isTrue(lacks.every(({ rule }) => isDeclared(rule.field)))
    assert.isTrue(isDeclared("tools.cache_control") && isDeclared("messages.content.citations_delta"))
    assert.isFalse(isDeclared("my-secret") || isDeclared("constructor"))
  })

  it("is sent in its other form", () => {
    assert.strictEqual(bodyOf("anthropic-messages", { temperature: 1.5 })["temperature"], 1)
    assert.strictEqual(bodyOf("anthropic-messages", { serviceTier: "default" })["service_tier"], "standard_only")
    assert.strictEqual(bodyOf("openai-chat", { serviceTier: "standard_only" })["service_tier"], "default")
    assert.notProperty(bodyOf("anthropic-messages", { serviceTier: "flex" }), "service_tier")
    const file = { type: "file", name: "a.csv", source: { mediaType: "text/csv", data: "MSwy" } } as const
    assert.nestedPropertyVal(
      bodyOf("anthropic-messages", { messages: [{ role: "user", content: [file] }] }),
      "messages[0].content[0].source.data",
      "1,2"
    )
  })
})

const asked = (fields: object) => {
  const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "?" }], ...fields })
  return Result.getOrThrow(OpenAiChat.protocol.decodeRequest(httpRequest(body))).request
}

const names = (fields: object) => encode(AnthropicMessages.protocol, asked(fields)).dropped.map(({ field }) => field)

describe("how much to think", () => {
  it.each<[object, Json.Json]>([
    [{ reasoning: { effort: "high" } }, { type: "adaptive" }],
    [{ reasoning: { max_tokens: 2048 } }, { type: "enabled", budget_tokens: 2048 }],
    [{ reasoning: { enabled: false } }, { type: "disabled" }],
    [{ reasoning: { enabled: true } }, { type: "adaptive" }],
    [{ thinking: { type: "disabled" } }, { type: "disabled" }]
  ])("is understood as OpenRouter and DeepSeek have it, and goes back as it came: %j", (fields, thinking) => {
    const request = asked(fields)
    const { dropped, encoded } = encode(AnthropicMessages.protocol, request)
    assert.deepStrictEqual(Result.getOrThrow(encoded)["thinking"], thinking)
    assert.deepStrictEqual(dropped, [])
    const again = Result.getOrThrow(encode(OpenAiChat.protocol, request).encoded)
    assert.deepStrictEqual(again, { model: "m", messages: [{ role: "user", content: "?" }], ...fields })
  })

  it("is reported where other protocols cannot say it", () => {
    assert.deepStrictEqual(names({ thinking: { type: "enabled", keep: "all" } }), ["thinking.type", "thinking"])
    assert.deepStrictEqual(names({ reasoning: { effort: "low", exclude: true } }), ["reasoning"])
  })
})

describe("a schema for the answer", () => {
  const schema = { type: "object", properties: { city: { type: "string" } } }
  const inJson = { response_format: { type: "json_object", schema } }

  it("is understood as Cohere, Together, Fireworks and llama.cpp have it", () => {
    const { dropped, encoded } = encode(AnthropicMessages.protocol, asked(inJson))
    assert.deepStrictEqual(Result.getOrThrow(encoded)["output_config"], { format: { type: "json_schema", schema } })
    assert.deepStrictEqual(dropped, [])
    const again = Result.getOrThrow(encode(OpenAiChat.make({ formats: "json_object_schema" }), asked(inJson)).encoded)
    assert.deepInclude(again, inJson)
  })

  it.each<[OpenAiChat.Quirks["formats"]]>([["json_object_schema"], ["json_object"]])(
    "has the description where the format has no place for it: %s",
    (formats) => {
      const format = { type: "json-schema", name: "city", description: "A city", schema } as const
      const request: ChatRequest.ChatRequest = { model: "m", messages: [{ role: "user", content: "?" }], format }
      const { dropped, encoded } = encode(OpenAiChat.make({ formats }), request)
      assert.include(
        JSON.stringify(Result.getOrThrow(encoded)).replaceAll("\\", ""),
        `{"description":"A city","type":"object"`
      )
      assert.deepStrictEqual(dropped, [])
      const own = { ...request, format: { ...format, schema: { ...schema, description: "Its own" } } }
      assert.notInclude(JSON.stringify(Result.getOrThrow(encode(OpenAiChat.make({ formats }), own).encoded)), "A city")
    }
  )
})

describe("the most tokens of an answer", () => {
  it("may be said in Anthropic's own word", () => {
    const extras = { "anthropic-messages": { max_tokens: 7 } }
    assert.strictEqual(bodyOf("anthropic-messages", { extras })["max_tokens"], 7)
    assert.strictEqual(bodyOf("anthropic-messages", { extras, maxOutputTokens: 9 })["max_tokens"], 9)
  })
})

describe("the id of a tool call", () => {
  const ids = ["functions.add:0", "a b", "clawback_x", "clawback_ZnVuY3Rpb25z", "Łódź", "a"]

  it("is acceptable for Anthropic, and returns as its provider made it", () => {
    const messages: ReadonlyArray<ChatRequest.Message> = [
      { role: "user", content: "?" },
      {
        role: "assistant",
        content: ids.map((id) => ({ type: "tool-call" as const, id, name: "f", arguments: "{}" }))
      },
      ...ids.map((toolCallId) => ({ role: "tool" as const, toolCallId, content: "1" }))
    ]
    const { protocol } = AnthropicMessages
    const body = JSON.stringify(
      Result.getOrThrow(encode(protocol, { model: "m", maxOutputTokens: 1, messages }).encoded)
    )
    const sent = [...body.matchAll(/"(?:tool_use_)?id":"([^"]*)"/g)].map(([, id = ""]) => id)
    assert.lengthOf(sent, 2 * ids.length)
    assert.deepStrictEqual(sent.filter((id) => !/^[a-zA-Z0-9_-]+$/.test(id)), [])
    assert.lengthOf(new Set(sent), ids.length)
    assert.deepStrictEqual(Result.getOrThrow(protocol.decodeRequest(httpRequest(body))).request.messages, messages)
  })

  it("comes to Anthropic's client in that form, and goes back to the provider as it was", () => {
    const { protocol } = AnthropicMessages
    const content = [{ type: "tool-call", id: "functions.add:0", name: "add", arguments: "{}" }] as const
    const finish = { reason: "tool-calls", raw: "tool_calls" } as const
    const whole = protocol.encodeResponse({ id: "1", model: "kimi", choices: [{ content, finish }], usage: undefined })
    const encoder = protocol.makeEncoder({ stream: true, includeUsage: true })
    const [{ id }] = whole["content"] as unknown as readonly [{ readonly id: string }]
    assert.match(id, /^[\w-]+$/)
    const text = String(encoder.push([{ _tag: "ToolCallStarted", index: 0, id: "functions.add:0", name: "add" }]))
    assert.include(text, `"id":"${id}"`)
    const history = [{ role: "assistant", content: whole["content"] }, {
      role: "user",
      content: [{ type: "tool_result", tool_use_id: id, content: "3" }]
    }]
    const { request } = Result.getOrThrow(
      protocol.decodeRequest(httpRequest(JSON.stringify({ model: "kimi", max_tokens: 1, messages: history })))
    )
    const back = Result.getOrThrow(encode(openAi, request).encoded)["messages"]
    assert.nestedPropertyVal(back, "[0].tool_calls[0].id", "functions.add:0")
    assert.nestedPropertyVal(back, "[1].tool_call_id", "functions.add:0")
  })
})
