import {
  Caller,
  Credential,
  Deadline,
  Retry,
  Session,
  type SessionError,
  SessionRegistry,
  Transport,
  TransportError
} from "@clawback/core"
import {
  type Embedding,
  EmbeddingTarget,
  OpenAi,
  OpenAiEmbeddings,
  type Protocol,
  ProviderError
} from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Cause, type Config, Effect, Fiber, Layer, Metric, Option, Redacted, type Scope, Tracer } from "effect"
import { type AiError, EmbeddingModel } from "effect/ai"
import { TestClock } from "effect/testing"
import { expectTypeOf } from "vitest"
import * as FakeTransport from "./support/fakeTransport.ts"
import { config, reasonOf } from "./support/openAiModel.ts"

type Fake = ReturnType<typeof FakeTransport.make>

const model = "text-embedding-3-small"

const through = <E, R>(fake: Fake, target: EmbeddingTarget.EmbeddingTarget<E, R>) =>
  EmbeddingTarget.layer(target).pipe(
    Layer.provide(fake.layer),
    Layer.provide(config({ OPENAI_API_KEY: "sk-nobody" })),
    Layer.provideMerge(SessionRegistry.layer())
  )

const over = (fake: Fake, options: EmbeddingTarget.Options = {}) =>
  through(fake, OpenAi.embeddingTarget(model, { baseUrl: "http://provider.test/v1", ...options }))

/** What a server answers with these vectors. */
const vectors = (embeddings: ReadonlyArray<ReadonlyArray<number>>, inputTokens?: number) =>
  FakeTransport.json(JSON.stringify(OpenAiEmbeddings.protocol.encodeResponse({
    model: "text-embedding-3-small-1",
    embeddings,
    usage: inputTokens === undefined ? undefined : { inputTokens, raw: {} }
  }, { encoding: "base64" })))

/** One that makes of each text a vector of its length and its place, and counts a token for each. */
const measuring = () => {
  const requests: Array<Transport.Request> = []
  const bodies = () => requests.map(({ body }) => JSON.parse(String(body)).input as ReadonlyArray<string>)
  const execute = (request: Transport.Request) =>
    Effect.suspend(() => {
      requests.push(request)
      const { input } = JSON.parse(String(request.body)) as { readonly input: ReadonlyArray<string> }
      const { chunks } = vectors(input.map((text, at) => [text.length, at]), input.length)
      const left = chunks.map((chunk) => new TextEncoder().encode(String(chunk)))
      const body = Effect.suspend(() => {
        const chunk = left.shift()
        return chunk === undefined ? Cause.done() : Effect.succeed([chunk] as const)
      })
      return Effect.succeed({ status: 200, headers: { "content-type": "application/json" }, sentAt: 0, body })
    })
  return {
    ...FakeTransport.make(),
    layer: Layer.succeed(Transport.Transport, Transport.Transport.of({ execute })),
    requests,
    bodies
  }
}

const embed = (text: string) => Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embed(text))
const embedMany = (texts: ReadonlyArray<string>) =>
  Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embedMany(texts))

const unbounded = { concurrency: "unbounded" } as const

