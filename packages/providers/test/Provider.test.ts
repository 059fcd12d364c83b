import { Credential, SessionRegistry, type Transport } from "@clawback/core"
import { Anthropic, Auth, EmbeddingTarget, OpenAi, OpenAiChat, Protocol, Provider, Target } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Config, Duration, Effect, Exit, Layer, Redacted } from "effect"
import { type EmbeddingModel, LanguageModel } from "effect/ai"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { execPath } from "node:process"
import { promisify } from "node:util"
import { expectTypeOf } from "vitest"
import * as FakeTransport from "./support/fakeTransport.ts"
import { config, whole } from "./support/openAiModel.ts"

const prompt = "Why do sockets leak?"
const Own = Provider.make({
  name: "my-own.ai",
  baseUrl: "https://api.own.test/v9/",
  chat: OpenAiChat.protocol,
  sources: { baseUrl: "https://docs.own.test" }
})

const ofJson = (fields: object): Provider.Row => ({ ...Own.provider, ...fields })

const over = <A, E, R>(
  layer: Layer.Layer<A, E, R>,
  fake: ReturnType<typeof FakeTransport.make>,
  values: object
) => layer.pipe(Layer.provide(fake.layer), Layer.provide(config(values)), Layer.provideMerge(SessionRegistry.layer()))

const sent = (layer: Layer.Layer<LanguageModel.LanguageModel, unknown, Transport.Transport>, values: object) =>
  Effect.gen(function*() {
    const fake = FakeTransport.make(whole({ content: "Because." }))
    yield* Effect.provide(LanguageModel.generateText({ prompt }), over(layer, fake, values))
    const [request] = fake.requests
    assert(request !== undefined)
    return { request, body: fake.body(0) }
  })

describe("a row of five lines", () => {
  it.effect("is a provider: its name gives the names of its key and its base URL", () =>
    Effect.gen(function*() {
      const { body, request } = yield* sent(Own.layer({ model: "own-1" }), { MY_OWN_AI_API_KEY: "sk-own" })
      assert.strictEqual(request.url, "https://api.own.test/v9/chat/completions")
      assert.strictEqual(request.headers["authorization"], "Bearer sk-own")
      assert.strictEqual(body.model, "own-1")
      const elsewhere = yield* sent(Own.layer({ model: "own-1" }), {
        MY_OWN_AI_API_KEY: "sk-own",
        MY_OWN_AI_BASE_URL: "http://localhost:1234"
      })
      assert.strictEqual(elsewhere.request.url, "http://localhost:1234/chat/completions")
    }))

  it.effect("names its provider in sessions and errors", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(FakeTransport.json("{}", { status: 500 }))
      const target = Own.target("own-1", { credential: Credential.redacted("k", Redacted.make("sk")) })
      const error = yield* Effect.flip(
        Effect.provide(Target.generate({ messages: [] }), over(Target.layer(target), fake, {}))
      )
      assert.deepInclude(error, { _tag: "ProviderFailed", provider: "my-own.ai" })
    }))
})

