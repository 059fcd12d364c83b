import { SessionRegistry, TransportError } from "@clawback/core"
import { Anthropic, CallParameters, ProviderError } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Layer, Option, Schema, Stream } from "effect"
import { AiError, LanguageModel, Prompt, Tool, Toolkit } from "effect/ai"
import { over, whole } from "./support/anthropicModel.ts"
import * as Wire from "./support/anthropicWire.ts"
import * as FakeTransport from "./support/fakeTransport.ts"
import { config, handlers, reasonOf, toolkit } from "./support/openAiModel.ts"

const because = { type: "text", text: "Because." }

describe("an answer in one piece", () => {
  it.effect("has its text, its finish reason and its usage", () =>
    Effect.gen(function*() {
      const usage = { ...Wire.counted, output_tokens: 7, output_tokens_details: { thinking_tokens: 2 } }
      const fake = FakeTransport.make(whole([because], { usage }))
      const response = yield* Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), over(fake))
      assert.strictEqual(response.text, "Because.")
      assert.strictEqual(response.finishReason, "stop")
      assert.deepInclude(response.usage.inputTokens, { total: 43, cacheRead: 11, cacheWrite: 7, uncached: 25 })
      assert.deepInclude(response.usage.outputTokens, { total: 7, reasoning: 2, text: 5 })
      const metadata = response.content.find((part) => part.type === "response-metadata")
      assert.deepInclude(metadata, { id: "msg_1", modelId: "claude-sonnet-5-5" })
    }))

  it.effect("leaves counts unknown that the provider did not report", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole([because]))
      const { usage } = yield* Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), over(fake))
      assert.isUndefined(usage.inputTokens.total)
      assert.isUndefined(usage.inputTokens.uncached)
      assert.isUndefined(usage.outputTokens.total)
    }))

  it.effect("sends the key, the version, the model and the parameters of the layer", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole([because]))
      yield* Effect.provide(
        LanguageModel.generateText({
          prompt: [{ role: "system", content: "Be kind." }, { role: "user", content: "Why?" }]
        }),
        over(fake, { baseUrl: "http://provider.test/base/", parameters: { temperature: 0, user: "u-1", topK: 3 } })
      )
      assert.strictEqual(fake.requests[0]?.url, "http://provider.test/base/v1/messages")
      assert.deepInclude(fake.requests[0]?.headers, { "x-api-key": "sk-nobody", "anthropic-version": "2023-06-01" })
      assert.isUndefined(fake.requests[0]?.headers["authorization"])
      assert.deepStrictEqual(fake.body(0), {
        model: "claude-sonnet-5-5",
        max_tokens: 4096,
        system: "Be kind.",
        messages: [{ role: "user", content: "Why?" }],
        temperature: 0,
        top_k: 3,
        metadata: { user_id: "u-1" }
      })
    }))

  it.effect("follows the requested schema, which is sent in the provider's format", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole([{ type: "text", text: "{\"city\":\"Bergen\",\"rain\":null}" }]))
      const schema = Schema.Struct({
        city: Schema.String.check(Schema.isMinLength(3)),
        rain: Schema.optional(Schema.Finite)
      })
      const { value } = yield* Effect.provide(LanguageModel.generateObject({ prompt: "Where?", schema }), over(fake))
      assert.deepStrictEqual(value, { city: "Bergen" })
      const { format } = fake.body(0).output_config
      assert.strictEqual(format.type, "json_schema")
      assert.deepInclude(format.schema, { type: "object", required: ["city", "rain"], additionalProperties: false })
      // A constraint that the provider refuses is left to us.
      assert.notProperty(format.schema.properties.city, "minLength")
    }))

  it.effect("sends thinking and tool calls of the history back unchanged", () =>
    Effect.gen(function*() {
      const content = [
        { type: "thinking", thinking: "Hm.", signature: "c2ln" },
        { type: "redacted_thinking", data: "ZGF0YQ==" },
        { type: "text", text: "Let me look." },
        { type: "tool_use", id: "toolu_a", name: "weather", input: { city: "Rome" } },
        { type: "tool_use", id: "toolu_b", name: "clock", input: {} }
      ]
      const fake = FakeTransport.make(whole(content, { stop_reason: "tool_use" }), whole([because]))
      const model = over(fake, { parameters: { reasoning: { budgetTokens: 1024 } } })
      const response = yield* Effect.gen(function*() {
        const asked = Prompt.make("Why?")
        const first = yield* LanguageModel.generateText({ prompt: asked, toolkit })
        assert.strictEqual(first.finishReason, "tool-calls")
        assert.strictEqual(first.reasoningText, "Hm.")
        const prompt = Prompt.concat(asked, Prompt.fromResponseParts(first.content))
        return yield* LanguageModel.generateText({ prompt, toolkit })
      }).pipe(Effect.provide([model, handlers]))
      assert.strictEqual(response.text, "Because.")
      assert.deepInclude(fake.body(0), { thinking: { type: "enabled", budget_tokens: 1024 }, max_tokens: 5120 })
      assert.deepStrictEqual(fake.body(1).messages, [
        { role: "user", content: "Why?" },
        { role: "assistant", content },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "toolu_a", content: "{\"celsius\":4}" },
            { type: "tool_result", tool_use_id: "toolu_b", content: "noon" }
          ]
        }
      ])
      assert.deepInclude(fake.body(1).tools[0], { name: "weather", description: "The weather of a place" })
      assert.deepStrictEqual(fake.body(1).tool_choice, { type: "auto" })
    }))

  it.effect("reports a failed tool to the provider", () =>
    Effect.gen(function*() {
      const prompt = Prompt.make([
        { role: "user", content: "Why?" },
        {
          role: "assistant",
          content: [{ type: "tool-call", id: "a", name: "clock", params: {}, providerExecuted: false }]
        },
        { role: "tool", content: [{ type: "tool-result", id: "a", name: "clock", isFailure: true, result: "broken" }] }
      ])
      const fake = FakeTransport.make(whole([because]))
      yield* Effect.provide(LanguageModel.generateText({ prompt }), over(fake))
      assert.deepStrictEqual(fake.body(0).messages[2].content, [
        { type: "tool_result", tool_use_id: "a", content: "broken", is_error: true }
      ])
    }))

  it.effect("sends images and documents to the model", () =>
    Effect.gen(function*() {
      const prompt = Prompt.make([{
        role: "user",
        content: [
          { type: "file", mediaType: "image/png", data: new Uint8Array([1, 2, 3]) },
          { type: "file", mediaType: "application/pdf", fileName: "Report", data: "JVBERi0=" },
          { type: "text", text: "What is it?" }
        ]
      }])
      const fake = FakeTransport.make(whole([because]))
      yield* Effect.provide(LanguageModel.generateText({ prompt }), over(fake))
      assert.deepStrictEqual(fake.body(0).messages[0].content, [
        { type: "image", source: { type: "base64", media_type: "image/png", data: "AQID" } },
        {
          type: "document",
          title: "Report",
          source: { type: "base64", media_type: "application/pdf", data: "JVBERi0=" }
        },
        { type: "text", text: "What is it?" }
      ])
    }))

  it.effect("fails before sending if the protocol has no form for the request", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make()
      const reason = yield* reasonOf(
        LanguageModel.generateText({ prompt: "Why?" }).pipe(
          CallParameters.provide({ choices: 2 }),
          Effect.provide(over(fake))
        )
      )
      assert.strictEqual(reason._tag, "InvalidUserInputError")
      assert.lengthOf(fake.requests, 0)
    }))
})