describe("a target of embeddings", () => {
  it.effect("returns one vector for each input, in order, and the usage", () =>
    Effect.gen(function*() {
      const data = [{ index: 1, embedding: [2] }, { index: 0, embedding: [1] }]
      const fake = FakeTransport.make(FakeTransport.json(JSON.stringify({ data, usage: { prompt_tokens: 5 } })))
      const response = yield* Effect.provide(EmbeddingTarget.embed({ input: ["a", "b"] }), over(fake))
      assert.deepStrictEqual(response.embeddings, [[1], [2]])
      assert.strictEqual(response.usage?.inputTokens, 5)
    }))

  it.effect("sends the key, the model and the target's parameters, and requests base64", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(vectors([[1]]), vectors([[1]]))
      const parameters = { dimensions: 256, user: "u-1" }
      yield* Effect.all([
        EmbeddingTarget.embed({ input: ["a"] }),
        EmbeddingTarget.embed({ input: [[1, 2]], dimensions: 8 })
      ]).pipe(Effect.provide(over(fake, { parameters })))
      assert.strictEqual(fake.requests[0]?.url, "http://provider.test/v1/embeddings")
      assert.strictEqual(fake.requests[0]?.headers["authorization"], "Bearer sk-nobody")
      const common = { model, user: "u-1", encoding_format: "base64" }
      assert.deepStrictEqual(fake.body(0), { ...common, input: ["a"], dimensions: 256 })
      assert.deepStrictEqual(fake.body(1), { ...common, input: [[1, 2]], dimensions: 8 })
    }))

  it.effect.each([1, 3])(
    "fails with %d vectors for two inputs, without the key in the error",
    (count) =>
      Effect.gen(function*() {
        const body = { data: Array.from({ length: count }, () => ({ embedding: [1] })), echo: "sk-nobody" }
        const fake = FakeTransport.make(FakeTransport.json(JSON.stringify(body)))
        const error = yield* EmbeddingTarget.embed({ input: ["a", "b"] }).pipe(Effect.provide(over(fake)), Effect.flip)
        assert(error._tag === "InvalidResponse")
        assert.include(error.detail, `${count} embeddings for 2 inputs`)
        assert.notInclude(JSON.stringify(error), "sk-nobody")
      })
  )

  it.effect("fails with the provider's own error, which can be caught by its tag", () =>
    Effect.gen(function*() {
      const body = JSON.stringify({ error: { message: "no such model", code: "model_not_found" } })
      const fake = FakeTransport.make(FakeTransport.json(body, { status: 404 }))
      const told = yield* EmbeddingTarget.embed({ input: ["a"] }).pipe(
        Effect.as("answered"),
        Effect.catchTag("ModelNotFound", ({ provider }) => Effect.succeed(`not at ${provider}`)),
        Effect.provide(over(fake))
      )
      assert.strictEqual(told, "not at openai")
    }))

  it.effect("retries by its policy, under one idempotency key", () =>
    Effect.gen(function*() {
      const refused = new TransportError.ConnectFailed({ origin: "http://provider.test", reason: "refused", cause: "" })
      const fake = FakeTransport.make(refused, FakeTransport.json("{}", { status: 503 }), vectors([[1]]))
      yield* Effect.provide(
        EmbeddingTarget.embed({ input: ["a"] }),
        over(fake, { retry: Retry.jittered({ base: 0 }) })
      )
      const keys = fake.requests.map(({ headers }) => headers["idempotency-key"])
      assert.lengthOf(keys, 3)
      assert.isString(keys[0])
      assert.strictEqual(new Set(keys).size, 1)
    }))

  it.effect("obeys its limit `total`, and is a call in the registry while it runs", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(Effect.never)
      yield* Effect.gen(function*() {
        const fiber = yield* EmbeddingTarget.embed({ input: ["a"] }).pipe(
          Effect.flip,
          Effect.forkChild({ startImmediately: true })
        )
        const calls = yield* SessionRegistry.list({ kind: "call", tenant: "acme" })
        assert.deepStrictEqual(calls.map(({ name }) => name), [`openai/${model}`])
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "DeadlineExceeded")
        assert.deepStrictEqual(yield* SessionRegistry.counts, { credential: 1 })
      }).pipe(Caller.provide({ tenant: "acme" }), Effect.provide(over(fake, { timeouts: { total: "1 second" } })))
    }))

  it.effect("is counted as an embeddings call", () =>
    Effect.gen(function*() {
      yield* Effect.provide(EmbeddingTarget.embed({ input: ["a"] }), over(FakeTransport.make(vectors([[1]], 3))))
      const series = (yield* Metric.snapshot).flatMap(({ attributes = {}, id, ...snapshot }) =>
        attributes["gen_ai.operation.name"] !== "embeddings"
          ? []
          : [[
            id,
            attributes["gen_ai.token.type"],
            snapshot.type === "Histogram" ? snapshot.state.sum : undefined
          ]]
      )
      assert.sameDeepMembers(series, [
        ["clawback.call.attempts", undefined, undefined],
        ["gen_ai.client.operation.duration", undefined, 0],
        ["gen_ai.client.token.usage", "input", 3]
      ])
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.effect("is traced as an embeddings call, without the texts", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const fake = FakeTransport.make(vectors([[1]], 3))
      yield* EmbeddingTarget.embed({ input: ["a text of mine"], dimensions: 1 }).pipe(
        Effect.provide(over(fake)),
        Effect.provideService(Tracer.Tracer, tracer)
      )
      assert.deepStrictEqual(spans.map(({ kind, name }) => [name, kind]), [
        [`embeddings ${model}`, "client"],
        ["attempt", "internal"]
      ])
      assert.deepStrictEqual(Object.fromEntries(spans[0]?.attributes ?? []), {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.request.encoding_formats": ["base64"],
        "gen_ai.embeddings.dimension.count": 1,
        "gen_ai.response.model": "text-embedding-3-small-1",
        "gen_ai.usage.input_tokens": 3,
        "server.address": "provider.test",
        "server.port": 80
      })
    }))

  it.effect("opens once for many calls, and not without its key", () =>
    Effect.gen(function*() {
      const error = yield* EmbeddingTarget.open(OpenAi.embeddingTarget(model)).pipe(
        Effect.scoped,
        Effect.provide([FakeTransport.make().layer, config({})]),
        Effect.flip
      )
      assert.instanceOf(error, Credential.CredentialUnavailable)
    }))

  it("rejects a model without a name, and an invalid limit", () => {
    assert.throws(() => OpenAi.embeddingTarget(" "), RangeError, "model")
    assert.throws(() => OpenAi.embeddingTarget(model, { timeouts: { total: -1 } }), RangeError, "timeouts.total")
    assert.throws(() => OpenAi.embeddingTarget(model, { baseUrl: 5 as unknown as string }), RangeError, "`baseUrl`")
  })

  it("rejects a provider whose requests may hold nothing", () => {
    const { limits: { embeddings }, ...provider } = OpenAi.provider
    for (const none of [0, -1, NaN, 1.5]) {
      assert.throws(
        () => EmbeddingTarget.make({ ...provider, limits: { embeddings: { ...embeddings, inputs: none } } }, model),
        RangeError,
        "limits.embeddings.inputs"
      )
      assert.throws(
        () => EmbeddingTarget.make({ ...provider, limits: { embeddings: { ...embeddings, tokens: none } } }, model),
        RangeError,
        "limits.embeddings.tokens"
      )
    }
  })
})

