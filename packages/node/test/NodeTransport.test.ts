import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Timeouts from "@clawback/core/Timeouts"
import * as Transport from "@clawback/core/Transport"
import * as TransportError from "@clawback/core/TransportError"
import * as NodeTransport from "@clawback/node/NodeTransport"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Metric, Pull, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import type * as Http from "node:http"
import type * as Net from "node:net"
import { selfSigned } from "./certificate.ts"
import * as Servers from "./Servers.ts"

const transport = (options?: NodeTransport.Options) =>
  Effect.provide(Layer.provideMerge(NodeTransport.layer(options), SessionRegistry.layer()))

const execute = (url: string, request: Partial<Transport.Request> = {}) =>
  Transport.Transport.use((service) => service.execute({ method: "GET", url, headers: {}, ...request }))

const get = (url: string, request: Partial<Transport.Request> = {}) =>
  Effect.scoped(Effect.flatMap(execute(url, request), (response) => Transport.text(response)))

/** Real time: what another process or the kernel does does not wait for the test clock. */
const within = (duration: Duration.Input) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  TestClock.withLive(Effect.timeout(effect, duration))

/** Waits until the registry says so. */
const until = (isSo: (counts: Readonly<Record<string, number>>) => boolean) =>
  Stream.concat(Stream.make(undefined), SessionRegistry.changes).pipe(
    Stream.mapEffect(() => SessionRegistry.counts),
    Stream.takeUntil(isSo),
    Stream.runDrain,
    within("5 seconds")
  )

const connectFailed = (url: string) =>
  Effect.map(Effect.flip(get(url)), (error) => {
    assert.instanceOf(error, TransportError.ConnectFailed)
    return error
  })

const connectFailure = (url: string) => Effect.map(connectFailed(url), ({ reason }) => reason)

const lostIn = (url: string) =>
  Effect.map(Effect.flip(get(url)), (error) => {
    assert.instanceOf(error, TransportError.ConnectionLost)
    return error.phase
  })

