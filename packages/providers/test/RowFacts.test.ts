/** What a vendor rejects is not sent, as its row says. */
import { Credential, type Transport } from "@clawback/core"
import { Anthropic, OpenAi, Protocol, Target } from "@clawback/providers"
import * as Cohere from "@clawback/providers/Cohere"
import * as DeepSeek from "@clawback/providers/DeepSeek"
import * as Groq from "@clawback/providers/Groq"
import * as LmStudio from "@clawback/providers/LmStudio"
import * as Mistral from "@clawback/providers/Mistral"
import * as Ollama from "@clawback/providers/Ollama"
import * as Perplexity from "@clawback/providers/Perplexity"
import * as Qwen from "@clawback/providers/Qwen"
import * as Vllm from "@clawback/providers/Vllm"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Result } from "effect"
import * as FakeTransport from "./support/fakeTransport.ts"
import { httpRequest } from "./support/httpRequest.ts"

const asking = { model: "m", messages: [{ role: "user", content: "?" }] } as const
const asStream: Protocol.Delivery = { stream: true, includeUsage: true }

describe("a top K", () => {
  it("does not go to OpenAI, which rejects it, and is reported", () => {
    const dropped: Array<string> = []
    const { encodeRequest } = OpenAi.provider.chat
    const body = Result.getOrThrow(encodeRequest({ ...asking, topK: 7 }, asStream, ({ field }) => dropped.push(field)))
    assert.notProperty(body, "top_k")
    assert.deepStrictEqual(dropped, ["topK"])
  })

  it.effect("of a layer is refused when the layer is built", () =>
    Effect.gen(function*() {
      const target = OpenAi.target("m", { parameters: { topK: 7 } })
      const layer = Target.layer(target).pipe(Layer.provide(FakeTransport.make().layer))
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.strictEqual(error._tag, "Unsupported")
      assert.include(error.message, "topK")
    }))
})

/** What is dropped from a request to a server, and what is sent. */
const left = (chat: Protocol.ChatProtocol, fields: object) => {
  const dropped: Array<string> = []
  const body = Result.getOrThrow(
    chat.encodeRequest({ ...asking, ...fields }, asStream, ({ field }) => dropped.push(field))
  )
  return { dropped, fields: Object.keys(body) }
}

describe("a field that a vendor lacks", () => {
  it.each<[string, Protocol.ChatProtocol, object, string]>([
    ["Mistral", Mistral.provider.chat, { user: "u-1" }, "user"],
    ["Mistral", Mistral.provider.chat, { serviceTier: "flex" }, "service_tier"],
    ["Cohere", Cohere.provider.chat, { serviceTier: "priority" }, "service_tier"],
    [
      "Cohere",
      Cohere.provider.chat,
      { tools: [{ name: "f", parameters: {} }], parallelToolCalls: false },
      "parallel_tool_calls"
    ],
    ["Ollama", Ollama.provider.chat, { user: "u-1" }, "user"],
    ["vLLM", Vllm.provider.chat, { user: "u-1" }, "user"]
  ])("is not sent, and is reported: %s %#", (_, chat, fields, name) => {
    const found = left(chat, fields)
    assert.notInclude(found.fields, name)
    assert.deepStrictEqual(found.dropped, [Object.keys(fields).at(-1)])
  })

  it("is left out without a word where it asks for nothing", () => {
    const { dropped, fields } = left(Cohere.provider.chat, { choices: 1, parallelToolCalls: true, serviceTier: "auto" })
    assert.deepStrictEqual(dropped, [])
    assert.notIncludeMembers(fields, ["n", "parallel_tool_calls", "service_tier"])
  })

  it.each([["Groq", Groq.provider.chat], ["Cohere", Cohere.provider.chat], ["Ollama", Ollama.provider.chat]])(
    "is refused where the answer would have another form: several choices at %s",
    (_, { encodeRequest }) => {
      const encoded = encodeRequest({ ...asking, choices: 2 }, asStream)
      assert.include(Result.isFailure(encoded) && encoded.failure.message, "several answers")
    }
  )

  it.effect("is refused in the parameters of a layer", () =>
    Effect.gen(function*() {
      const key = Credential.redacted("test", Redacted.make("sk"))
      const layers = [
        Mistral.layer({ model: "m", credential: key, parameters: { user: "u-1" } }),
        Groq.layer({ model: "m", credential: key, parameters: { choices: 2 } }),
        Mistral.embeddingLayer({ model: "m", credential: key, parameters: { user: "u-1" } }),
        Cohere.embeddingLayer({ model: "m", credential: key, parameters: { dimensions: 8 } })
      ]
      for (const [at, field] of ["user", "several answers", "user", "dimensions"].entries()) {
        const layer = Layer.provide(
          layers[at]! as Layer.Layer<never, unknown, Transport.Transport>,
          FakeTransport.make().layer
        )
        const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
        assert.instanceOf(error, Protocol.Unsupported)
        assert.include(error.message, field)
      }
    }))
})

