import { Retry, SessionRegistry, TransportError } from "@clawback/core"
import { ProviderError } from "@clawback/providers"
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Option, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { TestClock } from "effect/testing"
import * as FakeTransport from "./support/fakeTransport.ts"
import { over, whole } from "./support/openAiModel.ts"
import { done, finishes, says } from "./support/openAiWire.ts"

const origin = "http://provider.test"
const refused = new TransportError.ConnectFailed({ origin, reason: "refused", cause: new Error("refused") })
const lost = new TransportError.ConnectionLost({ origin, phase: "head", cause: new Error("reset") })
const overloaded = (headers: Readonly<Record<string, string>> = {}) =>
  FakeTransport.json("{}", { status: 503, headers: { "content-type": "application/json", ...headers } })
const answer = whole({ content: "Because." })
const streamed = FakeTransport.events(says({ content: "Because." }), finishes("stop") + done)

const policy = Retry.jittered({ base: 0, budget: Retry.unlimited })
const generate = LanguageModel.generateText({ prompt: "Why?" })
const stream = Stream.runDrain(LanguageModel.streamText({ prompt: "Why?" }))

const keysOf = (fake: ReturnType<typeof FakeTransport.make>) =>
  fake.requests.map(({ headers }) => headers["idempotency-key"])

/** Runs to the end on the test's clock, and tells when each ended. */
const run = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const fiber = yield* Effect.forkChild(
      Effect.flatMap(Effect.exit(effect), (exit) =>
        Effect.map(Clock.currentTimeMillis, (now) => ({ exit, took: now - start })))
    )
    yield* TestClock.adjust("1 hour")
    return yield* Fiber.join(fiber)
  })

describe("a call of a layer with a retry policy", () => {
  for (
    const [name, call, last] of [["in one piece", generate, answer], ["streamed", stream, streamed]] as const
  ) {
    it.effect(`${name} goes well at last, and names itself by the same key at every attempt`, () =>
      Effect.gen(function*() {
        const fake = FakeTransport.make(refused, overloaded(), last, refused, last)
        const model = over(fake, { retry: policy })
        const { exit } = yield* run(Effect.provide(Effect.andThen(call, call), model))
        assert.isTrue(Exit.isSuccess(exit))
        const [first, second, third, fourth, fifth] = keysOf(fake)
        assert.match(String(first), /^[0-9a-f-]{36}-[0-9a-f]{1,8}$/)
        assert.deepStrictEqual([second, third], [first, first])
        assert.notStrictEqual(fourth, first)
        assert.strictEqual(fifth, fourth)
      }))

    it.effect(`${name} is not sent again where it may have been processed, unless that is known to do no harm`, () =>
      Effect.gen(function*() {
        const once = FakeTransport.make(lost, last)
        const { exit } = yield* run(Effect.provide(call, over(once, { retry: policy })))
        assert.deepStrictEqual([Exit.isFailure(exit), once.requests.length], [true, 1])
        const twice = FakeTransport.make(lost, last)
        const idempotent = Retry.idempotent("order 17")(call)
        assert.isTrue(Exit.isSuccess((yield* run(Effect.provide(idempotent, over(twice, { retry: policy })))).exit))
        assert.deepStrictEqual(keysOf(twice), ["order 17", "order 17"])
      }))

    it.effect.each<readonly [string, string, number]>([
      ["retry-after", "2", 2000],
      ["retry-after-ms", "1500", 1500],
      ["retry-after", "Tue, 24 Nov 2026 12:00:03 GMT", 3000]
    ])(`${name} waits for as long as the provider asks: %s %s`, ([header, value, millis]) =>
      Effect.gen(function*() {
        const asks = overloaded({ [header]: value, date: "Tue, 24 Nov 2026 12:00:00 GMT" })
        const fake = FakeTransport.make(asks, last)
        const { exit, took } = yield* run(Effect.provide(call, over(fake, { retry: policy })))
        assert.deepStrictEqual([Exit.isSuccess(exit), took], [true, millis])
      }))

    it.effect(`${name} shares one limit of time among its attempts and waits`, () =>
      Effect.gen(function*() {
        const fake = FakeTransport.make(overloaded({ "retry-after": "2" }), last)
        const { took } = yield* run(
          Effect.provide(Effect.exit(call), over(fake, { retry: policy, timeouts: { total: "2 seconds" } }))
        )
        assert.deepStrictEqual([took, fake.requests.length], [0, 1])
      }))

    it.effect(`${name} is one session, and nothing else is held during a wait`, () =>
      Effect.gen(function*() {
        const fake = FakeTransport.make(overloaded({ "retry-after": "2" }), last)
        const counts = yield* Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(call)
          yield* TestClock.adjust("1 second")
          const counts = yield* SessionRegistry.counts
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(fiber)
          return counts
        }).pipe(Effect.provide(over(fake, { retry: policy })))
        assert.deepStrictEqual(counts, { credential: 1, call: 1 })
      }))

    it.effect(`${name} without a policy is not tried again, and has no key`, () =>
      Effect.gen(function*() {
        const fake = FakeTransport.make(refused, last)
        yield* Effect.flip(Effect.provide(call, over(fake)))
        assert.deepStrictEqual(keysOf(fake), [undefined])
      }))
  }

  it.effect("is not retried after a stream's first event was delivered", () =>
    Effect.gen(function*() {
      const cut = { ...FakeTransport.events(says({ content: "Be" })), end: Effect.fail(lost) }
      const fake = FakeTransport.make(cut, streamed)
      const { exit } = yield* run(Retry.idempotent()(Effect.provide(stream, over(fake, { retry: policy }))))
      assert.deepStrictEqual([Exit.isFailure(exit), fake.requests.length], [true, 1])
    }))

  it.effect("is retried if the stream's first event is the provider's error", () =>
    Effect.gen(function*() {
      const fails = FakeTransport.events(`data: {"error":{"message":"busy","type":"server_error"}}\n\n`)
      const fake = FakeTransport.make(fails, streamed)
      const { exit } = yield* run(Effect.provide(stream, over(fake, { retry: policy })))
      assert.deepStrictEqual([Exit.isSuccess(exit), fake.requests.length], [true, 2])
    }))
})

describe("ProviderError.advice", () => {
  it.effect("classifies Effect's errors for a policy around any model of ours", () =>
    Effect.gen(function*() {
      const outside = Retry.jittered({ base: 0, classify: ProviderError.advice })
      const fake = FakeTransport.make(refused, answer)
      const { exit } = yield* run(Effect.provide(Retry.apply(outside)(generate), over(fake)))
      assert.deepStrictEqual([Exit.isSuccess(exit), fake.requests.length], [true, 2])
      assert.strictEqual(new Set(keysOf(fake)).size, 1)
    }))

  it.effect("is that of the precise error", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(overloaded({ "retry-after": "2" }))
      const error = yield* Effect.provide(Effect.flip(generate), over(fake))
      assert.deepStrictEqual(
        ProviderError.advice(error),
        Option.getOrThrow(ProviderError.fromAiError(error)).retry
      )
    }))

  it("exists for every error of a call", () => {
    expectTypeOf<ProviderError.CallError>().toExtend<Retry.Declared>()
  })
})
