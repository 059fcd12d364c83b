/** What holds for a faulty provider, wherever it runs. */
import { Behavior, FaultyProvider, VendorErrors } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { X509Certificate } from "node:crypto"
import * as Raw from "./support/rawClient.ts"

type Make = (
  options?: FaultyProvider.Options
) => Effect.Effect<
  FaultyProvider.FaultyProvider["Service"],
  FaultyProvider.CannotListen | FaultyProvider.CannotStart,
  Scope.Scope
>

const { header } = FaultyProvider

/** How a connection ends that is not answered. */
const tried = (url: string) =>
  Effect.scoped(Effect.gen(function*() {
    const client = yield* Raw.send(url)
    yield* client.until(() => client.ended() !== undefined)
    return { how: client.ended(), text: client.text() }
  }))

/** How it is controlled, and what it tells. */
export const control = (where: string, make: Make) => {
  describe(`FaultyProvider in ${where}: what a request gets`, () => {
    it.effect("the default, where nothing is said, which can be changed", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        assert.strictEqual((yield* Raw.ask(provider.url)).body, "{\"ok\":true}")
        yield* provider.otherwise(Behavior.status(503))
        assert.strictEqual((yield* Raw.ask(provider.url)).status, 503)
      }))

    it.effect("what its header names or writes out, be the queue full or not", () =>
      Effect.gen(function*() {
        const provider = yield* make({ behaviors: { teapot: Behavior.status(418) } })
        yield* provider.enqueue(Behavior.json("from the queue"))
        assert.strictEqual((yield* Raw.ask(provider.url, header("teapot"))).status, 418)
        const written = yield* Raw.ask(provider.url, header(Behavior.json("grüße")))
        assert.strictEqual(Buffer.from(written.body, "latin1").toString(), "\"grüße\"")
        assert.strictEqual((yield* provider.counts).queued, 1)
      }))

    it.effect("an explanation, where its header means nothing", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        for (const value of ["no such name", "{\"steps\":[{\"_tag\":\"Dance\"}]}", "%7B", "%"]) {
          const { body, status } = yield* Raw.ask(provider.url, { "x-faulty-behavior": value })
          assert.strictEqual(status, 500)
          assert.include(body, "x-faulty-behavior")
        }
      }))

    it.effect("an explanation, where its behavior cannot be done", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        const { body, status } = yield* Raw.ask(provider.url, header(Behavior.status(99)))
        assert.strictEqual(status, 500)
        assert.include(body, "status 99")
        const headers = { "x-broken": "line\nbreak" }
        assert.strictEqual((yield* Raw.ask(provider.url, header(Behavior.json(1, { headers })))).status, 500)
      }))

    it.effect("what is in the queue, in order, and then the default", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        yield* provider.enqueue(Behavior.status(429), Behavior.status(529))
        const statuses = yield* Effect.forEach(
          [1, 2, 3],
          () => Effect.map(Raw.ask(provider.url), ({ status }) => status)
        )
        assert.deepStrictEqual(statuses, [429, 529, 200])
      }))
  })

  describe(`FaultyProvider in ${where}: the report`, () => {
    it.effect("counts what is open and in flight, and knows who left, how and when", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        const before = Number(process.hrtime.bigint()) / 1e6
        const silent = yield* Raw.send(provider.url, header(Behavior.stall, "silent"))
        const streaming = yield* Raw.send(provider.url, header(Behavior.stallAfterHead, "streaming"))
        yield* streaming.until(() => streaming.text() !== "")
        assert.deepInclude(yield* provider.until(({ received }) => received === 2), {
          open: 2,
          accepted: 2,
          inFlight: 2,
          aborted: 0
        })

        silent.socket.end()
        streaming.socket.resetAndDestroy()
        const counts = yield* provider.until(({ aborted, open }) => open === 0 && aborted === 2)
        assert.deepInclude(counts, { accepted: 2, inFlight: 0 })
        const [first, second] = yield* provider.requests
        assert.deepInclude(first, {
          id: "silent",
          behavior: "stall",
          state: "aborted",
          abortedBy: "close",
          method: "POST",
          url: "/v1/chat",
          headAt: undefined
        })
        assert.deepInclude(second, { id: "streaming", state: "aborted", abortedBy: "reset" })
        const times = [
          before,
          second?.receivedAt,
          second?.headAt,
          second?.endedAt,
          Number(process.hrtime.bigint()) / 1e6
        ]
        assert.deepStrictEqual(times, times.toSorted((a = 0, b = 0) => a - b))
      }))

    it.effect("knows who left over TLS, and how", () =>
      Effect.gen(function*() {
        const provider = yield* make({ tls: true })
        for (const how of ["close", "reset"] as const) {
          const client = yield* Raw.send(provider.url, header(Behavior.stallAfterHead, how))
          yield* client.until(() => client.text() !== "")
          if (how === "close") client.socket.end()
          else client.reset()
          const { abortedBy } = yield* provider.untilRequest(({ id, state }) => id === how && state === "aborted")
          assert.strictEqual(abortedBy, how)
        }
        yield* provider.until(({ open }) => open === 0)
      }))

    it.effect("tells what was sent to it", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        yield* Raw.ask(provider.url, { authorization: "Bearer sk" }, "{\"model\":\"gpt-5\"}")
        const [request] = yield* provider.requests
        assert.strictEqual(request?.body, "{\"model\":\"gpt-5\"}")
        assert.strictEqual(request?.headers["authorization"], "Bearer sk")
        assert.strictEqual(request?.id, "#1")
      }))

    it.effect("tells which requests shared a connection", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        const client = yield* Raw.send(provider.url)
        yield* client.until(() => client.text().includes("ok"))
        client.socket.write(Raw.request())
        yield* Raw.ask(provider.url)
        yield* provider.until(({ answered }) => answered === 3)
        assert.deepStrictEqual((yield* provider.requests).map(({ connection }) => connection).toSorted(), [1, 1, 2])
      }))

    it.effect("keeps the latest requests and those in flight, and counts all", () =>
      Effect.gen(function*() {
        const provider = yield* make({ keep: 2 })
        const client = yield* Raw.send(provider.url, header(Behavior.stall, "old"))
        yield* provider.until(({ received }) => received === 1)
        for (const id of ["a", "b", "c"]) yield* Raw.ask(provider.url, header("openai.slow_down", id))
        assert.deepStrictEqual((yield* provider.requests).map(({ id }) => id), ["old", "b", "c"])
        assert.strictEqual((yield* provider.counts).received, 4)
        yield* provider.until(({ answered }) => answered === 3)
        yield* provider.forget
        assert.deepStrictEqual((yield* provider.requests).map(({ id }) => id), ["old"])
        client.socket.destroy()
      }))

    it.effect("fails typed where what is waited for does not come", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        const error = yield* Effect.flip(provider.until(({ aborted }) => aborted > 0, "20 millis"))
        assert.instanceOf(error, FaultyProvider.NotSeen)
        assert.strictEqual(error.counts["aborted"], 0)
      }))
  })

  describe(`FaultyProvider in ${where}: connections`, () => {
    it.effect("refused, closed and reset at once, and accepted again on the same port", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        yield* provider.listening("refuse")
        const refused = yield* Raw.open(provider.url)
        yield* refused.until(() => refused.socket.errored !== null)
        assert.include(String(refused.socket.errored), "ECONNREFUSED")
        yield* provider.listening("close")
        assert.deepStrictEqual(yield* tried(provider.url), { how: "close", text: "" })
        yield* provider.listening("reset")
        assert.deepStrictEqual(yield* tried(provider.url), { how: "reset", text: "" })
        yield* provider.listening("accept")
        assert.strictEqual((yield* Raw.ask(provider.url)).status, 200)
      }))

    it.effect("accepted without a word: over TLS, the handshake does not begin", () =>
      Effect.gen(function*() {
        const provider = yield* make({ tls: true })
        yield* provider.listening("silent")
        const client = yield* Raw.send(provider.url)
        yield* provider.until(({ open }) => open === 1)
        yield* provider.listening("accept")
        assert.strictEqual((yield* Raw.ask(provider.url)).status, 200)
        assert.deepStrictEqual([client.text(), client.ended()], ["", undefined])
        client.socket.destroy()
        yield* provider.until(({ open }) => open === 0)
      }))

    it.effect("not taken, since the backlog is full, and taken again", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        yield* provider.listening("fullBacklog")
        const client = yield* Raw.open(provider.url)
        yield* Raw.ask((yield* make()).url)
        assert.isTrue(client.socket.connecting)
        client.socket.destroy()
        yield* provider.listening("accept")
        assert.strictEqual((yield* Raw.ask(provider.url)).status, 200)
      }))

    it.effect("ended while they are idle", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        for (const how of ["close", "reset"] as const) {
          const client = yield* Raw.open(provider.url)
          yield* provider.until(({ open }) => open === 1)
          yield* provider.disconnect(how)
          yield* client.until(() => client.ended() !== undefined)
          assert.strictEqual(client.ended(), how)
          yield* provider.until(({ open }) => open === 0)
        }
      }))

    it.effect("fails typed where its port is taken", () =>
      Effect.gen(function*() {
        const { port } = yield* make()
        assert.instanceOf(yield* Effect.flip(make({ port })), FaultyProvider.CannotListen)
        const provider = yield* make()
        yield* provider.listening("refuse")
        yield* make({ port: provider.port })
        assert.instanceOf(yield* Effect.flip(provider.listening("accept")), FaultyProvider.CannotListen)
      }))

    it.effect("secured, for a client that trusts the CA", () =>
      Effect.gen(function*() {
        const provider = yield* make({ tls: true })
        for (const host of ["localhost", "127.0.0.1"]) {
          assert.strictEqual((yield* Raw.ask(`https://${host}:${provider.port}`)).status, 200)
        }
        assert.isAbove(new X509Certificate(FaultyProvider.ca).validToDate.getUTCFullYear(), 2120)
      }))
  })
}