describe("an effort", () => {
  it.each([["none", "none"], ["low", "high"], ["high", "high"], ["max", "high"], ["turbo", "turbo"]])(
    "becomes the next that Cohere has: %s",
    (effort, sent) => {
      const { encodeRequest } = Cohere.provider.chat
      const body = Result.getOrThrow(encodeRequest({ ...asking, reasoning: { effort } }, asStream))
      assert.strictEqual(body["reasoning_effort"], sent)
    }
  )
})

describe("a tool choice that forces a call", () => {
  const forced = { ...asking, tools: [{ name: "f", parameters: { type: "object" } }], toolChoice: "required" } as const

  it.each<[string, Protocol.ChatProtocol, object]>([
    ["Cohere", Cohere.provider.chat, {}],
    ["Ollama", Ollama.provider.chat, {}],
    ["Qwen", Qwen.provider.chat, { reasoning: { effort: "low" } }],
    ["Qwen", Qwen.provider.chat, { extras: { "openai-chat": { enable_thinking: true } } }],
    ["DeepSeek", DeepSeek.provider.chat, { reasoning: { budgetTokens: 100 } }],
    ["DeepSeek", DeepSeek.provider.chat, { extras: { "openai-chat": { thinking: { type: "enabled" } } } }]
  ])("is refused where the vendor rejects or ignores it: %s %#", (_, { encodeRequest }, fields) => {
    const encoded = encodeRequest({ ...forced, ...fields }, asStream)
    assert.include(Result.isFailure(encoded) && encoded.failure.message, "forces a call")
  })

  it.each<[string, Protocol.ChatProtocol, object]>([
    ["Qwen", Qwen.provider.chat, { reasoning: { effort: "none" } }],
    ["Qwen", Qwen.provider.chat, { extras: { "openai-chat": { enable_thinking: false } } }],
    ["DeepSeek", DeepSeek.provider.chat, { extras: { "openai-chat": { thinking: { type: "disabled" } } } }]
  ])("is sent to a model that does not think: %s %#", (_, { encodeRequest }, fields) => {
    assert.propertyVal(Result.getOrThrow(encodeRequest({ ...forced, ...fields }, asStream)), "tool_choice", "required")
  })
})

describe("a stream", () => {
  it("does not ask Cohere for its usage, since Cohere rejects the field", () => {
    const body = Result.getOrThrow(Cohere.provider.chat.encodeRequest(asking, asStream))
    assert.strictEqual(body["stream"], true)
    assert.notProperty(body, "stream_options")
  })
})

describe("the choice of one tool", () => {
  const tools = [{ name: "f", parameters: { type: "object" } }, { name: "g", parameters: { type: "object" } }]
  const named = (tool: string) =>
    Result.getOrThrow(LmStudio.provider.chat.encodeRequest({ ...asking, tools, toolChoice: { tool } }, asStream))

  it("is `required` with that tool alone for LM Studio, which rejects an object", () => {
    assert.deepInclude(named("g"), {
      tool_choice: "required",
      tools: [{ type: "function", function: { name: "g", parameters: { type: "object" } } }]
    })
  })

  it("that is none of the tools is left to the server", () => {
    assert.deepInclude(named("h"), { tool_choice: { type: "function", function: { name: "h" } } })
    assert.lengthOf(named("h")["tools"] as ReadonlyArray<unknown>, 2)
  })
})

