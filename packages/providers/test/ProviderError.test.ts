import { Credential, Deadline, SessionRegistry, Timeouts, type Transport, TransportError } from "@clawback/core"
import { Auth, OpenAi, Provider, ProviderError } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Option, Stream } from "effect"
import { AiError, LanguageModel } from "effect/ai"
import { TestClock } from "effect/testing"
import * as FakeTransport from "./support/fakeTransport.ts"
import { over } from "./support/openAiModel.ts"
import { says } from "./support/openAiWire.ts"

const prompt = "Why?"
const whole = LanguageModel.generateText({ prompt })
const streamed = Stream.runDrain(LanguageModel.streamText({ prompt }))

/** How a call fails that gets this reply, in Effect's terms. */
const failed = (
  call: typeof whole | typeof streamed,
  reply: FakeTransport.Outcome,
  options: Partial<OpenAi.Options> = {}
) =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(Effect.provide(call, over(FakeTransport.make(reply), options)))
    assert(AiError.isAiError(error))
    return error
  })

/** What happened, and what to do about it. */
const saysWhatToDo = (message: string) => assert.match(message, /\w+.*[.:] \w.*\.$/s)

const origin = "http://provider.test"
const limit = Duration.millis(100)
const lost = new TransportError.ConnectionLost({ origin, phase: "body", cause: new Error("reset") })

const transport: ReadonlyArray<readonly [TransportError.TransportError, AiError.AiErrorReason["_tag"], boolean]> = [
  [new TransportError.InvalidUrl({ url: "ftp://provider.test" }), "NetworkError", false],
  [new TransportError.InvalidRequest({ origin, detail: "invalid header" }), "InvalidRequestError", false],
  [new TransportError.QueueFull({ origin, connections: 1, waiting: 1 }), "NetworkError", true],
  [new Timeouts.QueueTimeout({ origin, limit, connections: 1, waiting: 0 }), "NetworkError", true],
  [new TransportError.ConnectFailed({ origin, reason: "tls", cause: new Error("self-signed") }), "NetworkError", true],
  [new Timeouts.ConnectTimeout({ origin, limit }), "NetworkError", true],
  [new Timeouts.FirstTokenTimeout({ limit }), "NetworkError", true],
  [new TransportError.ConnectionLost({ origin, phase: "head", cause: new Error("reset") }), "NetworkError", true],
  [new TransportError.TransportClosed({ origin }), "UnknownError", false]
]

const status = (status: number, code?: string): FakeTransport.Outcome =>
  FakeTransport.json(JSON.stringify({ error: { message: "Oops", code } }), { status, headers: { "retry-after": "7" } })

const answered: ReadonlyArray<
  readonly [ProviderError.ProviderError["_tag"], FakeTransport.Outcome, AiError.AiErrorReason["_tag"], boolean]
> = [
  ["AuthenticationFailed", status(401), "AuthenticationError", false],
  ["PermissionDenied", status(403), "AuthenticationError", false],
  ["QuotaExhausted", status(429, "insufficient_quota"), "QuotaExhaustedError", false],
  ["RateLimited", status(429), "RateLimitError", true],
  ["Overloaded", status(503), "InternalProviderError", true],
  ["ConversationBusy", status(400, "conversation_locked"), "RateLimitError", true],
  ["ProviderFailed", status(500), "InternalProviderError", true],
  ["RequestRejected", status(400), "InvalidRequestError", false],
  ["InvalidResponse", FakeTransport.json("<html>"), "InvalidResponseError", false]
]

