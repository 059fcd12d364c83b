import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Timeouts from "@clawback/core/Timeouts"
import * as Transport from "@clawback/core/Transport"
import * as TransportError from "@clawback/core/TransportError"
import * as NodeProxy from "@clawback/node/NodeProxy"
import * as NodeTransport from "@clawback/node/NodeTransport"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Deferred, Effect, Fiber, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import { inspect } from "node:util"
import { selfSigned } from "./certificate.ts"
import { eventually } from "./eventually.ts"
import * as Servers from "./Servers.ts"

const certificate = selfSigned("localhost")

const transport = (options: NodeTransport.Options) =>
  Effect.provide(Layer.provideMerge(NodeTransport.layer(options), SessionRegistry.layer()))

const get = (url: string, request: Partial<Transport.Request> = {}) =>
  Transport.Transport.use((service) => service.execute({ method: "GET", url, headers: {}, ...request })).pipe(
    Effect.flatMap(Transport.text),
    Effect.scoped
  )

/** A proxy that lets through whoever its answer says so to, and remembers what it was asked. */
const proxy = (
  answer: (request: Http.IncomingMessage) => number = () => 200,
  server: Http.Server = Http.createServer()
) =>
  Effect.gen(function*() {
    const asked: Array<{ readonly target: string | undefined; readonly authorization: string | undefined }> = []
    const through = new Set<Net.Socket>()
    server.on("connect", (request: Http.IncomingMessage, socket: Net.Socket) => {
      socket.on("error", () => {})
      asked.push({ target: request.url, authorization: request.headers["proxy-authorization"] })
      const status = answer(request)
      if (status === 0) return void socket.resume().once("end", () => socket.destroy())
      if (status !== 200) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`)
      const { hostname, port } = new URL(`http://${request.url}`)
      const target = Net.connect(Number(port), hostname, () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
        target.pipe(socket).pipe(target)
      })
      through.add(target)
      target.on("error", () => socket.destroy()).on("close", () => {
        through.delete(target)
        socket.destroy()
      })
      socket.on("close", () => target.destroy())
    })
    const { port, sockets } = yield* Servers.listen(server, "http")
    return { url: `http://localhost:${port}`, port, asked, sockets, through }
  })

const hello: Http.RequestListener = (_, response) => response.end("hello")

const reasonOf = <R>(effect: Effect.Effect<unknown, unknown, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.instanceOf(error, TransportError.ProxyFailed)
    return { reason: error.reason, status: error.status }
  })

const through = (port: number) =>
  Effect.gen(function*() {
    const http = { url: `http://user:hunter2@localhost:${port}` }
    const error = yield* Effect.flip(transport({ proxy: { http } })(get("http://server.test/")))
    assert.notInclude(`${inspect(error, { depth: 9 })} ${error.message} ${JSON.stringify(error)}`, "hunter2")
    return yield* reasonOf(Effect.fail(error))
  })

describe("A transport through a proxy", () => {
  it.effect("reaches https and http servers by a tunnel, and keeps it for the next call", () =>
    Effect.gen(function*() {
      const secure = yield* Servers.https(certificate, hello)
      const plain = yield* Servers.http(hello)
      const { asked, through, url } = yield* proxy()
      yield* Effect.gen(function*() {
        for (let i = 0; i < 3; i++) {
          assert.strictEqual(yield* get(`https://localhost:${secure.port}/`), "hello")
          assert.strictEqual(yield* get(`http://127.0.0.1:${plain.port}/`), "hello")
        }
        assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 2 })
        assert.strictEqual(through.size, 2)
      }).pipe(transport({ proxy: { http: { url }, https: { url } }, tls: { ca: certificate.cert } }))
      assert.deepStrictEqual(asked, [
        { target: `localhost:${secure.port}`, authorization: undefined },
        { target: `127.0.0.1:${plain.port}`, authorization: undefined }
      ])
      assert.deepStrictEqual([yield* eventually(Effect.sync(() => through.size), (size) => size === 0)], [0])
    }))

  it.effect("that speaks TLS itself, with a certificate authority of its own", () =>
    Effect.gen(function*() {
      const secure = yield* Servers.https(certificate, hello)
      const own = selfSigned("localhost")
      const { port } = yield* proxy(() => 200, Https.createServer(own))
      const https = { url: `https://localhost:${port}`, tls: { ca: own.cert } }
      assert.strictEqual(
        yield* transport({ proxy: { https }, tls: { ca: certificate.cert } })(get(`https://localhost:${secure.port}/`)),
        "hello"
      )
      const untrusted = transport({ proxy: { https: { url: https.url } }, tls: { ca: certificate.cert } })
      assert.deepStrictEqual(yield* reasonOf(untrusted(get(`https://localhost:${secure.port}/`))), {
        reason: "tls",
        status: undefined
      })
    }))

  it.effect("sends its credentials, from the URL or the option, to the proxy only", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const server = yield* Servers.http((request, response) => {
        seen.push(request.headers["proxy-authorization"], request.headers["authorization"])
        response.end("hello")
      })
      const { asked, port, url } = yield* proxy()
      const credentials = { username: "user", password: Redacted.make("pa:ss") }
      for (
        const http of [
          { url, credentials },
          { url: Redacted.make(`http://user:pa%3Ass@localhost:${port}`) }
        ]
      ) {
        yield* transport({ proxy: { http } })(get(server.url))
      }
      const authorization = `Basic ${Buffer.from("user:pa:ss").toString("base64")}`
      assert.deepStrictEqual(asked.map((one) => one.authorization), [authorization, authorization])
      assert.deepStrictEqual(seen, [undefined, undefined, undefined, undefined])
    }))

  it.effect("fails with a typed error, without a secret, if the proxy rejects, wants credentials, hangs up or is missing", () =>
    Effect.gen(function*() {
      const { port: nowhere } = yield* Effect.scoped(Servers.tcp(() => {}))
      const silent = yield* Servers.tcp((socket) => socket.once("data", () => socket.destroy()))
      const babbling = yield* Servers.tcp((socket) => socket.once("data", () => socket.end("SSH-2.0-x\r\n")))
      const unauthorized = yield* proxy(() => 407)
      const refusing = yield* proxy(() => 403)
      assert.deepStrictEqual(yield* through(unauthorized.port), { reason: "unauthorized", status: 407 })
      assert.deepStrictEqual(yield* through(refusing.port), { reason: "refused", status: 403 })
      assert.deepStrictEqual(yield* through(nowhere), { reason: "unreachable", status: undefined })
      assert.deepStrictEqual(yield* through(silent.port), { reason: "broken", status: undefined })
      assert.deepStrictEqual(yield* through(babbling.port), { reason: "broken", status: undefined })
    }))

  it.effect("that never answers is ConnectTimeout, and nothing stays open", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      const { sockets, url } = yield* proxy(() => {
        Deferred.doneUnsafe(asked, Effect.void)
        return 0
      })
      const call = yield* Effect.forkChild(
        transport({ proxy: { https: { url } } })(
          Effect.flip(get("https://server.test/", { timeouts: { connect: "3 seconds" } }))
        )
      )
      yield* Deferred.await(asked)
      yield* TestClock.adjust("3 seconds")
      assert.instanceOf(yield* Fiber.join(call), Timeouts.ConnectTimeout)
      assert.strictEqual(yield* eventually(Effect.sync(() => sockets.size), (size) => size === 0), 0)
    }))
})