describe("JSON without a schema", () => {
  it.each([["LmStudio", LmStudio.provider.chat], ["Perplexity", Perplexity.provider.chat]] as const)(
    "is asked for by the schema of any object where there is no json_object: %s",
    (_, { encodeRequest }) => {
      const body = Result.getOrThrow(encodeRequest({ ...asking, format: { type: "json" } }, asStream))
      assert.deepStrictEqual(body["response_format"], {
        type: "json_schema",
        json_schema: { name: "response", schema: { type: "object" } }
      })
    }
  )
})

const posted = (body: string): Protocol.HttpRequest => ({ ...httpRequest(body), path: "/chat/completions" })

const said = (part: object) => ({ messages: [{ role: "user", content: [part] }] })

describe("what stands beside the known fields of a part", () => {
  const { decodeRequest, encodeRequest } = OpenAi.provider.chat
  const again = (fields: object) => {
    const body = { model: "m", messages: [{ role: "user", content: "?" }], ...fields }
    const request = posted(JSON.stringify(body))
    const { request: decoded } = Result.getOrThrow(decodeRequest(request))
    const dropped: Array<string> = []
    Anthropic.provider.chat.encodeRequest(decoded, asStream, ({ field }) => dropped.push(field))
    return { body, dropped, encoded: Result.getOrThrow(encodeRequest(decoded, { stream: false, includeUsage: false })) }
  }

  it.each<[string, object, string]>([
    [
      "image_url",
      said({ type: "image_url", image_url: { url: "https://a.test/b.png", foo: 1 } }),
      "messages.content.image_url"
    ],
    ["input_audio", said({ type: "input_audio", input_audio: { data: "AAAA", format: "wav", foo: 1 } }), ""],
    [
      "json_schema",
      { response_format: { type: "json_schema", json_schema: { name: "n", schema: {}, foo: 1 } } },
      "response_format.json_schema"
    ]
  ])("goes back, and is reported elsewhere: %s", (_, fields, field) => {
    const { body, dropped, encoded } = again(fields)
    assert.deepStrictEqual(encoded, body)
    if (field !== "") assert.deepStrictEqual(dropped, [field])
  })

  it("is a budget beside an effort", () => {
    const request = posted(JSON.stringify({ ...asking, reasoning: { effort: "low", max_tokens: 2000 } }))
    assert.deepStrictEqual(Result.getOrThrow(decodeRequest(request)).request.reasoning, {
      effort: "low",
      budgetTokens: 2000
    })
  })

  it("is no number of answers below one", () => {
    const body = JSON.stringify({ ...asking, n: 0 })
    const decoded = decodeRequest(posted(body))
    assert.include(Result.isFailure(decoded) && decoded.failure.message, "must be 1 or more")
  })
})

const file = (mediaType: string) => ({
  ...asking,
  messages: [{ role: "user", content: [{ type: "file", source: { mediaType, data: "AAAA" } }] }]
} as const)

describe("a file", () => {
  it("of an image is sent as an image", () => {
    const [openAi, anthropic] = [OpenAi, Anthropic].map(({ provider }) =>
      Result.getOrThrow(provider.chat.encodeRequest(file("image/png"), asStream))
    )
    assert.nestedPropertyVal(openAi, "messages[0].content[0].image_url.url", "data:image/png;base64,AAAA")
    assert.nestedPropertyVal(anthropic, "messages[0].content[0].type", "image")
  })

  it("of sound has the format of its media type without parameters", () => {
    const body = Result.getOrThrow(OpenAi.provider.chat.encodeRequest(file("audio/wav; codecs=1"), asStream))
    assert.nestedPropertyVal(body, "messages[0].content[0].input_audio.format", "wav")
  })
})
