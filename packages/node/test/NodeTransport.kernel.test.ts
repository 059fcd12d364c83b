import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Timeouts from "@clawback/core/Timeouts"
import * as Transport from "@clawback/core/Transport"
import * as NodeProbes from "@clawback/node/NodeProbes"
import * as NodeTransport from "@clawback/node/NodeTransport"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { once } from "node:events"
import * as Net from "node:net"
import { Worker } from "node:worker_threads"
import { selfSigned } from "./certificate.ts"
import { eventually } from "./eventually.ts"
import * as Servers from "./Servers.ts"

const certificate = selfSigned("localhost")
const transport = Effect.provide(
  Layer.provideMerge(NodeTransport.layer({ connections: 16, tls: { ca: certificate.cert } }), SessionRegistry.layer())
)

const get = (url: string, timeouts?: Transport.Request["timeouts"]) =>
  Transport.Transport.use((service) =>
    Effect.flatMap(service.execute({ method: "GET", url, headers: {}, timeouts }), Transport.bytes)
  ).pipe(Effect.scoped)

/** This process's sockets at either end of a port, but for the one that listens. */
const socketsAt = (port: number) =>
  Effect.map(
    NodeProbes.sockets(),
    (sockets) =>
      sockets.filter((socket) => socket.state !== "LISTEN" && (socket.localPort === port || socket.remotePort === port))
  )

const noneAt = (port: number) =>
  Effect.map(eventually(socketsAt(port), ({ length }) => length === 0), (left) => assert.deepStrictEqual(left, []))

/** A look-up of a name has files open for a moment, also after its call has ended. */
const asManyAs = (before: number) =>
  Effect.map(
    eventually(NodeProbes.descriptors(), (now) => now === before),
    (now) => assert.strictEqual(now, before)
  )

/** Answers at once, late, in parts, never, or with a reset. */
const moody = (url: string | undefined, write: (part: string) => void, end: () => void, reset: () => void) => {
  const mood = Number(url?.slice(1)) % 5
  if (mood === 0) end()
  else if (mood === 1) setImmediate(end)
  else if (mood === 2) {
    write("part")
    setImmediate(end)
  } else if (mood === 3) reset()
}

/** A third of the calls is interrupted, after as many turns as its number says. */
const storm = (url: string, calls: number) =>
  Effect.forEach(
    Array.from({ length: calls }, (_, n) => n),
    (n) =>
      Effect.gen(function*() {
        const call = yield* Effect.forkChild(Effect.exit(get(`${url}/${n}`)), { startImmediately: true })
        if (n % 3 !== 0 && n % 5 !== 4) return yield* Fiber.join(call)
        for (let i = 0; i < n % 40; i++) yield* Effect.yieldNow
        yield* Fiber.interrupt(call)
      }),
    { concurrency: 32 }
  )

class Proxied extends Context.Service<Proxied, Transport.Transport["Service"]>()(
  "@clawback/node/test/NodeTransport.kernel.test/Proxied"
) {}

const call = (service: Transport.Transport["Service"], url: string, body?: Transport.Request["body"]) =>
  Effect.forkDetach(
    Effect.exit(Effect.scoped(
      Effect.flatMap(service.execute({ method: "POST", url, headers: {}, body }), Transport.bytes)
    )),
    { startImmediately: true }
  )

