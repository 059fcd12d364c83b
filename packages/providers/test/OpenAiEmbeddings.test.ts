import { type Embedding, OpenAiEmbeddings, type Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import type OpenAI from "openai"
import { httpRequest } from "./support/httpRequest.ts"
import * as OpenAiSdk from "./support/openAiSdk.ts"

const { protocol } = OpenAiEmbeddings
const peer: Protocol.Peer = { provider: "openai", redact: (text) => text }
const model = "text-embedding-3-small"

const requests: ReadonlyArray<readonly [string, Embedding.EmbeddingRequest, OpenAI.EmbeddingCreateParams]> = [
  ["one text", { model, input: ["a"] }, { model, input: ["a"] }],
  ["many texts", { model, input: ["a", "b"] }, { model, input: ["a", "b"] }],
  ["tokens", { model, input: [[1, 2], [3]] }, { model, input: [[1, 2], [3]] }],
  ["shorter vectors", { model, input: ["a"], dimensions: 256 }, { model, input: ["a"], dimensions: 256 }],
  ["a user", { model, input: ["a"], user: "u-1" }, { model, input: ["a"], user: "u-1" }],
  [
    "what only this protocol knows",
    { model, input: ["a"], extras: { "openai-embeddings": { input_type: "query" }, "other": { a: 1 } } },
    { model, input: ["a"], input_type: "query" } as OpenAI.EmbeddingCreateParams
  ]
]

const empty = JSON.stringify({ object: "list", data: [], model, usage: { prompt_tokens: 0, total_tokens: 0 } })

describe("a request of embeddings", () => {
  describe.each(["float", "base64"] as const)("for %s", (encoding) => {
    it.each(requests)(
      "of %s is what OpenAI's SDK sends, and decodes to itself",
      async (_, request, parameters) => {
        const encoded = Result.getOrThrow(protocol.encodeRequest(request, { encoding }))
        const sent = await OpenAiSdk.sent(
          (sdk) => sdk.embeddings.create({ ...parameters, encoding_format: encoding }),
          empty
        )
        assert.deepStrictEqual(encoded as unknown, sent)
        const extras = request.extras && { extras: { "openai-embeddings": { input_type: "query" } } }
        assert.deepStrictEqual(Result.getOrThrow(protocol.decodeRequest(httpRequest(JSON.stringify(encoded)))), {
          request: { ...request, ...extras },
          delivery: { encoding }
        })
      }
    )
  })

  it.each<[string, unknown, Embedding.EmbeddingRequest["input"]]>([
    ["one text", "a", ["a"]],
    ["the tokens of one", [1, 2], [[1, 2]]]
  ])("reads %s as a list of one, and requests numbers by default", (_, input, expected) => {
    assert.deepStrictEqual(Result.getOrThrow(protocol.decodeRequest(httpRequest(JSON.stringify({ model, input })))), {
      request: { model, input: expected },
      delivery: { encoding: "float" }
    })
  })

  it.each<[string, unknown]>([
    ["", "no JSON"],
    ["model", { input: "a" }],
    ["input", { model }],
    ["input", { model, input: [] }],
    ["input[1]", { model, input: ["a", 1] }],
    ["input[0][1]", { model, input: [[1, "b"]] }],
    ["input[1]", { model, input: [1, -1] }],
    ["dimensions", { model, input: "a", dimensions: "many" }],
    ["encoding_format", { model, input: "a", encoding_format: "hex" }]
  ])("names %s as the mistake in %j", (path, body) => {
    const failure = Result.getOrThrow(Result.flip(protocol.decodeRequest(httpRequest(JSON.stringify(body)))))
    assert.deepInclude(failure, { _tag: "RequestInvalid", path } as object)
  })
})

const response: Embedding.EmbeddingResponse = {
  model,
  embeddings: [[0.5, -0.25, 0], [1, 2 ** -20, -3.5]],
  usage: { inputTokens: 5, raw: { prompt_tokens: 5, total_tokens: 5 } }
}

const decode = (body: string, status = 200) => protocol.decodeResponse(peer, { status, headers: {}, body })

describe("an answer of embeddings", () => {
  it.each(["float", "base64"] as const)(
    "in the form %s is decoded by our client, and by OpenAI's SDK",
    async (encoding) => {
      const body = protocol.encodeResponse(response, { encoding })
      assert.deepStrictEqual(Result.getOrThrow(decode(JSON.stringify(body))), response)
      const sdk = OpenAiSdk.client(() =>
        new Response(JSON.stringify(body), { headers: { "content-type": "application/json" } })
      )
      // Without `encoding_format`, the SDK requests base64 and decodes it.
      const format = encoding === "float" ? { encoding_format: encoding } : {}
      const theirs = await sdk.embeddings.create({ model, input: ["a", "b"], ...format })
      assert.deepStrictEqual(theirs.data.map(({ embedding }) => [...embedding]), response.embeddings.map((_) => [..._]))
      assert.strictEqual(theirs.usage.prompt_tokens, 5)
    }
  )

  it("rounds base64 vectors to 32 bits", () => {
    const body = protocol.encodeResponse({ ...response, embeddings: [[0.1]] }, { encoding: "base64" })
    assert.deepStrictEqual(Result.getOrThrow(decode(JSON.stringify(body))).embeddings, [[Math.fround(0.1)]])
  })

  it("has its vectors in the order of the inputs, and an unknown count if none is reported", () => {
    const data = [{ index: 1, embedding: [2] }, { index: 0, embedding: [1] }]
    assert.deepStrictEqual(Result.getOrThrow(decode(JSON.stringify({ data }))), {
      model: undefined,
      embeddings: [[1], [2]],
      usage: undefined
    })
  })

  it.each<[string, string]>([
    ["no JSON", "<html>"],
    ["no data", "{}"],
    ["no vector", "{\"data\":[{}]}"],
    ["what is no number", "{\"data\":[{\"embedding\":[1,\"2\"]}]}"],
    ["a number that is none", "{\"data\":[{\"embedding\":[1e999]}]}"],
    ["no base64", "{\"data\":[{\"embedding\":\"*\"}]}"],
    ["half a float", "{\"data\":[{\"embedding\":\"AAA=\"}]}"],
    ["a float that is no number", "{\"data\":[{\"embedding\":\"AADAfw==\"}]}"],
    ["an input twice", "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":0,\"embedding\":[1]}]}"],
    ["an input that was not there", "{\"data\":[{\"index\":1,\"embedding\":[1]}]}"]
  ])("fails on %s", (_, body) => {
    assert.strictEqual(Result.getOrThrow(Result.flip(decode(body)))._tag, "InvalidResponse")
  })

  it("is an error if it contains one", () => {
    const failure = Result.getOrThrow(Result.flip(decode("{\"error\":{\"message\":\"Oops\",\"code\":429}}")))
    assert.strictEqual(failure._tag, "RateLimited")
  })
})

describe("any response", () => {
  const any = fc.jsonValue({ maxDepth: 4 })
  const item = fc.record({
    index: fc.oneof(fc.nat(3), any),
    embedding: fc.oneof(fc.base64String(), fc.array(fc.double()), any)
  })
  const body = fc.oneof(
    fc.string(),
    any.map((value) => JSON.stringify(value)),
    fc.record({ data: fc.oneof(fc.array(item), any), model: any, usage: any }).map((value) => JSON.stringify(value)),
    fc.record({ model: fc.oneof(fc.string(), any), input: any, encoding_format: any }).map((value) =>
      JSON.stringify(value)
    )
  )

  it("decodes to a value, which can be encoded again, or to a typed error", () => {
    const tags = new Set<string>()
    fc.assert(
      fc.property(body, (text) => {
        const response = decode(text)
        if (Result.isSuccess(response)) {
          JSON.stringify(protocol.encodeResponse(response.success, { encoding: "base64" }))
        }
        tags.add(Result.isSuccess(response) ? "value" : response.failure._tag)
        const request = protocol.decodeRequest(httpRequest(text))
        if (Result.isSuccess(request)) protocol.encodeRequest(request.success.request, request.success.delivery)
        tags.add(Result.isSuccess(request) ? "request" : request.failure._tag)
      }),
      { numRuns: 2_000, seed: 0x5eed }
    )
    assert.includeMembers([...tags], ["value", "InvalidResponse", "request", "RequestInvalid"])
  })
})

describe("vectors of signed bytes", () => {
  const bytes = Array.from({ length: 256 }, (_, index) => (index * 37) % 256 - 128)
  const embedding = Buffer.from(Int8Array.from(bytes)).toString("base64")
  const response = {
    status: 200,
    headers: {},
    body: JSON.stringify({ object: "list", data: [{ object: "embedding", index: 0, embedding }], model: "m" })
  }
  const asked = { provider: "perplexity", redact: (text: string) => text }

  it("are read and written as such, if the quirk declares them", () => {
    const { decodeResponse, encodeResponse } = OpenAiEmbeddings.make({ encoding: "base64_int8" })
    const decoded = Result.getOrThrow(decodeResponse(asked, response))
    assert.deepStrictEqual(decoded.embeddings, [bytes])
    assert.deepStrictEqual<unknown>(encodeResponse(decoded, { encoding: "base64_int8" }), JSON.parse(response.body))
    const scaled = encodeResponse({ ...decoded, embeddings: [[-1, 0, 0.5]] }, { encoding: "base64_int8" })
    const body = JSON.stringify(scaled)
    assert.deepStrictEqual(Result.getOrThrow(decodeResponse(asked, { ...response, body })).embeddings, [[-127, 0, 64]])
  })

  it("are no floats, if the quirk does not", () => {
    assert.isTrue(Result.isFailure(OpenAiEmbeddings.protocol.decodeResponse(asked, response)))
  })
})