describe("NodeTransport: a connection that does not come about", () => {
  it.effect("refused", () =>
    Effect.gen(function*() {
      const { url } = yield* Effect.scoped(Servers.tcp(() => {}))
      assert.strictEqual(yield* connectFailure(url), "refused")
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(transport()))

  it.effect("a host name without an address", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* connectFailure("http://nowhere.invalid/"), "unresolved")
    }).pipe(transport()))

  it.effect("a server that hangs up during the TLS handshake", () =>
    Effect.gen(function*() {
      const server = yield* Servers.tcp((socket) => socket.once("data", () => socket.resetAndDestroy()))
      const { message, reason } = yield* connectFailed(`https://127.0.0.1:${server.port}/`)
      assert.strictEqual(reason, "reset")
      assert.include(message, "check whether its URL should begin with http:")
    }).pipe(transport()))

  it.effect("TLS with a server that speaks plain text", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http((_, response) => response.end())
      assert.strictEqual(yield* connectFailure(`https://127.0.0.1:${server.port}/`), "tls")
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(transport()))

  it.effect("TLS with an untrusted certificate", () =>
    Effect.gen(function*() {
      const server = yield* Servers.https(selfSigned("localhost"), (_, response) => response.end())
      assert.strictEqual(yield* connectFailure(`https://localhost:${server.port}/`), "tls")
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(transport()))

  const certificate = selfSigned("localhost")
  it.effect("TLS with a certificate for another name; with the right name it does come about", () =>
    Effect.gen(function*() {
      const server = yield* Servers.https(certificate, (_, response) => response.end("hello"))
      assert.strictEqual(yield* connectFailure(`https://127.0.0.1:${server.port}/`), "tls")
      assert.strictEqual(yield* get(`https://localhost:${server.port}/`), "hello")
    }).pipe(transport({ tls: { ca: certificate.cert } })))

  it.effect("a TLS handshake that never ends is ConnectTimeout, and its socket is closed", () =>
    Effect.gen(function*() {
      const greeted = yield* Deferred.make<void>()
      const server = yield* Servers.tcp((socket) =>
        socket.once("data", () => Deferred.doneUnsafe(greeted, Effect.void))
      )
      const url = `https://127.0.0.1:${server.port}/`
      const call = yield* Effect.forkChild(Effect.flip(get(url, { timeouts: { connect: "5 seconds" } })))
      yield* Deferred.await(greeted)
      assert.isUndefined(call.pollUnsafe())
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(
        yield* Fiber.join(call),
        new Timeouts.ConnectTimeout({ origin: url.slice(0, -1), limit: Duration.seconds(5) })
      )
      yield* until((counts) => counts["connection"] === undefined)
    }).pipe(transport()))
})

describe("NodeTransport: a connection that breaks", () => {
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"

  it.effect("before the head: reset, closed, or an answer that is not HTTP", () =>
    Effect.gen(function*() {
      const reset = yield* Servers.tcp((socket) => socket.once("data", () => socket.resetAndDestroy()))
      const closed = yield* Servers.tcp((socket) => socket.once("data", () => socket.end()))
      const garbled = yield* Servers.tcp((socket) => socket.once("data", () => socket.end("hello, it's me\r\n")))
      for (const { url } of [reset, closed, garbled]) assert.strictEqual(yield* lostIn(url), "head")
    }).pipe(transport()))

  it.effect("in the middle of the body: closed too early, with a length or in chunks", () =>
    Effect.gen(function*() {
      const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
      const closed = yield* Servers.tcp((socket) => socket.once("data", () => socket.end(`${head}part`)))
      const cut = yield* Servers.tcp((socket) => socket.once("data", () => socket.end(chunked)))
      for (const { url } of [closed, cut]) assert.strictEqual(yield* lostIn(url), "body")
    }).pipe(transport()))

  it.effect("a body that ends with its connection is whole only if the server ended that", () =>
    Effect.gen(function*() {
      const unframed = "HTTP/1.1 200 OK\r\n\r\nhalf"
      const whole = yield* Servers.tcp((socket) => socket.once("data", () => socket.end(unframed)))
      assert.strictEqual(yield* Effect.flatMap(execute(whole.url), Transport.text), "half")
      let connection: Net.Socket | undefined
      const reset = yield* Servers.tcp((socket) =>
        socket.once("data", () => {
          socket.write(unframed)
          connection = socket
        })
      )
      const response = yield* execute(reset.url)
      yield* response.body
      connection?.resetAndDestroy()
      assert.deepInclude(yield* Effect.flip(Transport.text(response)), { _tag: "ConnectionLost", phase: "body" })
    }).pipe(transport()))

  it.effect("what came before a reset in the body is delivered first", () =>
    Effect.gen(function*() {
      let connection: Net.Socket | undefined
      const server = yield* Servers.tcp((socket) =>
        socket.once("data", () => {
          socket.write(`${head}part`)
          connection = socket
        })
      )
      const { body } = yield* execute(server.url)
      const [first] = yield* body
      connection?.resetAndDestroy()
      const error = yield* Effect.flip(Pull.catchDone(body, () => Effect.void))
      assert.strictEqual(new TextDecoder().decode(first), "part")
      assert.deepInclude(error, { _tag: "ConnectionLost", phase: "body" })
    }).pipe(transport()))
})

describe("NodeTransport: one exchange after another", () => {
  it.effect("calls in a row share one connection, calls side by side do not", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http((_, response) => response.end("hello"))
      for (let i = 0; i < 5; i++) assert.strictEqual(yield* get(server.url), "hello")
      assert.strictEqual(server.accepted(), 1)
      yield* Effect.all([get(server.url), get(server.url), get(server.url)], { concurrency: 3 })
      assert.deepStrictEqual([server.accepted(), server.sockets.size], [3, 3])
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 3 })
    }).pipe(transport()))

  it.effect("method, path, headers and body arrive as they were given, with nothing added but what HTTP needs", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http((request, response) => {
        request.setEncoding("utf8")
        let body = ""
        request.on("data", (part: string) => {
          body += part
        })
        request.on("end", () => response.end(JSON.stringify([request.method, request.url, request.headers, body])))
      })
      const sent = { method: "POST", headers: { "x-one": "1" }, body: "größer" } as const
      const seen = JSON.parse(yield* get(`${server.url}/a/b?c=d`, sent))
      assert.deepStrictEqual(seen, [
        "POST",
        "/a/b?c=d",
        { "x-one": "1", host: `127.0.0.1:${server.port}`, connection: "keep-alive", "content-length": "8" },
        "größer"
      ])
    }).pipe(transport()))

  it.effect("a header that came twice has both values", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http((_, response) => {
        response.writeHead(200, [["X-Two", "1"], ["X-Two", "2"]].flat())
        response.end()
      })
      const { headers } = yield* execute(server.url)
      assert.deepStrictEqual(headers["x-two"], ["1", "2"])
    }).pipe(transport()))

  for (const status of [100, 102, 103]) {
    for (const times of [1, 100]) {
      it.effect(`${times} times ${status} before the real answer is passed over, however it is cut`, () =>
        Effect.gen(function*() {
          const interim = `HTTP/1.1 ${status} In Between\r\n${status === 103 ? "Link: </a>; rel=preload\r\n" : ""}\r\n`
          // The body looks like one more, which it is not.
          const body = `HTTP/1.1 ${status} In Between\r\n\r\n`
          const answer = `HTTP/1.1 201 Created\r\ncontent-length: ${body.length}\r\n\r\n`
          const server = yield* Servers.tcp((socket) => {
            socket.setNoDelay(true)
            let answers = 0
            socket.on("data", () => {
              const bytes = interim.repeat(times) + answer
              // The first time in pieces, with a break inside of a status line; then in one.
              if (answers++ > 0) return socket.write(bytes + body)
              const pieces = [bytes.slice(0, 3), bytes.slice(3, 11), bytes.slice(11, -answer.length - 1)]
              const rest = bytes.slice(-answer.length - 1)
              const all = [...pieces, rest, body]
              const next = () => {
                const piece = all.shift()
                if (piece !== undefined) socket.write(piece, () => setImmediate(() => setImmediate(next)))
              }
              next()
            })
          })
          for (let i = 0; i < 3; i++) {
            const answered = Effect.flatMap(
              execute(server.url),
              (response) => Effect.map(Transport.text(response), (text) => [response.status, text])
            )
            assert.deepStrictEqual(yield* Effect.scoped(answered), [201, body])
          }
          assert.strictEqual(server.accepted(), 1)
        }).pipe(transport()))
    }
  }

  it.effect("a response that is no answer at all, 101, ends the call", () =>
    Effect.gen(function*() {
      const server = yield* Servers.tcp((socket) => {
        socket.on("data", () =>
          socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"))
      })
      assert.strictEqual((yield* Effect.flip(execute(server.url)))._tag, "ConnectionLost")
    }).pipe(transport()))

  it.effect("an answer that has no body ends at once: to HEAD, 204 and 304", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http((request, response) => {
        if (request.method === "HEAD") response.setHeader("content-length", "1000000")
        else response.statusCode = Number(request.url?.slice(1))
        response.end()
      })
      for (let i = 0; i < 3; i++) {
        assert.strictEqual(yield* get(server.url, { method: "HEAD" }), "")
        assert.strictEqual(yield* get(`${server.url}/204`), "")
        assert.strictEqual(yield* get(`${server.url}/304`), "")
      }
    }).pipe(transport({ connections: 1 })))

  it.effect("a server that hangs up with each answer loses no call, one at a time or many", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http((_, response) => {
        response.setHeader("connection", "close")
        response.end("hello")
      })
      for (let i = 0; i < 5; i++) assert.strictEqual(yield* get(server.url), "hello")
      const many = yield* Effect.all(Array.from({ length: 20 }, () => get(server.url)), { concurrency: "unbounded" })
      assert.deepStrictEqual(new Set(many), new Set(["hello"]))
      assert.strictEqual(server.accepted(), 25)
      yield* until((counts) => counts["connection"] === undefined)
    }).pipe(transport({ connections: 2 })))

  it.effect("a server that closes an idle connection is noticed, and the next call makes a new one", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http((_, response) => response.end("hello"))
      yield* get(server.url)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 1 })
      for (const socket of server.sockets) socket.end()
      yield* until((counts) => counts["connection"] === undefined)
      assert.strictEqual(yield* get(server.url), "hello")
      assert.strictEqual(server.accepted(), 2)
    }).pipe(transport()))

  it.effect("an unused connection is closed after its time to live, even if the server allows more", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http((_, response) => {
        response.setHeader("keep-alive", "timeout=600")
        response.end("hello")
      })
      yield* get(server.url)
      yield* TestClock.adjust("499 millis")
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 1 })
      yield* TestClock.adjust("1 millis")
      yield* until((counts) => counts["connection"] === undefined)
    }).pipe(transport({ idleTimeToLive: "500 millis" })))

  it.effect("a header with a line break is refused, nothing of it is sent, and the transport stays usable", () =>
    Effect.gen(function*() {
      let seen = 0
      const server = yield* Servers.http((_, response) => {
        seen++
        response.end("hello")
      })
      for (const headers of [{ a: "b\r\nx-injected: 1" }, { "a\nb": "c" }, { "": "c" }]) {
        const error = yield* Effect.flip(get(server.url, { headers }))
        assert.instanceOf(error, TransportError.InvalidRequest)
      }
      assert.strictEqual(yield* get(server.url), "hello")
      assert.strictEqual(seen, 1)
    }).pipe(transport({ connections: 1 })))

  it.effect("IPv6", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http((_, response) => response.end("six"), "::1")
      assert.strictEqual(yield* get(server.url), "six")
    }).pipe(transport()))
})

