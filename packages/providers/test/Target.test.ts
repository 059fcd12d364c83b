import {
  Caller,
  Credential,
  type SessionError,
  SessionRegistry,
  type Transport,
  type TransportError
} from "@clawback/core"
import {
  Anthropic,
  type ChatEvent,
  type ChatResponse,
  OpenAi,
  type Protocol,
  type ProviderError,
  Target
} from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Cause, type Config, Effect, Fiber, Layer, Redacted, type Scope, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { expectTypeOf } from "vitest"
import * as FakeTransport from "./support/fakeTransport.ts"
import { config, whole } from "./support/openAiModel.ts"
import { chunk, done, finishes, says, tokens } from "./support/openAiWire.ts"

const keys = config({ OPENAI_API_KEY: "sk-openai", ANTHROPIC_API_KEY: "sk-ant" })

const over = <E, R>(fake: ReturnType<typeof FakeTransport.make>, target: Target.Target<E, R>) =>
  Target.layer(target).pipe(
    Layer.provide(fake.layer),
    Layer.provide(keys),
    Layer.provideMerge(SessionRegistry.layer())
  )

const asked: Target.Request = { messages: [{ role: "user", content: "Why?" }] }

const streamed = FakeTransport.events(
  says({ content: "Be" }) + says({ content: "cause." }) + finishes("stop") + chunk({ usage: tokens(11, 7) }) + done
)

describe("a target", () => {
  it.effect("returns an answer in one piece, with all its fields", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole({ content: "Because." }, { usage: tokens(11, 7) }))
      const response = yield* Target.generate(asked).pipe(Effect.provide(over(fake, OpenAi.target("gpt-5"))))
      assert.deepStrictEqual(response.choices, [
        { content: [{ type: "text", text: "Because." }], finish: { reason: "stop", raw: "stop" } }
      ])
      assert.deepInclude(response.usage, { inputTokens: 11, outputTokens: 7 })
    }))

  it.effect("returns an answer as a stream", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(streamed)
      const events = yield* Stream.runCollect(Target.stream(asked)).pipe(
        Effect.provide(over(fake, OpenAi.target("gpt-5")))
      )
      assert.deepStrictEqual(events.map(({ _tag }) => _tag), [
        "Started",
        "TextDelta",
        "TextDelta",
        "Finished",
        "Used"
      ])
    }))

  it.effect("sends its own parameters as defaults of a request, and always its own model", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole({ content: "1" }), whole({ content: "2" }))
      const target = OpenAi.target("gpt-5", { parameters: { temperature: 0, seed: 7 } })
      yield* Effect.all([Target.generate(asked), Target.generate({ ...asked, temperature: 1 })]).pipe(
        Effect.provide(over(fake, target))
      )
      assert.deepInclude(fake.body(0), { model: "gpt-5", temperature: 0, seed: 7 })
      assert.deepInclude(fake.body(1), { model: "gpt-5", temperature: 1, seed: 7 })
    }))

  it.effect("fails with the provider's own error, which can be caught by its tag", () =>
    Effect.gen(function*() {
      const body = JSON.stringify({ error: { message: "too long", code: "context_length_exceeded" } })
      const fake = FakeTransport.make(FakeTransport.json(body, { status: 400 }), streamed)
      const told = yield* Target.generate(asked).pipe(
        Effect.as("answered"),
        Effect.catchTag("ContextTooLong", ({ provider }) => Effect.succeed(`too long for ${provider}`)),
        Effect.provide(over(fake, OpenAi.target("gpt-5")))
      )
      assert.strictEqual(told, "too long for openai")
    }))

  it.effect("has both faces on one credential, and is one call in the registry while it runs", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(Effect.never, Effect.never)
      yield* Effect.gen(function*() {
        const calls = [Target.generate(asked), LanguageModel.generateText({ prompt: "Why?" })]
        const fibers = yield* Effect.forEach(calls, (call) => Effect.forkChild(call, { startImmediately: true }))
        const open = yield* SessionRegistry.list({ tenant: "acme", kind: "call" })
        assert.deepStrictEqual(open.map(({ name }) => name), ["openai/gpt-5", "openai/gpt-5"])
        assert.deepInclude(yield* SessionRegistry.counts, { credential: 1 })
        yield* Fiber.interruptAll(fibers)
        assert.deepStrictEqual(yield* SessionRegistry.counts, { credential: 1 })
      }).pipe(Caller.provide({ tenant: "acme" }), Effect.provide(over(fake, OpenAi.target("gpt-5"))))
    }))

  it.effect("reaches each provider by its own path, headers and configuration", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(Effect.never)
      const fiber = yield* Target.generate(asked).pipe(
        Effect.provide(over(fake, Anthropic.target("claude-sonnet-5-5"))),
        Effect.forkChild({ startImmediately: true })
      )
      yield* Effect.yieldNow
      assert.strictEqual(fake.requests[0]?.url, "https://api.anthropic.com/v1/messages")
      assert.strictEqual(fake.requests[0]?.headers["x-api-key"], "sk-ant")
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("opens once for many calls, and not without its key", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make()
      const error = yield* Target.open(OpenAi.target("gpt-5")).pipe(
        Effect.scoped,
        Effect.provide([fake.layer, config({})]),
        Effect.flip
      )
      assert.instanceOf(error, Credential.CredentialUnavailable)
    }))

  it("rejects a model without a name, and an invalid limit", () => {
    for (const model of ["", " ", undefined as unknown as string]) {
      assert.throws(() => OpenAi.target(model), RangeError, "model")
    }
    assert.throws(() => OpenAi.target("gpt-5", { timeouts: { idle: -1 } }), RangeError, "timeouts.idle")
    const options = { baseUrl: 5 as unknown as string }
    assert.throws(() => OpenAi.target("gpt-5", options), RangeError, "`baseUrl` must be a text, not 5")
    assert.throws(() => OpenAi.model("gpt-5", options), RangeError, "`baseUrl` must be a text, not 5")
  })
})

