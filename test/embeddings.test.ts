/** Embeddings over real sockets: requests to a server by others, and the cancellation of a shared request. */
import { Credential, SessionRegistry } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { OpenAi } from "@clawback/providers"
import { Behavior, FaultyProvider } from "@clawback/testing"
import { LLMock } from "@copilotkit/aimock"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted } from "effect"
import { EmbeddingModel } from "effect/ai"

const model = (baseUrl: string) =>
  OpenAi.embeddingLayer({
    model: "text-embedding-3-small",
    baseUrl,
    credential: Credential.redacted("a key for tests", Redacted.make("sk-test")),
    parameters: { dimensions: 64 }
  }).pipe(Layer.provide(NodeTransport.layer()), Layer.provideMerge(SessionRegistry.layer()))

const aimock = Effect.acquireRelease(
  Effect.promise(async () => {
    const mock = new LLMock({ port: 0, logLevel: "silent", auth: { apiKeys: ["sk-test"] } })
    mock.onEmbedding("a fixed text", { embedding: [0.25, -0.5] })
    await mock.start()
    return mock
  }),
  (mock) => Effect.promise(() => mock.stop())
)

const embed = (text: string) => Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embed(text))

describe("embeddings over sockets", () => {
  it.live("come from aimock for many texts in one request, each for its text, and leave nothing", () =>
    Effect.gen(function*() {
      const mock = yield* aimock
      yield* Effect.gen(function*() {
        assert.deepStrictEqual((yield* embed("a fixed text")).vector, [0.25, -0.5])
        const texts = Array.from({ length: 10 }, (_, at) => `text ${at}`)
        const found = yield* Effect.forEach(texts, embed, { concurrency: "unbounded" })
        assert.deepStrictEqual(found.map(({ vector }) => vector.length), texts.map(() => 64))
        assert.strictEqual(new Set(found.map(({ vector }) => vector.join())).size, texts.length)
        assert.doesNotHaveAnyKeys(yield* SessionRegistry.counts, ["call", "exchange"])
      }).pipe(Effect.provide(model(`${mock.url}/v1`)))
      const [, together] = mock.getRequests()
      assert.lengthOf(mock.getRequests(), 2)
      assert.strictEqual(together?.path, "/v1/embeddings")
    }).pipe(Effect.scoped))

  it.live("are cancelled at the provider when the last waiting fiber is interrupted", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make({ otherwise: Behavior.stall })
      yield* Effect.gen(function*() {
        const fibers = yield* Effect.forEach(["a", "b", "c"], (text) => Effect.forkChild(embed(text)))
        yield* provider.untilRequest(({ state }) => state === "answering")
        yield* Fiber.interruptAll(fibers)
        assert.doesNotHaveAnyKeys(yield* SessionRegistry.counts, ["call", "exchange"])
        yield* provider.untilRequest(({ state }) => state === "aborted")
        assert.lengthOf(yield* provider.requests, 1)
      }).pipe(Effect.provide(model(`${provider.url}/v1`)))
    }).pipe(Effect.scoped))
})