/** Runs a call until it has begun, lets it end in some way, and waits until its server sees the connection close. */
const seesClose = (
  answer: (response: Http.ServerResponse) => void,
  read: (
    url: string,
    begun: Effect.Effect<unknown>
  ) => Effect.Effect<unknown, unknown, Transport.Transport | Scope.Scope>,
  end: (call: Fiber.Fiber<unknown, unknown>) => Effect.Effect<unknown, unknown>
) =>
  Effect.gen(function*() {
    const begun = yield* Deferred.make<void>()
    const closed = yield* Deferred.make<void>()
    const server = yield* Servers.http((_, response) => {
      response.once("close", () => Deferred.doneUnsafe(closed, Effect.void))
      answer(response)
      if (!response.headersSent) Deferred.doneUnsafe(begun, Effect.void)
    })
    const call = yield* Effect.forkChild(read(server.url, Deferred.succeed(begun, undefined)))
    yield* Deferred.await(begun)
    yield* end(call)
    yield* within("1 second")(Deferred.await(closed))
    yield* until((counts) => counts["connection"] === undefined)
  }).pipe(transport())

const readPart = (url: string) => Effect.flatMap(execute(url), ({ body }) => body)

describe("NodeTransport: a reader that stops", () => {
  it.effect("a body that is not pulled stops its sender; all of it arrives once it is pulled", () =>
    Effect.gen(function*() {
      const size = 64 * 1024 * 1024
      const chunk = new Uint8Array(64 * 1024)
      let sent = 0
      const stopped = yield* Deferred.make<void>()
      const server = yield* Servers.http((_, response) => {
        const send = () => {
          while (sent < size) {
            sent += chunk.byteLength
            if (!response.write(chunk)) return void response.once("drain", send)
          }
          response.end()
        }
        send()
        Deferred.doneUnsafe(stopped, Effect.void)
      })
      const response = yield* execute(server.url)
      yield* Deferred.await(stopped)
      // The kernel's buffers fill first: wait until nothing moves any more.
      let before = -1
      while (before !== sent) {
        before = sent
        yield* TestClock.withLive(Effect.sleep("100 millis"))
      }
      assert.isBelow(sent, size / 2)
      const whole = yield* Transport.bytes(response, size)
      assert.deepStrictEqual([whole.byteLength, sent], [size, size])
    }).pipe(Effect.scoped, transport()))

  it.effect("an interrupted call is seen by the server within a second, before it answers", () =>
    seesClose(() => {}, (url) => get(url), Fiber.interrupt))

  it.effect("an interrupted call is seen by the server within a second, in the middle of the answer", () =>
    seesClose(
      (response) => response.write("part"),
      (url, begun) => Effect.scoped(Effect.andThen(readPart(url), Effect.andThen(begun, Effect.never))),
      Fiber.interrupt
    ))

  it.effect("a call that ran out of time is seen by the server within a second, while its scope is still open", () =>
    seesClose(
      () => {},
      (url) => Effect.flip(execute(url, { timeouts: { firstToken: "5 seconds" } })),
      (call) => Effect.andThen(TestClock.adjust("5 seconds"), Fiber.join(call))
    ))

  it.effect("a reader that takes only the beginning is seen by the server within a second", () =>
    seesClose(
      (response) => response.write("part"),
      (url, begun) => Effect.andThen(Effect.scoped(readPart(url)), begun),
      Fiber.join
    ))

  it.effect("calls that run when the layer closes fail typed", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      const server = yield* Servers.http(() => Deferred.doneUnsafe(asked, Effect.void))
      const call = yield* Effect.gen(function*() {
        const service = yield* Transport.Transport
        const fiber = yield* Effect.forkDetach(
          Effect.exit(Effect.scoped(service.execute({ method: "GET", url: server.url, headers: {} })))
        )
        yield* Deferred.await(asked)
        return fiber
      }).pipe(Effect.provide(NodeTransport.layer()))
      const exit = yield* Fiber.join(call)
      assert.isTrue(Exit.isFailure(exit))
      const error = yield* Effect.flip(exit)
      assert.include(error, { _tag: "ConnectionLost", phase: "head" })
    }).pipe(Effect.provide(SessionRegistry.layer())))
})

