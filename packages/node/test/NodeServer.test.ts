import { Caller, SessionRegistry } from "@clawback/core"
import * as NodeServer from "@clawback/node/NodeServer"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Socket } from "effect/socket"
import { createHook } from "node:async_hooks"
import { once } from "node:events"
import * as Http from "node:http"
import * as Https from "node:https"
import { buffer, text } from "node:stream/consumers"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { selfSigned } from "./certificate.ts"
import { type Answer, connect, get, isRefused } from "./clients.ts"

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

const listen = { port: 0, host: "127.0.0.1" }
const quiet = { disableLogger: true, disableListenLog: true }

const portOf = ({ address }: HttpServer.HttpServer["Service"]) => "port" in address ? address.port : 0

/** Serves an app until the test closes the scope, or ends. */
const serve = (app: Layer.Layer<never, never, HttpServer.HttpServer>, options: Partial<NodeServer.Options> = {}) =>
  Effect.gen(function*() {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const served = Layer.provideMerge(app, NodeServer.layer({ ...listen, ...options }))
    const context = yield* Layer.buildWithScope(served, scope)
    return { scope, port: portOf(Context.get(context, HttpServer.HttpServer)) }
  })

/** Sends a request, and goes on once the server handles it. */
const asked = (port: number, path: string): Effect.Effect<Fiber.Fiber<Answer>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const response = yield* Effect.forkScoped(Effect.promise(() => get(port, path)), { startImmediately: true })
    yield* Effect.repeat(Effect.delay(SessionRegistry.list({ kind: "request" }), "10 millis"), {
      until: ({ length }) => length > 0
    })
    return response
  })

const seconds = ([duration]: readonly [Duration.Duration, unknown]) => Duration.toSeconds(duration)

const slow = HttpRouter.add("GET", "/slow", Effect.as(Effect.sleep("300 millis"), HttpServerResponse.text("done")))
const hang = HttpRouter.add("GET", "/hang", Effect.never)
const isolated = Effect.provide(SessionRegistry.layer())

/** Asks for a WebSocket. */
const asksFor = (path: string) =>
  `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n`
  + "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"