const strict = Tool.make("book", {
  parameters: Schema.Struct({ city: Schema.String, nights: Schema.optional(Schema.Finite) }),
  success: Schema.String
}).annotate(Tool.Strict, true)

describe("a strict tool", () => {
  it.effect("is sent and called in the provider's format", () =>
    Effect.gen(function*() {
      const kit = Toolkit.make(strict)
      const called = { type: "tool_use", id: "a", name: "book", input: { city: "Rome", nights: null } }
      const fake = FakeTransport.make(whole([called], { stop_reason: "tool_use" }))
      const response = yield* LanguageModel.generateText({ prompt: "Book!", toolkit: kit }).pipe(
        Effect.provide([over(fake), kit.toLayer({ book: (params) => Effect.succeed(JSON.stringify(params)) })])
      )
      assert.deepStrictEqual(response.toolResults.map(({ result }) => result), ["{\"city\":\"Rome\"}"])
      const [tool] = fake.body(0).tools
      assert.deepInclude(tool, { name: "book", strict: true })
      assert.deepStrictEqual(tool.input_schema.required, ["city", "nights"])
    }))
})

const streamed = (...chunks: ReadonlyArray<string>) =>
  LanguageModel.streamText({ prompt: "Why?" }).pipe(
    Stream.runCollect,
    Effect.provide(over(FakeTransport.make(FakeTransport.events(...chunks))))
  )