/** What was sent to an origin, and received from it. */
const io = (origin: string) =>
  Effect.map(Metric.snapshot, (all) =>
    ["transmit", "receive"].map((direction) => {
      const one = all.find(({ attributes, id }) =>
        id === "clawback.connection.io" && attributes?.["network.io.direction"] === direction &&
        attributes["clawback.connection.pool.name"] === origin
      )
      return one?.type === "Counter" ? Number(one.state.count) : 0
    }))

const sayMuch: Http.RequestListener = (request, response) => {
  request.resume().on("end", () => response.end("x".repeat(5000)))
}

describe("NodeTransport: the bytes of an origin", () => {
  it.effect.each(["http", "https"] as const)(
    "are those of its sockets, with headers: %s",
    (protocol) =>
      Effect.gen(function*() {
        const certificate = selfSigned("localhost")
        const server = yield* protocol === "http"
          ? Servers.http(sayMuch)
          : Servers.https(certificate, sayMuch)
        const url = `${protocol}://localhost:${server.port}`
        const program = Effect.gen(function*() {
          yield* get(url, { method: "POST", body: "y".repeat(3000) })
          yield* get(url)
          const [socket] = server.sockets
          const [sent = 0, received = 0] = yield* io(url)
          // The server's count of TLS is that of the socket below.
          if (protocol === "http") assert.deepStrictEqual([sent, received], [socket?.bytesRead, socket?.bytesWritten])
          assert.isAbove(sent, 3000)
          assert.isAbove(received, 10_000)
        })
        yield* Effect.provide(program, NodeTransport.layer({ tls: { ca: certificate.cert } }))
      }).pipe(
        Effect.scoped,
        Effect.provide(SessionRegistry.layer()),
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
  )
})