describe("what a row declares", () => {
  it.effect("are extra headers, its own names, its authentication, and a credential that is none", () =>
    Effect.gen(function*() {
      const Local = Provider.make({
        ...Own.provider,
        headers: { "x-title": "tests" },
        config: { baseUrl: "LOCAL_URL" },
        auth: Auth.none,
        credential: Credential.none
      })
      const { request } = yield* sent(Local.layer({ model: "m" }), { LOCAL_URL: "http://localhost:1" })
      assert.strictEqual(request.url, "http://localhost:1/chat/completions")
      assert.strictEqual(request.headers["x-title"], "tests")
      assert.notProperty(request.headers, "authorization")
      const Keyed = Provider.make({ ...Own.provider, auth: Auth.header("X-Goog-Api-Key"), config: { apiKey: "KEY" } })
      const keyed = yield* sent(Keyed.layer({ model: "m" }), { KEY: "sk-1" })
      assert.strictEqual(keyed.request.headers["x-goog-api-key"], "sk-1")
    }))

  it("are known fields, by its type as well, and a name", () => {
    // @ts-expect-error: no row has this field.
    assert.throws(() => Provider.make({ ...Own.provider, authh: Auth.none }), RangeError, "`authh`")
    // @ts-expect-error: no row has this field.
    assert.throws(() => Provider.make({ ...Own.provider, header: {} }), RangeError, "`header`")
    assert.throws(() => Provider.make(ofJson({ baseURL: "https://x.test" })), RangeError, "`baseURL`")
    assert.throws(() => Provider.make(ofJson({ config: { apikey: "KEY" } })), RangeError, "`apikey`")
    assert.throws(() => Provider.make(ofJson({ limits: { embedding: {} } })), RangeError, "`embedding`")
    for (const name of ["", " ", undefined, 1]) {
      assert.throws(() => Provider.make(ofJson({ name })), RangeError, "`name` must be the name of a provider")
    }
    expectTypeOf(Provider.make(ofJson({})).provider).toEqualTypeOf<Provider.Row>()
  })

  it("are limits that hold something", () => {
    const row = { ...OpenAi.provider, limits: { embeddings: { inputs: 0, tokens: 1 } } }
    assert.throws(() => Provider.make(row).embeddingTarget("e"), RangeError, "limits.embeddings.inputs")
  })

  it("is what its object offers, by its type as well", () => {
    expectTypeOf(Own).not.toHaveProperty("embeddingLayer")
    expectTypeOf(Anthropic).not.toHaveProperty("embeddingLayer")
    expectTypeOf(OpenAi).toHaveProperty("embeddingLayer")
    assert.notProperty(Own, "embeddingLayer")
    assert.property(Own, "layer")
    const vectors = { ...OpenAi.provider, chat: undefined }
    const Vectors = Provider.make(vectors)
    assert.notProperty(Vectors, "layer")
    assert.property(Vectors, "embeddingLayer")
    expectTypeOf(Vectors).not.toHaveProperty("layer")
    expectTypeOf(Own.layer({ model: "m" })).toEqualTypeOf<
      Layer.Layer<LanguageModel.LanguageModel | Target.ChatModel, Target.OpenError, Transport.Transport>
    >()
    expectTypeOf(OpenAi.embeddingLayer({ model: "m" })).toEqualTypeOf<
      Layer.Layer<
        EmbeddingModel.EmbeddingModel | EmbeddingTarget.Embedder,
        EmbeddingTarget.OpenError,
        Transport.Transport
      >
    >()
  })
})

describe("a layer with its options from the configuration", () => {
  const options = {
    model: Config.String("MODEL"),
    timeouts: { total: Config.Duration("TOTAL").pipe(Config.withDefault(Duration.minutes(1))) },
    parameters: { temperature: Config.Finite("TEMPERATURE") },
    credential: Config.map(Config.Redacted("MY_KEY"), (secret) => Credential.redacted("MY_KEY", secret))
  }

  it.effect("reads them when it is built", () =>
    Effect.gen(function*() {
      const { body, request } = yield* sent(OpenAi.layerConfig(options), {
        MODEL: "gpt-5",
        TEMPERATURE: "0.5",
        MY_KEY: "sk-mine"
      })
      assert.deepInclude(body, { model: "gpt-5", temperature: 0.5 })
      assert.strictEqual(request.headers["authorization"], "Bearer sk-mine")
    }))

  it.effect("does not build where one is missing", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(sent(OpenAi.layerConfig(options), { MODEL: "gpt-5", MY_KEY: "sk-mine" }))
      assert.include(String(exit), "TEMPERATURE")
      assert.isTrue(Exit.isFailure(exit))
    }))

  it.effect("may be all one Config, and serves embeddings as well", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(
        FakeTransport.json(JSON.stringify({ data: [{ index: 0, embedding: [1, 2] }], model: "e" }))
      )
      const layer = OpenAi.embeddingLayerConfig(Config.map(Config.String("MODEL"), (model) => ({ model })))
      const { embeddings } = yield* EmbeddingTarget.embed({ input: ["a"] }).pipe(
        Effect.provide(over(layer, fake, { MODEL: "e", OPENAI_API_KEY: "sk" }))
      )
      assert.deepStrictEqual(embeddings, [[1, 2]])
      assert.strictEqual(fake.body(0).model, "e")
    }))
})

const at = (url: string) => Protocol.httpRequest({ method: "POST", url, headers: {}, body: "" }, "/v1")

