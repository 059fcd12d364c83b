/** If a server repeats the key in any form, no error and no record of ours contains it. */
import { SessionRegistry } from "@clawback/core"
import { ProviderError } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { type AiError, LanguageModel } from "effect/ai"
import type * as Http from "node:http"
import { unchecked, withModel } from "./support/model.ts"
import { assertKept } from "./support/secrets.ts"
import * as Server from "./support/server.ts"

const secret = "sk-proj-Zm9yZ2V0IG1l_1234567890-abcdefghij"

const stream = LanguageModel.streamText({ prompt: "Why do sockets leak?" })
const streamed = Stream.runDrain(stream)
const whole = LanguageModel.generateText({ prompt: "Why do sockets leak?" })

const assertKeptBy = Effect.fnUntraced(function*(
  call: Effect.Effect<unknown, AiError.AiError, LanguageModel.LanguageModel>,
  tag: ProviderError.CallError["_tag"],
  key = secret
) {
  const error = yield* Effect.flip(call)
  const failure = Option.getOrThrow(ProviderError.fromAiError(error))
  assert.strictEqual(failure._tag, tag)
  assertKept(error, key)
  assertKept(failure, key)
  assertKept(yield* SessionRegistry.list(), key)
})

/** Repeats the key literally. */
type Echo = (response: Http.ServerResponse, key: string) => void

const json =
  (status: number, body: (key: string) => unknown, headers: (key: string) => object = () => ({})): Echo =>
  (response, key) => {
    response.writeHead(status, { "content-type": "application/json", ...headers(key) })
    response.end(JSON.stringify(body(key)))
  }

const text = (status: number, type: string, body: (key: string) => string): Echo => (response, key) => {
  response.writeHead(status, { "content-type": type })
  response.end(body(key))
}

const events = (body: (key: string) => string) => text(200, "text/event-stream", body)

type Case = readonly [string, typeof streamed | typeof whole, ProviderError.CallError["_tag"], Echo]

const either = (name: string, tag: ProviderError.CallError["_tag"], echo: Echo): ReadonlyArray<Case> => [
  [`${name}, to a stream`, streamed, tag, echo],
  [`${name}, to an answer in one piece`, whole, tag, echo]
]

const cases: ReadonlyArray<Case> = [
  ...either(
    "the message of an error",
    "AuthenticationFailed",
    json(401, (key) => ({ error: { message: `Incorrect API key provided: ${key}. Oops`, code: "invalid_api_key" } }))
  ),
  ...either(
    "the code and the type of an error",
    "RequestRejected",
    json(400, (key) => ({ error: { message: "Oops", code: `bad_${key}`, type: key } }))
  ),
  ...either("an error of its own shape", "ProviderFailed", json(500, (key) => ({ oops: [{ headers: { key } }] }))),
  ...either("a page", "PermissionDenied", text(403, "text/html", (key) => `<html>${"x".repeat(180)}${key}</html>`)),
  ...either(
    "the name of the request",
    "RateLimited",
    json(429, () => ({ error: { message: "Oops" } }), (key) => ({ "x-request-id": `req_${key}`, "retry-after": key }))
  ),
  ...either(
    "a success of another kind",
    "InvalidResponse",
    text(200, "text/plain", (key) => `${"x".repeat(190)}${key}`)
  ),
  [
    "a whole answer whose choice is no object",
    whole,
    "InvalidResponse",
    json(200, (key) => ({ choices: [key] }))
  ],
  [
    "an error in a stream",
    streamed,
    "ProviderFailed",
    events((key) => Server.says("Well") + `data: ${JSON.stringify({ error: { message: key, code: key } })}\n\n`)
  ],
  ["what is not JSON in a stream", streamed, "InvalidResponse", events((key) => `data: {${key}\n\n`)],
  [
    "a tool call without a name",
    streamed,
    "InvalidResponse",
    events((key) => `data: {"choices":[{"delta":{"tool_calls":[{"id":"${key}","function":{}}]}}]}\n\n`)
  ],
  ["a stream that is cut off", streamed, "StreamTruncated", events((key) => Server.says(key) + `data: ${key}`)]
]

/** The server's own idea of the key: what it was sent. */
const keyOf = (response: Http.ServerResponse) => String(response.req.headers.authorization).replace("Bearer ", "")

describe("the key is redacted", () => {
  it.live.each(cases)("when it comes back in %s", ([, call, tag, echo]) =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const server = yield* Server.http((response) => {
        told.push(keyOf(response))
        echo(response, keyOf(response))
      })
      yield* assertKeptBy(call, tag).pipe(withModel({ baseUrl: `http://${server.host}/v1`, apiKey: secret }))
      assert.deepStrictEqual(told, [secret])
    }))

  it.live.each([["a stream", streamed], ["an answer in one piece", whole]] as const)(
    "when what comes back is not HTTP, to %s",
    ([, call]) =>
      Effect.gen(function*() {
        const server = yield* Server.tcp((socket) => {
          socket.on("data", (bytes) => {
            const key = /Bearer (\S+)/.exec(bytes.toString())?.[1]
            if (key !== undefined) socket.end(`HTTP/1.1 200 OK\r\ncontent type ${key}: ${key}\r\n\r\n`)
          })
        })
        yield* assertKeptBy(call, "ConnectionLost").pipe(
          withModel({ baseUrl: `http://${server.host}/v1`, apiKey: secret })
        )
      })
  )

  it.live.each([["as JSON quotes it", false], ["with slashes escaped as well", true]] as const)(
    "when it comes back %s",
    ([, isEscaped]) =>
      Effect.gen(function*() {
        const key = `sk-Zm9yZ2V0IG1l/MTIzNDU2"Nzg5MGFi\\Y2RlZmdoaWo`
        const server = yield* Server.http((response) =>
          events((key) => {
            const quoted = JSON.stringify({ choices: [{ delta: { tool_calls: [{ id: key, function: {} }] } }] })
            return `data: ${isEscaped ? quoted.replaceAll("/", "\\/") : quoted}\n\n`
          })(response, keyOf(response))
        )
        yield* assertKeptBy(streamed, "InvalidResponse", key).pipe(
          withModel({ baseUrl: `http://${server.host}/v1`, apiKey: key })
        )
      })
  )

  it.live("when it cannot be sent", () =>
    Effect.gen(function*() {
      const server = yield* Server.http(Server.answer)
      const key = `${secret}\n${secret}`
      yield* assertKeptBy(streamed, "InvalidRequest", key).pipe(
        withModel({ baseUrl: `http://${server.host}/v1`, credential: unchecked(key) })
      )
      assert.strictEqual(server.begun(), 0)
    }))

  it.live("in the registry, while a call runs", () =>
    Effect.gen(function*() {
      const server = yield* Server.http((response) => Server.begin(response, Server.says("Well")))
      yield* Effect.gen(function*() {
        const sessions = Option.getOrThrow(
          yield* Stream.runHead(Stream.mapEffect(stream, () => SessionRegistry.list()))
        )
        assert.sameMembers(sessions.map(({ kind }) => kind), ["credential", "call", "connection", "exchange"])
        assertKept(sessions, secret)
      }).pipe(withModel({ baseUrl: `http://${server.host}/v1`, apiKey: secret }))
    }))
})
