/** Servers that break HTTP in every way, met by the transport of Node. */
import { Deadline, SessionRegistry, Transport } from "@clawback/core"
import { describe } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import type { Socket } from "node:net"
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
  tcp,
  transportOf
} from "./support.ts"

const typed = ["ConnectionLost", "HeadersTooLarge", "BodyTooLarge", "RequestBodyFailed", "ConnectFailed"]

describe("lengths that lie", () => {
  program(
    "an answer that is shorter than it said is lost in its body, never taken for whole",
    () =>
      Effect.gen(function*() {
        const server = yield* answering((socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))
        const transport = yield* transportOf()
        const error = yield* Effect.flip(fetchText(transport, server.url))
        expect(error).toMatchObject({ _tag: "ConnectionLost", phase: "body" })
      })
  )

  program("what a server sends beyond an answer's length is nobody's answer", () =>
    Effect.gen(function*() {
      const server = yield* answering(
        `${ok("mine")}${ok("stolen: the answer to another tenant")}`,
        ok("second"),
        ok("third")
      )
      const transport = yield* transportOf({ connections: 1 })
      expect(yield* fetchText(transport, server.url)).toBe("mine")
      const second = yield* Effect.exit(fetchText(transport, server.url))
      if (Exit.isSuccess(second)) expect(second.value).toBe("second")
      const third = yield* Effect.exit(fetchText(transport, server.url))
      if (Exit.isSuccess(third)) expect(third.value).not.toContain("stolen")
    }))

  program(
    "what comes on a connection while it is idle is not the answer to the next request",
    () =>
      Effect.gen(function*() {
        const server = yield* answering(
          (socket) => {
            socket.write(ok("mine"))
            setTimeout(() => socket.write(ok("stolen")), 20)
          },
          ok("second")
        )
        const transport = yield* transportOf({ connections: 1 })
        expect(yield* fetchText(transport, server.url)).toBe("mine")
        yield* Effect.sleep("60 millis")
        expect(yield* fetchText(transport, server.url)).toBe("second")
      })
  )

  program("garbage beyond an answer does not break the next call", () =>
    Effect.gen(function*() {
      const server = yield* answering(`${ok("mine")}\u0000\u0001garbage\r\n\r\n`, ok("second"))
      const transport = yield* transportOf({ connections: 1 })
      expect(yield* fetchText(transport, server.url)).toBe("mine")
      yield* Effect.sleep("20 millis")
      expect(yield* fetchText(transport, server.url)).toBe("second")
    }))

  for (
    const [what, head] of [
      ["two lengths that differ", "Content-Length: 4\r\nContent-Length: 9\r\n"],
      ["a length and chunks at once", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"],
      ["a negative length", "Content-Length: -4\r\n"],
      ["a length that is no number", "Content-Length: four\r\n"],
      ["a length beyond all numbers", "Content-Length: 99999999999999999999999\r\n"],
      ["an unknown transfer coding", "Transfer-Encoding: gzip, chunked, identity\r\n"],
      ["a name with a blank", "Bad Name: x\r\nContent-Length: 4\r\n"],
      ["a value with a zero byte", "X: a\u0000b\r\nContent-Length: 4\r\n"]
    ] as const
  ) {
    program(
      `an answer with ${what} is read or fails with a typed error, and the next call is served`,
      () =>
        Effect.gen(function*() {
          const server = yield* answering(
            (socket) => socket.end(`HTTP/1.1 200 OK\r\n${head}\r\nfour`, "latin1"),
            ok("second")
          )
          const transport = yield* transportOf({ connections: 1 })
          const first = yield* outcome(promptly(what)(fetchText(transport, server.url)))
          expect([...typed, "success"]).toContain(first)
          expect(yield* fetchText(transport, server.url)).toBe("second")
        })
    )
  }
})

describe("heads", () => {
  program("a head that never ends is cut by the deadline, and its server is left", () =>
    Effect.gen(function*() {
      const server = yield* answering((socket) => {
        socket.write("HTTP/1.1 200 OK\r\n")
        let n = 0
        const timer = setInterval(() => socket.write(`X-${n++}: y\r\n`), 3)
        socket.on("close", () => clearInterval(timer))
      })
      const transport = yield* transportOf()
      expect(yield* outcome(Deadline.within("60 millis")(fetchText(transport, server.url)))).toBe("DeadlineExceeded")
      yield* eventually(Effect.sync(server.left), (left) => left === 1)
    }))

  program("a head without an end, sent as fast as it goes, is too large", () =>
    Effect.gen(function*() {
      const server = yield* answering((socket) => {
        socket.write("HTTP/1.1 200 OK\r\n")
        const more = () => {
          while (!socket.destroyed && socket.write(`X: ${"y".repeat(1000)}\r\n`)) { /* as fast as it goes */ }
        }
        socket.on("drain", more)
        more()
      })
      const transport = yield* transportOf()
      expect(yield* outcome(fetchText(transport, server.url))).toBe("HeadersTooLarge")
      yield* eventually(Effect.sync(server.left), (left) => left === 1)
    }))

  program("informational answers without end are bounded", () =>
    Effect.gen(function*() {
      const server = yield* answering((socket) => {
        const more = () => {
          while (!socket.destroyed && socket.write("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")) { /* on */ }
        }
        socket.on("drain", more)
        more()
      })
      const transport = yield* transportOf()
      expect(typed).toContain(yield* outcome(fetchText(transport, server.url)))
      yield* eventually(Effect.sync(server.left), (left) => left === 1)
    }))

  program("fifty early hints, a processing and a continue come before an answer unseen", () =>
    Effect.gen(function*() {
      const hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(50)
      const server = yield* answering(
        `${hints}HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${ok("done")}`
      )
      const transport = yield* transportOf({ connections: 1 })
      expect(yield* fetchText(transport, server.url)).toBe("done")
      expect(yield* fetchText(transport, server.url)).toBe("done")
      expect(server.accepted()).toBe(1)
    }))

  program("an answer in single bytes, informational ones before it, is whole", () =>
    Effect.gen(function*() {
      const text = `HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n` +
        "00A;ext=\"a;b\r\nstill\"".replace("\r\n", " ") + "\r\n0123456789\r\n5;x\r\nabcde\r\n0\r\nTrailer: t\r\n\r\n"
      const server = yield* answering((socket) => {
        let at = 0
        const next = () => {
          if (at < text.length && !socket.destroyed) socket.write(text[at++] ?? "", () => setImmediate(next))
        }
        next()
      })
      const transport = yield* transportOf({ connections: 1 })
      expect(yield* fetchText(transport, server.url)).toBe("0123456789abcde")
      expect(yield* fetchText(transport, server.url)).toBe("0123456789abcde")
      expect(server.accepted()).toBe(1)
    }))

  program(
    "a server that switches protocols unasked ends the call with a typed error and is left",
    () =>
      Effect.gen(function*() {
        const server = yield* answering(
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw"
        )
        const transport = yield* transportOf()
        expect(typed).toContain(yield* outcome(fetchText(transport, server.url)))
        yield* eventually(Effect.sync(server.left), (left) => left === 1)
      })
  )

  program("a request that asks for an upgrade gets an answer or a typed error", () =>
    Effect.gen(function*() {
      const server = yield* answering(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
      )
      const transport = yield* transportOf()
      const got = yield* outcome(
        fetchText(transport, server.url, { headers: { connection: "upgrade", upgrade: "websocket" } })
      )
      expect([...typed, "InvalidRequest"]).toContain(got)
    }))

  program("bytes that are no HTTP at all are a lost connection", () =>
    Effect.gen(function*() {
      const server = yield* tcp((socket) => socket.write("SSH-2.0-OpenSSH_9.6\r\n"))
      const transport = yield* transportOf()
      expect(yield* outcome(fetchText(transport, server.url))).toBe("ConnectionLost")
    }))

  program("a header that is sent three times has three values, whatever its case", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok("", "Set-Cookie: a=1\r\nSET-COOKIE: b=2\r\nset-cookie: c=3\r\n"))
      const transport = yield* transportOf()
      const { headers } = yield* transport.execute({ method: "GET", url: server.url, headers: {} })
      expect(headers["set-cookie"]).toEqual(["a=1", "b=2", "c=3"])
    }))

  program("a header of the name __proto__ is no prototype", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok("", "__proto__: evil\r\nconstructor: x\r\ntoString: y\r\n"))
      const transport = yield* transportOf()
      const { headers } = yield* transport.execute({ method: "GET", url: server.url, headers: {} })
      expect(headers["evil"]).toBeUndefined()
      expect(({} as Record<string, unknown>)["evil"]).toBeUndefined()
    }))
})

