import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Transport from "@clawback/core/Transport"
import * as TransportError from "@clawback/core/TransportError"
import * as NodeTransport from "@clawback/node/NodeTransport"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { once } from "node:events"
import type * as Net from "node:net"
import { setImmediate as nextTurn } from "node:timers/promises"
import { Worker } from "node:worker_threads"
import { selfSigned } from "./certificate.ts"
import * as Servers from "./Servers.ts"

const transport = (options?: NodeTransport.Options) =>
  Effect.provide(Layer.provideMerge(NodeTransport.layer(options), SessionRegistry.layer()))

const execute = (url: string, request: Partial<Transport.Request> = {}) =>
  Transport.Transport.use((service) => service.execute({ method: "GET", url, headers: {}, ...request }))

const get = (url: string, request: Partial<Transport.Request> = {}) =>
  Effect.scoped(Effect.flatMap(execute(url, request), (response) => Transport.text(response)))

/** Real time: what another process or the kernel does does not wait for the test clock. */
const soon = <A, E, R>(effect: Effect.Effect<A, E, R>) => TestClock.withLive(Effect.timeout(effect, "5 seconds"))

const echo = Servers.http((request, response) => {
  response.setHeader("x-length", request.headers["content-length"] ?? "unknown")
  request.pipe(response)
})

const encoder = new TextEncoder()
const parts = (...texts: ReadonlyArray<string>) =>
  Stream.mapEffect(
    Stream.fromIterable(texts),
    (text) => Effect.as(Effect.promise(() => nextTurn()), encoder.encode(text))
  )

describe("NodeTransport: a request's body that is streamed", () => {
  it.effect("arrives complete, in chunks, or with the length of its header", () =>
    Effect.gen(function*() {
      const { url } = yield* echo
      const body = parts("one", "", "two", "three")
      const chunked = yield* execute(url, { method: "POST", body })
      assert.deepStrictEqual([chunked.headers["x-length"], yield* Transport.text(chunked)], ["unknown", "onetwothree"])
      const headers = { "content-length": "11" }
      const sized = yield* execute(url, { method: "POST", body, headers })
      assert.deepStrictEqual([sized.headers["x-length"], yield* Transport.text(sized)], ["11", "onetwothree"])
      assert.strictEqual(yield* get(url, { method: "POST", body: Stream.empty }), "")
    }).pipe(Effect.scoped, transport()))

  it.effect("may be far larger than any buffer, and is read no faster than the server takes it", () =>
    Effect.gen(function*() {
      const chunk = new Uint8Array(64 * 1024)
      let read = 0
      const gate = yield* Deferred.make<void>()
      const server = yield* Servers.http((request, response) => {
        let length = 0
        request.on("data", (part: Uint8Array) => {
          length += part.byteLength
          if (read === 0) request.pause()
        })
        request.on("end", () => response.end(String(length)))
        request.pause()
        Effect.runFork(Effect.andThen(Deferred.await(gate), Effect.sync(() => request.resume())))
      })
      const body = Stream.tap(
        Stream.fromIterable(Array.from({ length: 1024 }, () => chunk)),
        ({ byteLength }) =>
          Effect.sync(() => {
            read += byteLength
          }),
        { concurrency: 1 }
      )
      const call = yield* Effect.forkChild(get(server.url, { method: "POST", body }))
      let before = -1
      while (before !== read) {
        before = read
        yield* TestClock.withLive(Effect.sleep("100 millis"))
      }
      assert.isBelow(read, 32 * 1024 * 1024)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* soon(Fiber.join(call)), String(64 * 1024 * 1024))
    }).pipe(Effect.scoped, transport()))

  it.effect("that fails is the call's error, and the server does not take it for whole", () =>
    Effect.gen(function*() {
      const ended = yield* Deferred.make<"whole" | "aborted">()
      const server = yield* Servers.http((request) => {
        request.resume()
        request.once("end", () => Deferred.doneUnsafe(ended, Effect.succeed("whole")))
        request.once("error", () => Deferred.doneUnsafe(ended, Effect.succeed("aborted")))
      })
      const body = Stream.concat(parts("one"), Stream.fail("out of paper"))
      const error = yield* Effect.flip(get(server.url, { method: "POST", body }))
      assert.instanceOf(error, TransportError.RequestBodyFailed)
      assert.strictEqual(error.cause, "out of paper")
      assert.strictEqual(yield* soon(Deferred.await(ended)), "aborted")
    }).pipe(Effect.scoped, transport()))

  it.effect("has released what it holds when the call has ended: completely, interrupted, or with an early response", () =>
    Effect.gen(function*() {
      let open = 0
      const held = (rest: Stream.Stream<Uint8Array>) =>
        Stream.scoped(Stream.unwrap(Effect.as(
          Effect.acquireRelease(Effect.sync(() => open++), () => Effect.sync(() => open--)),
          Stream.concat(parts("one"), rest)
        )))
      const asked = yield* Deferred.make<void>()
      const { url } = yield* echo
      const silent = yield* Servers.http(() => Deferred.doneUnsafe(asked, Effect.void))
      const hasty = yield* Servers.http((_, response) => {
        response.statusCode = 413
        response.setHeader("connection", "close")
        response.end("too large")
      })
      assert.strictEqual(yield* get(url, { method: "POST", body: held(parts("two")) }), "onetwo")
      assert.strictEqual(open, 0)
      const call = yield* Effect.forkChild(get(silent.url, { method: "POST", body: held(Stream.never) }))
      yield* Deferred.await(asked)
      assert.strictEqual(open, 1)
      yield* Fiber.interrupt(call)
      assert.strictEqual(open, 0)
      yield* soon(Effect.exit(get(hasty.url, { method: "POST", body: held(Stream.never) })))
      assert.strictEqual(open, 0)
    }).pipe(Effect.scoped, transport()))
})

