import { Credential, SessionRegistry, type Timeouts, TransportError } from "@clawback/core"
import { OpenAi } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Layer, Option, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { TestClock } from "effect/testing"
import * as FakeTransport from "./support/fakeTransport.ts"
import { called, config, handlers, over, reasonOf, toolkit, whole } from "./support/openAiModel.ts"
import { chunk, done, finishes, says, tokens } from "./support/openAiWire.ts"

describe("an answer in one piece", () => {
  it.effect("has its text, its finish reason and its usage", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole({ content: "Because." }, { usage: tokens(11, 7) }))
      const response = yield* Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), over(fake))
      assert.strictEqual(response.text, "Because.")
      assert.strictEqual(response.finishReason, "stop")
      assert.deepInclude(response.usage.inputTokens, { total: 11, cacheRead: 3, uncached: 8 })
      assert.deepInclude(response.usage.outputTokens, { total: 7, reasoning: 2, text: 5 })
      const metadata = response.content.find((part) => part.type === "response-metadata")
      assert.deepInclude(metadata, { id: "chatcmpl-1", modelId: "gpt-5-2026-08-07" })
    }))

  it.effect("leaves counts unknown that the provider did not report", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole({ content: "Because." }))
      const { usage } = yield* Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), over(fake))
      assert.isUndefined(usage.inputTokens.total)
      assert.isUndefined(usage.inputTokens.uncached)
      assert.isUndefined(usage.outputTokens.total)
      assert.isUndefined(usage.outputTokens.text)
    }))

  it.effect("separates reasoning from text, and has a refusal as text", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole({ reasoning_content: "Hm.", refusal: "No." }))
      const response = yield* Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), over(fake))
      assert.strictEqual(response.reasoningText, "Hm.")
      assert.strictEqual(response.text, "No.")
    }))

  it.effect("sends the key, the model and the parameters of the layer", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole({ content: "Because." }))
      yield* Effect.provide(
        LanguageModel.generateText({ prompt: "Why?" }),
        over(fake, { baseUrl: "http://provider.test/v1//", parameters: { temperature: 0, user: "u-1" } })
      )
      assert.strictEqual(fake.requests[0]?.url, "http://provider.test/v1/chat/completions")
      assert.strictEqual(fake.requests[0]?.headers["authorization"], "Bearer sk-nobody")
      assert.deepStrictEqual(fake.body(0), {
        model: "gpt-5",
        user: "u-1",
        temperature: 0,
        messages: [{ role: "user", content: "Why?" }]
      })
    }))

  it.effect("is the first one if several were requested", () =>
    Effect.gen(function*() {
      const choices = ["a", "b"].map((content, index) => ({ index, message: { content }, finish_reason: "stop" }))
      const fake = FakeTransport.make(FakeTransport.json(JSON.stringify({ id: "1", choices })))
      const parameters = { choices: 2 }
      const response = yield* Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), over(fake, { parameters }))
      assert.strictEqual(response.text, "a")
      assert.strictEqual(fake.body(0).n, 2)
    }))

  it.effect("runs the tools that the model calls", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(
        whole(
          { tool_calls: [called("call_a", "weather", "{\"city\":\"Rome\"}"), called("call_b", "clock", "")] },
          {},
          "tool_calls"
        )
      )
      const response = yield* LanguageModel.generateText({ prompt: "Why?", toolkit }).pipe(
        Effect.provide([over(fake), handlers])
      )
      assert.strictEqual(response.finishReason, "tool-calls")
      assert.deepStrictEqual(response.toolCalls.map(({ id, name, params }) => ({ id, name, params })), [
        { id: "call_a", name: "weather", params: { city: "Rome" } },
        { id: "call_b", name: "clock", params: {} }
      ])
      assert.deepStrictEqual(response.toolResults.map(({ id, result }) => ({ id, result })), [
        { id: "call_a", result: { celsius: 4 } },
        { id: "call_b", result: "noon" }
      ])
    }))

  it.effect("fails if the arguments of a tool call are not JSON", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(
        whole({ tool_calls: [called("call_a", "weather", "{\"city\":")] }, {}, "tool_calls")
      )
      const reason = yield* reasonOf(
        LanguageModel.generateText({ prompt: "Why?", toolkit }).pipe(Effect.provide([over(fake), handlers]))
      )
      assert.strictEqual(reason._tag, "InvalidOutputError")
    }))
})