describe("NodeProxy.forUrl", () => {
  it("goes by the URL's protocol, and leaves out what is excepted", () => {
    const http = { url: "http://proxy.test:1" }
    const https = { url: "http://proxy.test:2" }
    const except = ["example.com", ".internal", "*.corp", "10.0.0.1", "api.test:8080", "[::1]"]
    const chosen = (url: string) => NodeProxy.forUrl({ http, https, except }, new URL(url))
    assert.strictEqual(chosen("http://other.test/"), http)
    assert.strictEqual(chosen("https://other.test/"), https)
    for (
      const url of [
        "https://example.com/",
        "https://www.EXAMPLE.com/",
        "http://a.internal/",
        "http://internal/",
        "https://x.y.corp/",
        "http://10.0.0.1:99/",
        "http://api.test:8080/",
        "http://[::1]:80/"
      ]
    ) assert.isUndefined(chosen(url), url)
    for (const url of ["https://notexample.com/", "http://api.test/", "https://10.0.0.11/"]) {
      assert.isDefined(chosen(url), url)
    }
    assert.isUndefined(NodeProxy.forUrl({ http, except: ["*"] }, new URL("http://any.test/")))
    assert.isUndefined(NodeProxy.forUrl({}, new URL("http://any.test/")))
  })
})

const read = (env: Record<string, string>) => NodeProxy.config.parse(ConfigProvider.fromEnv({ env }))

describe("NodeProxy.config", () => {
  it.effect("reads the usual variables, the lower case ones first, and HTTP_PROXY not at all", () =>
    Effect.gen(function*() {
      const found = yield* read({
        https_proxy: "http://one.test:1",
        HTTPS_PROXY: "http://two.test:2",
        HTTP_PROXY: "http://three.test:3",
        NO_PROXY: "a.test, b.test c.test"
      })
      assert.deepStrictEqual(found.https, { url: Redacted.make("http://one.test:1") })
      assert.isUndefined(found.http)
      assert.deepStrictEqual(found.except, ["a.test", "b.test", "c.test"])
      assert.deepStrictEqual((yield* read({ HTTPS_PROXY: "http://two.test:2" })).https, {
        url: Redacted.make("http://two.test:2")
      })
      assert.deepStrictEqual(yield* read({}), { http: undefined, https: undefined, except: undefined })
    }))

  it.effect("a variable that is no proxy's URL fails, and is not repeated", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(read({ https_proxy: "user:hunter2@proxy" }))
      assert.strictEqual(error._tag, "ConfigError")
      assert.notInclude(`${inspect(error, { depth: 9 })} ${error.message}`, "hunter2")
    }))

  it.effect("is what `NodeTransport.layerConfig` takes", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http(hello)
      const { asked, url } = yield* proxy()
      const layer = NodeTransport.layerConfig({ proxy: NodeProxy.config }).pipe(
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: { http_proxy: url } })))
      )
      assert.strictEqual(yield* Effect.provide(get(server.url), layer), "hello")
      assert.lengthOf(asked, 1)
    }))
})