describe("NodeTransport: limits on what a server may send", () => {
  it.effect("headers that are too large are their own error", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http((_, response) => {
        response.setHeader("x-large", "x".repeat(4000))
        response.end()
      })
      assert.deepStrictEqual(
        yield* Effect.flip(get(server.url)),
        new TransportError.HeadersTooLarge({ origin: server.url, limit: 2000 })
      )
    }).pipe(transport({ maxHeaderSize: 2000 })))

  it.effect("informational answers count against the same limit, be they many or one that does not end", () =>
    Effect.gen(function*() {
      for (const chunk of ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: " + "x".repeat(3000)]) {
        const server = yield* Servers.tcp((socket) => {
          const send = () => {
            if (socket.writable) socket.write(chunk, send)
          }
          socket.once("data", send)
        })
        assert.deepStrictEqual(
          yield* Effect.flip(get(server.url)),
          new TransportError.HeadersTooLarge({ origin: server.url, limit: 2000 })
        )
      }
    }).pipe(transport({ maxHeaderSize: 2000 })))

  it.effect("a limit that is no number of bytes is found when the layer is built", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(NodeTransport.layer({ maxHeaderSize: 0 }))))
      assert.isTrue(Exit.isFailure(exit) && Exit.hasDies(exit))
    }))

  it.effect("a body that is too large is cut off, and the server notices", () =>
    Effect.gen(function*() {
      const closed = yield* Deferred.make<void>()
      const server = yield* Servers.http((_, response) => {
        response.once("close", () => Deferred.doneUnsafe(closed, Effect.void))
        const send = () => {
          while (response.write(new Uint8Array(64 * 1024)));
          response.once("drain", send)
        }
        send()
      })
      assert.deepStrictEqual(
        yield* Effect.flip(get(server.url)),
        new TransportError.BodyTooLarge({ limit: 1_000_000 })
      )
      yield* soon(Deferred.await(closed))
    }).pipe(transport({ maxBodySize: 1_000_000 })))
})

