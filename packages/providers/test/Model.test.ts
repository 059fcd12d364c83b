import {
  Caller,
  Credential,
  Deadline,
  Retry,
  Session,
  type SessionError,
  SessionRegistry,
  type Transport
} from "@clawback/core"
import { Anthropic, OpenAi, ProviderError } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import {
  ConfigProvider,
  Context,
  Deferred,
  Duration,
  Effect,
  ExecutionPlan,
  Fiber,
  Layer,
  LayerMap,
  Option,
  Redacted,
  Schema,
  Stream,
  Tracer
} from "effect"
import { type AiError, LanguageModel, Model } from "effect/ai"
import { TestClock } from "effect/testing"
import { expectTypeOf } from "vitest"
import * as FakeTransport from "./support/fakeTransport.ts"
import { config, whole } from "./support/openAiModel.ts"
import { done, finishes, says } from "./support/openAiWire.ts"

const prompt = "Why do sockets leak?"
const asked = Effect.map(LanguageModel.generateText({ prompt }), ({ text }) => text)
const answers = (...texts: ReadonlyArray<string>) => FakeTransport.make(...texts.map((content) => whole({ content })))
const streamed = FakeTransport.events(says({ content: "Be" }), says({ content: "cause." }) + finishes("stop") + done)

const over = (fake: ReturnType<typeof FakeTransport.make>, values: object = { OPENAI_API_KEY: "sk-nobody" }) =>
  Effect.provide([fake.layer, config(values), SessionRegistry.layer()])

const credentials = Effect.map(SessionRegistry.counts, ({ credential = 0 }) => credential)

/** A credential that fails for so many opens, and counts them. */
const failing = (times: number) => {
  const opens = { count: 0 }
  const error = new Credential.CredentialUnavailable({ credential: "vault", cause: "sealed" })
  const open = Effect.suspend(() =>
    ++opens.count <= times ? Effect.fail(error) : Credential.redacted("vault", Redacted.make("sk-vault")).open
  )
  return { opens, error, credential: { name: "vault", open } }
}

