/** Proxies and TLS that go wrong at every point. */
import { Deadline, SessionRegistry, Transport } from "@clawback/core"
import { NodeProxy, NodeTransport } from "@clawback/node"
import { Behavior, FaultyProvider } from "@clawback/testing"
import { describe } from "@effect/vitest"
import { type Config, ConfigProvider, Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import { connect, type Socket } from "node:net"
import { inspect } from "node:util"
import {
  answering,
  eventually,
  expect,
  fetchText,
  http,
  ok,
  outcome,
  program,
  promptly,
  secret,
  tcp,
  transportOf
} from "./support.ts"

/** A proxy that answers a CONNECT by these bytes, or does with the connection as it is told. */
const proxying = (answer: string | ((socket: Socket, head: string) => void)) =>
  tcp((socket) => {
    let seen = ""
    const onData = (data: Buffer) => {
      seen += data.toString("latin1")
      if (!seen.includes("\r\n\r\n")) return
      socket.off("data", onData)
      if (typeof answer === "string") socket.write(answer)
      else answer(socket, seen)
    }
    socket.on("data", onData)
  })

/** A proxy that does its work. */
const tunnel = (first = "HTTP/1.1 200 Connection established\r\n\r\n") => (socket: Socket, head: string) => {
  const port = Number(/^CONNECT \S+:(\d+)/.exec(head)?.[1])
  const onward = connect(port, "127.0.0.1", () => {
    socket.write(first)
    socket.pipe(onward).pipe(socket)
  })
  onward.on("error", () => socket.destroy())
  socket.on("close", () => onward.destroy())
}

const through = (proxy: { url: string }, more: Partial<NodeProxy.Proxy> = {}, options: NodeTransport.Options = {}) =>
  transportOf({ connections: 1, proxy: { http: { url: proxy.url, ...more } }, ...options })

describe("proxies", () => {
  program("a proxy that does its work serves, and its connection is kept", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok("through"))
      const proxy = yield* proxying(tunnel())
      const transport = yield* through(proxy)
      expect(yield* fetchText(transport, server.url)).toBe("through")
      expect(yield* fetchText(transport, server.url)).toBe("through")
      expect(proxy.accepted()).toBe(1)
    }))

  program("headers of a proxy's answer that come byte by byte are understood", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok("through"))
      const proxy = yield* proxying((socket, head) => {
        const port = Number(/^CONNECT \S+:(\d+)/.exec(head)?.[1])
        const onward = connect(port, "127.0.0.1")
        const text = "HTTP/1.1 200 OK\r\nVia: x\r\n\r\n"
        let at = 0
        const next = () => {
          if (at < text.length) return void socket.write(text[at++] ?? "", () => setImmediate(next))
          socket.pipe(onward).pipe(socket)
        }
        socket.on("close", () => onward.destroy())
        onward.on("error", () => socket.destroy())
        next()
      })
      expect(yield* promptly("a call")(fetchText(yield* through(proxy), server.url))).toBe("through")
    }))

  for (
    const [what, answer, reasons] of [
      ["refuses", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", ["refused"]],
      [
        "wants a password, with a body that never ends",
        "HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
        ["unauthorized"]
      ],
      ["speaks no HTTP", "220 smtp.example.com ESMTP\r\n\r\n", ["broken"]],
      ["answers 200 in HTTP/0.9", "ok\r\n\r\n", ["broken"]],
      ["redirects", "HTTP/1.1 302 Found\r\nLocation: http://evil.test\r\n\r\n", ["refused"]],
      ["answers with a status of no number", "HTTP/1.1 two hundred\r\n\r\n", ["broken"]],
      ["answers 101", "HTTP/1.1 101 Switching\r\n\r\n", ["broken", "refused"]]
    ] as const
  ) {
    program(`a proxy that ${what} is ProxyFailed, and it is left`, () =>
      Effect.gen(function*() {
        const proxy = yield* proxying(answer)
        const transport = yield* through(proxy)
        const error = yield* promptly("a call")(Effect.flip(fetchText(transport, "http://a.test/")))
        expect(error._tag).toBe("ProxyFailed")
        expect(reasons).toContain((error as { reason: string }).reason)
        yield* eventually(Effect.sync(proxy.left), (left) => left === 1)
      }))
  }

  program("a proxy that hangs up at any point is ProxyFailed", () =>
    Effect.gen(function*() {
      for (
        const end of [(s: Socket) => s.end(), (s: Socket) =>
          void s.resetAndDestroy(), (s: Socket) =>
          s.end("HTTP/1.1 2"), (s: Socket) =>
          s.end("HTTP/1.1 200 OK\r\n")]
      ) {
        const transport = yield* through(yield* proxying(end))
        expect(yield* outcome(promptly("a call")(fetchText(transport, "http://a.test/")))).toBe("ProxyFailed")
      }
    }))

  program(
    "a proxy that says nothing, or a head without an end, is cut by the connect limit",
    () =>
      Effect.gen(function*() {
        const silent = yield* through(yield* proxying(() => {}))
        const got = yield* outcome(
          promptly("a call")(fetchText(silent, "http://a.test/", { timeouts: { connect: "40 millis" } }))
        )
        expect(got).toBe("ConnectTimeout")
        const proxy = yield* proxying((socket) => {
          socket.write("HTTP/1.1 200 OK\r\n")
          const more = () => {
            while (!socket.destroyed && socket.write(`X: ${"y".repeat(1000)}\r\n`)) { /* on */ }
          }
          socket.on("drain", more)
          more()
        })
        const flooded = yield* outcome(
          promptly("a call")(
            fetchText(yield* through(proxy), "http://a.test/", { timeouts: { connect: "2 seconds" } })
          )
        )
        expect(["ProxyFailed", "ConnectTimeout"]).toContain(flooded)
        yield* eventually(Effect.sync(proxy.left), (left) => left === 1)
      })
  )

  program("bytes that a proxy sends behind its 200 are no answer to the first request", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok("mine"))
      const proxy = yield* proxying(tunnel(`HTTP/1.1 200 OK\r\n\r\n${ok("stolen")}`))
      const got = yield* Effect.exit(promptly("a call")(fetchText(yield* through(proxy), server.url)))
      if (Exit.isSuccess(got)) expect(got.value).toBe("mine")
    }))

  program("a proxy's password goes to the proxy alone, and into no error", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok("through"))
      const proxy = yield* proxying(tunnel())
      const transport = yield* through(proxy, { credentials: { username: "u", password: Redacted.make(secret) } })
      yield* fetchText(transport, server.url)
      const basic = Buffer.from(`u:${secret}`).toString("base64")
      expect(proxy.received.join("")).toContain(basic)
      expect(server.received.join("")).not.toContain(basic)
      expect(server.received.join("").toLowerCase()).not.toContain("proxy-authorization")
      const refusing = yield* proxying("HTTP/1.1 407 x\r\n\r\n")
      const error = yield* Effect.flip(fetchText(
        yield* through({ url: refusing.url.replace("http://", `http://u:${secret}@`) }),
        server.url
      ))
      const shown = `${error.message} ${JSON.stringify(error)} ${inspect(error, { depth: 9, showHidden: true })}`
      expect(shown).not.toContain(secret)
      expect(shown).not.toContain(basic)
      expect(inspect(yield* SessionRegistry.list(), { depth: 9 })).not.toContain(secret)
    }))

  program(
    "a user name with a colon, a line break or letters beyond Latin sends no header of its own",
    () =>
      Effect.gen(function*() {
        const server = yield* answering(ok("through"))
        for (const username of ["a:b", "a\r\nX-Evil: 1", "\u4e2d"]) {
          const proxy = yield* proxying(tunnel())
          const transport = yield* through(proxy, { credentials: { username, password: Redacted.make("p") } })
          yield* outcome(promptly("a call")(fetchText(transport, server.url)))
          expect(proxy.received.join("")).not.toMatch(/^x-evil/im)
        }
      })
  )

  program(
    "an address in brackets and one with a port of its own are asked of the proxy rightly",
    () =>
      Effect.gen(function*() {
        const proxy = yield* proxying("HTTP/1.1 403 no\r\n\r\n")
        const transport = yield* through(proxy)
        yield* outcome(fetchText(transport, "http://[::1]:8080/x"))
        yield* outcome(fetchText(transport, "http://a.test/x?secret"))
        expect(proxy.received[0]).toMatch(/^CONNECT \[::1\]:8080 HTTP\/1.1\r\n/)
        expect(proxy.received[1]).toMatch(/^CONNECT a.test:80 HTTP\/1.1\r\n/)
        expect(proxy.received.join("")).not.toContain("secret")
      })
  )

  program("an interruption while a proxy thinks leaves it", () =>
    Effect.gen(function*() {
      const proxy = yield* proxying(() => {})
      const transport = yield* through(proxy)
      const fiber = yield* Effect.forkChild(fetchText(transport, "http://a.test"))
      yield* eventually(Effect.sync(proxy.accepted), (accepted) => accepted === 1)
      yield* promptly("interrupting")(Fiber.interrupt(fiber))
      yield* eventually(Effect.sync(proxy.left), (left) => left === 1)
    }))

  program("exceptions are heeded as they are written, in any case and with spaces", () =>
    Effect.gen(function*() {
      const proxies = yield* Effect.provideService(
        NodeProxy.config,
        ConfigProvider.ConfigProvider,
        ConfigProvider.fromUnknown({
          http_proxy: "http://p.test:1",
          NO_PROXY: " LOCALHOST , .example.com,*.org, 10.0.0.1:8080 ,,"
        })
      ).pipe(Effect.mapError((error) => error as Config.ConfigError))
      const is = (url: string) => NodeProxy.forUrl(proxies, new URL(url)) !== undefined
      expect(is("http://localhost/")).toBe(false)
      expect(is("http://a.EXAMPLE.com/")).toBe(false)
      expect(is("http://example.com/")).toBe(false)
      expect(is("http://notexample.com/")).toBe(true)
      expect(is("http://a.org/")).toBe(false)
      expect(is("http://10.0.0.1:8080/")).toBe(false)
      expect(is("http://10.0.0.1/")).toBe(true)
    }))

  program(
    "a proxy's URL that is none is a defect, or a ConfigError, that shows no password",
    () =>
      Effect.gen(function*() {
        for (const url of [`socks5://u:${secret}@p:1`, `u:${secret}@p`, `http://u:${secret}%zz@p`, ""]) {
          const exit = yield* Effect.exit(Effect.scoped(Layer.build(NodeTransport.layer({ proxy: { http: { url } } }))))
          expect(Exit.isFailure(exit)).toBe(true)
          expect(inspect(exit, { depth: 9 })).not.toContain(secret)
          const configured = yield* Effect.exit(
            Effect.scoped(Layer.build(NodeTransport.layerConfig({ proxy: NodeProxy.config }))).pipe(
              Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({ http_proxy: url }))
            )
          )
          if (url !== "") expect(Exit.isFailure(configured)).toBe(true)
          expect(inspect(configured, { depth: 9 })).not.toContain(secret)
        }
      })
  )
})