const parts = (...chunks: ReadonlyArray<string>) =>
  LanguageModel.streamText({ prompt: "Why?" }).pipe(
    Stream.runCollect,
    Effect.provide(over(FakeTransport.make(FakeTransport.events(...chunks))))
  )

describe("a streamed answer", () => {
  it.effect("has runs of text and reasoning, and ends with its usage", () =>
    Effect.gen(function*() {
      const found = yield* parts(
        says({ role: "assistant", content: "", reasoning_content: "H" }),
        says({ reasoning_content: "m." }) + says({ content: "Be" }),
        says({ content: "cause." }) + finishes("stop"),
        chunk({ usage: tokens(11, 7) }) + done
      )
      assert.deepStrictEqual(found.map((part) => "delta" in part ? `${part.type} ${part.delta}` : part.type), [
        "response-metadata",
        "reasoning-start",
        "reasoning-delta H",
        "reasoning-delta m.",
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
      assert.deepInclude(finish.usage.inputTokens, { total: 11, cacheRead: 3, uncached: 8 })
      assert.deepInclude(finish.usage.outputTokens, { total: 7, reasoning: 2, text: 5 })
    }))

  it.effect("requests the usage", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(FakeTransport.events(finishes("stop")))
      yield* Effect.provide(Stream.runDrain(LanguageModel.streamText({ prompt: "Why?" })), over(fake))
      assert.deepInclude(fake.body(0), { stream: true, stream_options: { include_usage: true } })
    }))

  it.effect("runs tools in parallel", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(FakeTransport.events(
        says({ tool_calls: [{ index: 0, id: "call_a", function: { name: "weather", arguments: "{\"ci" } }] }),
        says({ tool_calls: [{ index: 1, id: "call_b", function: { name: "clock", arguments: "" } }] }),
        says({ tool_calls: [{ index: 0, function: { arguments: "ty\":\"Rome\"}" } }] }),
        finishes("tool_calls") + done
      ))
      const found = yield* LanguageModel.streamText({ prompt: "Why?", toolkit }).pipe(
        Stream.runCollect,
        Effect.provide([over(fake), handlers])
      )
      assert.sameDeepMembers(
        found.flatMap((part) => part.type === "tool-result" ? [{ id: part.id, result: part.result }] : []),
        [{ id: "call_a", result: { celsius: 4 } }, { id: "call_b", result: "noon" }]
      )
      assert.strictEqual(found.at(-1)?.type, "finish")
    }))

  it.effect("fails if the arguments of a tool call are not JSON, after the parts before it", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(FakeTransport.events(
        says({ content: "Look" }) +
          says({ tool_calls: [{ index: 0, id: "call_a", function: { name: "weather", arguments: "{" } }] }),
        finishes("tool_calls") + done
      ))
      const texts: Array<string> = []
      const reason = yield* reasonOf(
        LanguageModel.streamText({ prompt: "Why?", toolkit }).pipe(
          Stream.runForEach((part) => Effect.sync(() => part.type === "text-delta" && texts.push(part.delta))),
          Effect.provide([over(fake), handlers])
        )
      )
      assert.strictEqual(reason._tag, "InvalidOutputError")
      assert.deepStrictEqual(texts, ["Look"])
    }))

  it.effect("fails if the body is not an event stream", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(FakeTransport.json("<html>", { headers: { "content-type": "text/html" } }))
      const reason = yield* reasonOf(
        Effect.provide(Stream.runDrain(LanguageModel.streamText({ prompt: "Why?" })), over(fake))
      )
      assert.strictEqual(reason._tag, "InvalidResponseError")
    }))
})

/** How long the answer takes to end, and the tokens that it says to have taken. */
const ending = (chunks: ReadonlyArray<string>, end: FakeTransport.Reply["end"], timeouts: Timeouts.Timeouts) =>
  Effect.gen(function*() {
    const reply = { ...FakeTransport.events(says({ content: "Well" }), ...chunks), ...(end && { end }) }
    const fiber = yield* LanguageModel.streamText({ prompt: "Why?" }).pipe(
      Stream.runCollect,
      Effect.provide(over(FakeTransport.make(reply), { timeouts })),
      Effect.timed,
      Effect.forkChild({ startImmediately: true })
    )
    yield* TestClock.adjust("10 seconds")
    const [took, found] = yield* Fiber.join(fiber)
    const finish = found.at(-1)
    assert(finish?.type === "finish")
    assert.strictEqual(finish.reason, "stop")
    return { took: Duration.toMillis(took), tokens: finish.usage.outputTokens.total }
  })

