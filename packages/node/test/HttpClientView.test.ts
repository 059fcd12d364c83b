import * as HttpClientView from "@clawback/core/HttpClientView"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Timeouts from "@clawback/core/Timeouts"
import * as Transport from "@clawback/core/Transport"
import * as TransportError from "@clawback/core/TransportError"
import * as NodeTransport from "@clawback/node/NodeTransport"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Pull, Stream } from "effect"
import { HttpBody, HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import type * as Http from "node:http"
import { inspect } from "node:util"
import { eventually } from "./eventually.ts"
import * as Servers from "./Servers.ts"

const client = (options?: NodeTransport.Options) =>
  Effect.provide(
    HttpClientView.layerHttpClient.pipe(
      Layer.provideMerge(NodeTransport.layer(options)),
      Layer.provideMerge(SessionRegistry.layer())
    )
  )

const overUndici = Effect.provide(
  HttpClientView.layerTransport.pipe(
    Layer.provide(NodeHttpClient.layerUndici),
    Layer.provideMerge(SessionRegistry.layer())
  )
)

const soon = <A, E, R>(effect: Effect.Effect<A, E, R>) => TestClock.withLive(Effect.timeout(effect, "5 seconds"))

const echo = Servers.http((request, response) => {
  const parts: Array<Uint8Array> = []
  request.on("data", (part: Uint8Array) => parts.push(part))
  request.on("end", () => {
    const { headers, method, url } = request
    response.setHeader("content-type", "application/json")
    response.setHeader("set-cookie", ["a=1", "b=2"])
    response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(parts).toString() }))
  })
})

interface Echoed {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const send = (request: HttpClientRequest.HttpClientRequest) =>
  Effect.flatMap(HttpClient.execute(request), (response) => response.json as Effect.Effect<unknown>) as Effect.Effect<
    Echoed,
    HttpClientError.HttpClientError,
    HttpClient.HttpClient
  >

const text = (value: string) => new TextEncoder().encode(value)

/** A transport over a client whose calls all fail. */
const refusing = (why: (request: HttpClientRequest.HttpClientRequest) => HttpClientError.RequestError) =>
  HttpClientView.fromHttpClient(
    HttpClient.make((request) => Effect.fail(new HttpClientError.HttpClientError({ reason: why(request) })))
  )

/** However an error is printed, there is no secret in it. */
const assertKept = (error: unknown) => {
  const printed = [String(error), JSON.stringify(error), inspect(error, { depth: null, showHidden: true })]
  for (const text of printed) assert.notInclude(text, "s3cret")
}

const reason = (url: string) => Effect.map(Effect.flip(send(HttpClientRequest.get(url))), (error) => error.reason)

describe("A transport as an HttpClient", () => {
  it.effect("sends the request, and reads status, headers, cookies and JSON", () =>
    Effect.gen(function*() {
      const { url } = yield* echo
      const response = yield* HttpClientRequest.post(`${url}/path`).pipe(
        HttpClientRequest.setUrlParam("q", "1"),
        HttpClientRequest.bearerToken("secret"),
        HttpClientRequest.bodyJsonUnsafe({ a: 1 }),
        HttpClient.execute
      )
      const seen = (yield* response.json) as unknown as Echoed
      assert.deepStrictEqual([seen.method, seen.url, seen.body], ["POST", "/path?q=1", "{\"a\":1}"])
      assert.deepInclude(seen.headers, { authorization: "Bearer secret", "content-type": "application/json" })
      assert.deepStrictEqual([response.status, response.url], [200, `${url}/path?q=1`])
      assert.deepStrictEqual(Object.keys(response.cookies.cookies), ["a", "b"])
      // What was read once can be asked for again.
      assert.deepStrictEqual(JSON.parse(yield* response.text), seen)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 1 })
    }).pipe(client()))