describe("TLS", () => {
  const trusting = { tls: { ca: FaultyProvider.ca } }

  program(
    "a server that speaks no TLS on its port is ConnectFailed by tls, and it is left",
    () =>
      Effect.gen(function*() {
        const server = yield* tcp((socket) => void socket.once("data", () => socket.write(ok("plain"))))
        const transport = yield* transportOf(trusting)
        const url = server.url.replace("http:", "https:")
        const error = yield* promptly("a call")(Effect.flip(fetchText(transport, url)))
        expect(["ConnectFailed", "ConnectTimeout"]).toContain(error._tag)
        yield* eventually(Effect.sync(server.left), (left) => left === server.accepted())
      })
  )

  program("a server that accepts and says nothing is cut by the connect limit, and left", () =>
    Effect.gen(function*() {
      const server = yield* tcp(() => {})
      const transport = yield* transportOf(trusting)
      const url = server.url.replace("http:", "https:")
      expect(yield* outcome(promptly("a call")(fetchText(transport, url, { timeouts: { connect: "40 millis" } }))))
        .toBe("ConnectTimeout")
      yield* eventually(Effect.sync(server.left), (left) => left === 1)
    }))

  program("a server that hangs up or sends garbage in the handshake is ConnectFailed", () =>
    Effect.gen(function*() {
      for (
        const end of [(s: Socket) => s.end(), (s: Socket) =>
          void s.resetAndDestroy(), (s: Socket) =>
          s.write("\u0016\u0003\u0001\u0000\u0005hello"), (s: Socket) =>
          s.end("\u0015\u0003\u0003\u0000\u0002\u0002\u0028", "latin1")]
      ) {
        const server = yield* tcp((socket) =>
          void socket.once("data", () => end(socket))
        )
        const transport = yield* transportOf(trusting)
        const url = server.url.replace("http:", "https:")
        const got = yield* outcome(
          promptly("a call")(fetchText(transport, url, { timeouts: { connect: "2 seconds" } }))
        )
        expect(["ConnectFailed", "ConnectTimeout"]).toContain(got)
        yield* eventually(Effect.sync(server.left), (left) => left === 1)
      }
    }))

  program(
    "a certificate that nobody vouches for, or of another name, is ConnectFailed by tls",
    () =>
      Effect.gen(function*() {
        const server = yield* FaultyProvider.make({ tls: true })
        for (
          const [options, url] of [[{}, server.url], [
            { tls: { ca: FaultyProvider.ca, servername: "other.test" } },
            server.url
          ]] as const
        ) {
          const error = yield* Effect.flip(fetchText(yield* transportOf(options), url))
          expect(error).toMatchObject({ _tag: "ConnectFailed", reason: "tls" })
        }
      })
  )

  program(
    "an answer that is cut over TLS is lost, and one without an end is aborted as its reader leaves",
    () =>
      Effect.gen(function*() {
        const server = yield* FaultyProvider.make({ tls: true })
        const transport = yield* transportOf({ connections: 1, ...trusting })
        const call = (behavior: Behavior.Behavior) =>
          fetchText(transport, server.url, { headers: FaultyProvider.header(behavior) })
        expect(yield* call(Behavior.json({ a: 1 }))).toBe("{\"a\":1}")
        for (const ending of ["close", "reset", "truncate"] as const) {
          expect(yield* outcome(promptly(ending)(call(Behavior.cutAt(Behavior.bytes("hello world"), 5, ending))))).toBe(
            "ConnectionLost"
          )
        }
        expect(
          yield* outcome(Deadline.within("200 millis")(call(Behavior.sse(["x"], { every: "5 millis", endless: true }))))
        ).toBe("DeadlineExceeded")
        yield* server.until(({ aborted }) => aborted === 1)
        expect(yield* call(Behavior.json({ a: 1 }))).toBe("{\"a\":1}")
      })
  )

  program(
    "a layer that closes in the middle of a handshake ends the call typed and the socket with it",
    () =>
      Effect.gen(function*() {
        const server = yield* tcp(() => {})
        const scope = yield* Scope.make()
        const transport = yield* Scope.provide(transportOf(trusting), scope)
        const fiber = yield* Effect.forkChild(outcome(fetchText(transport, server.url.replace("http:", "https:"))))
        yield* eventually(Effect.sync(server.accepted), (accepted) => accepted === 1)
        yield* promptly("closing")(Scope.close(scope, Exit.void))
        expect(yield* Fiber.join(fiber)).toBe("TransportClosed")
        yield* eventually(Effect.sync(server.left), (left) => left === 1)
      })
  )

  program(
    "TLS options that Node cannot read are a defect as the layer is built, which shows no key",
    () =>
      Effect.gen(function*() {
        for (
          const tls of [{ ca: "no certificate" }, { key: secret, cert: secret }, { minVersion: "TLSv9" as never }, {
            ciphers: "NONE"
          }]
        ) {
          const exit = yield* Effect.exit(Effect.scoped(Layer.build(NodeTransport.layer({ tls }))))
          const shown = inspect(exit, { depth: 9 })
          expect(shown).not.toContain(secret)
          if (!("ca" in tls)) expect(Exit.isFailure(exit)).toBe(true)
        }
      })
  )

  program(
    "a TLS server through a proxy is reached, and one that is not trusted there is told as TLS of the server",
    () =>
      Effect.gen(function*() {
        const server = yield* FaultyProvider.make({ tls: true })
        const proxy = yield* proxying(tunnel())
        const https = { url: proxy.url }
        const trusted = yield* transportOf({ ...trusting, proxy: { https } })
        expect(yield* promptly("a call")(fetchText(trusted, server.url))).toBe("{\"ok\":true}")
        const untrusted = yield* transportOf({ proxy: { https } })
        expect(yield* Effect.flip(fetchText(untrusted, server.url))).toMatchObject({
          _tag: "ConnectFailed",
          reason: "tls"
        })
      })
  )

  program(
    "what a server says after a close of its own over TLS is not read as the next answer",
    () =>
      Effect.gen(function*() {
        const server = yield* FaultyProvider.make({
          tls: true,
          otherwise: Behavior.thenClose(Behavior.json({ n: 1 }), "1 millis")
        })
        const transport = yield* transportOf({ connections: 1, ...trusting })
        for (let n = 0; n < 4; n++) {
          expect(yield* promptly("a call")(fetchText(transport, server.url))).toBe("{\"n\":1}")
          yield* server.until(({ open }) => open === 0)
        }
      })
  )

  program(
    "Transport's errors about names that do not resolve, ports that refuse and addresses without a route are told apart",
    () =>
      Effect.gen(function*() {
        const server = yield* http(() => {})
        const transport = yield* transportOf()
        const refused = yield* Effect.flip(fetchText(transport, "http://127.0.0.1:1/"))
        expect(refused).toMatchObject({ _tag: "ConnectFailed", reason: "refused" })
        const unresolved = yield* Effect.flip(
          promptly("resolving")(
            fetchText(transport, "http://does-not-exist.invalid/", { timeouts: { connect: "4 seconds" } })
          )
        )
        expect(["ConnectFailed", "ConnectTimeout"]).toContain(unresolved._tag)
        expect(server.url).toContain("http")
        expect(Transport.defaultMaxBodySize).toBeGreaterThan(0)
      })
  )
})