describe("NodeTransport, as the kernel sees it", () => {
  it.effect("an idle transport holds the sockets that the registry lists, and no other", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http((_, response) => response.end("hello"))
      yield* Effect.gen(function*() {
        yield* Effect.all(Array.from({ length: 5 }, () => get(server.url)), { concurrency: 5 })
        const ours = Effect.map(socketsAt(server.port), (sockets) =>
          sockets.filter(({ remotePort }) => remotePort === server.port))
        assert.deepStrictEqual(
          (yield* ours).map(({ state }) =>
            state
          ),
          Array.from({ length: 5 }, () => "ESTABLISHED")
        )
        assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 5 })
      }).pipe(transport)
      yield* noneAt(server.port)
    }))

  for (const protocol of ["http", "https"] as const) {
    it.effect(
      `after interruptions, resets and the layer's close, both sides hold what they held before: ${protocol}`,
      () =>
        Effect.gen(function*() {
          const handle: Parameters<typeof Servers.http>[0] = (request, response) =>
            moody(
              request.url,
              (part) => response.write(part),
              () => response.end("whole"),
              // A TLS socket cannot be reset.
              () => protocol === "http" ? response.socket?.resetAndDestroy() : response.socket?.destroy()
            )
          const server = yield* protocol === "http" ? Servers.http(handle) : Servers.https(certificate, handle)
          const url = `${protocol}://localhost:${server.port}`
          // What the runtime opens once and keeps is not the transport's.
          yield* transport(get(`${url}/0`))
          yield* noneAt(server.port)
          const before = yield* NodeProbes.descriptors()

          const left = yield* Effect.gen(function*() {
            yield* storm(url, 300)
            // What was given up closes on its own; what is left is idle.
            const idle = yield* eventually(
              socketsAt(server.port),
              (sockets) => sockets.every(({ state }) => state === "ESTABLISHED")
            )
            const counts = yield* SessionRegistry.counts
            assert.deepStrictEqual(Object.keys(counts).filter((kind) => kind !== "connection"), [])
            return { ours: idle.filter(({ remotePort }) => remotePort === server.port).length, counts }
          }).pipe(transport)
          assert.strictEqual(left.counts["connection"] ?? 0, left.ours)

          yield* noneAt(server.port)
          assert.strictEqual(server.sockets.size, 0)
          yield* asManyAs(before)
        }),
      20_000
    )
  }

  it.effect("a failed connection leaves no socket: refused, and a TLS handshake that fails", () =>
    Effect.gen(function*() {
      const plain = yield* Servers.http((_, response) => response.end())
      const closed = yield* Effect.scoped(Servers.tcp(() => {}))
      const before = yield* NodeProbes.descriptors()
      yield* Effect.gen(function*() {
        for (let i = 0; i < 20; i++) {
          yield* Effect.flip(get(closed.url))
          yield* Effect.flip(get(`https://127.0.0.1:${plain.port}/`))
        }
        assert.deepStrictEqual(yield* SessionRegistry.counts, {})
        yield* noneAt(closed.port)
        yield* noneAt(plain.port)
      }).pipe(transport)
      yield* asManyAs(before)
    }))

  it.effect("an idle connection that its server closes does not stay in CLOSE_WAIT", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http((_, response) => response.end("hello"))
      yield* Effect.gen(function*() {
        yield* get(server.url)
        for (const socket of server.sockets) socket.end()
        yield* noneAt(server.port)
      }).pipe(transport)
    }))

  it.effect("closing the layer leaves no socket, whatever its calls are at", () =>
    Effect.gen(function*() {
      const silent = yield* Servers.tcp((socket) => socket.resume())
      const stuckProxy = yield* Servers.tcp((socket) => socket.resume())
      // Lets everyone through, to a server that never greets back.
      const openProxy = yield* Servers.tcp((socket) =>
        socket.once("data", () => void socket.write("HTTP/1.1 200 OK\r\n\r\n"))
      )
      const server = yield* Servers.http((request, response) => {
        request.resume()
        if (request.url === "/idle") response.end("hello")
        else if (request.url === "/body") response.write("part")
      })
      const before = yield* NodeProbes.descriptors()
      const ports = [silent, stuckProxy, openProxy, server].map(({ port }) => port)
      const others = { http: { url: stuckProxy.url }, https: { url: openProxy.url } }
      const layers = Layer.build(Layer.merge(
        NodeTransport.layer({ connections: 1 }),
        Layer.effect(
          Proxied,
          Effect.map(Layer.build(NodeTransport.layer({ proxy: others })), Context.get(Transport.Transport))
        )
      ))
      const calls = yield* Effect.scoped(Effect.gen(function*() {
        const context = yield* layers
        const direct = Context.get(context, Transport.Transport)
        const proxied = Context.get(context, Proxied)
        const fibers = yield* Effect.all([
          call(direct, `${server.url}/body`),
          call(direct, `${server.url}/idle`),
          call(direct, `https://127.0.0.1:${silent.port}/`),
          call(direct, `${silent.url}/`, Stream.concat(Stream.make(new Uint8Array(10)), Stream.never)),
          call(proxied, "http://a.test/"),
          call(proxied, "https://b.test/")
        ])
        // One waits for the connection of another; all the others have a socket, with its other end at a server.
        const all = Effect.map(Effect.all(ports.map(socketsAt)), (sockets) => sockets.flat().length)
        assert.strictEqual(yield* eventually(all, (count) => count === 10), 10)
        return fibers
      }))
      for (const port of ports) yield* noneAt(port)
      yield* asManyAs(before)
      const ends = yield* Effect.forEach(calls, Fiber.join)
      assert.deepStrictEqual(ends.map((exit) => Exit.isFailure(exit)), ends.map(() => true))
    }).pipe(Effect.provide(SessionRegistry.layer())))

  it.effect("a server that does not accept the connection is ConnectTimeout, and its socket is closed", () =>
    Effect.gen(function*() {
      const port = yield* deaf
      // The kernel takes connections on the server's behalf until its backlog is full.
      yield* Effect.acquireRelease(
        Effect.sync(() =>
          Array.from({ length: 4 }, () => Net.connect({ port, host: "127.0.0.1" }).on("error", () => {}))
        ),
        (fillers) => Effect.sync(() => fillers.forEach((filler) => filler.destroy()))
      )
      const waiting = Effect.map(
        socketsAt(port),
        (sockets) => sockets.filter(({ state }) => state === "SYN_SENT").length
      )
      const others = yield* eventually(waiting, (count) => count > 0)
      assert.isAbove(others, 0)
      yield* Effect.gen(function*() {
        const call = yield* Effect.forkChild(Effect.flip(get(`http://127.0.0.1:${port}/`, { connect: "5 seconds" })), {
          startImmediately: true
        })
        assert.strictEqual(yield* eventually(waiting, (count) => count === others + 1), others + 1)
        yield* TestClock.adjust("5 seconds")
        assert.instanceOf(yield* Fiber.join(call), Timeouts.ConnectTimeout)
        assert.strictEqual(yield* eventually(waiting, (count) => count === others), others)
        assert.deepStrictEqual(yield* SessionRegistry.counts, {})
      }).pipe(transport)
    }))
})

/** A server on a thread that listens and then hears nothing more. */
const deaf = Effect.acquireRelease(
  Effect.promise(async () => {
    const worker = new Worker(
      `const { parentPort } = require("node:worker_threads")
       const server = require("node:net").createServer()
       server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
         parentPort.postMessage(server.address().port)
         Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
       })`,
      { eval: true }
    )
    const [port] = await once(worker, "message")
    return { worker, port: Number(port) }
  }),
  ({ worker }) => Effect.promise(() => worker.terminate())
).pipe(Effect.map(({ port }) => port))