  it.effect("streams bodies out and in, and sends forms", () =>
    Effect.gen(function*() {
      const { url } = yield* echo
      const body = Stream.mapEffect(Stream.make("one", "two"), (part) => Effect.as(Effect.yieldNow, text(part)))
      assert.strictEqual(
        (yield* send(HttpClientRequest.post(url, { body: HttpBody.stream(body, "text/plain") }))).body,
        "onetwo"
      )
      const form = new FormData()
      form.append("name", "größer")
      const sent = yield* send(HttpClientRequest.post(url, { body: HttpBody.formData(form) }))
      assert.include(sent.body, "größer")
      assert.match(sent.headers["content-type"] ?? "", /^multipart\/form-data; boundary=/)
      const response = yield* HttpClient.post(url, { body: HttpBody.text("x".repeat(100_000)) })
      const length = yield* Stream.runFold(response.stream, () => 0, (sum, chunk) => sum + chunk.byteLength)
      assert.isAbove(length, 100_000)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 1 })
    }).pipe(client({ connections: 1 })))

  it.effect("sends no trace headers, though calls are traced", () =>
    Effect.gen(function*() {
      const { url } = yield* echo
      const { headers } = yield* Effect.withSpan(send(HttpClientRequest.get(url)), "around")
      assert.deepStrictEqual(Object.keys(headers).filter((name) => /trace|b3/.test(name)), [])
    }).pipe(client()))

  it.effect("an interrupted call, and one whose reader stops, are seen by the server; nothing stays open", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      let closed = 0
      const handle: Http.RequestListener = (request, response) => {
        response.once("close", () => closed++)
        if (request.url === "/stream") response.write("part")
        else Deferred.doneUnsafe(asked, Effect.void)
      }
      const { url } = yield* Servers.http(handle)
      const call = yield* Effect.forkChild(send(HttpClientRequest.get(url)))
      yield* Deferred.await(asked)
      yield* Fiber.interrupt(call)
      assert.strictEqual(yield* eventually(Effect.sync(() => closed), (count) => count === 1), 1)
      const response = yield* HttpClient.get(`${url}/stream`)
      yield* Stream.runDrain(Stream.take(response.stream, 1))
      assert.strictEqual(yield* eventually(Effect.sync(() => closed), (count) => count === 2), 2)
      assert.deepStrictEqual(
        yield* eventually(SessionRegistry.counts, (counts) => Object.keys(counts).length === 0),
        {}
      )
    }).pipe(client()))

  it.effect("an unread response ends with the scope around its call, or with the client's", () =>
    Effect.gen(function*() {
      const { url } = yield* Servers.http((_, response) => void response.write("part"))
      yield* Effect.gen(function*() {
        yield* Effect.scoped(HttpClient.get(url))
        assert.isUndefined((yield* SessionRegistry.counts)["exchange"])
        yield* Effect.scoped(HttpClient.withScope(yield* HttpClient.HttpClient).get(url))
        assert.isUndefined((yield* SessionRegistry.counts)["exchange"])
      }).pipe(client())
      yield* Effect.gen(function*() {
        yield* Effect.provideContext(HttpClient.get(url), yield* Layer.build(HttpClientView.layerHttpClient))
        assert.strictEqual((yield* SessionRegistry.counts)["exchange"], 1)
      }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(NodeTransport.layer(), SessionRegistry.layer())))
    }))

  it.effect("errors keep what went wrong as their cause, and count as the transport's where it was", () =>
    Effect.gen(function*() {
      const closed = yield* Effect.scoped(Servers.tcp(() => {}))
      const cut = yield* Servers.tcp((socket) =>
        socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart"))
      )
      const garbage = yield* Servers.http((_, response) => response.end("no json"))
      const refused = yield* reason(closed.url)
      assert.strictEqual(refused._tag, "TransportError")
      assert.instanceOf(refused.cause, TransportError.ConnectFailed)
      const lost = yield* reason(cut.url)
      assert.strictEqual(lost._tag, "TransportError")
      assert.deepInclude(lost.cause, { _tag: "ConnectionLost", phase: "body" })
      assert.strictEqual((yield* reason(garbage.url))._tag, "DecodeError")
      assert.strictEqual((yield* reason("nonsense"))._tag, "InvalidUrlError")
    }).pipe(client()))

  it.effect("a URL with credentials is refused, and neither they nor the query are in the error", () =>
    Effect.gen(function*() {
      const refused = yield* reason("http://me:s3cret@127.0.0.1:9/path?key=s3cret#s3cret")
      assert.strictEqual(refused._tag, "InvalidUrlError")
      assert.instanceOf(refused.cause, TransportError.InvalidUrl)
      assertKept(refused)
    }).pipe(client()))

  it.effect("a body that is too large is not a transport failure, so it is not retried", () =>
    Effect.gen(function*() {
      const { url } = yield* Servers.http((_, response) => response.end("x".repeat(1001)))
      const error = yield* Effect.flip(Effect.flatMap(HttpClient.get(url), (response) => response.text))
      assert.strictEqual(error.reason._tag, "DecodeError")
      assert.instanceOf(error.reason.cause, TransportError.BodyTooLarge)
    }).pipe(client({ maxBodySize: 1000 })))

  it.effect("retries on one connection succeed after errors with large unread bodies", () =>
    Effect.gen(function*() {
      let requests = 0
      const { url } = yield* Servers.http((_, response) => {
        response.statusCode = ++requests < 4 ? 503 : 200
        response.end(requests < 4 ? Buffer.alloc(2_000_000) : "hello")
      })
      const retrying = Effect.scoped(HttpClient.get(url)).pipe(
        Effect.map(({ status }) => status),
        Effect.repeat({ until: (status) => status === 200, times: 5 })
      )
      assert.strictEqual(yield* soon(retrying), 200)
      assert.strictEqual(requests, 4)
    }).pipe(client({ connections: 1 })))
})