describe("NodeServer.layer", () => {
  it.live("waits for its requests when it closes, and for no connection without a request", () =>
    Effect.gen(function*() {
      const { port, scope } = yield* serve(HttpRouter.serve(slow, quiet))
      yield* Effect.promise(() => connect(port, ""))
      yield* Effect.promise(() => connect(port, "GET /slow HTTP/1.1\r\nhost: "))
      const response = yield* asked(port, "/slow")
      const closing = yield* Effect.timed(Scope.close(scope, Exit.void))
      assert.deepInclude(yield* Fiber.join(response), { status: 200, body: "done", isWhole: true })
      assert.isBelow(seconds(closing), 10)
      assert.isTrue(yield* Effect.promise(() => isRefused(port)))
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(Effect.scoped, isolated))

  it.live("interrupts a request that outlasts `gracefulShutdownTimeout`", () =>
    Effect.gen(function*() {
      const { port, scope } = yield* serve(HttpRouter.serve(hang, quiet), { gracefulShutdownTimeout: "200 millis" })
      const response = yield* asked(port, "/hang")
      const closing = yield* Effect.timed(Scope.close(scope, Exit.void))
      assert.deepInclude(yield* Fiber.join(response), { status: 503, isWhole: true })
      assert.isBelow(seconds(closing), 10)
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(Effect.scoped, isolated))

  it.live("gives each request its deadline and its caller, by what its environment knows", () =>
    Effect.gen(function*() {
      class Tenant extends Context.Service<Tenant, string>()("@clawback/node/test/NodeServer.test/Tenant") {}
      const who = HttpRouter.add(
        "GET",
        "/who",
        Effect.map(Caller.Current, (caller) => HttpServerResponse.text(caller?.tenant ?? ""))
      )
      const scope = yield* Effect.scope
      const server = NodeServer.layer({
        ...listen,
        deadline: "200 millis",
        caller: () => Effect.map(Tenant, (tenant) => ({ tenant }))
      })
      const served = Layer.provideMerge(HttpRouter.serve(Layer.mergeAll(who, hang), quiet), server)
      const context = yield* Layer.buildWithScope(served.pipe(Layer.provide(Layer.succeed(Tenant)("acme"))), scope)
      const port = portOf(Context.get(context, HttpServer.HttpServer))
      assert.strictEqual((yield* Effect.promise(() => get(port, "/who"))).body, "acme")
      assert.strictEqual((yield* Effect.promise(() => get(port, "/hang"))).status, 504)
    }).pipe(Effect.scoped, isolated))

  it.live("drops a response that its client has not read when the deadline passes", () =>
    Effect.gen(function*() {
      // Effect's server hands bodies below one megabyte to Node in one piece.
      const large = HttpRouter.add("GET", "/large", HttpServerResponse.text("x".repeat(999_999)))
      const { port } = yield* serve(HttpRouter.serve(large, quiet), { deadline: "500 millis" })
      const asks = "GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(16)
      const socket = yield* Effect.promise(() => connect(port, asks))
      yield* Effect.promise(() => once(socket, "readable"))
      const open = Effect.delay(SessionRegistry.list({ kind: "request" }), "10 millis")
      const held = yield* open
      assert.isAbove(held.length, 0)
      yield* Effect.repeat(open, { until: ({ length }) => length === 0 })
    }).pipe(Effect.scoped, isolated))

  it.live.each<[body: string, response: HttpServerResponse.HttpServerResponse]>([
    ["20 megabytes of text", HttpServerResponse.text("x".repeat(20_000_000))],
    ["20 megabytes of bytes", HttpServerResponse.uint8Array(new Uint8Array(20_000_000))],
    ["an endless stream", HttpServerResponse.stream(Stream.forever(Stream.make(new Uint8Array(65_536))))]
  ])(
    "releases a request at its deadline although its client does not read: %s",
    ([, response]) =>
      Effect.gen(function*() {
        let held = 0
        const hold = Effect.acquireRelease(Effect.sync(() => held++), () => Effect.sync(() => held--))
        const { port } = yield* serve(HttpServer.serve(Effect.as(hold, response)), { deadline: "300 millis" })
        const socket = yield* Effect.promise(() => connect(port, "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"))
        yield* Effect.promise(() => once(socket, "readable"))
        assert.strictEqual(held, 1)
        const open = Effect.delay(SessionRegistry.list(), "10 millis")
        yield* Effect.timeout(Effect.repeat(open, { until: ({ length }) => length === 0 }), "3 seconds")
        assert.strictEqual(held, 0)
      }).pipe(Effect.scoped, isolated)
  )

  it.live("sends the response of a request that goes on after its deadline", () =>
    Effect.gen(function*() {
      const late = Effect.uninterruptible(Effect.as(Effect.sleep("400 millis"), HttpServerResponse.text("late")))
      const { port } = yield* serve(HttpServer.serve(late), { deadline: "200 millis" })
      const answer = yield* Effect.promise(() => get(port, "/"))
      assert.deepInclude(answer, { status: 504, isWhole: true })
    }).pipe(Effect.scoped, isolated))

  it.live("serves a bare handler, which a client that leaves interrupts", () =>
    Effect.gen(function*() {
      const { port } = yield* serve(HttpServer.serve(Effect.never))
      const socket = yield* Effect.promise(() => connect(port, "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"))
      yield* Effect.repeat(Effect.delay(SessionRegistry.list(), "10 millis"), { until: ({ length }) => length > 0 })
      socket.destroy()
      yield* Effect.repeat(Effect.delay(SessionRegistry.list(), "10 millis"), { until: ({ length }) => length === 0 })
    }).pipe(Effect.scoped, isolated))

  it.live("interrupts a request whose client leaves before its upgrade", () =>
    Effect.gen(function*() {
      const { port } = yield* serve(HttpRouter.serve(hang, quiet))
      const socket = yield* Effect.promise(() => connect(port, asksFor("/hang")))
      const open = Effect.delay(SessionRegistry.list({ kind: "request" }), "10 millis")
      yield* Effect.repeat(open, { until: ({ length }) => length === 1 })
      socket.end()
      yield* Effect.timeout(Effect.repeat(open, { until: ({ length }) => length === 0 }), "3 seconds")
    }).pipe(Effect.scoped, isolated))

  it.live("sends the close frame to a client whose WebSocket has ended its own direction", () =>
    Effect.gen(function*() {
      const echo = HttpRouter.add(
        "GET",
        "/socket",
        Effect.gen(function*() {
          const { upgrade } = yield* HttpServerRequest.HttpServerRequest
          yield* Stream.runDrain(Socket.toStream(yield* Effect.delay(upgrade, "100 millis")))
          return HttpServerResponse.empty()
        })
      )
      const { port } = yield* serve(HttpRouter.serve(echo, quiet))
      const socket = yield* Effect.promise(() => connect(port, asksFor("/socket")))
      yield* Effect.promise(() => once(socket, "readable"))
      // A close frame with a mask.
      socket.end(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]))
      const received = yield* Effect.promise(() => buffer(socket))
      assert.deepStrictEqual([...received.subarray(-4)], [0x88, 0x02, 0x03, 0xe8])
    }).pipe(Effect.scoped, isolated))

  it.live("fails with a message that says what to do if its port is taken", () =>
    Effect.gen(function*() {
      const { port } = yield* serve(HttpRouter.serve(slow, quiet))
      const error = yield* Effect.flip(serve(HttpRouter.serve(slow, quiet), { port }))
      assert.strictEqual(error._tag, "ServeError")
      assert.match(error.message, new RegExp(`EADDRINUSE.*127\\.0\\.0\\.1:${port}.* choose another port`))
      assert.deepInclude(error.cause, { code: "EADDRINUSE", port })
    }).pipe(Effect.scoped, isolated))

  it.live("leaves no timer and no server behind once its layer is closed", () =>
    Effect.gen(function*() {
      const timers = new Set<number>()
      const hook = createHook({
        init: (id, type) => type === "Timeout" && timers.add(id),
        destroy: (id) => timers.delete(id)
      }).enable()
      yield* Effect.addFinalizer(() => Effect.sync(() => hook.disable()))
      const servers: Array<WeakRef<Http.Server>> = []
      const createServer = () => {
        const server = Http.createServer()
        servers.push(new WeakRef(server))
        return server
      }
      const openAndClose = Effect.scoped(serve(HttpRouter.serve(slow, quiet), { createServer }))
      yield* Effect.repeat(openAndClose, { times: 39 })
      const started = [...timers]
      const collected = Effect.delay(Effect.sync(collectGarbage), "20 millis")
      const alive = Effect.map(collected, () => servers.filter((server) => server.deref() !== undefined).length)
      yield* Effect.timeout(Effect.repeat(alive, { until: (count) => count === 0 }), "5 seconds")
      assert.lengthOf(servers, 40)
      assert.deepStrictEqual(started.filter((id) => timers.has(id)), [])
    }).pipe(Effect.scoped, isolated))

  it.live("serves and drains over TLS", () =>
    Effect.gen(function*() {
      const certificate = selfSigned("localhost")
      const { port, scope } = yield* serve(HttpRouter.serve(slow, quiet), {
        createServer: () => Https.createServer(certificate)
      })
      const agent = new Https.Agent({ keepAlive: true, ca: certificate.cert, servername: "localhost" })
      const fetched = Effect.callback<string>((resume) => {
        Https.get({ port, path: "/slow", host: "127.0.0.1", agent }, (response) => {
          resume(Effect.promise(() => text(response)))
        })
      })
      assert.strictEqual(yield* fetched, "done")
      const response = yield* Effect.forkScoped(fetched, { startImmediately: true })
      yield* Effect.repeat(Effect.delay(SessionRegistry.list(), "10 millis"), { until: ({ length }) => length > 0 })
      const closing = yield* Effect.timed(Scope.close(scope, Exit.void))
      assert.strictEqual(yield* Fiber.join(response), "done")
      assert.isBelow(seconds(closing), 10)
    }).pipe(Effect.scoped, isolated))
})