// A stream is whole when its finish came.
describe("a streamed answer that has its finish", () => {
  const lost = Effect.fail(
    new TransportError.ConnectionLost({ origin: "http://provider.test", phase: "body", cause: new Error("reset") })
  )
  const limit = "100 millis"

  it.effect.each<readonly [string, FakeTransport.Reply["end"], Timeouts.Timeouts, number]>([
    ["the connection is lost", lost, {}, 0],
    ["the body ends", undefined, {}, 0],
    ["nothing more comes", Effect.never, {}, 1000],
    ["nothing more comes within the limit `idle`", Effect.never, { idle: limit }, 100],
    ["nothing more comes within the limit `total`", Effect.never, { total: limit }, 100]
  ])("is whole if %s", ([, end, timeouts, atMost]) =>
    Effect.gen(function*() {
      const without = yield* ending([finishes("stop")], end, timeouts)
      assert.isUndefined(without.tokens)
      assert.isAtMost(without.took, atMost)
      const withUsage = yield* ending([finishes("stop"), chunk({ usage: tokens(11, 7) })], end, timeouts)
      assert.strictEqual(withUsage.tokens, 7)
      assert.isAtMost(withUsage.took, atMost)
    }))

  it.effect("is whole if its reader returns after the deadline", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(FakeTransport.events(says({ content: "Well" }) + finishes("stop"), done))
      const fiber = yield* LanguageModel.streamText({ prompt: "Why?" }).pipe(
        Stream.mapEffect((part) =>
          Effect.as(part.type === "text-delta" ? Effect.sleep("1 second") : Effect.void, part)
        ),
        Stream.runLast,
        Effect.provide(over(fake, { timeouts: { total: limit } })),
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("1 second")
      assert.strictEqual(Option.getOrThrow(yield* Fiber.join(fiber)).type, "finish")
    }))
})