describe("a streamed answer", () => {
  it.effect("has runs of text and thinking, and ends with its usage", () =>
    Effect.gen(function*() {
      const found = yield* streamed(
        Wire.starts() + Wire.ping + Wire.thinking(0, "c2ln", "H", "m."),
        Wire.redacted(1, "ZGF0YQ==") + Wire.text(2, "Be", "cause."),
        Wire.stops("end_turn", { output_tokens: 7 }) + Wire.stop
      )
      assert.deepStrictEqual(found.map((part) => "delta" in part ? `${part.type} ${part.delta}` : part.type), [
        "response-metadata",
        "reasoning-start",
        "reasoning-delta H",
        "reasoning-delta m.",
        "reasoning-end",
        "reasoning-start",
        "reasoning-end",
        "text-start",
        "text-delta Be",
        "text-delta cause.",
        "text-end",
        "finish"
      ])
      const finish = found.at(-1)
      assert(finish?.type === "finish")
      assert.strictEqual(finish.reason, "stop")
      assert.deepInclude(finish.usage.inputTokens, { total: 43, cacheRead: 11, cacheWrite: 7, uncached: 25 })
      assert.deepInclude(finish.usage.outputTokens, { total: 7 })
    }))

  it.effect("sends thinking back in its place", () =>
    Effect.gen(function*() {
      const calls = Wire.thinking(0, "b25l", "One.") + Wire.call(1, "toolu_a", "clock", "{}") +
        Wire.redacted(2, "ZGF0YQ==") + Wire.call(3, "toolu_b", "weather", "{\"city\":", "\"Rome\"}")
      const fake = FakeTransport.make(
        FakeTransport.events(Wire.starts() + calls + Wire.stops("tool_use") + Wire.stop),
        whole([because])
      )
      yield* Effect.gen(function*() {
        const asked = Prompt.make("Why?")
        const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt: asked, toolkit }))
        yield* LanguageModel.generateText({ prompt: Prompt.concat(asked, Prompt.fromResponseParts(parts)), toolkit })
      }).pipe(Effect.provide([over(fake), handlers]))
      assert.deepStrictEqual(fake.body(0).stream, true)
      const { content } = fake.body(1).messages[1]
      assert.sameDeepMembers(content, [
        { type: "thinking", thinking: "One.", signature: "b25l" },
        { type: "redacted_thinking", data: "ZGF0YQ==" },
        { type: "tool_use", id: "toolu_a", name: "clock", input: {} },
        { type: "tool_use", id: "toolu_b", name: "weather", input: { city: "Rome" } }
      ])
    }))

  it.effect("fails with an error that arrives mid-stream, after the parts before it", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(FakeTransport.events(
        Wire.starts() + Wire.text(0, "Be"),
        Wire.errors("overloaded_error", "Overloaded")
      ))
      const texts: Array<string> = []
      const error = yield* LanguageModel.streamText({ prompt: "Why?" }).pipe(
        ProviderError.preciseStream,
        Stream.runForEach((part) => Effect.sync(() => part.type === "text-delta" && texts.push(part.delta))),
        Effect.provide(over(fake)),
        Effect.flip
      )
      assert.strictEqual(error._tag, "Overloaded")
      assert.deepStrictEqual(texts, ["Be"])
    }))

  it.effect("fails as truncated if its body ends early", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(streamed(Wire.starts() + Wire.text(0, "Be") + Wire.stops("end_turn")))
      assert(AiError.isAiError(error))
      assert.strictEqual(Option.getOrThrow(ProviderError.fromAiError(error))._tag, "StreamTruncated")
    }))

  it.effect("fails if the body is not an event stream", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(FakeTransport.json("<html>", { headers: { "content-type": "text/html" } }))
      const stream = Stream.runDrain(LanguageModel.streamText({ prompt: "Why?" }))
      assert.strictEqual((yield* reasonOf(Effect.provide(stream, over(fake))))._tag, "InvalidResponseError")
    }))
})

const refusal = (type: string, message: string) =>
  JSON.stringify({ type: "error", error: { type, message }, request_id: "req_1" })