describe("Effect's EmbeddingModel", () => {
  it.effect("embeds one text and many, and reports the usage", () =>
    Effect.gen(function*() {
      yield* Effect.gen(function*() {
        assert.deepStrictEqual((yield* embed("abc")).vector, [3, 0])
        const { embeddings, usage } = yield* embedMany(["a", "bc"])
        assert.deepStrictEqual(embeddings.map(({ vector }) => vector), [[1, 0], [2, 1]])
        assert.strictEqual(usage.inputTokens, 2)
      }).pipe(Effect.provide(over(measuring())))
    }))

  it.effect("sends the texts of many fibers in one request, and gives each its own vector", () =>
    Effect.gen(function*() {
      const fake = measuring()
      const found = yield* Effect.provide(Effect.forEach(["a", "bb", "ccc"], embed, unbounded), over(fake))
      assert.deepStrictEqual(found.map(({ vector }) => vector[0]), [1, 2, 3])
      assert.deepStrictEqual(fake.bodies(), [["a", "bb", "ccc"]])
    }))

  it.effect("does not mix the texts of different callers, sessions, deadlines and idempotency keys", () =>
    Effect.gen(function*() {
      const fake = measuring()
      yield* Effect.all([
        embed("nobody's"),
        embed("acme's").pipe(Caller.provide({ tenant: "acme" })),
        embed("acme's too").pipe(Caller.provide({ tenant: "acme" })),
        embed("inside").pipe(Session.scoped({ kind: "request", name: "one" })),
        embed("in a hurry").pipe(Deadline.within("1 second")),
        embed("named").pipe(Retry.idempotent("key-1"))
      ], unbounded).pipe(Effect.provide(over(fake)))
      assert.sameDeepMembers(fake.bodies(), [["nobody's"], ["acme's", "acme's too"], ["inside"], ["in a hurry"], [
        "named"
      ]])
    }))

  it.effect("splits texts that exceed one request, and joins the responses", () =>
    Effect.gen(function*() {
      const fake = measuring()
      const target = EmbeddingTarget.make(
        { ...OpenAi.provider, limits: { embeddings: { inputs: 3, tokens: 6 } } },
        model
      )
      const texts = ["a", "b", "c", "d", "żółw", "e", "much too long", "f"]
      const { embeddings, usage } = yield* embedMany(texts).pipe(
        Retry.idempotent("key-1"),
        Effect.provide(through(fake, target))
      )
      assert.deepStrictEqual(fake.bodies(), [["a", "b", "c"], ["d"], ["żółw"], ["e"], ["much too long"], ["f"]])
      assert.deepStrictEqual(embeddings.map(({ vector }) => vector[0]), texts.map(({ length }) => length))
      assert.strictEqual(usage.inputTokens, texts.length)
      const keys = fake.requests.map(({ headers }) => headers["idempotency-key"])
      assert.strictEqual(new Set(keys).size, keys.length)
    }))

  it.effect("cancels a request when the last fiber that waits for it is interrupted, and not earlier", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(Effect.never)
      yield* Effect.gen(function*() {
        const [first, last] = yield* Effect.all([
          Effect.forkChild(embed("a"), { startImmediately: true }),
          Effect.forkChild(embed("b"), { startImmediately: true })
        ])
        yield* TestClock.adjust("1 second")
        assert.deepInclude(yield* SessionRegistry.counts, { call: 1 })
        yield* Fiber.interrupt(first)
        assert.deepInclude(yield* SessionRegistry.counts, { call: 1 })
        yield* Fiber.interrupt(last)
        assert.deepStrictEqual(yield* SessionRegistry.counts, { credential: 1 })
      }).pipe(Effect.provide(over(fake)))
    }))

  it.effect("sends no texts of fibers that were interrupted before", () =>
    Effect.gen(function*() {
      const fake = measuring()
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(embed("a"), { startImmediately: true })
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("1 second")
      }).pipe(Effect.provide(over(fake)))
      assert.isEmpty(fake.requests)
    }))

  it.effect("fails with an AiError that leads back to the precise error", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(FakeTransport.json("{\"data\":[]}"), FakeTransport.json("{}", { status: 401 }))
      yield* Effect.gen(function*() {
        assert.strictEqual((yield* reasonOf(embed("a")))._tag, "InvalidResponseError")
        const error = yield* Effect.flip(embedMany(["a"]))
        assert.strictEqual(error.reason._tag, "AuthenticationError")
        assert.strictEqual(Option.getOrThrow(ProviderError.fromAiError(error))._tag, "AuthenticationFailed")
      }).pipe(Effect.provide(over(fake)))
    }))
})