describe("the layer", () => {
  it.effect.each<readonly [string, object]>([
    ["missing", {}],
    ["empty", { OPENAI_API_KEY: "" }],
    ["blank", { OPENAI_API_KEY: " \n" }]
  ])("does not build if the key is %s", ([, values]) =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole({ content: "Because." }))
      const layer = OpenAi.layer({ model: "gpt-5", baseUrl: "http://provider.test/v1" }).pipe(
        Layer.provide(fake.layer),
        Layer.provide(config(values))
      )
      const error = yield* Effect.flip(Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), layer))
      assert.strictEqual(error._tag, "CredentialUnavailable")
    }))

  it.effect.each(["", " "])(
    "does not build with the model %o, and names the option",
    (model) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(
          Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), over(FakeTransport.make(), { model }))
        )
        assert(Exit.isFailure(exit))
        assert.include(String(Cause.squash(exit.cause)), "`model`")
        assert.isTrue(Cause.hasDies(exit.cause))
      })
  )

  it.effect.each<readonly [string | undefined, object, string]>([
    ["https://provider.test", {}, "https://provider.test/chat/completions"],
    [" HTTP://Provider.test:8080/v1/ ", {}, "http://provider.test:8080/v1/chat/completions"],
    ["http://[::1]/v1?api-version=1", {}, "http://[::1]/v1/chat/completions?api-version=1"],
    ["http://provider.test/v1/?a=b/&c=@", {}, "http://provider.test/v1/chat/completions?a=b/&c=@"],
    [undefined, {}, "https://api.openai.com/v1/chat/completions"],
    [undefined, { OPENAI_BASE_URL: " " }, "https://api.openai.com/v1/chat/completions"],
    [undefined, { OPENAI_BASE_URL: "" }, "https://api.openai.com/v1/chat/completions"],
    [undefined, { OPENAI_BASE_URL: "http://provider.test" }, "http://provider.test/chat/completions"]
  ])("with the base URL %o and the configuration %o calls %s", ([baseUrl, values, expected]) =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole({ content: "Because." }))
      const layer = OpenAi.layer({ model: "gpt-5", baseUrl }).pipe(
        Layer.provide(fake.layer),
        Layer.provide(config({ OPENAI_API_KEY: "sk-nobody", ...values }))
      )
      yield* Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), layer)
      assert.strictEqual(fake.requests[0]?.url, expected)
    }))

  it.effect.each([
    ["", ""],
    ["provider.test/v1", "provider.test/v1"],
    ["/v1", "/v1"],
    ["ftp://provider.test/v1", "ftp://provider.test/v1"],
    ["http:provider.test", "http:provider.test"],
    ["http://", "http://"],
    ["http:///v1", "http:///v1"],
    ["http://provider.test:port/v1", "http://provider.test:port/v1"],
    ["http://provider.test/v1#s3cret", "http://provider.test/v1#<fragment>"],
    ["http:///v1?key=s3cret", "http:///v1?<query>"],
    ["http://me:s3cret@provider.test/v1", "http://<credentials>@provider.test/v1"],
    ["http://s3cret@provider.test/v1?key=s3cret", "http://<credentials>@provider.test/v1?<query>"],
    ["http://me:s3?c/r#et@provider.test:x/v1", "http://<credentials>@provider.test:x/v1"],
    ["me:s3cret@provider.test/v1", "<credentials>@provider.test/v1"]
  ])("does not build with the base URL %s, which the error shows as %s", ([baseUrl, url]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), over(FakeTransport.make(), { baseUrl }))
      )
      assert.deepInclude(error, { _tag: "InvalidUrl", url } as object)
      assert.notInclude(error.message, "s3")
    }))

  it.effect.each(
    [
      [
        { OPENAI_BASE_URL: "localhost:4555/v1" },
        undefined,
        "OPENAI_BASE_URL is \"localhost:4555/v1\": it must begin with http:// or https://"
      ],
      [{}, "localhost/v1", "The option `baseUrl` is \"localhost/v1\": it must begin with http:// or https://"],
      [{}, "http:///v1", "it has no host"],
      [{}, "http://me:s3cret@a.test", "it must not have credentials"],
      [
        {},
        "http://a.test/v1/chat/completions/?key=s3cret",
        "it must not end with /chat/completions, which is added to it"
      ],
      [{}, "http://a.test/v1/embeddings", "it must not end with /embeddings, which is added to it"]
    ] as const
  )(
    "names where a base URL came from, and what is wrong with it: %j",
    ([values, baseUrl, says]) =>
      Effect.gen(function*() {
        const layer = OpenAi.layer({ model: "m", baseUrl, credential: Credential.none }).pipe(
          Layer.provide([FakeTransport.make().layer, config(values)])
        )
        const { message } = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
        assert.include(message, says)
        assert.notInclude(message, "s3cret")
      })
  )

  it.effect("keeps the query of the base URL out of errors", () =>
    Effect.gen(function*() {
      const failure = new TransportError.QueueFull({ origin: "http://provider.test", connections: 1, waiting: 1 })
      const baseUrl = "http://provider.test/v1?key=s3cret"
      const reason = yield* reasonOf(
        Effect.provide(LanguageModel.generateText({ prompt: "Why?" }), over(FakeTransport.make(failure), { baseUrl }))
      )
      assert.deepInclude(reason, { url: "http://provider.test/v1/chat/completions" } as object)
    }))

  it.effect("holds the key as a session while it is open, and a call while one runs", () =>
    Effect.gen(function*() {
      const counts: Array<unknown> = []
      const look = Effect.map(SessionRegistry.counts, (count) => void counts.push(count))
      yield* Effect.gen(function*() {
        const fake = FakeTransport.make(FakeTransport.events(says({ content: "Well" }), finishes("stop")))
        yield* Effect.provide(
          Effect.gen(function*() {
            yield* look
            yield* Stream.runForEach(
              Stream.filter(LanguageModel.streamText({ prompt: "Why?" }), (part) => part.type === "text-delta"),
              () => look
            )
            yield* look
          }),
          OpenAi.layer({ model: "gpt-5", baseUrl: "http://provider.test/v1" }).pipe(
            Layer.provide(fake.layer),
            Layer.provide(config({ OPENAI_API_KEY: "sk-nobody" }))
          )
        )
        yield* look
      }).pipe(Effect.provide(SessionRegistry.layer()))
      assert.deepStrictEqual(counts, [{ credential: 1 }, { credential: 1, call: 1 }, { credential: 1 }, {}])
    }))
})
