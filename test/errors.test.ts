/** The errors of timeouts and of misbehaving servers, over real sockets. Each test takes as long as its limit. */
import { SessionRegistry } from "@clawback/core"
import { ProviderError } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option, Schedule, Stream } from "effect"
import { type AiError, LanguageModel } from "effect/ai"
import type * as Http from "node:http"
import { until, withModel } from "./support/model.ts"
import * as Server from "./support/server.ts"

type Answer = (response: Http.ServerResponse) => void
type Call = Effect.Effect<unknown, AiError.AiError, LanguageModel.LanguageModel>

const stream = LanguageModel.streamText({ prompt: "Why do sockets leak?" })
const streamed: Call = Stream.runDrain(stream)
const whole: Call = LanguageModel.generateText({ prompt: "Why do sockets leak?" })

const limit = 100
const http = ({ host }: Server.Held) => `http://${host}/v1`
const https = ({ host }: Server.Held) => `https://${host}/v1`

/** The precise error of a call that must fail; its message says what to do. */
const failureOf = Effect.fnUntraced(function*(call: Call) {
  const failure = Option.getOrThrow(ProviderError.fromAiError(yield* Effect.flip(call)))
  assert.match(failure.message, /\w+.*[.:] \w.*\.$/s)
  return failure
})

/**
 * As `failureOf`, at the limit: no earlier, but for a timer's rounding, and before any limit that is not the test's. On a busy
 * machine it may come much later.
 */
const failureAtLimit = Effect.fnUntraced(function*(call: Call) {
  const [took, failure] = yield* Effect.timed(failureOf(call))
  assert.isAtLeast(Duration.toMillis(took), limit - 2)
  assert.isBelow(Duration.toMillis(took), 5_000)
  return failure
})

/** On a busy machine, a good answer may take longer than the limit as well. One that comes in time is enough. */
const wholeInTime = Effect.retry(Stream.runCollect(stream), { times: 20 })

const nothingRuns = Effect.gen(function*() {
  const counts = yield* SessionRegistry.counts
  assert.doesNotHaveAnyKeys(counts, ["call", "exchange"])
})

/** The server has lost the call, and the only connection that there may be can be used again. */
const isAsBefore = Effect.fnUntraced(function*(server: Server.Requests) {
  yield* nothingRuns
  yield* until(() => server.open() === 0)
  const parts = yield* wholeInTime
  assert.strictEqual(parts.at(-1)?.type, "finish")
  yield* nothingRuns
  assert.strictEqual(server.open(), 0)
})

/** Answers the first request in its own way, and the others well. */
const firstIs = (bad: Answer) => Server.http((response, index) => index === 0 ? bad(response) : Server.answer(response))

const repeat = (response: Http.ServerResponse, bytes: string) => {
  const fiber = Effect.runFork(
    Effect.repeat(Effect.sync(() => response.write(bytes)), Schedule.spaced("20 millis"))
  )
  response.on("close", () => fiber.interruptUnsafe())
}

const signsOfLife = `: ping\n\ndata: {"choices":[]}\n\n`