describe("the types of a target of embeddings", () => {
  it("state exactly the errors of a call, and the needs of opening", () => {
    expectTypeOf(EmbeddingTarget.embed).returns.toEqualTypeOf<
      Effect.Effect<Embedding.EmbeddingResponse, ProviderError.CallError, EmbeddingTarget.Embedder>
    >()
    const own = OpenAi.embeddingTarget(model, { credential: Credential.redacted("mine", Redacted.make("sk")) })
    expectTypeOf(own).toEqualTypeOf<EmbeddingTarget.EmbeddingTarget>()
    type OpenError =
      | Config.ConfigError
      | Credential.CredentialUnavailable
      | SessionError.SessionError
      | TransportError.InvalidUrl
      | Protocol.Unsupported
    expectTypeOf<Effect.Error<ReturnType<typeof EmbeddingTarget.open<never, never>>>>().toEqualTypeOf<OpenError>()
    expectTypeOf<Scope.Scope>().toExtend<Effect.Services<ReturnType<typeof EmbeddingTarget.open<never, never>>>>()
    expectTypeOf(OpenAi.embeddingLayer({ model })).toEqualTypeOf<
      Layer.Layer<EmbeddingModel.EmbeddingModel | EmbeddingTarget.Embedder, OpenError, Transport.Transport>
    >()
    expectTypeOf<Effect.Error<ReturnType<typeof embed>>>().toEqualTypeOf<AiError.AiError>()
    // The target knows its model.
    expectTypeOf<"model">().not.toExtend<keyof EmbeddingTarget.Request>()
  })
})