describe("an AiError leads back to the precise error", () => {
  const calls = [["streamed", streamed], ["whole", whole]] as const

  it.effect.each(transport)("%s", ([failure, reason, isRetryable]) =>
    Effect.gen(function*() {
      for (const [, call] of calls) {
        const error = yield* failed(call, failure)
        assert.strictEqual(Option.getOrThrow(ProviderError.fromAiError(error)), failure)
        assert.strictEqual(error.reason.cause, failure)
        assert.strictEqual(error.reason._tag, reason)
        assert.strictEqual(error.isRetryable, isRetryable)
        saysWhatToDo(failure.message)
      }
    }))

  it.effect.each(answered)("%s", ([tag, reply, reason, isRetryable]) =>
    Effect.gen(function*() {
      for (const [, call] of calls) {
        const error = yield* failed(call, reply)
        const failure = Option.getOrThrow(ProviderError.fromAiError(error))
        assert.strictEqual(failure._tag, tag)
        assert.strictEqual(error.reason._tag, reason)
        assert.strictEqual(error.isRetryable, isRetryable)
        saysWhatToDo(failure.message)
        assert.strictEqual(Option.getOrThrow(ProviderError.fromAiError(error)), failure)
      }
    }))

  it.effect("RateLimited, with the wait that the provider requested", () =>
    Effect.gen(function*() {
      const error = yield* failed(whole, status(429))
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(7))
    }))

  it.effect("RateLimited, with a wait until a date, by our own clock if the response has no date", () =>
    Effect.gen(function*() {
      const headers = { "retry-after": "Thu, 01 Jan 1970 00:00:09 GMT" }
      const error = yield* failed(whole, FakeTransport.json("{}", { status: 429, headers }))
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(9))
    }))

  it.effect("ConnectionLost in the middle of a body", () =>
    Effect.gen(function*() {
      for (const [, call] of calls) {
        const error = yield* failed(call, {
          ...FakeTransport.events(says({ content: "Well" })),
          end: Effect.fail(lost)
        })
        assert.strictEqual(Option.getOrThrow(ProviderError.fromAiError(error)), lost)
      }
    }))

  it.effect("StreamTruncated", () =>
    Effect.gen(function*() {
      const error = yield* failed(streamed, FakeTransport.events(says({ content: "Well" })))
      const failure = Option.getOrThrow(ProviderError.fromAiError(error))
      assert.deepInclude(failure, { _tag: "StreamTruncated", provider: "openai", delivered: 2 } as object)
      assert.strictEqual(error.reason._tag, "InvalidResponseError")
      saysWhatToDo(failure.message)
    }))

  const event = says({ content: "Well" })
  it.effect.each<readonly [string, FakeTransport.Reply, RegExp]>([
    ["a compressed body", { ...FakeTransport.events(event), headers: { "content-encoding": "gzip" } }, /gzip/],
    ["a status that has no body", { status: 204, chunks: [] }, /204/],
    ["another status that has no body", { status: 205, headers: {}, chunks: [] }, /205/]
  ])("InvalidResponse for %s, which it names and does not quote", ([, reply, detail]) =>
    Effect.gen(function*() {
      for (const [, call] of calls) {
        const failure = Option.getOrThrow(ProviderError.fromAiError(yield* failed(call, reply)))
        assert.deepInclude(failure, { _tag: "InvalidResponse", excerpt: "" } as object)
        assert.match(failure.message, detail)
        assert.notInclude(failure.message, "began")
        saysWhatToDo(failure.message)
      }
    }))

  it.effect.each<readonly [string, Uint8Array]>([
    ["bytes that are not UTF-8", Uint8Array.of(0xff, 0xfe, 10, 10)],
    ["an event that is too large", new Uint8Array(10 * 1024 * 1024 + 2).fill(0x64)]
  ])("InvalidResponse for %s, which it does not quote", ([, bytes]) =>
    Effect.gen(function*() {
      const reply = { chunks: [event, bytes], headers: { "content-type": "text/event-stream" } }
      const failure = Option.getOrThrow(ProviderError.fromAiError(yield* failed(streamed, reply)))
      assert.strictEqual(failure._tag, "InvalidResponse")
      assert.notInclude(failure.message, "began")
      saysWhatToDo(failure.message)
    }))

  it.effect("the error of a status whose body is compressed, without the body", () =>
    Effect.gen(function*() {
      const reply = { status: 500, headers: { "content-encoding": "gzip" }, chunks: [Uint8Array.of(0x1f, 0x8b, 8)] }
      const failure = Option.getOrThrow(ProviderError.fromAiError(yield* failed(whole, reply)))
      assert.deepInclude(failure, { _tag: "ProviderFailed", detail: "" } as object)
    }))

  it.effect("BodyTooLarge", () =>
    Effect.gen(function*() {
      const end = Effect.fail(new TransportError.BodyTooLarge({ limit: 1024 }))
      const error = yield* failed(whole, { chunks: ["{"], end })
      const failure = Option.getOrThrow(ProviderError.fromAiError(error))
      assert.strictEqual(failure._tag, "BodyTooLarge")
      assert.strictEqual(error.reason._tag, "InvalidResponseError")
      saysWhatToDo(failure.message)
    }))

  it.effect("CredentialUnavailable, and nothing was sent", () =>
    Effect.gen(function*() {
      const failure = new Credential.CredentialUnavailable({ credential: "vault", cause: new Error("sealed") })
      const credential: OpenAi.Options["credential"] = {
        name: "vault",
        open: Effect.succeed({ identity: Effect.fail(failure) })
      }
      for (const [, call] of calls) {
        const fake = FakeTransport.make()
        const error = yield* Effect.flip(Effect.provide(call, over(fake, { credential })))
        assert(AiError.isAiError(error))
        assert.strictEqual(Option.getOrThrow(ProviderError.fromAiError(error)), failure)
        assert.strictEqual(error.reason._tag, "AuthenticationError")
        assert.isEmpty(fake.requests)
        saysWhatToDo(failure.message)
      }
    }))

  it.effect("CredentialUnavailable if the layer was closed before, and nothing was sent", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make()
      const model = yield* Effect.scoped(Layer.build(over(fake)))
      for (const [, call] of calls) {
        // In a registry that is open still: the one of the layer was closed with it.
        const inOther = Effect.provide(call, SessionRegistry.layer())
        const error = yield* Effect.flip(Effect.provide(inOther, model))
        assert(AiError.isAiError(error))
        const failure = Option.getOrThrow(ProviderError.fromAiError(error))
        assert.deepInclude(failure, { _tag: "CredentialUnavailable", credential: "OPENAI_API_KEY" } as object)
        assert.match(failure.message, /OPENAI_API_KEY was wiped.*layer.*closed/)
        assert.strictEqual(error.reason._tag, "UnknownError")
        assert.notInclude(error.message, "No API key")
        assert.isEmpty(fake.requests)
        saysWhatToDo(failure.message)
      }
    }))

  const hanging = { ...FakeTransport.events(says({ content: "Well" })), end: Effect.never }
  it.effect.each<
    readonly [ProviderError.CallError["_tag"], typeof whole | typeof streamed, FakeTransport.Outcome, Timeouts.Timeouts]
  >([
    ["FirstTokenTimeout", streamed, { ...hanging, chunks: [] }, { firstToken: limit }],
    ["IdleTimeout", streamed, hanging, { idle: limit }],
    ["DeadlineExceeded", streamed, hanging, { total: limit }],
    ["DeadlineExceeded", whole, Effect.never, { total: limit }],
    ["FirstTokenTimeout", streamed, { ...hanging, chunks: [], headAfter: "60 millis" }, { firstToken: limit }]
  ])("%s, at its limit and not earlier", ([tag, call, reply, timeouts]) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(failed(call, reply, { timeouts }), { startImmediately: true })
      yield* TestClock.adjust("99 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(fiber)
      const failure = Option.getOrThrow(ProviderError.fromAiError(error))
      assert.strictEqual(failure._tag, tag)
      assert.strictEqual(error.isRetryable, tag !== "DeadlineExceeded")
      saysWhatToDo(failure.message)
    }))

  it.effect.each<readonly [number, ProviderError.CallError["_tag"]]>([
    [401, "AuthenticationFailed"],
    [429, "RateLimited"],
    [500, "ProviderFailed"]
  ])("of a status %d, though its body stalls until the deadline", ([status, tag]) =>
    Effect.gen(function*() {
      for (const total of [limit, Duration.millis(1), Duration.seconds(1)]) {
        for (const [, call] of calls) {
          const reply = { chunks: ["{"], status, end: Effect.never }
          const fiber = yield* Effect.forkChild(failed(call, reply, { timeouts: { total } }), {
            startImmediately: true
          })
          yield* TestClock.adjust(total)
          const failure = Option.getOrThrow(ProviderError.fromAiError(yield* Fiber.join(fiber)))
          assert.strictEqual(failure._tag, tag)
        }
      }
    }))

  it.effect("though the AiError was copied", () =>
    Effect.gen(function*() {
      const { reason } = yield* failed(whole, status(500))
      const anew = AiError.make({ module: "Mine", method: "ask", reason })
      assert.deepInclude(Option.getOrThrow(ProviderError.fromAiError(anew)), { _tag: "ProviderFailed" } as object)
    }))

  it.effect.each<readonly [string, unknown, string]>([
    ["another error", new Error("no signer"), "no signer"],
    ["a text", "no signer", "no signer"],
    ["nothing", undefined, "undefined"]
  ])(
    "unless an authentication of one's own fails with %s, which is its cause",
    ([, mistake, description]) =>
      Effect.gen(function*() {
        const auth: Auth.Auth = { ...Auth.bearer, authorize: () => Effect.fail(mistake as never) }
        const Own = Provider.make({ ...OpenAi.provider, auth, credential: Credential.none })
        const model: Layer.Layer<LanguageModel.LanguageModel, never, Transport.Transport> = Own.model("m")
        for (const layer of [Own.layer({ model: "m" }), model]) {
          for (const [, call] of calls) {
            const error = yield* Effect.flip(Effect.provide(call, Layer.provide(layer, FakeTransport.make().layer)))
            assert(AiError.isAiError(error))
            assert.deepInclude(error.reason, { _tag: "UnknownError", cause: mistake, description } as object)
            assert.isFalse(error.isRetryable)
            assert.isTrue(Option.isNone(ProviderError.fromAiError(error)))
          }
        }
      })
  )

  it("unless it is not from one of our layers", () => {
    const reason = new AiError.RateLimitError({})
    const other = new AiError.NetworkError({
      reason: "TransportError",
      method: "POST",
      url: "http://localhost/",
      cause: new TransportError.ConnectionLost({ origin, phase: "body", cause: new Error("reset") })
    })
    for (const not of [reason, other]) {
      const error = AiError.make({ module: "Other", method: "ask", reason: not })
      assert.isTrue(Option.isNone(ProviderError.fromAiError(error)))
    }
  })
})

describe("the errors of a call", () => {
  it.effect("include the caller's own deadline if it is earlier, with its own budget", () =>
    Effect.gen(function*() {
      const call = Deadline.within(limit)(whole.pipe(Effect.provide(over(FakeTransport.make(Effect.never)))))
      const fiber = yield* Effect.forkChild(Effect.flip(call), { startImmediately: true })
      yield* TestClock.adjust(limit)
      assert.deepInclude(yield* Fiber.join(fiber), { _tag: "DeadlineExceeded", budget: limit } as object)
    }))
})