const execute = (url: string, request: Partial<Transport.Request> = {}) =>
  Transport.Transport.use((service) => service.execute({ method: "GET", url, headers: {}, ...request }))

const failure = (url: string, request?: Partial<Transport.Request>) =>
  Effect.flip(Effect.scoped(Effect.flatMap(execute(url, request), Transport.text)))

describe("An HttpClient as a transport", () => {
  it.effect("sends the request, reads the response, and registers the exchange while it lasts", () =>
    Effect.gen(function*() {
      const { url } = yield* echo
      const headers = { "x-a": "1", "content-type": "text/plain" }
      yield* Effect.scoped(Effect.gen(function*() {
        const response = yield* execute(`${url}/p?q=1`, { method: "POST", headers, body: "größer" })
        assert.deepStrictEqual(yield* SessionRegistry.counts, { exchange: 1 })
        const seen: Echoed = JSON.parse(yield* Transport.text(response))
        assert.deepStrictEqual([seen.method, seen.url, seen.body], ["POST", "/p?q=1", "größer"])
        assert.deepInclude(seen.headers, headers)
        assert.deepStrictEqual(Object.keys(seen.headers).filter((name) => /trace|b3/.test(name)), [])
      }))
      const streamed = yield* Effect.scoped(Effect.flatMap(
        execute(url, { method: "PUT", body: Stream.make(text("a"), text("b")) }),
        Transport.text
      ))
      assert.strictEqual(JSON.parse(streamed).body, "ab")
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(overUndici))

  it.effect("the server sees a call end that is interrupted, cancelled or revoked", () =>
    Effect.gen(function*() {
      let closed = 0
      const { url } = yield* Servers.http((_, response) => {
        response.once("close", () => closed++)
        response.write("part")
      })
      const seen = (count: number) =>
        Effect.map(
          eventually(Effect.sync(() => closed), (now) => now === count),
          (now) => assert.strictEqual(now, count)
        )
      const reading = Effect.scoped(Effect.flatMap(execute(url), Transport.text))
      const call = yield* Effect.forkChild(reading)
      yield* eventually(SessionRegistry.counts, (counts) => counts["exchange"] === 1)
      yield* TestClock.withLive(Effect.sleep("50 millis"))
      yield* Fiber.interrupt(call)
      yield* seen(1)
      yield* Effect.scoped(Effect.flatMap(execute(url), ({ body }) => body))
      yield* seen(2)
      const revoked = yield* Effect.forkChild(Effect.flip(reading))
      yield* TestClock.withLive(Effect.sleep("50 millis"))
      yield* TestClock.withLive(SessionRegistry.revoke({ kind: "exchange" }, { reason: "enough", deadline: 0 }))
      assert.strictEqual((yield* soon(Fiber.join(revoked)))._tag, "SessionRevoked")
      yield* seen(3)
    }).pipe(overUndici))

  it.effect("refuses a URL with credentials, and has neither them, the query nor a header in its errors", () =>
    Effect.gen(function*() {
      const headers = { authorization: "Bearer s3cret" }
      const refused = yield* failure("http://me:s3cret@127.0.0.1:9/path?key=s3cret", { headers })
      assert.strictEqual(refused._tag, "InvalidUrl")
      const call = { method: "GET", url: "http://127.0.0.1:9/path?key=s3cret", headers } as const
      const lost = yield* Effect.flip(
        refusing((request) => new HttpClientError.TransportError({ request })).execute(call)
      )
      const invalid = yield* Effect.flip(
        refusing((request) => new HttpClientError.EncodeError({ request })).execute(call)
      )
      const breaking = HttpClientView.fromHttpClient(
        HttpClient.make((request) =>
          Effect.succeed(HttpClientResponse.fromWeb(
            request,
            new Response(new ReadableStream({ pull: (controller) => controller.error(undefined) }))
          ))
        )
      )
      const cut = yield* Effect.flip(Effect.flatMap(breaking.execute(call), Transport.text))
      assert.deepStrictEqual([lost, invalid, cut].map((error) => error._tag), [
        "ConnectionLost",
        "InvalidRequest",
        "ConnectionLost"
      ])
      for (const error of [refused, lost, invalid, cut]) assertKept(error)
    }).pipe(Effect.provide(SessionRegistry.layer()), overUndici))

  it.effect("fails typed: refused, cut off, too large, too late, no URL", () =>
    Effect.gen(function*() {
      const closed = yield* Effect.scoped(Servers.tcp(() => {}))
      const cut = yield* Servers.tcp((socket) =>
        socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart"))
      )
      const large = yield* Servers.http((_, response) => response.end("x".repeat(1001)))
      const silent = yield* Servers.http(() => {})
      assert.deepInclude(yield* failure(closed.url), { _tag: "ConnectionLost", phase: "head" })
      assert.deepInclude(yield* failure(cut.url), { _tag: "ConnectionLost", phase: "body" })
      assert.deepStrictEqual(
        yield* failure(large.url, { maxBodySize: 1000 }),
        new TransportError.BodyTooLarge({ limit: 1000 })
      )
      const late = yield* Effect.forkChild(failure(silent.url, { timeouts: { firstToken: "5 seconds" } }))
      yield* TestClock.withLive(Effect.sleep("50 millis"))
      yield* TestClock.adjust("5 seconds")
      assert.instanceOf(yield* Fiber.join(late), Timeouts.FirstTokenTimeout)
      assert.strictEqual((yield* failure("nonsense"))._tag, "InvalidUrl")
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(overUndici))

  it.effect("reads no faster than it is pulled, and reports the end", () =>
    Effect.gen(function*() {
      const { url } = yield* Servers.http((_, response) => response.end("hello"))
      const { body } = yield* execute(url)
      assert.strictEqual(new TextDecoder().decode((yield* body)[0]), "hello")
      assert.strictEqual(yield* Pull.catchDone(Effect.as(body, "more"), () => Effect.succeed("end")), "end")
    }).pipe(Effect.scoped, overUndici))
})