describe("each timeout has its own error", () => {
  it.live("a call that gets no connection in time fails with QueueTimeout", () =>
    Effect.gen(function*() {
      const server = yield* firstIs((response) => Server.begin(response, Server.says("Well")))
      yield* Effect.gen(function*() {
        // The first call holds its connection for as long as the second one waits.
        const failure = yield* Stream.runHead(Stream.mapEffect(stream, () => failureAtLimit(streamed)))
        assert.deepInclude(Option.getOrThrow(failure), { _tag: "QueueTimeout", connections: 1, waiting: 0 } as object)
        yield* isAsBefore(server)
      }).pipe(withModel({ baseUrl: http(server), connections: 1, timeouts: { queue: limit } }))
      yield* until(() => server.sockets.size === 0)
    }))

  it.live("a host that does not answer the handshake fails with ConnectTimeout", () =>
    Effect.gen(function*() {
      const server = yield* Server.tcp()
      yield* Effect.gen(function*() {
        for (const call of [streamed, whole]) {
          const failure = yield* failureAtLimit(call)
          assert.deepInclude(failure, { _tag: "ConnectTimeout", origin: `https://${server.host}` } as object)
          yield* nothingRuns
          yield* until(() => server.sockets.size === 0)
        }
      }).pipe(withModel({ baseUrl: https(server), connections: 1, timeouts: { connect: limit, queue: limit } }))
    }))

  it.live.each<readonly [string, Answer]>([
    ["sends no head", () => {}],
    ["sends a head and then nothing", (response) => Server.begin(response)],
    ["sends signs of life but no output", (response) => {
      Server.begin(response, signsOfLife)
      repeat(response, signsOfLife)
    }]
  ])("a stream whose provider %s fails with FirstTokenTimeout", ([, bad]) =>
    Effect.gen(function*() {
      const server = yield* firstIs(bad)
      yield* Effect.gen(function*() {
        assert.strictEqual((yield* failureAtLimit(streamed))._tag, "FirstTokenTimeout")
        yield* isAsBefore(server)
      }).pipe(withModel({ baseUrl: http(server), connections: 1, timeouts: { firstToken: limit } }))
      yield* until(() => server.sockets.size === 0)
    }))

  it.live.each<readonly [string, Answer]>([
    ["nothing", () => {}],
    ["signs of life", (response) => repeat(response, signsOfLife)]
  ])(
    "a stream that begins to send %s instead of output fails with IdleTimeout",
    ([, silence]) =>
      Effect.gen(function*() {
        const server = yield* firstIs((response) => {
          Server.begin(response, Server.says("Well"))
          silence(response)
        })
        yield* Effect.gen(function*() {
          assert.strictEqual((yield* failureAtLimit(streamed))._tag, "IdleTimeout")
          yield* isAsBefore(server)
        }).pipe(withModel({ baseUrl: http(server), connections: 1, timeouts: { idle: limit } }))
        yield* until(() => server.sockets.size === 0)
      })
  )

  it.live.each<readonly [string, Call, Answer]>([
    ["A stream that goes on and on", streamed, (response) => {
      Server.begin(response)
      repeat(response, Server.says("and"))
    }],
    ["An answer in one piece that never comes", whole, () => {}],
    ["An answer in one piece that never ends", whole, (response) => {
      response.writeHead(200)
      repeat(response, "{")
    }]
  ])("%s fails with DeadlineExceeded", ([, call, bad]) =>
    Effect.gen(function*() {
      const server = yield* firstIs(bad)
      yield* Effect.gen(function*() {
        assert.strictEqual((yield* failureAtLimit(call))._tag, "DeadlineExceeded")
        yield* isAsBefore(server)
      }).pipe(withModel({ baseUrl: http(server), connections: 1, timeouts: { total: limit } }))
      yield* until(() => server.sockets.size === 0)
    }))
})

const refuses = (status: number, error: object, headers: Http.OutgoingHttpHeaders = {}): Answer => (response) => {
  response.writeHead(status, { "content-type": "application/json", "x-request-id": "req_7", ...headers })
  response.end(JSON.stringify({ error: { message: "Oops", ...error } }))
}

/** Begins a body of a thousand bytes, sends some of it, and does something else then. */
const breaksOff = (end: (response: Http.ServerResponse) => void): Answer => (response) => {
  response.writeHead(200, { "content-length": "1000" })
  response.write(Server.says("Well"), () => end(response))
}

const answers: ReadonlyArray<readonly [string, Answer, object]> = [
  ["401", refuses(401, { code: "invalid_api_key" }), {
    _tag: "AuthenticationFailed",
    status: 401,
    code: "invalid_api_key",
    detail: "Oops",
    requestId: "req_7"
  }],
  ["429", refuses(429, { code: "rate_limit_exceeded" }, { "retry-after": "7" }), {
    _tag: "RateLimited",
    status: 429,
    code: "rate_limit_exceeded",
    retryAfter: Duration.seconds(7)
  }],
  ["429 that is about money", refuses(429, { code: "insufficient_quota" }), { _tag: "QuotaExhausted", status: 429 }],
  ["500", refuses(500, { type: "server_error" }), { _tag: "ProviderFailed", status: 500, detail: "Oops" }],
  ["503", refuses(503, {}), { _tag: "Overloaded", status: 503 }],
  ["reset instead of a head", ({ socket }) => socket?.resetAndDestroy(), { _tag: "ConnectionLost", phase: "head" }],
  [
    "reset in the middle of a body",
    breaksOff(({ socket }) => socket?.resetAndDestroy()),
    { _tag: "ConnectionLost", phase: "body" }
  ],
  [
    "hang-up in the middle of a body",
    breaksOff(({ socket }) => socket?.destroy()),
    { _tag: "ConnectionLost", phase: "body" }
  ]
]

