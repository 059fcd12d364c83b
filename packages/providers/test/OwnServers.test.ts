/** Providers whose servers are the user's own: each has its base URL, and some need no key. */
import { SessionRegistry, type Transport } from "@clawback/core"
import { OpenAiChat, Provider } from "@clawback/providers"
import * as AzureOpenAi from "@clawback/providers/AzureOpenAi"
import * as Ollama from "@clawback/providers/Ollama"
import * as Vllm from "@clawback/providers/Vllm"
import { assert, describe, it } from "@effect/vitest"
import { type Config, Effect, Exit, Layer } from "effect"
import { EmbeddingModel, LanguageModel } from "effect/ai"
import * as FakeTransport from "./support/fakeTransport.ts"
import { httpRequest } from "./support/httpRequest.ts"
import { config, whole } from "./support/openAiModel.ts"

const baseUrl = "http://gpu.test:8000/v1"

const over = <A, E, R>(layer: Layer.Layer<A, E, R>, fake: ReturnType<typeof FakeTransport.make>, values: object) =>
  layer.pipe(Layer.provide(fake.layer), Layer.provide(config(values)), Layer.provideMerge(SessionRegistry.layer()))

const asked = LanguageModel.generateText({ prompt: "Why do sockets leak?" })

/** The request of a call through the layer. */
const sent = <E>(layer: Layer.Layer<LanguageModel.LanguageModel, E, Transport.Transport>, values: object = {}) =>
  Effect.gen(function*() {
    const fake = FakeTransport.make(whole({ content: "Because." }))
    yield* Effect.provide(asked, over(layer, fake, values))
    const [request] = fake.requests
    assert(request !== undefined)
    return { ...request, body: fake.body(0) }
  })

describe("a row without a base URL", () => {
  it("needs the option, by its type", () => {
    const layers: ReadonlyArray<() => Layer.Layer<LanguageModel.LanguageModel, unknown, Transport.Transport>> = [
      () => Vllm.layer({ model: "qwen3", baseUrl }),
      () => AzureOpenAi.layer({ model: "my-gpt", baseUrl }),
      () => Vllm.anthropic.layer({ model: "qwen3", baseUrl }),
      // @ts-expect-error: each server has its own.
      () => Vllm.layer({ model: "qwen3" }),
      // @ts-expect-error: each resource has its own.
      () => AzureOpenAi.layer({ model: "my-gpt" }),
      // @ts-expect-error: each server has its own.
      () => Vllm.anthropic.layer({ model: "qwen3" }),
      () => Ollama.layer({ model: "qwen3" })
    ]
    assert.lengthOf(layers, 7)
    // @ts-expect-error: each server has its own.
    assert.throws(() => Vllm.target("qwen3", { timeout: {} }), RangeError)
  })

  const row: Provider.Row = Vllm.provider
  const Untyped = Provider.make({ ...row, chat: OpenAiChat.protocol })

  it.effect("takes it from the configuration where no type asks for it", () =>
    Effect.gen(function*() {
      const { url } = yield* sent(Untyped.layer({ model: "qwen3" }), { VLLM_BASE_URL: baseUrl })
      assert.strictEqual(url, `${baseUrl}/chat/completions`)
      const model = Untyped.model("qwen3")
      assert.strictEqual((yield* sent(model, { VLLM_BASE_URL: baseUrl })).url, `${baseUrl}/chat/completions`)
    }))

  it.effect("fails to build without any", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole({ content: "Because." }))
      const error: Config.ConfigError | { readonly _tag: string } = yield* Effect.flip(
        Effect.provide(asked, over(Untyped.layer({ model: "qwen3" }), fake, {}))
      )
      assert.strictEqual(error._tag, "ConfigError")
      assert.include(String(error), "VLLM_BASE_URL")
      assert.lengthOf(fake.requests, 0)
    }))

  it.effect("has a model that fails its call without any", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole({ content: "Because." }))
      const exit = yield* Effect.exit(Effect.provide(asked, over(Untyped.model("qwen3"), fake, {})))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(Exit.isFailure(exit) && exit.cause), "VLLM_BASE_URL")
      assert.lengthOf(fake.requests, 0)
    }))
})

describe("a server that may run without a key", () => {
  it.effect("gets none where none is configured, and the one that is", () =>
    Effect.gen(function*() {
      for (const values of [{}, { VLLM_API_KEY: "" }, { VLLM_API_KEY: " \n" }]) {
        const { headers } = yield* sent(Vllm.layer({ model: "qwen3", baseUrl }), values)
        assert.notProperty(headers, "authorization")
      }
      const { headers } = yield* sent(Vllm.layer({ model: "qwen3", baseUrl }), { VLLM_API_KEY: "sk-own" })
      assert.strictEqual(headers["authorization"], "Bearer sk-own")
      const ollama = yield* sent(Ollama.layer({ model: "qwen3" }), {})
      assert.strictEqual(ollama.url, "http://localhost:11434/v1/chat/completions")
    }))

  it("knows who calls by the key, and all who have none as one", () => {
    const { auth } = Vllm.provider
    const identify = (headers: Readonly<Record<string, string>>) => auth?.identify({ ...httpRequest("{}"), headers })
    assert.notStrictEqual(identify({ authorization: "Bearer sk-own" }), identify({}))
    assert.isDefined(identify({}))
  })
})

describe("Azure's deployments", () => {
  const resource = "https://mine.openai.azure.com"

  it.effect("stand in the path, with the version in the query and the key in its own header", () =>
    Effect.gen(function*() {
      const { body, headers, url } = yield* sent(
        AzureOpenAi.layer({ model: "my gpt", baseUrl: resource }),
        { AZURE_OPENAI_API_KEY: "sk-azure" }
      )
      assert.strictEqual(url, `${resource}/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21`)
      assert.notProperty(body, "model")
      assert.strictEqual(headers["api-key"], "sk-azure")
      assert.notProperty(headers, "authorization")
    }))

  it.effect("have another version where the base URL names one", () =>
    Effect.gen(function*() {
      const { url } = yield* sent(
        AzureOpenAi.layer({ model: "my-gpt", baseUrl: `${resource}?api-version=2025-04-01-preview` }),
        { AZURE_OPENAI_API_KEY: "sk-azure" }
      )
      assert.strictEqual(new URL(url).search, "?api-version=2025-04-01-preview")
    }))

  it.effect("make vectors as well", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(
        FakeTransport.json(JSON.stringify({ data: [{ index: 0, embedding: [1, 0] }], model: "v", usage: {} }))
      )
      const layer = AzureOpenAi.embeddingLayer({ model: "vectors", baseUrl: resource })
      const embed = Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embed("Why?"))
      yield* Effect.provide(embed, over(layer, fake, { AZURE_OPENAI_API_KEY: "sk-azure" }))
      assert.strictEqual(
        fake.requests[0]?.url,
        `${resource}/openai/deployments/vectors/embeddings?api-version=2024-10-21`
      )
      assert.notProperty(fake.body(0), "model")
    }))
})
