/** Retried calls, over real sockets. Each test takes as long as its limit. */
import { Retry, SessionRegistry } from "@clawback/core"
import { Behavior, FaultyProvider } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { withModel } from "./support/model.ts"
import { wholeAnswer } from "./support/server.ts"

const stream = LanguageModel.streamText({ prompt: "Why do sockets leak?" })
const policy = (options: Retry.Options = {}) => Retry.jittered({ attempts: 4, base: 1, ...options })

/** Rejects a call as overloaded, with a long body. */
const busy = Behavior.huge(2 * 1024 * 1024, { status: 503, headers: { "content-type": "application/json" } })
const answer = Behavior.bytes(wholeAnswer, { headers: { "content-type": "text/event-stream" } })

/** Answers in one of the bad ways at first, and well from then on. */
const serving = (...bad: ReadonlyArray<Behavior.Behavior>) =>
  Effect.gen(function*() {
    const provider = yield* FaultyProvider.make({ otherwise: answer })
    yield* provider.enqueue(...bad)
    return { provider, baseUrl: `${provider.url}/v1` }
  })

const lastPart = Effect.map(Stream.runCollect(stream), (parts) => parts.at(-1)?.type)

describe("a retried call", () => {
  it.live("succeeds on the only connection, though each rejection has an unread body of megabytes", () =>
    Effect.gen(function*() {
      const { baseUrl, provider } = yield* serving(busy, busy, busy)
      const last = yield* withModel({ baseUrl, connections: 1, retry: policy() })(lastPart)
      assert.strictEqual(last, "finish")
      const keys = (yield* provider.requests).map(({ headers }) => headers["idempotency-key"])
      assert.strictEqual(keys.length, 4)
      assert.strictEqual(typeof keys[0], "string")
      assert.strictEqual(new Set(keys).size, 1)
      yield* provider.until(({ open }) => open === 0, "1 second")
    }))

  it.live("succeeds after the server closed the connection, if it is idempotent", () =>
    Effect.gen(function*() {
      const { baseUrl, provider } = yield* serving(Behavior.close)
      const call = withModel({ baseUrl, connections: 1, retry: policy() })
      assert.strictEqual(yield* call(Retry.idempotent()(lastPart)), "finish")
      assert.strictEqual((yield* provider.counts).received, 2)
    }))

  it.live("holds no connection while it waits", () =>
    Effect.gen(function*() {
      const { baseUrl, provider } = yield* serving(Behavior.retryAfter(busy, "seconds", "30 seconds"))
      yield* withModel({ baseUrl, connections: 1, retry: policy() })(Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Stream.runDrain(stream))
        yield* provider.until(({ open, received }) => received === 1 && open === 0, "1 second")
        yield* SessionRegistry.counts.pipe(
          Effect.repeat({ until: (held) => held["exchange"] === undefined, schedule: Schedule.spaced("2 millis") }),
          Effect.timeout("1 second")
        )
        assert.deepStrictEqual(yield* SessionRegistry.counts, { credential: 1, call: 1 })
        fiber.interruptUnsafe()
      }))
    }))
})