describe("a complete response", () => {
  it.live.each<readonly [string, Call, Answer]>([
    ["at once", streamed, Server.answer],
    ["after its body's end, which comes a little later", streamed, (response) => {
      Server.begin(response, Server.wholeAnswer)
      Effect.runFork(Effect.delay(Effect.sync(() => response.end()), "20 millis"))
    }],
    ["where it is refused", Effect.ignore(streamed), refuses(401, {})],
    ["where it is refused in one piece", Effect.ignore(whole), refuses(500, {})]
  ])("gives its connection back %s", ([, call, answer]) =>
    Effect.gen(function*() {
      const server = yield* Server.http(answer)
      yield* Effect.repeat(call, { times: 4 }).pipe(withModel({ baseUrl: http(server) }))
      assert.strictEqual(server.begun(), 5)
      assert.strictEqual(server.accepted(), 1)
    }))

  it.live.each(["idle", "total"] as const)(
    "is not lost to the limit %s while its server forgets to end the body",
    (name) =>
      Effect.gen(function*() {
        const server = yield* Server.http((response) => Server.begin(response, Server.wholeAnswer))
        yield* Effect.gen(function*() {
          const parts = yield* wholeInTime
          assert.strictEqual(parts.at(-1)?.type, "finish")
          yield* nothingRuns
          yield* until(() => server.open() === 0)
        }).pipe(withModel({ baseUrl: http(server), connections: 1, timeouts: { [name]: limit } }))
        yield* until(() => server.sockets.size === 0)
      })
  )

  it.live.each<readonly [string, Answer]>([
    ["resets the connection", ({ socket }) => socket?.resetAndDestroy()],
    ["hangs up", ({ socket }) => socket?.destroy()],
    ["falls silent", () => {}]
  ])("has its finish, and is not lost where its server then %s", ([, then]) =>
    Effect.gen(function*() {
      const server = yield* firstIs((response) => {
        Server.begin(response, Server.finishedAnswer)
        // Later, since a reset takes along what was not read yet.
        Effect.runFork(Effect.delay(Effect.sync(() => then(response)), "50 millis"))
      })
      yield* Effect.gen(function*() {
        const parts = yield* Stream.runCollect(stream)
        assert.strictEqual(parts.at(-1)?.type, "finish")
        yield* isAsBefore(server)
      }).pipe(withModel({ baseUrl: http(server), connections: 1, timeouts: { queue: 1000 } }))
      yield* until(() => server.sockets.size === 0)
    }))
})

describe("each failure of a call has its own error", () => {
  it.live.each([
    ...answers.map(([name, bad, expected]) => ["A stream", name, streamed, bad, expected] as const),
    ...answers.map(([name, bad, expected]) => ["An answer in one piece", name, whole, bad, expected] as const)
  ])("%s that meets a %s fails typed", ([, , call, bad, expected]) =>
    Effect.gen(function*() {
      const server = yield* firstIs(bad)
      yield* Effect.gen(function*() {
        assert.deepInclude(yield* failureOf(call), expected)
        yield* isAsBefore(server)
      }).pipe(withModel({ baseUrl: http(server), connections: 1, timeouts: { queue: 1000 } }))
      yield* until(() => server.sockets.size === 0)
    }))

  it.live("a stream that ends without a finish fails with StreamTruncated", () =>
    Effect.gen(function*() {
      const server = yield* firstIs((response) => {
        Server.begin(response, Server.says("Half") + Server.says(" of it"))
        response.end()
      })
      yield* Effect.gen(function*() {
        assert.deepInclude(yield* failureOf(streamed), { _tag: "StreamTruncated", delivered: 3 } as object)
        yield* isAsBefore(server)
      }).pipe(withModel({ baseUrl: http(server), connections: 1, timeouts: { queue: 1000 } }))
      yield* until(() => server.sockets.size === 0)
    }))

  it.live.each(
    [
      ["nobody listens", "refused", Effect.map(Server.nobody, (host) => `http://${host}/v1`)],
      ["the server does not speak TLS", "tls", Effect.map(Server.http(Server.answer), https)],
      ["the server resets", "reset", Effect.map(Server.tcp((socket) => socket.resetAndDestroy()), https)]
    ] as const
  )("a call where %s fails with ConnectFailed", ([, reason, server]) =>
    Effect.gen(function*() {
      const baseUrl = yield* server
      yield* Effect.gen(function*() {
        for (const call of [streamed, whole]) {
          const failure = yield* failureOf(call)
          assert.deepInclude(failure, { _tag: "ConnectFailed", reason, origin: new URL(baseUrl).origin } as object)
          yield* nothingRuns
        }
      }).pipe(withModel({ baseUrl, connections: 1, timeouts: { queue: 1000 } }))
    }))
})