describe("an error", () => {
  it.effect.each<readonly [number, string, ProviderError.ProviderError["_tag"], string]>([
    [
      401,
      refusal("authentication_error", "invalid x-api-key: sk-nobody"),
      "AuthenticationFailed",
      "AuthenticationError"
    ],
    [402, refusal("billing_error", "Pay"), "QuotaExhausted", "QuotaExhaustedError"],
    [404, refusal("not_found_error", "model: claude-9"), "ModelNotFound", "InvalidRequestError"],
    [429, refusal("rate_limit_error", "Slow down"), "RateLimited", "RateLimitError"],
    [529, refusal("overloaded_error", "Overloaded"), "Overloaded", "InternalProviderError"]
  ])(
    "of status %s becomes an AiError and leads back to the precise error, without the key",
    ([status, body, tag, reason]) =>
      Effect.gen(function*() {
        const headers = { "content-type": "application/json", "retry-after": "2", "request-id": "req_7" }
        const fake = FakeTransport.make(FakeTransport.json(body, { status, headers }))
        const error = yield* Effect.flip(Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), over(fake)))
        assert(AiError.isAiError(error))
        assert.strictEqual(error.reason._tag, reason)
        const precise = Option.getOrThrow(ProviderError.fromAiError(error))
        assert.deepInclude(precise, { _tag: tag, provider: "anthropic", status, requestId: "req_7" } as object)
        if ("retryAfter" in precise) assert.deepStrictEqual(precise.retryAfter, Duration.seconds(2))
        assert.notInclude(JSON.stringify([error, precise, error.message, precise.message]), "sk-nobody")
      })
  )
})

describe("the layer", () => {
  it.effect.each<readonly [string, object]>([
    ["missing", {}],
    ["blank", { ANTHROPIC_API_KEY: " \n" }],
    ["another provider's", { OPENAI_API_KEY: "sk-nobody" }]
  ])("does not build if the key is %s", ([, values]) =>
    Effect.gen(function*() {
      const layer = Anthropic.layer({ model: "claude" }).pipe(
        Layer.provide(FakeTransport.make().layer),
        Layer.provide(config(values))
      )
      const error = yield* Effect.flip(Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), layer))
      assert.strictEqual(error._tag, "CredentialUnavailable")
    }))

  it.effect("does not build without a model, and names the option", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(
        Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), over(FakeTransport.make(), { model: " " }))
      )
      assert(Exit.isFailure(exit))
      assert.include(String(Cause.squash(exit.cause)), "`model`")
    }))

  it.effect.each<readonly [string | undefined, object, string]>([
    [undefined, {}, "https://api.anthropic.com/v1/messages"],
    [undefined, { ANTHROPIC_BASE_URL: " " }, "https://api.anthropic.com/v1/messages"],
    [undefined, { ANTHROPIC_BASE_URL: "http://provider.test" }, "http://provider.test/v1/messages"],
    [
      "http://provider.test/a/?b=c",
      { ANTHROPIC_BASE_URL: "http://other.test" },
      "http://provider.test/a/v1/messages?b=c"
    ]
  ])("with the base URL %o and the configuration %o calls %s", ([baseUrl, values, expected]) =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole([because]))
      const layer = Anthropic.layer({ model: "claude", baseUrl }).pipe(
        Layer.provide(fake.layer),
        Layer.provide(config({ ANTHROPIC_API_KEY: "sk-nobody", ...values }))
      )
      yield* Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), layer)
      assert.strictEqual(fake.requests[0]?.url, expected)
    }))

  it.effect("does not build with an invalid base URL", () =>
    Effect.gen(function*() {
      const call = LanguageModel.generateText({ prompt: "Why?" })
      for (
        const [tail, says] of [
          ["/v1", "it must not end with /v1, since /v1/messages is added to it"],
          ["/v1/messages/", "it must not end with /v1/messages, which is added to it"]
        ] as const
      ) {
        const wrong = over(FakeTransport.make(), { baseUrl: `https://api.anthropic.test${tail}` })
        assert.include((yield* Effect.flip(Effect.provide(call, wrong))).message, says)
      }
      const error = yield* Effect.flip(Effect.provide(call, over(FakeTransport.make(), { baseUrl: "provider.test" })))
      assert.strictEqual(error._tag, "InvalidUrl")
    }))

  it.effect("holds a call as a session while it runs, and nothing after its reader stops", () =>
    Effect.gen(function*() {
      const lost = new TransportError.ConnectionLost({
        origin: "http://provider.test",
        phase: "body",
        cause: new Error("reset")
      })
      const begun = { ...FakeTransport.events(Wire.starts() + Wire.text(0, "Be")), end: Effect.fail(lost) }
      const counts: Array<unknown> = []
      yield* Effect.provide(
        Effect.gen(function*() {
          yield* LanguageModel.streamText({ prompt: "Why?" }).pipe(
            Stream.filter((part) => part.type === "text-delta"),
            Stream.take(1),
            Stream.runForEach(() => Effect.map(SessionRegistry.counts, (count) => void counts.push(count)))
          )
          counts.push(yield* SessionRegistry.counts)
        }),
        over(FakeTransport.make(begun))
      )
      assert.deepStrictEqual(counts, [{ credential: 1, call: 1 }, { credential: 1 }])
    }))
})
