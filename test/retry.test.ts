/** Calls that are tried again, over real sockets. Each test takes its limit of time. */
import { Retry, SessionRegistry } from "@clawback/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import type * as Http from "node:http"
import { until, withModel } from "./support/model.ts"
import * as Server from "./support/server.ts"

const stream = LanguageModel.streamText({ prompt: "Why do sockets leak?" })
const policy = (options: Retry.Options = {}) => Retry.jittered({ attempts: 4, base: 1, ...options })

/** Says that it is too busy, at length. */
const busy = (response: Http.ServerResponse, headers: Http.OutgoingHttpHeaders = {}) => {
  response.writeHead(503, { "content-type": "application/json", ...headers })
  response.end("x".repeat(2 * 1024 * 1024))
}

/** Answers in one of the bad ways at first, and well from then on; keeps the keys that it was given. */
const serving = (...bad: ReadonlyArray<(response: Http.ServerResponse) => void>) => {
  const keys: Array<unknown> = []
  return Effect.map(
    Server.http((response, index) => {
      keys.push(response.req.headers["idempotency-key"])
      const end = bad[index] ?? Server.answer
      end(response)
    }),
    (server) => ({ server, keys, baseUrl: `http://${server.host}/v1` })
  )
}

const lastPart = Effect.map(Stream.runCollect(stream), (parts) => parts.at(-1)?.type)

describe("a call that is tried again (A4, B6)", () => {
  it.live("goes through on the only connection, though each refusal has a body of megabytes that nobody reads", () =>
    Effect.gen(function*() {
      const { baseUrl, keys, server } = yield* serving(busy, busy, busy)
      const last = yield* withModel({ baseUrl, connections: 1, retry: policy() })(lastPart)
      assert.strictEqual(last, "finish")
      assert.strictEqual(server.begun(), 4)
      assert.strictEqual(typeof keys[0], "string")
      assert.strictEqual(new Set(keys).size, 1)
      yield* until(() => server.sockets.size === 0)
    }))

  it.live("goes through where the server hangs up first, once it is known that this does no harm", () =>
    Effect.gen(function*() {
      const { baseUrl, server } = yield* serving((response) => response.socket?.destroy())
      const call = withModel({ baseUrl, connections: 1, retry: policy() })
      assert.strictEqual(yield* call(Retry.idempotent()(lastPart)), "finish")
      assert.strictEqual(server.begun(), 2)
    }))

  it.live("holds no connection while it waits", () =>
    Effect.gen(function*() {
      const { baseUrl, server } = yield* serving((response) => busy(response, { "retry-after": "30" }))
      yield* withModel({ baseUrl, connections: 1, retry: policy() })(Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Stream.runDrain(stream))
        yield* until(() => server.begun() === 1 && server.sockets.size === 0)
        yield* SessionRegistry.counts.pipe(
          Effect.repeat({ until: (held) => held["exchange"] === undefined, schedule: Schedule.spaced("2 millis") }),
          Effect.timeout("1 second")
        )
        assert.deepStrictEqual(yield* SessionRegistry.counts, { credential: 1, call: 1 })
        fiber.interruptUnsafe()
      }))
    }))
})
