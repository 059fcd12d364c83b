/** The quirks of protocols that have few. Each test fails without its quirk. */
import { AnthropicMessages, OpenAiChat, OpenAiEmbeddings, type Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"

const delivery: Protocol.Delivery = { stream: false, includeUsage: true }

describe("quirks", () => {
  it("are known fields: rows may come from JSON", () => {
    const quirks: object = JSON.parse(`{"maxTokenField":"max_tokens"}`)
    for (const { make } of [OpenAiChat, AnthropicMessages, OpenAiEmbeddings]) {
      assert.throws(() => make(quirks), RangeError, "`quirks`")
      assert.throws(() => make(quirks), RangeError, "`maxTokenField`")
    }
  })

  it.each<[string, (quirks: object) => unknown, string]>([
    [`{"maxTokensField":"max_token"}`, OpenAiChat.make, "quirks.maxTokensField"],
    [`{"systemRole":null}`, OpenAiChat.make, ""],
    [`{"toolIds":{}}`, OpenAiChat.make, "quirks.toolIds.alphanumeric"],
    [`{"toolIds":{"alphanumeric":0}}`, OpenAiChat.make, "quirks.toolIds.alphanumeric"],
    [`{"toolIds":{"alphanumeric":2.5}}`, OpenAiChat.make, "quirks.toolIds.alphanumeric"],
    [`{"toolIds":{"alphanumerc":9}}`, OpenAiChat.make, "quirks.toolIds"],
    [`{"modelIn":"path"}`, OpenAiChat.make, "quirks.modelIn"],
    [`{"modelIn":{"apiVersion":1}}`, OpenAiChat.make, "quirks.modelIn.apiVersion"],
    [`{"lacks":["top_k"]}`, OpenAiChat.make, "quirks.lacks"],
    [`{"lacks":["input"]}`, OpenAiEmbeddings.make, "quirks.lacks"],
    [`{"efforts":["most"]}`, OpenAiChat.make, "quirks.efforts"],
    [`{"efforts":[]}`, OpenAiChat.make, "quirks.efforts"],
    [`{"unsupported":["tool"]}`, OpenAiChat.make, "quirks.unsupported"],
    [`{"unsupported":"tools"}`, OpenAiChat.make, "quirks.unsupported"],
    [`{"limitHeaders":{"a":{"resetAs":"epoch"}}}`, OpenAiChat.make, "quirks.limitHeaders.a.resetAs"],
    [
      `{"limitHeaders":{"a":{"limits":"x"}}}`,
      OpenAiChat.make,
      "quirks.limitHeaders.a"
    ],
    [`{"modelIn":"path"}`, OpenAiEmbeddings.make, "quirks.modelIn"],
    [`{"answerTokens":"many"}`, AnthropicMessages.make, "quirks.answerTokens"],
    [`{"version":20230601}`, AnthropicMessages.make, "quirks.version"],
    [`{"encoding":"hex"}`, OpenAiEmbeddings.make, "quirks.encoding"]
  ])("have known values: %s", (json, make, option) => {
    if (option === "") assert.doesNotThrow(() => make(JSON.parse(json)))
    else assert.throws(() => make(JSON.parse(json)), RangeError, option)
  })

  it("have their default where they are undefined", () => {
    const quirks: object = { maxTokensField: undefined, toolIds: undefined, systemRole: undefined }
    assert.deepStrictEqual(OpenAiChat.make(quirks).quirks, OpenAiChat.protocol.quirks)
  })
})

describe("the quirks of Anthropic's Messages", () => {
  const request = { model: "m", messages: [{ role: "user", content: "Why?" }] } as const

  it("are data, and Anthropic's by default", () => {
    assert.deepStrictEqual(AnthropicMessages.protocol.quirks, { version: "2023-06-01", answerTokens: 4_096 })
  })

  it("state the version of the API", () => {
    const { headers } = AnthropicMessages.make({ version: "2026-10-21" }).request("m", delivery)
    assert.deepStrictEqual(headers, { "anthropic-version": "2026-10-21" })
  })

  it("state the length of an answer for which the request states none", () => {
    const protocol = AnthropicMessages.make({ answerTokens: 8_192 })
    const encode = (fields: object) => Result.getOrThrow(protocol.encodeRequest({ ...request, ...fields }, delivery))
    assert.strictEqual(encode({})["max_tokens"], 8_192)
    assert.strictEqual(encode({ reasoning: { budgetTokens: 1_000 } })["max_tokens"], 9_192)
    assert.strictEqual(encode({ maxOutputTokens: 7 })["max_tokens"], 7)
  })
})

describe("the quirks of OpenAI's embeddings", () => {
  const protocol = OpenAiEmbeddings.make({ dimensionsField: "output_dimension", encoding: "float" })

  it("are data, and OpenAI's by default", () => {
    assert.deepStrictEqual(OpenAiEmbeddings.protocol.quirks, {
      dimensionsField: "dimensions",
      encoding: "base64",
      lacks: [],
      modelIn: "body",
      limitHeaders: OpenAiChat.protocol.quirks.limitHeaders
    })
    assert.deepStrictEqual(OpenAiEmbeddings.protocol.delivery, { encoding: "base64" })
  })

  it("name the field of the dimensions", () => {
    const request = { model: "m", input: ["a"], dimensions: 8 }
    const body = Result.getOrThrow(protocol.encodeRequest(request, protocol.delivery))
    assert.deepStrictEqual(body, { model: "m", input: ["a"], output_dimension: 8, encoding_format: "float" })
    const received: Protocol.HttpRequest = {
      method: "POST",
      url: "/embeddings",
      path: "/embeddings",
      query: {},
      headers: {},
      body: JSON.stringify(body)
    }
    assert.deepStrictEqual(Result.getOrThrow(protocol.decodeRequest(received)).request, request)
    assert.deepInclude(Result.getOrThrow(OpenAiEmbeddings.protocol.decodeRequest(received)).request, {
      extras: { "openai-embeddings": { output_dimension: 8 } }
    })
  })

  it("state the form in which our clients ask for vectors", () => {
    assert.deepStrictEqual(protocol.delivery, { encoding: "float" })
  })
})