/** What the building of a layer dies with. */
const defectOf = (built: Effect.Effect<unknown, unknown, Scope.Scope | Transport.Transport>) =>
  built.pipe(Effect.scoped, Effect.provide(FakeTransport.make().layer), Effect.sandbox, Effect.flip)

describe("options of a program without types", () => {
  const mistakes: ReadonlyArray<readonly [options: object, says: string]> = [
    [{ baseURL: "https://secret.test" }, "`baseURL` is none of them"],
    [{ timeouts: { idel: "1 second" } }, "`idel` is none of them"],
    [{ credential: "sk-secret" }, "`credential` must be a Credential"],
    [{ credential: Redacted.make("sk-secret") }, "`credential` must be a Credential"],
    [{ baseUrl: new URL("https://secret.test") }, "`baseUrl` must be a text"]
  ]
  it.effect.each(mistakes)("are rejected: %j", ([options, says]) =>
    Effect.gen(function*() {
      for (const make of [OpenAi.target, OpenAi.embeddingTarget]) {
        assert.throws(() => make("m", options), RangeError, says)
      }
      const layers = [
        Layer.build(OpenAi.layer({ model: "m", ...options })),
        Layer.build(OpenAi.embeddingLayer({ model: "m", ...options }))
      ]
      for (const built of layers) {
        const defect = yield* defectOf(built)
        assert.instanceOf(Cause.squash(defect), RangeError)
        assert.include(Cause.pretty(defect), says)
        assert.notInclude(Cause.pretty(defect), "secret")
      }
    }))

  it.effect("are rejected where they are missing", () =>
    Effect.gen(function*() {
      const options = undefined as unknown as { readonly model: string }
      for (const built of [Layer.build(OpenAi.layer(options)), Layer.build(OpenAi.embeddingLayer(options))]) {
        assert.include(Cause.pretty(yield* defectOf(built)), "`options` must be an object with a `model`")
      }
    }))
})

describe("a target's types", () => {
  it("state exactly the errors of a call, and the needs of opening", () => {
    expectTypeOf(Target.generate).returns.toEqualTypeOf<
      Effect.Effect<ChatResponse.ChatResponse, ProviderError.CallError, Target.ChatModel>
    >()
    expectTypeOf(Target.stream).returns.toEqualTypeOf<
      Stream.Stream<ChatEvent.ChatEvent, ProviderError.CallError, Target.ChatModel>
    >()
    const own = OpenAi.target("gpt-5", { credential: Credential.redacted("mine", Redacted.make("sk")) })
    expectTypeOf(own).toEqualTypeOf<Target.Target>()
    type OpenError =
      | Config.ConfigError
      | Credential.CredentialUnavailable
      | SessionError.SessionError
      | TransportError.InvalidUrl
      | Protocol.Unsupported
    expectTypeOf<Effect.Error<ReturnType<typeof Target.open<never, never>>>>().toEqualTypeOf<OpenError>()
    expectTypeOf<Scope.Scope>().toExtend<Effect.Services<ReturnType<typeof Target.open<never, never>>>>()
  })
})