describe("a provider's Model", () => {
  it("never fails, names its provider, and needs a transport", () => {
    expectTypeOf(OpenAi.model("gpt-5")).toEqualTypeOf<
      Model.Model<"openai", LanguageModel.LanguageModel, Transport.Transport>
    >()
    assert.strictEqual(OpenAi.model("gpt-5").provider, "openai")
    assert.strictEqual(Anthropic.model("claude-sonnet-5-5").provider, "anthropic")
    assert.throws(() => OpenAi.model(" "), RangeError, "model")
  })

  it.effect("is opened at its first call, once, and closed with its layer", () =>
    Effect.gen(function*() {
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* credentials, 0)
        assert.strictEqual(yield* Model.ProviderName, "openai")
        assert.strictEqual(yield* Model.ModelName, "gpt-5")
        assert.deepStrictEqual(yield* Effect.all([asked, asked], { concurrency: 2 }), ["1", "2"])
        assert.strictEqual(yield* credentials, 1)
      }).pipe(Effect.provide(OpenAi.model("gpt-5")))
      assert.strictEqual(yield* credentials, 0)
    }).pipe(over(answers("1", "2"))))

  it.effect("generates objects and streams as the layer does", () => {
    const fake = FakeTransport.make(whole({ content: "{\"why\":\"because\"}" }), streamed)
    return Effect.gen(function*() {
      const { value } = yield* LanguageModel.generateObject({ prompt, schema: Schema.Struct({ why: Schema.String }) })
      assert.deepStrictEqual(value, { why: "because" })
      const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt }))
      assert.strictEqual(parts.map((part) => part.type === "text-delta" ? part.delta : "").join(""), "Because.")
    }).pipe(Effect.provide(OpenAi.model("gpt-5")), over(fake))
  })

  it.effect("fails a call with the reason why it could not open, and opens again at the next", () => {
    const { credential, error, opens } = failing(2)
    return Effect.gen(function*() {
      const calls: ReadonlyArray<Effect.Effect<unknown, AiError.AiError, LanguageModel.LanguageModel>> = [
        LanguageModel.generateText({ prompt }),
        Stream.runDrain(LanguageModel.streamText({ prompt }))
      ]
      for (const call of calls) {
        const failed = yield* Effect.flip(call)
        assert.strictEqual(failed.reason._tag, "AuthenticationError")
        assert.strictEqual(Option.getOrThrow(ProviderError.fromAiError(failed)), error)
      }
      assert.strictEqual(yield* asked, "1")
      assert.strictEqual(opens.count, 3)
    }).pipe(Effect.provide(OpenAi.model("gpt-5", { credential })), over(answers("1")))
  })

  it.effect("fails a call if its configuration cannot be read, or with the program's own error", () =>
    Effect.gen(function*() {
      const broken = ConfigProvider.make(() => Effect.fail(new ConfigProvider.SourceError({ message: "disk" })))
      const unreadable = yield* Effect.flip(
        asked.pipe(
          Effect.provide(OpenAi.model("gpt-5")),
          Effect.provideService(ConfigProvider.ConfigProvider, broken)
        )
      )
      assert.strictEqual(unreadable.reason._tag, "UnknownError")
      const own = yield* Effect.flip(
        Effect.provide(asked, OpenAi.model("gpt-5", { credential: { name: "own", open: Effect.fail("no key today") } }))
      )
      assert.deepInclude(own.reason, { _tag: "UnknownError", description: "no key today" } as object)
      const url = yield* Effect.flip(Effect.provide(asked, OpenAi.model("gpt-5", { baseUrl: "provider.test" })))
      assert.strictEqual(url.reason._tag, "NetworkError")
      assert.strictEqual(yield* credentials, 0)
    }).pipe(over(answers())))

  it.effect("is opened by another caller if the first is interrupted meanwhile", () =>
    Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      let opens = 0
      const credential: Credential.Credential<SessionError.SessionError> = {
        name: "slow",
        open: Effect.suspend((): Credential.Credential<SessionError.SessionError>["open"] =>
          ++opens > 1
            ? Credential.redacted("slow", Redacted.make("sk")).open
            : Session.acquire({ kind: "credential", name: "slow" }, Effect.void, () => Effect.void).pipe(
              Effect.andThen(Deferred.succeed(started, undefined)),
              Effect.andThen(Effect.never)
            )
        )
      }
      yield* Effect.gen(function*() {
        const first = yield* Effect.forkChild(asked)
        yield* Deferred.await(started)
        const second = yield* Effect.forkChild(asked, { startImmediately: true })
        yield* Fiber.interrupt(first)
        assert.strictEqual(yield* Fiber.join(second), "1")
        assert.strictEqual(opens, 2)
        assert.strictEqual(yield* credentials, 0)
      }).pipe(Effect.provide(OpenAi.model("gpt-5", { credential })))
    }).pipe(over(answers("1"))))

  it.effect("does not wait longer for its opening than the call may take, and opens again at the next", () => {
    let opens = 0
    const credential: Credential.Credential = {
      name: "vault",
      open: Effect.suspend((): Credential.Credential["open"] =>
        ++opens <= 3 ? Effect.never : Credential.redacted("vault", Redacted.make("sk")).open
      )
    }
    const calls: ReadonlyArray<Effect.Effect<unknown, AiError.AiError, LanguageModel.LanguageModel>> = [
      asked,
      Stream.runDrain(LanguageModel.streamText({ prompt }))
    ]
    return Effect.gen(function*() {
      for (const call of calls) {
        const [first, second] = [yield* Effect.forkChild(Effect.flip(call)), yield* Effect.forkChild(Effect.flip(call))]
        yield* TestClock.adjust("500 millis")
        for (const fiber of [first, second]) {
          const failed = yield* Fiber.join(fiber)
          assert.include(failed.message, "openai/gpt-5 with the credential vault")
          const error = Option.getOrThrow(ProviderError.fromAiError(failed))
          assert.strictEqual(error._tag, "DeadlineExceeded")
          assert.strictEqual(error._tag === "DeadlineExceeded" && error.retry.reach, "unsent")
        }
        yield* TestClock.adjust("1 second")
      }
      opens = 2
      const outside = yield* Effect.forkChild(Effect.flip(Deadline.within(asked, "100 millis")))
      yield* TestClock.adjust("100 millis")
      assert.strictEqual((yield* Fiber.join(outside))._tag, "DeadlineExceeded")
      assert.strictEqual(yield* asked, "1")
      assert.strictEqual(opens, 4)
    }).pipe(
      Effect.provide(OpenAi.model("gpt-5", { credential, timeouts: { total: "500 millis" } })),
      over(answers("1"))
    )
  })

  it.effect("counts the wait for its opening against the limit of the call", () => {
    const source = Credential.redacted("slow", Redacted.make("sk"))
    const credential = { name: "slow", open: Effect.delay(source.open, "400 millis") }
    const left: Array<number> = []
    const watched: Credential.Credential = {
      ...credential,
      open: Effect.map(credential.open, ({ identity }) => ({
        identity: Effect.flatMap(Deadline.remaining, (remaining) => {
          left.push(Duration.toMillis(remaining))
          return identity
        })
      }))
    }
    return Effect.gen(function*() {
      const first = yield* Effect.forkChild(asked)
      yield* TestClock.adjust("400 millis")
      assert.deepStrictEqual([yield* Fiber.join(first), yield* asked], ["1", "2"])
      assert.deepStrictEqual(left, [100, 500])
    }).pipe(
      Effect.provide(OpenAi.model("gpt-5", { credential: watched, timeouts: { total: "500 millis" } })),
      over(answers("1", "2"))
    )
  })

  it.effect("belongs to its layer, not to its first caller", () =>
    Effect.gen(function*() {
      const info = { kind: "user", name: "first" }
      assert.strictEqual(yield* Session.scoped(asked, info), "1")
      const [opened] = yield* SessionRegistry.list({ kind: "credential" })
      assert.strictEqual(opened?.parent, undefined)
      assert.strictEqual(yield* asked, "2")
    }).pipe(Effect.provide(OpenAi.model("gpt-5")), over(answers("1", "2"))))

  it.effect("is opened inside of nothing that its layer was built in, which may have ended", () =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const seen: Array<unknown> = []
      const credential = {
        name: "OPENAI_API_KEY",
        open: Effect.gen(function*() {
          const span = Option.getOrUndefined(yield* Effect.serviceOption(Tracer.ParentSpan))
          seen.push(
            yield* Session.Current,
            yield* Deadline.Current,
            yield* Retry.CurrentKey,
            yield* Caller.Current,
            span
          )
          return yield* Credential.config("OPENAI_API_KEY").open
        })
      }
      const built = yield* Layer.buildWithScope(OpenAi.model("gpt-5", { credential }), scope).pipe(
        Session.scoped({ kind: "request", name: "first" }),
        Caller.provide({ tenant: "acme" }),
        Retry.idempotent("key"),
        Effect.withSpan("build"),
        Deadline.within("1 second")
      )
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Effect.provide(asked, built), "1")
      assert.deepStrictEqual(seen, [undefined, undefined, undefined, undefined, undefined])
      assert.strictEqual(yield* credentials, 1)
      assert.isEmpty(yield* SessionRegistry.list({ tenant: "acme" }))
    }).pipe(Effect.scoped, over(answers("1"))))

  it.effect("is a step of an ExecutionPlan, even if its key is missing", () => {
    const fake = FakeTransport.make(
      FakeTransport.json(JSON.stringify({ error: { message: "busy", code: "slow_down" } }), { status: 503 }),
      whole({ content: "from the third" })
    )
    const plan = ExecutionPlan.make(
      { provide: Anthropic.model("claude-sonnet-5-5") },
      { provide: OpenAi.model("gpt-5") },
      { provide: OpenAi.model("gpt-5-mini") }
    )
    const program = Effect.all([asked, Effect.map(Model.ModelName, (name) => name)]).pipe(
      Effect.withExecutionPlan(plan)
    )
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* program, ["from the third", "gpt-5-mini"])
      assert.strictEqual(yield* credentials, 0)
    }).pipe(over(fake))
  })

  it.effect("is a step of an ExecutionPlan of streams", () => {
    const plan = ExecutionPlan.make({ provide: Anthropic.model("claude") }, { provide: OpenAi.model("gpt-5") })
    return Effect.gen(function*() {
      const parts = yield* LanguageModel.streamText({ prompt }).pipe(
        Stream.withExecutionPlan(plan, { preventFallbackOnPartialStream: true }),
        Stream.runCollect
      )
      assert.strictEqual(parts.at(-1)?.type, "finish")
    }).pipe(over(FakeTransport.make(streamed)))
  })

  it.effect("is looked up by a LayerMap, which keeps no failure", () => {
    const { credential } = failing(1)
    class Models extends LayerMap.Service<Models>()("test/Models", {
      lookup: (name: string) => OpenAi.model(name, { credential }),
      idleTimeToLive: "1 minute"
    }) {}
    return Effect.gen(function*() {
      const call = Effect.provide(asked, Models.get("gpt-5"))
      assert.strictEqual((yield* Effect.flip(call)).reason._tag, "AuthenticationError")
      assert.strictEqual(yield* call, "1")
    }).pipe(Effect.provide(Models.layer), over(answers("1")))
  })

  it.effect("takes its needs from a service that is provided later", () => {
    class Writer extends Context.Service<Writer, { readonly write: Effect.Effect<string, AiError.AiError> }>()(
      "@clawback/providers/test/Model.test/Writer"
    ) {
      static readonly layer = Layer.effect(
        Writer,
        Effect.map(
          OpenAi.model("gpt-5").captureRequirements,
          (model) => Writer.of({ write: Effect.provide(asked, model) })
        )
      )
    }
    return Effect.gen(function*() {
      const writer = yield* Writer
      assert.strictEqual(yield* writer.write, "1")
    }).pipe(Effect.provide(Writer.layer), over(answers("1")))
  })

  it.effect("is retried from outside as any model is", () => {
    const { credential } = failing(0)
    const refused = FakeTransport.json(JSON.stringify({ error: { message: "busy", code: "slow_down" } }), {
      status: 503
    })
    return Effect.gen(function*() {
      const policy = Retry.jittered({ attempts: 2, base: 0, classify: ProviderError.advice })
      assert.strictEqual(yield* Retry.apply(asked, policy), "1")
    }).pipe(
      Effect.provide(OpenAi.model("gpt-5", { credential })),
      over(FakeTransport.make(refused, whole({ content: "1" })))
    )
  })
})