/** A server on a thread, which can close its connections while this one does nothing else. */
const elsewhere = Effect.gen(function*() {
  const shared = new Int32Array(new SharedArrayBuffer(8))
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() =>
      new Worker(
        `const { parentPort, workerData } = require("node:worker_threads")
         const sockets = new Set()
         const server = require("node:http").createServer({ keepAlive: true }, (_, response) => response.end("hello"))
         server.on("connection", (socket) => {
           workerData[1]++
           sockets.add(socket)
           socket.on("close", () => sockets.delete(socket))
         })
         parentPort.on("message", () => {
           const all = [...sockets].map((socket) => new Promise((closed) => socket.once("close", closed).destroy()))
           Promise.all(all).then(() => {
             Atomics.store(workerData, 0, 1)
             Atomics.notify(workerData, 0)
           })
         })
         server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port))`,
        { eval: true, workerData: shared }
      )
    ),
    (worker) => Effect.promise(() => worker.terminate())
  )
  const [port] = yield* Effect.promise(() => once(worker, "message"))
  return {
    url: `http://127.0.0.1:${port}`,
    accepted: () => shared[1] ?? 0,
    hangUp: () => {
      Atomics.store(shared, 0, 0)
      worker.postMessage("hang up", [])
      Atomics.wait(shared, 0, 0, 5000)
    }
  }
})

describe("NodeTransport: a kept connection that its server has left", () => {
  it.effect("while nothing was sent costs no call", () =>
    Effect.gen(function*() {
      const server = yield* elsewhere
      for (let i = 0; i < 5; i++) {
        assert.strictEqual(yield* get(server.url), "hello")
        // The server's end has arrived here when this returns, and nobody has looked yet. undici looks once before it
        // sends on a kept connection: after the turn's callbacks, so not in the turn in which data came.
        yield* Effect.promise(() => nextTurn())
        server.hangUp()
        assert.strictEqual(yield* get(server.url), "hello")
      }
      assert.isAtLeast(server.accepted(), 5)
    }).pipe(Effect.scoped, transport()))

  it.effect("after it read the request, without a word, may have processed it: that is not sent again", () =>
    Effect.gen(function*() {
      let requests = 0
      const server = yield* Servers.tcp((socket: Net.Socket) =>
        socket.on(
          "data",
          () =>
            ++requests === 1
              ? void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
              : void socket.destroy()
        )
      )
      assert.strictEqual(yield* get(server.url), "hi")
      assert.deepInclude(yield* Effect.flip(get(server.url)), { _tag: "ConnectionLost", phase: "head" })
      assert.deepStrictEqual([requests, server.accepted()], [2, 1])
    }).pipe(transport()))
})

describe("NodeTransport: TLS", () => {
  const certificate = selfSigned("localhost")

  it.effect("a server that wants a certificate gets ours; one with too old a version is refused", () =>
    Effect.gen(function*() {
      const server = yield* Servers.https(
        { ...certificate, ca: certificate.cert, requestCert: true, rejectUnauthorized: true, maxVersion: "TLSv1.2" },
        (_, response) => response.end("hello")
      )
      const url = `https://localhost:${server.port}/`
      const { cert: ca, key } = certificate
      assert.strictEqual(yield* transport({ tls: { ca, cert: ca, key } })(get(url)), "hello")
      // A server turns somebody without a certificate away during the handshake, or (TLS 1.3) after it.
      assert.instanceOf(yield* Effect.flip(transport({ tls: { ca } })(get(url))), TransportError.ConnectFailed)
      const error = yield* Effect.flip(transport({ tls: { ca, cert: ca, key, minVersion: "TLSv1.3" } })(get(url)))
      assert.deepInclude(error, { _tag: "ConnectFailed", reason: "tls" })
    }))

  it.effect("`servername` is what the certificate is checked for, and none is checked where that is switched off", () =>
    Effect.gen(function*() {
      const server = yield* Servers.https(certificate, (_, response) => response.end("hello"))
      const url = `https://127.0.0.1:${server.port}/`
      const ca = certificate.cert
      assert.strictEqual(yield* transport({ tls: { ca, servername: "localhost" } })(get(url)), "hello")
      assert.strictEqual(yield* transport({ tls: { rejectUnauthorized: false } })(get(url)), "hello")
    }))
})