/** What answers can be like. */
export const answers = (where: string, make: Make) => {
  describe(`FaultyProvider in ${where}: endings`, () => {
    const ended = Effect.fnUntraced(function*(behavior: Behavior.Behavior, options?: FaultyProvider.Options) {
      const provider = yield* make(options)
      const client = yield* Raw.send(provider.url, header(behavior, "mine"))
      yield* client.until(() => client.ended() !== undefined)
      const { state } = yield* provider.untilRequest(({ endedAt, id }) => id === "mine" && endedAt !== undefined)
      return { how: client.ended(), text: client.text(), state }
    })
    const cut = (ending: Behavior.Ending) => ended(Behavior.cutAt(Behavior.bytes("hello"), 3, ending))

    it.effect("closed before the head", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* ended(Behavior.close), { how: "close", text: "", state: "broken" })
      }))

    it.effect("reset before the head", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* ended(Behavior.reset), { how: "reset", text: "", state: "broken" })
      }))

    it.effect("reset over TLS: the connection is reset below it", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* ended(Behavior.reset, { tls: true }), { how: "reset", text: "", state: "broken" })
      }))

    it.effect("closed in the middle of the body", () =>
      Effect.gen(function*() {
        const { how, state, text } = yield* cut("close")
        assert.deepStrictEqual([how, state], ["close", "broken"])
        assert.isTrue(text.endsWith("3\r\nhel\r\n"), text)
      }))

    it.effect("reset in the middle of the body, and what was sent before has come", () =>
      Effect.gen(function*() {
        const { how, state, text } = yield* cut("reset")
        assert.deepStrictEqual([how, state], ["reset", "broken"])
        assert.isTrue(text.endsWith("3\r\nhel\r\n"), text)
      }))

    it.effect("a chunk that promises more than comes", () =>
      Effect.gen(function*() {
        const { how, state, text } = yield* cut("truncate")
        assert.deepStrictEqual([how, state], ["close", "broken"])
        assert.isTrue(text.endsWith("3\r\nhel\r\n400\r\ncut"), text)
      }))

    it.effect("an end that comes early, and looks like any other", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        const answer = yield* Raw.ask(provider.url, header(Behavior.cutAt(Behavior.bytes("hello"), 3, "end")))
        assert.strictEqual(answer.body, "hel")
        assert.strictEqual((yield* provider.until(({ inFlight }) => inFlight === 0)).answered, 1)
      }))

    it.effect("less than the head has promised", () =>
      Effect.gen(function*() {
        const { how, text } = yield* ended(Behavior.cutAt(Behavior.json("hello"), 3, "close"))
        assert.strictEqual(how, "close")
        assert.isTrue(text.includes("content-length: 7") && text.endsWith("\r\n\r\n\"he"), text)
      }))

    it.effect("bytes that are no HTTP", () =>
      Effect.gen(function*() {
        assert.deepInclude(yield* ended(Behavior.raw("junk\r\n\r\n")), { how: "close", text: "junk\r\n\r\n" })
      }))

    it.effect("a connection that is closed after the answer, although it was to be kept", () =>
      Effect.gen(function*() {
        const { how, state, text } = yield* ended(Behavior.thenClose(Behavior.json(1), 0))
        assert.deepStrictEqual([how, state], ["close", "answered"])
        assert.strictEqual(Raw.parse(text)?.headers["connection"], "keep-alive")
      }))
  })

  describe(`FaultyProvider in ${where}: bodies`, () => {
    it.effect("more than memory should hold", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        assert.strictEqual((yield* Raw.ask(provider.url, header(Behavior.huge(3_000_001)))).body.length, 3_000_001)
      }))

    it.effect("a header that is too large for most", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        const { headers } = yield* Raw.ask(provider.url, header(Behavior.hugeHeader(200_000)))
        assert.strictEqual(headers["x-padding"]?.length, 200_000)
      }))

    it.effect("pieces of one byte, and of any others, in which no byte is lost", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        const text = "data: {\"text\":\"a ü 🎈\"}\n\n"
        const bytes = Buffer.from(text).toString("latin1")
        const whole = Behavior.bytes(text)
        const { body, headers } = yield* Raw.ask(provider.url, header(Behavior.inPieces(whole, 1)))
        assert.strictEqual(body, bytes)
        assert.strictEqual(headers["transfer-encoding"], "chunked")
        for (let at = 0; at <= bytes.length; at++) {
          const client = yield* Raw.send(provider.url, header(Behavior.splitAt(whole, [at])))
          yield* client.until(() => Raw.parse(client.text()) !== undefined)
          assert.strictEqual(Raw.parse(client.text())?.body, bytes)
          const [, chunks = ""] = client.text().split("\r\n\r\n")
          const first = at === 0 ? bytes.length : at
          assert.isTrue(chunks.startsWith(`${first.toString(16)}\r\n`), chunks)
        }
      }))

    it.effect("an interim response before the answer", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        const client = yield* Raw.send(
          provider.url,
          header(Behavior.informing(Behavior.json(1), 103, { link: "</style.css>" }))
        )
        yield* client.until(() => client.text().endsWith("\r\n\r\n1"))
        assert.match(client.text(), /^HTTP\/1.1 103 Early Hints\r\nlink: <\/style.css>\r\n\r\nHTTP\/1.1 200 OK\r\n/)
      }))

    it.effect("a stream without end, until the client leaves", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        const client = yield* Raw.send(
          provider.url,
          header(Behavior.sse(["tick", { comment: "ping" }], { endless: true }), "mine")
        )
        yield* client.until(() => client.text().length > 10_000)
        client.socket.destroy()
        const { sent } = yield* provider.untilRequest(({ id, state }) => id === "mine" && state === "aborted")
        assert.isAbove(sent, 1000)
      }))
  })

  describe(`FaultyProvider in ${where}: vendors' errors`, () => {
    it.effect("after a stream has begun, each as its vendor sends it", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        for (const error of VendorErrors.table) {
          const { body, status } = yield* Raw.ask(provider.url, header(VendorErrors.inStream(error, ["hello"])))
          assert.strictEqual(status, 200)
          const [first, second] = Buffer.from(body, "latin1").toString().split("\n\n")
          assert.strictEqual(first, "data: hello")
          const lines = second?.split("\n")
          assert.strictEqual(lines?.at(-1), `data: ${JSON.stringify(error.body)}`)
          assert.strictEqual(
            lines?.length === 2 ? lines[0] : "",
            error.name.startsWith("anthropic.") ? "event: error" : ""
          )
        }
      }), 20_000)

    it.effect("each by its name, as it is and with each form of Retry-After", () =>
      Effect.gen(function*() {
        const provider = yield* make()
        for (const { body, headers, name, status } of VendorErrors.table) {
          const plain = yield* Raw.ask(provider.url, header(name))
          assert.strictEqual(plain.status, status, name)
          assert.deepStrictEqual(JSON.parse(Buffer.from(plain.body, "latin1").toString()), body)
          assert.deepInclude(plain.headers, headers)
          assert.notProperty(plain.headers, "retry-after")

          const seconds = yield* Raw.ask(provider.url, header(`${name}.retry-after`))
          assert.deepStrictEqual([seconds.status, seconds.headers["retry-after"]], [status, "2"])
          const millis = yield* Raw.ask(provider.url, header(`${name}.retry-after-ms`))
          assert.deepStrictEqual([millis.status, millis.headers["retry-after-ms"]], [status, "2000"])
          const date = yield* Raw.ask(provider.url, header(`${name}.retry-after-date`))
          assert.strictEqual(date.status, status)
          assert.match(date.headers["retry-after"] ?? "", /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
        }
      }), 20_000)
  })
}