describe("connections", () => {
  program(
    "a connection that is cut at any byte of an answer is a typed error, or the whole answer, never a part",
    () =>
      Effect.gen(function*() {
        const whole = ok("hello")
        const ends: ReadonlyArray<(socket: Socket) => void> = [(s) => s.end(), (s) => void s.resetAndDestroy()]
        const transport = yield* transportOf()
        for (const end of ends) {
          for (let at = 0; at <= whole.length; at += 3) {
            const server = yield* answering((socket) =>
              at === 0 ? end(socket) : socket.write(whole.slice(0, at), () => setTimeout(() => end(socket), 1))
            )
            const got = yield* Effect.exit(promptly(`byte ${at}`)(fetchText(transport, server.url)))
            if (Exit.isSuccess(got)) expect(got.value).toBe("hello")
            else expect(yield* outcome(got)).toBe("ConnectionLost")
            if (Exit.isSuccess(got)) expect(at).toBeGreaterThanOrEqual(whole.length - 2)
          }
        }
      })
  )

  program("a chunked answer that is cut at any byte is never taken for whole", () =>
    Effect.gen(function*() {
      const whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"
      const from = whole.indexOf("5\r\nhello")
      const transport = yield* transportOf()
      for (let at = from; at < whole.length; at += 2) {
        const server = yield* answering((socket) => socket.end(whole.slice(0, at)))
        expect(yield* outcome(promptly(`byte ${at}`)(fetchText(transport, server.url)))).toBe("ConnectionLost")
      }
    }))

  for (
    const [what, chunk] of [["no number", "ZZ\r\n"], ["too large", "FFFFFFFFFFFFFFFFFF\r\nx"], ["negative", "-5\r\n"]]
  ) {
    program(`a chunk whose size is ${what} is a lost connection`, () =>
      Effect.gen(function*() {
        const server = yield* answering(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n${chunk}`)
        const transport = yield* transportOf()
        expect(yield* outcome(promptly("the body")(fetchText(transport, server.url)))).toBe("ConnectionLost")
        yield* eventually(Effect.sync(server.left), (left) => left === 1)
      }))
  }

  program("a chunk's extension without an end does not fill the memory for ever", () =>
    Effect.gen(function*() {
      const server = yield* answering((socket) => {
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;")
        const more = () => {
          while (!socket.destroyed && socket.write("e".repeat(1000))) { /* on */ }
        }
        socket.on("drain", more)
        more()
      })
      const transport = yield* transportOf()
      const got = yield* outcome(Deadline.within("300 millis")(fetchText(transport, server.url)))
      expect([...typed, "DeadlineExceeded"]).toContain(got)
      yield* eventually(Effect.sync(server.left), (left) => left === 1)
    }))

  program("trailers without an end are bounded, and whoever reads is told", () =>
    Effect.gen(function*() {
      const server = yield* answering((socket) => {
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n")
        const more = () => {
          while (!socket.destroyed && socket.write(`T: ${"x".repeat(500)}\r\n`)) { /* on */ }
        }
        socket.on("drain", more)
        more()
      })
      const transport = yield* transportOf()
      const got = yield* outcome(Deadline.within("2 seconds")(fetchText(transport, server.url)))
      expect(typed).toContain(got)
      yield* eventually(Effect.sync(server.left), (left) => left === 1)
    }))

  program(
    "an answer of HTTP/1.0 without a length ends with its connection, which is not used again",
    () =>
      Effect.gen(function*() {
        const server = yield* answering((socket) =>
          socket.end("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold but whole")
        )
        const transport = yield* transportOf({ connections: 1 })
        expect(yield* fetchText(transport, server.url)).toBe("old but whole")
        expect(yield* fetchText(transport, server.url)).toBe("old but whole")
        expect(server.accepted()).toBe(2)
      })
  )

  program(
    "an answer of HTTP/1.0 with a length does not wait for an end that never comes",
    () =>
      Effect.gen(function*() {
        const server = yield* answering("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold")
        const transport = yield* transportOf({ connections: 1 })
        expect(yield* promptly("the first")(fetchText(transport, server.url))).toBe("old")
        expect(yield* promptly("the second")(fetchText(transport, server.url))).toBe("old")
      })
  )

  program(
    "a connection that was said to be kept, and is closed at once, costs the next call nothing",
    () =>
      Effect.gen(function*() {
        const server = yield* answering((socket) =>
          socket.end(ok("lie", "Connection: keep-alive\r\nKeep-Alive: timeout=600\r\n"))
        )
        const transport = yield* transportOf({ connections: 1 })
        for (let n = 0; n < 5; n++) {
          expect(yield* fetchText(transport, server.url)).toBe("lie")
          yield* eventually(Effect.sync(server.left), (left) => left === n + 1)
        }
      })
  )

  program("a server that says close and keeps the connection open does not hold it", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok("bye", "Connection: close\r\n"))
      const transport = yield* transportOf({ connections: 1 })
      expect(yield* fetchText(transport, server.url)).toBe("bye")
      expect(yield* promptly("the second")(fetchText(transport, server.url))).toBe("bye")
      yield* eventually(Effect.sync(server.left), (left) => left === 2)
    }))

  for (
    const keepAlive of ["timeout=0", "timeout=-7", "timeout=abc", "timeout=1e400", "max=0", "", "timeout=5, timeout=1"]
  ) {
    program(`a keep-alive of ${JSON.stringify(keepAlive)} does no harm`, () =>
      Effect.gen(function*() {
        const server = yield* answering(ok("fine", `Keep-Alive: ${keepAlive}\r\n`))
        const transport = yield* transportOf({ connections: 1 })
        for (let n = 0; n < 3; n++) expect(yield* promptly("a call")(fetchText(transport, server.url))).toBe("fine")
      }))
  }

  for (const [method, status] of [["HEAD", 200], ["GET", 204], ["GET", 304]] as const) {
    program(
      `a ${method} with status ${status} has no body, whatever length it says, and the next answer is its own`,
      () =>
        Effect.gen(function*() {
          const server = yield* answering(`HTTP/1.1 ${status} X\r\nContent-Length: 400\r\n\r\n`, ok("second"))
          const transport = yield* transportOf({ connections: 1 })
          expect(yield* promptly("the first")(fetchText(transport, server.url, { method }))).toBe("")
          expect(yield* promptly("the second")(fetchText(transport, server.url))).toBe("second")
        })
    )
  }

  program("a HEAD that is answered with a body does not poison the next call", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok(ok("stolen")), ok("second"), ok("third"))
      const transport = yield* transportOf({ connections: 1 })
      expect(yield* fetchText(transport, server.url, { method: "HEAD" })).toBe("")
      const second = yield* Effect.exit(fetchText(transport, server.url))
      if (Exit.isSuccess(second)) expect(second.value).not.toContain("stolen")
    }))
})

describe("bodies of answers", () => {
  program(
    "a body that is read again after its end gives nothing more, and does not hang",
    () =>
      Effect.gen(function*() {
        const server = yield* answering(ok("once"))
        const transport = yield* transportOf()
        const response = yield* transport.execute({ method: "GET", url: server.url, headers: {} })
        expect(yield* Transport.text(response)).toBe("once")
        const again = yield* Effect.exit(promptly("the second reading")(Transport.text(response)))
        if (Exit.isSuccess(again)) expect(again.value).toBe("")
      })
  )

  program(
    "of two that read one body at once, one gets all of it, and the other dies at once",
    () =>
      Effect.gen(function*() {
        const server = yield* http((_, response) => {
          response.write("first ")
          setTimeout(() => response.end("second"), 30)
        })
        const transport = yield* transportOf()
        const response = yield* transport.execute({ method: "GET", url: server.url, headers: {} })
        const one = yield* Effect.forkChild(Effect.exit(Transport.text(response)), { startImmediately: true })
        const other = yield* Effect.exit(promptly("the other")(Transport.text(response)))
        const got = [yield* Fiber.join(one), other]
        expect(got.filter((exit) => Exit.isSuccess(exit) && exit.value === "first second")).toHaveLength(1)
        expect(yield* outcome(got.find(Exit.isFailure) ?? Exit.void)).toContain("defect")
      })
  )

  program("a response that is kept in a global tells its late reader why it is over", () =>
    Effect.gen(function*() {
      const server = yield* http((_, response) => void response.write("x".repeat(10)))
      const transport = yield* transportOf()
      const kept = yield* Effect.scoped(transport.execute({ method: "GET", url: server.url, headers: {} }))
      expect(yield* outcome(promptly("a late reader")(Transport.text(kept)))).toBe("SessionRevoked")
    }))

  program("a response that outlives the transport's layer tells its reader so", () =>
    Effect.gen(function*() {
      const server = yield* http((_, response) => void response.write("x".repeat(10)))
      const layer = yield* Scope.make()
      const transport = yield* Scope.provide(transportOf(), layer)
      const kept = yield* transport.execute({ method: "GET", url: server.url, headers: {} })
      const reading = yield* Effect.forkChild(outcome(Transport.text(kept)), { startImmediately: true })
      yield* promptly("closing")(Scope.close(layer, Exit.void))
      expect(["ConnectionLost", "TransportClosed"]).toContain(yield* Fiber.join(reading))
      expect(yield* outcome(fetchText(transport, server.url))).toBe("TransportClosed")
    }))

  program("an endless drip is cut at the allowed size, and the server learns it", () =>
    Effect.gen(function*() {
      const server = yield* answering((socket) => {
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        const timer = setInterval(() => socket.write("4\r\ndrip\r\n"), 1)
        socket.on("close", () => clearInterval(timer))
      })
      const transport = yield* transportOf({ maxBodySize: 40 })
      expect(yield* outcome(fetchText(transport, server.url))).toBe("BodyTooLarge")
      yield* eventually(Effect.sync(server.left), (left) => left === 1)
    }))

  program("a body of empty pieces for ever is cut by a deadline", () =>
    Effect.gen(function*() {
      const server = yield* http((_, response) => {
        response.write(".")
        const timer = setInterval(() => response.write(""), 1)
        response.on("close", () => clearInterval(timer))
      })
      const transport = yield* transportOf()
      expect(yield* outcome(Deadline.within("50 millis")(fetchText(transport, server.url)))).toBe("DeadlineExceeded")
    }))

  program("characters that are split between two chunks arrive whole", () =>
    Effect.gen(function*() {
      const bytes = Buffer.from("a€😀z")
      const server = yield* http((_, response) => {
        let at = 0
        const next = () => {
          if (at < bytes.length) response.write(bytes.subarray(at, ++at), () => setImmediate(next))
          else response.end()
        }
        next()
      })
      const transport = yield* transportOf()
      expect(yield* fetchText(transport, server.url)).toBe("a€😀z")
    }))
})

describe("bodies of requests", () => {
  program(
    "an answer that comes before the upload has ended is read, and the upload is given up with the scope",
    () =>
      Effect.gen(function*() {
        let released = 0
        const server = yield* tcp((socket) => {
          socket.once("data", () => socket.write(`HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\ntoo large`))
        })
        const transport = yield* transportOf({ connections: 1 })
        const endless = Stream.forever(Stream.fromEffect(Effect.as(Effect.sleep("2 millis"), new Uint8Array(10)))).pipe(
          Stream.ensuring(Effect.sync(() => released++))
        )
        const text = yield* Effect.scoped(Effect.gen(function*() {
          const response = yield* transport.execute({ method: "POST", url: server.url, headers: {}, body: endless })
          expect(response.status).toBe(413)
          return yield* Transport.text(response)
        }))
        expect(text).toBe("too large")
        yield* eventually(Effect.sync(() => released), (released) => released === 1)
        yield* eventually(Effect.sync(server.left), (left) => left === 1)
        const counts = yield* SessionRegistry.counts
        expect(counts["exchange"]).toBeUndefined()
      })
  )

  program(
    "a server that refuses an upload and hangs up gives a typed error or its answer",
    () =>
      Effect.gen(function*() {
        const server = yield* tcp((socket) => {
          socket.once(
            "data",
            () => socket.end("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
          )
        })
        const transport = yield* transportOf({ connections: 1 })
        for (let n = 0; n < 3; n++) {
          const body = new Uint8Array(5_000_000)
          const got = yield* outcome(promptly("an upload")(fetchText(transport, server.url, { method: "POST", body })))
          expect(["success", "ConnectionLost"]).toContain(got)
        }
      })
  )

  program(
    "a stream that fails in the middle is typed, and the server sees no whole request",
    () =>
      Effect.gen(function*() {
        let whole = 0
        const server = yield* http((request, response) => {
          request.on("end", () => {
            whole++
            response.end("got it")
          })
          request.resume()
        })
        const transport = yield* transportOf({ connections: 1 })
        const body = Stream.concat(Stream.make(new Uint8Array(10)), Stream.fail("disk"))
        expect(yield* outcome(fetchText(transport, server.url, { method: "POST", body }))).toBe("RequestBodyFailed")
        const dying = Stream.concat(Stream.make(new Uint8Array(10)), Stream.die(new Error("bug")))
        expect(yield* outcome(fetchText(transport, server.url, { method: "POST", body: dying }))).toBe(
          "RequestBodyFailed"
        )
        yield* Effect.sleep("20 millis")
        expect(whole).toBe(0)
        expect(yield* fetchText(transport, server.url, { method: "POST", body: "fine" })).toBe("got it")
      })
  )

  for (const [what, length, sent] of [["less", 20, 10], ["more", 5, 10]] as const) {
    program(
      `a stream that gives ${what} than its content-length is a typed error, and the next call is served`,
      () =>
        Effect.gen(function*() {
          let released = 0
          const server = yield* http((request, response) => {
            request.on("error", () => {}).on("end", () => response.end("got it")).resume()
          })
          const transport = yield* transportOf({ connections: 1 })
          const body = Stream.make(new Uint8Array(sent)).pipe(Stream.ensuring(Effect.sync(() => released++)))
          const got = yield* outcome(
            promptly("the call")(
              fetchText(transport, server.url, { method: "POST", body, headers: { "content-length": String(length) } })
            )
          )
          expect(["RequestBodyFailed", "InvalidRequest", "ConnectionLost"]).toContain(got)
          expect(released).toBe(1)
          expect(yield* promptly("the next")(fetchText(transport, server.url, { method: "POST", body: "fine" }))).toBe(
            "got it"
          )
        })
    )

    program(
      `a text that is ${what} than its content-length is refused, and smuggles nothing`,
      () =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          const server = yield* http((request, response) => {
            seen.push(request.url ?? "")
            request.on("error", () => {}).on("end", () => response.end("got it")).resume()
          })
          const transport = yield* transportOf({ connections: 1 })
          const body = what === "more" ? "helloGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n" : "0123456789"
          const headers = { "content-length": String(length) }
          const got = yield* outcome(
            promptly("the call")(fetchText(transport, `${server.url}/a`, { method: "POST", body, headers }))
          )
          expect(["InvalidRequest", "RequestBodyFailed", "ConnectionLost"]).toContain(got)
          yield* promptly("the next")(fetchText(transport, `${server.url}/b`))
          expect(seen).not.toContain("/smuggled")
        })
    )
  }

  program(
    "a stream whose finalizer dies ends the call by a typed error or with its answer, and nothing hangs",
    () =>
      Effect.gen(function*() {
        const server = yield* http((request, response) => {
          request.on("end", () => response.end("got it")).resume()
        })
        const transport = yield* transportOf({ connections: 1 })
        const body = Stream.make(new Uint8Array(10)).pipe(Stream.ensuring(Effect.die(new Error("finalizer"))))
        const got = yield* outcome(promptly("the call")(fetchText(transport, server.url, { method: "POST", body })))
        expect(["success", "RequestBodyFailed"]).toContain(got)
        expect(yield* promptly("the next")(fetchText(transport, server.url))).toBe("got it")
      })
  )

  program(
    "an upload that is interrupted runs its stream's finalizer once and leaves the server",
    () =>
      Effect.gen(function*() {
        let released = 0
        const server = yield* tcp((socket) => void socket.pause())
        const transport = yield* transportOf()
        const body = Stream.forever(Stream.make(new Uint8Array(60_000))).pipe(
          Stream.ensuring(Effect.sync(() => released++))
        )
        const got = yield* outcome(
          Deadline.within("60 millis")(fetchText(transport, server.url, { method: "PUT", body }))
        )
        expect(got).toBe("DeadlineExceeded")
        expect(released).toBe(1)
        expect((yield* SessionRegistry.counts)["exchange"]).toBeUndefined()
      })
  )

  program(
    "the same stream as the body of ten calls at once is run for each, and ended for each",
    () =>
      Effect.gen(function*() {
        let begun = 0
        let ended = 0
        const server = yield* http((request, response) => {
          let size = 0
          request.on("data", (data: Buffer) => size += data.length).on("end", () => response.end(String(size)))
        })
        const transport = yield* transportOf({ connections: 3 })
        const body = Stream.suspend(() => {
          begun++
          return Stream.make(new Uint8Array(7), new Uint8Array(8))
        }).pipe(Stream.ensuring(Effect.sync(() => ended++)))
        const sizes = yield* Effect.forEach(
          Array.from({ length: 10 }),
          () => fetchText(transport, server.url, { method: "POST", body }),
          { concurrency: "unbounded" }
        )
        expect(new Set(sizes)).toEqual(new Set(["15"]))
        expect([begun, ended]).toEqual([10, 10])
      })
  )

  program("an empty stream, empty pieces and an empty text are whole bodies", () =>
    Effect.gen(function*() {
      const server = yield* http((request, response) => {
        let size = 0
        request.on("data", (data: Buffer) => size += data.length).on("end", () => response.end(String(size)))
      })
      const transport = yield* transportOf({ connections: 1 })
      const bodies = [Stream.empty, Stream.make(new Uint8Array(0), new Uint8Array(0)), "", new Uint8Array(0)]
      for (const body of bodies) {
        expect(yield* promptly("a call")(fetchText(transport, server.url, { method: "POST", body }))).toBe("0")
      }
    }))
})

describe("requests that are wrong", () => {
  for (
    const [what, headers] of [
      ["a line break in a value", { "x-a": "1\r\nX-Evil: yes" }],
      ["a bare line feed in a value", { "x-a": "1\nX-Evil: yes" }],
      ["a zero byte in a value", { "x-a": "1\u0000" }],
      ["a line break in a name", { "x-a: 1\r\nx-evil": "yes" }],
      ["an empty name", { "": "x" }],
      ["a character beyond Latin", { "x-a": "\u4e2d\u6587" }]
    ] as ReadonlyArray<readonly [string, Record<string, string>]>
  ) {
    program(`${what} of a header is refused as InvalidRequest, and nothing is sent`, () =>
      Effect.gen(function*() {
        const server = yield* answering(ok("sent"))
        const transport = yield* transportOf({ connections: 1 })
        expect(yield* outcome(fetchText(transport, server.url, { headers }))).toBe("InvalidRequest")
        expect(server.received.join("")).not.toContain("evil")
        expect(yield* fetchText(transport, server.url)).toBe("sent")
      }))
  }

  for (
    const [name, value] of [
      ["transfer-encoding", "chunked"],
      ["connection", "close"],
      ["expect", "100-continue"],
      ["keep-alive", "timeout=1"],
      ["host", "other.test"],
      ["te", "trailers"],
      ["connection", "x, y"]
    ] as const
  ) {
    program(
      `the hop-by-hop header ${name}: ${value} gives an answer or a typed error, and no hang`,
      () =>
        Effect.gen(function*() {
          const server = yield* http((request, response) => {
            request.on("end", () => response.end("fine")).resume()
          })
          const transport = yield* transportOf({ connections: 1 })
          const got = yield* outcome(
            promptly("the call")(
              fetchText(transport, server.url, { method: "POST", body: "x", headers: { [name]: value } })
            )
          )
          expect(["success", "InvalidRequest"]).toContain(got)
          expect(yield* promptly("the next")(fetchText(transport, server.url))).toBe("fine")
        })
    )
  }

  program("no line of a request can be made from its URL", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok("sent"))
      const transport = yield* transportOf()
      for (
        const path of [
          "/a b",
          "/a\r\nX-Evil: yes",
          "/\u0000",
          "/ü?q=ö#",
          "/%0d%0aX-Evil:%20yes",
          "/\\..\\x",
          "//evil.test/x"
        ]
      ) {
        yield* outcome(fetchText(transport, `${server.url}${path}`))
      }
      for (const line of server.received.join("").split("\r\n")) expect(line).not.toMatch(/^x-evil/i)
    }))

  program("a URL that cannot be requested shows neither password nor query", () =>
    Effect.gen(function*() {
      const transport = yield* transportOf()
      for (
        const url of [
          "ftp://u:hunter2@h/x?k=hunter2",
          "http://u:hunter2@h/",
          "hunter2",
          "http://[::1/?k=hunter2",
          "http:///?hunter2",
          "",
          "javascript:hunter2",
          "http://u:hunter2@h:99999/#hunter2"
        ]
      ) {
        const error = yield* Effect.flip(fetchText(transport, url))
        expect(error._tag).toBe("InvalidUrl")
        if (url !== "hunter2" && !url.startsWith("javascript")) {
          expect(`${error.message} ${JSON.stringify(error)} ${error.stack}`).not.toContain("hunter2")
        }
      }
    }))

  program(
    "a request whose timeouts or sizes are nonsense is a defect that names the option, and costs no place",
    () =>
      Effect.gen(function*() {
        const server = yield* answering(ok("fine"))
        const transport = yield* transportOf({ connections: 1, maxWaiting: 0 })
        const wrong: ReadonlyArray<[string, Partial<Transport.Request>]> = [
          ["firstToken", { timeouts: { firstToken: Number.NaN } }],
          ["queue", { timeouts: { queue: -1 } }],
          ["connect", { timeouts: { connect: "soon" as never } }],
          ["maxBodySize", { maxBodySize: -1 }],
          ["maxBodySize", { maxBodySize: Number.NaN }]
        ]
        for (const [name, request] of wrong) {
          const got = yield* outcome(fetchText(transport, server.url, request))
          expect(got).toContain("defect RangeError")
          expect(got).toContain(name)
        }
        expect(yield* fetchText(transport, server.url)).toBe("fine")
      })
  )
})