const received = (headers: Protocol.HttpRequest["headers"]): Protocol.HttpRequest => {
  const found = Protocol.httpRequest({ method: "POST", url: "/v1/chat?a=b", headers, body: "{}" }, "/v1")
  assert(found !== undefined)
  return found
}

describe("credentials on requests", () => {
  it("are found by a server where a client puts them", () => {
    assert.strictEqual(Auth.bearer.identify(received({ authorization: "bearer sk-1" }))?.credential, "sk-1")
    assert.isUndefined(Auth.bearer.identify(received({ authorization: "Basic sk-1" })))
    assert.isTrue(Auth.header("X-Key").identify(received({ "x-key": "sk-1" }))?.isMadeWith("sk-1"))
    assert.isFalse(Auth.header("X-Key").identify(received({ "x-key": "sk-1" }))?.isMadeWith("sk-2"))
    const either = Auth.orElse(Auth.bearer)(Auth.header("x-key"))
    assert.strictEqual(either.identify(received({ authorization: "Bearer sk-2" }))?.credential, "sk-2")
    assert.isTrue(Auth.none.identify(received({}))?.isMadeWith("anything"))
  })

  it("stand in requests with the path below the base URL and its query", () => {
    assert.deepInclude(received({}), { path: "/chat", query: { a: "b" }, url: "/v1/chat?a=b" })
    assert.isUndefined(at("/v12/chat"))
    assert.isUndefined(at("/v2/chat"))
  })
})

describe("an authentication of one's own", () => {
  const key = "a key/of 1 & more"
  const row = (auth: Auth.Auth) =>
    Provider.make({ ...Own.provider, auth, credential: Credential.redacted("k", Redacted.make(key)) })
  const asked = Target.generate({ messages: [{ role: "user", content: prompt }] })

  it.effect("may put the key into the query, which no error repeats", () =>
    Effect.gen(function*() {
      const inQuery: Auth.Auth = {
        authorize: (request, secret) =>
          Effect.sync(() => {
            const url = new URL(request.url)
            url.searchParams.set("key", secret)
            return { ...request, url: url.href }
          }),
        identify: () => undefined
      }
      const { search } = new URL(`http://x.test?${new URLSearchParams({ key })}`)
      const message = `no such key: ${key}, ${encodeURIComponent(key)}, ${JSON.stringify(key)}, ${search}`
      const fake = FakeTransport.make(FakeTransport.json(JSON.stringify({ error: { message } }), { status: 401 }))
      const error = yield* Effect.flip(Effect.provide(asked, over(Target.layer(row(inQuery).target("m")), fake, {})))
      assert.strictEqual(new URL(fake.requests[0]?.url ?? "").searchParams.get("key"), key)
      assert.deepInclude(
        error,
        { detail: "no such key: <redacted>, <redacted>, \"<redacted>\", ?key=<redacted>" } as object
      )
    }))

  it.effect("fails the call where it cannot be done, and nothing is sent", () =>
    Effect.gen(function*() {
      const failure = new Credential.CredentialUnavailable({ credential: "k", cause: "no signature today" })
      const fake = FakeTransport.make()
      const auth: Auth.Auth = { authorize: () => Effect.fail(failure), identify: () => undefined }
      const error = yield* Effect.flip(Effect.provide(asked, over(Target.layer(row(auth).target("m")), fake, {})))
      assert.strictEqual(error, failure)
      assert.isEmpty(fake.requests)
    }))
})

describe("importing a provider", () => {
  it("loads no other", { timeout: 30_000 }, async () => {
    const program = `
      const { registerHooks } = await import("node:module")
      const loaded = []
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
      await import("@clawback/providers/Anthropic")
      console.log(JSON.stringify(loaded.filter((url) => url.includes("packages/providers"))))`
    const { stdout } = await promisify(execFile)(
      execPath,
      ["--conditions=@clawback/source", "--input-type=module", "--eval", program],
      { cwd: join(import.meta.dirname, "..") }
    )
    const loaded: ReadonlyArray<string> = JSON.parse(stdout)
    assert.isTrue(loaded.some((url) => url.endsWith("/AnthropicMessages.ts")))
    assert.isEmpty(loaded.filter((url) => /openai/i.test(url)))
  })
})
