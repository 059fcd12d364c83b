/** A transport as Effect's HttpClient, a client as a transport, and what users stack on both. */
import { Deadline, SessionRegistry, Transport } from "@clawback/core"
import * as HttpClientView from "@clawback/core/HttpClientView"
import { NodeTransport } from "@clawback/node"
import { OpenAi, Target } from "@clawback/providers"
import { Behavior, Dialect, FaultyProvider } from "@clawback/testing"
import { describe } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Ref, Scope, Stream } from "effect"
import { type Cookies, FetchHttpClient, HttpBody, HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import {
  answering,
  endless,
  eventually,
  expect,
  fetchText,
  http,
  idle,
  ok,
  opened,
  outcome,
  program,
  promptly,
  secret,
  speaking
} from "./support.ts"

const clientOf = (options: NodeTransport.Options = {}) =>
  opened(HttpClient.HttpClient, HttpClientView.layerHttpClient.pipe(Layer.provide(NodeTransport.layer(options))))

const noExchange = eventually(SessionRegistry.counts, (counts) => counts["exchange"] === undefined, "no exchange")

describe("a transport as a client", () => {
  program(
    "redirects are followed over one connection, though nobody reads the answers between",
    () =>
      Effect.gen(function*() {
        const server = yield* http((request, response) => {
          const n = Number(request.url?.slice(1))
          if (n < 8) response.writeHead(302, { location: `/${n + 1}` }).end("moved ".repeat(2000))
          else response.end("here")
        })
        const client = HttpClient.followRedirects(yield* clientOf({ connections: 1 }), 10)
        const text = yield* promptly("the last")(Effect.flatMap(client.get(`${server.url}/0`), ({ text }) => text))
        expect(text).toBe("here")
        yield* noExchange
      })
  )

  program(
    "an error's status that is filtered out leaves nothing, though its body never ends",
    () =>
      Effect.gen(function*() {
        const server = yield* http((_, response) => void response.writeHead(500).write("never ends"))
        const client = HttpClient.filterStatusOk(yield* clientOf({ connections: 1 }))
        for (let n = 0; n < 4; n++) {
          expect(yield* outcome(promptly("a call")(client.get(server.url)))).toBe("HttpClientError")
        }
      })
  )

  program("a body that is read twice, as text and as JSON, gives the same both times", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok("{\"a\":1}"))
      const response = yield* Effect.flatMap(clientOf(), (client) => client.get(server.url))
      expect(yield* response.text).toBe("{\"a\":1}")
      expect(yield* response.json).toEqual({ a: 1 })
      expect(yield* response.text).toBe("{\"a\":1}")
    }))

  for (
    const [whose, client] of [
      ["Effect's own client over fetch", opened(HttpClient.HttpClient, FetchHttpClient.layer)],
      ["a transport as a client", clientOf()]
    ] as const
  ) {
    program(`by ${whose}, a body that three read at once as text is whole for each`, () =>
      Effect.gen(function*() {
        const server = yield* http((_, response) => {
          response.write("a")
          setTimeout(() => response.end("b"), 20)
        })
        const response = yield* Effect.flatMap(client, (client) => client.get(server.url))
        const got = yield* promptly("all")(
          Effect.all([response.text, response.text, response.text].map(outcome), { concurrency: 3 })
        )
        expect(got).toEqual(["success", "success", "success"])
      }))

    program(
      `by ${whose}, a body that one reads as text while another does is whole for both, of an error, too`,
      () =>
        Effect.gen(function*() {
          const server = yield* http((_, response) => {
            response.statusCode = 400
            response.write("a")
            setTimeout(() => response.end("b"), 20)
          })
          const response = yield* Effect.flatMap(client, (client) => client.get(server.url))
          const got = yield* promptly("all")(
            Effect.all([response.text, response.text].map(outcome), { concurrency: 2 })
          )
          expect(got).toEqual(["success", "success"])
        })
    )

    program(
      `by ${whose}, a reader of text who is interrupted is no defect for the other`,
      () =>
        Effect.gen(function*() {
          const server = yield* http((_, response) => {
            response.write("a")
            setTimeout(() => response.end("b"), 60)
          })
          const response = yield* Effect.flatMap(client, (client) => client.get(server.url))
          const first = yield* Effect.forkChild(response.text, { startImmediately: true })
          const second = yield* Effect.forkChild(outcome(response.text), { startImmediately: true })
          yield* Effect.sleep("10 millis")
          yield* Fiber.interrupt(first)
          expect(["success", "HttpClientError", "interrupted"]).toContain(
            yield* promptly("the second")(Fiber.join(second))
          )
        })
    )
  }

  program(
    "a body as a web stream that is cancelled through a transformer leaves the server",
    () =>
      Effect.gen(function*() {
        let closed = 0
        const server = yield* http((_, response) => {
          const timer = setInterval(() => response.write("drip "), 2)
          response.on("close", () => {
            clearInterval(timer)
            closed++
          })
        })
        const response = yield* Effect.flatMap(clientOf(), (client) => client.get(server.url))
        const reader = Stream.toReadableStream(response.stream).pipeThrough(new TextDecoderStream() as never)
          .getReader()
        yield* Effect.promise(() => reader.read())
        yield* Effect.promise(() => reader.cancel())
        yield* eventually(Effect.sync(() => closed), (closed) => closed === 1)
        yield* noExchange
      })
  )

  program("cookies that come in three headers are all kept", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok("", "Set-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\nset-cookie: c=3\r\n"))
      const ref = yield* Ref.make<ReadonlyArray<Cookies.Cookie>>([])
      const client = HttpClient.withCookiesRef(yield* clientOf(), ref)
      yield* client.get(server.url)
      expect((yield* Ref.get(ref)).map(({ name }) => name).toSorted()).toEqual(["a", "b", "c"])
    }))

  program(
    "every kind of a body arrives as it is, and one that cannot be sent is an HttpClientError",
    () =>
      Effect.gen(function*() {
        const server = yield* http((request, response) => {
          let text = ""
          request.on("data", (data: Buffer) => text += data.toString()).on(
            "end",
            () => response.end(`${request.headers["content-type"]}|${text}`)
          )
        })
        const client = yield* clientOf({ connections: 1 })
        const form = new FormData()
        form.set("field", "value")
        form.set("file", new Blob(["bytes"]), "a.txt")
        const post = (body: HttpBody.HttpBody) =>
          client.execute(HttpClientRequest.setBody(HttpClientRequest.post(server.url), body)).pipe(
            Effect.flatMap(({ text }) => text),
            promptly("a call")
          )
        expect(yield* post(HttpBody.jsonUnsafe({ a: 1 }))).toBe("application/json|{\"a\":1}")
        expect(yield* post(HttpBody.formData(form))).toContain("bytes")
        expect(yield* post(HttpBody.stream(Stream.make(new TextEncoder().encode("x")), "text/x"))).toContain("text/x|x")
        expect(yield* post(HttpBody.empty)).toContain("|")
        for (const raw of [{ a: 1 }, new Map(), 17, null, new ReadableStream()]) {
          expect(yield* outcome(post(HttpBody.raw(raw)))).toBe("HttpClientError")
        }
        expect(yield* outcome(post(HttpBody.stream(Stream.fail("disk"))))).toBe("HttpClientError")
      })
  )

  program(
    "a stream of a body that says a wrong length is an HttpClientError, and the connection is not poisoned",
    () =>
      Effect.gen(function*() {
        const server = yield* http((request, response) => {
          request.on("error", () => {}).on("end", () => response.end(request.url)).resume()
        })
        const client = yield* clientOf({ connections: 1 })
        const body = HttpBody.stream(Stream.make(new Uint8Array(10)), "x/y", 4)
        expect(yield* outcome(promptly("the call")(client.post(`${server.url}/a`, { body })))).toBe("HttpClientError")
        expect(yield* promptly("the next")(Effect.flatMap(client.get(`${server.url}/b`), ({ text }) => text))).toBe(
          "/b"
        )
      })
  )

  program("a call that an AbortSignal ends is aborted at the server", () =>
    Effect.gen(function*() {
      let closed = 0
      const server = yield* http((_, response) => void response.on("close", () => closed++))
      const client = yield* clientOf()
      const controller = new AbortController()
      const running = Effect.runPromise(client.get(server.url), { signal: controller.signal })
      yield* Effect.sleep("30 millis")
      controller.abort()
      expect(yield* outcome(Effect.tryPromise(() => running))).not.toBe("success")
      yield* eventually(Effect.sync(() => closed), (closed) => closed <= 1)
      yield* noExchange
    }))

  program(
    "fifty answers that nobody reads, over two connections, let the fifty-first be read",
    () =>
      Effect.gen(function*() {
        const server = yield* http((_, response) => response.end("small"))
        const client = yield* clientOf({ connections: 2 })
        yield* promptly("the fifty")(
          Effect.forEach(Array.from({ length: 50 }), () => client.get(server.url), { concurrency: 10 })
        )
        expect(yield* promptly("the last")(Effect.flatMap(client.get(server.url), ({ text }) => text))).toBe("small")
      })
  )

  program(
    "an answer that was read ahead can still be read when its layer has closed, or tells why not",
    () =>
      Effect.gen(function*() {
        const server = yield* answering(ok("early"))
        const scope = yield* Scope.make()
        const client = yield* Scope.provide(clientOf(), scope)
        const response = yield* client.get(server.url)
        yield* Scope.close(scope, Exit.void)
        const got = yield* Effect.exit(promptly("the text")(response.text))
        if (Exit.isSuccess(got)) expect(got.value).toBe("early")
        else expect(yield* outcome(got)).toBe("HttpClientError")
      })
  )

  program("a URL with a secret is in no error of a client", () =>
    Effect.gen(function*() {
      const client = yield* clientOf()
      for (
        const url of [`http://u:${secret}@127.0.0.1:9/`, `ftp://127.0.0.1/${""}?k=${secret}`, `http://u:${secret}@[/`]
      ) {
        const exit = yield* Effect.exit(promptly("a call")(client.get(url)))
        expect(Exit.isFailure(exit)).toBe(true)
        if (Exit.isFailure(exit)) {
          const error = exit.cause.reasons.map((reason) => reason._tag === "Fail" ? reason.error : reason)
          if (url.startsWith("http://u") && !url.endsWith("[/")) {
            expect(`${error.map((one) => String(one))} ${JSON.stringify(error)}`).not.toContain(secret)
          }
        }
      }
    }))
})

const over = (client: HttpClient.HttpClient) => HttpClientView.fromHttpClient(client)

const web = (body: string | ReadableStream | null) =>
  HttpClient.make((request) => Effect.sync(() => HttpClientResponse.fromWeb(request, new Response(body as never))))

describe("a client as a transport", () => {
  program(
    "a client that dies, interrupts itself or hangs ends a call by its defect, or a deadline, and holds nothing",
    () =>
      Effect.gen(function*() {
        const call = (client: HttpClient.HttpClient) =>
          outcome(promptly("a call")(fetchText(over(client), "http://a.test/")))
        expect(yield* call(HttpClient.make(() => Effect.die(new Error("bug"))))).toContain("bug")
        yield* call(HttpClient.make(() => Effect.interrupt))
        expect(
          yield* outcome(
            Deadline.within("30 millis")(
              fetchText(over(HttpClient.make(() => Effect.never)), "http://a.test/")
            )
          )
        ).toBe("DeadlineExceeded")
        yield* noExchange
      })
  )

  program(
    "a client that throws before it is an effect ends a call by its defect and holds nothing",
    () =>
      Effect.gen(function*() {
        const client = HttpClient.make(() => {
          throw new Error("bug")
        })
        expect(yield* outcome(promptly("a call")(fetchText(over(client), "http://a.test/")))).toContain("bug")
        yield* noExchange
      })
  )

  program("a body that fails, hangs or lies through a client is told as such", () =>
    Effect.gen(function*() {
      const failing = new ReadableStream({
        start: (controller) => {
          controller.enqueue(new Uint8Array(3))
          controller.error(new Error("cut"))
        }
      })
      expect(yield* outcome(fetchText(over(web(failing)), "http://a.test/"))).toBe("ConnectionLost")
      let cancelled = 0
      const hanging = new ReadableStream({ cancel: () => void cancelled++ })
      expect(yield* outcome(Deadline.within("30 millis")(fetchText(over(web(hanging)), "http://a.test/")))).toBe(
        "DeadlineExceeded"
      )
      yield* eventually(Effect.sync(() => cancelled), (cancelled) => cancelled === 1)
      const huge = web("x".repeat(100))
      expect(yield* outcome(fetchText(over(huge), "http://a.test/", { maxBodySize: 10 }))).toBe("BodyTooLarge")
      yield* noExchange
    }))

  for (const [method, status] of [["HEAD", 200], ["GET", 204], ["GET", 304], ["DELETE", 205]] as const) {
    program(
      `an answer to ${method} with status ${status}, which has no body, is empty over fetch, and not lost`,
      () =>
        Effect.gen(function*() {
          const server = yield* http((_, response) => response.writeHead(status).end())
          const transport = yield* opened(
            Transport.Transport,
            HttpClientView.layerTransport.pipe(Layer.provide(FetchHttpClient.layer))
          )
          const got = yield* Effect.scoped(Effect.gen(function*() {
            const response = yield* transport.execute({ method, url: server.url, headers: {} })
            expect(response.status).toBe(status)
            return yield* Effect.exit(Transport.text(response))
          }))
          expect(yield* outcome(got)).toBe("success")
        })
    )
  }

  program("a body of a client that is not read is cancelled with its scope", () =>
    Effect.gen(function*() {
      let cancelled = 0
      const body = new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(10)),
        cancel: () => void cancelled++
      })
      const transport = over(web(body))
      yield* Effect.scoped(Effect.gen(function*() {
        const response = yield* transport.execute({ method: "GET", url: "http://a.test", headers: {} })
        yield* response.body
      }))
      yield* eventually(Effect.sync(() => cancelled), (cancelled) => cancelled === 1)
      yield* noExchange
    }))

  program("a body that nobody has begun to read is given back, too", () =>
    Effect.gen(function*() {
      let closed = 0
      const server = yield* http((_, response) => {
        response.write("begun")
        response.on("close", () => closed++)
      })
      const transport = yield* opened(
        Transport.Transport,
        HttpClientView.layerTransport.pipe(Layer.provide(FetchHttpClient.layer))
      )
      yield* Effect.scoped(transport.execute({ method: "GET", url: server.url, headers: {} }))
      yield* eventually(Effect.sync(() => closed), (closed) => closed === 1)
      yield* noExchange
    }))

  program(
    "a transport over a client over a transport serves, and passes an interruption through to the server",
    () =>
      Effect.gen(function*() {
        let closed = 0
        const server = yield* http((request, response) => {
          response.on("close", () => closed++)
          if (request.url === "/whole") response.end("whole")
          else response.write("part")
        })
        const inner = yield* clientOf()
        const outer = yield* HttpClientView.toHttpClient(over(inner))
        const transport = over(outer)
        expect(yield* fetchText(transport, `${server.url}/whole`)).toBe("whole")
        expect(yield* outcome(Deadline.within("60 millis")(fetchText(transport, `${server.url}/part`)))).toBe(
          "DeadlineExceeded"
        )
        yield* eventually(Effect.sync(() => closed), (closed) => closed === 2)
        yield* noExchange
      })
  )

  program("a model over fetch is cancelled at the provider when its reader leaves", () =>
    Effect.gen(function*() {
      const provider = yield* speaking({ say: () => endless })
      const layer = OpenAi.layer({ model: "m", baseUrl: `${provider.url}/v1`, credential: Dialect.credential(secret) })
        .pipe(
          Layer.provide(HttpClientView.layerTransport),
          Layer.provide(FetchHttpClient.layer)
        )
      yield* Target.stream({ messages: [{ role: "user", content: "x" }] }).pipe(
        Stream.take(3),
        Stream.runDrain,
        Effect.provide(layer)
      )
      yield* provider.until(({ aborted }) => aborted === 1)
      yield* idle(provider)
    }))

  program(
    "a firstToken limit holds over a client that waits for ever, and interrupts it",
    () =>
      Effect.gen(function*() {
        let interrupted = 0
        const client = HttpClient.make(() => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++)))
        const got = yield* outcome(
          promptly("the call")(
            fetchText(over(client), "http://a.test", { timeouts: { firstToken: "20 millis" } })
          )
        )
        expect(got).toBe("FirstTokenTimeout")
        expect(interrupted).toBe(1)
      })
  )

  program("headers that fetch forbids or folds are sent or refused by a typed error", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok("fine"))
      const transport = yield* opened(
        Transport.Transport,
        HttpClientView.layerTransport.pipe(Layer.provide(FetchHttpClient.layer))
      )
      for (const headers of [{ "x a": "1" }, { "x-a": "1\r\nx-evil: 1" }, { "x-a": "\u4e2d" }, { "": "x" }]) {
        const got = yield* outcome(promptly("a call")(fetchText(transport, server.url, { headers: headers as never })))
        expect(["InvalidRequest", "ConnectionLost"]).toContain(got)
      }
      expect(server.received.join("").toLowerCase()).not.toContain("x-evil")
    }))

  program("a GET with a body over fetch is a typed error, not a defect", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok("fine"))
      const transport = yield* opened(
        Transport.Transport,
        HttpClientView.layerTransport.pipe(Layer.provide(FetchHttpClient.layer))
      )
      const got = yield* outcome(promptly("a call")(fetchText(transport, server.url, { body: "x" })))
      expect(["InvalidRequest", "ConnectionLost", "success"]).toContain(got)
    }))

  program("an error of a client shows neither its headers nor its query", () =>
    Effect.gen(function*() {
      const transport = yield* opened(
        Transport.Transport,
        HttpClientView.layerTransport.pipe(Layer.provide(FetchHttpClient.layer))
      )
      const error = yield* Effect.flip(fetchText(transport, `http://127.0.0.1:9/?key=${secret}`, {
        headers: { authorization: `Bearer ${secret}` }
      }))
      const { inspect } = yield* Effect.promise(() => import("node:util"))
      expect(`${error.message} ${JSON.stringify(error)} ${inspect(error, { depth: 8, showHidden: true })}`).not
        .toContain(secret)
    }))

  program("a limit of a view that is nonsense is a RangeError", () =>
    Effect.gen(function*() {
      for (const maxBodySize of [-1, Number.NaN, "5" as never]) {
        const got = yield* outcome(Effect.sync(() => HttpClientView.fromHttpClient(web(null), { maxBodySize })))
        expect(got).toContain("maxBodySize")
      }
    }))

  program(
    "a server that answers while a body of a stream is sent, over fetch, ends the stream",
    () =>
      Effect.gen(function*() {
        let ended = 0
        const provider = yield* FaultyProvider.make({
          otherwise: Behavior.notReading(Behavior.status(413, { body: "no" }))
        })
        const transport = yield* opened(
          Transport.Transport,
          HttpClientView.layerTransport.pipe(Layer.provide(FetchHttpClient.layer))
        )
        const body = Stream.forever(Stream.fromEffect(Effect.as(Effect.sleep("2 millis"), new Uint8Array(100)))).pipe(
          Stream.ensuring(Effect.sync(() => ended++))
        )
        yield* outcome(
          Deadline.within("300 millis")(
            fetchText(transport, provider.url, { method: "POST", body })
          )
        )
        yield* eventually(Effect.sync(() => ended), (ended) => ended === 1, "the end of the stream")
        yield* noExchange
      })
  )

  program(
    "a client in the context is used as it is when the layer is built, not when a call is made",
    () =>
      Effect.gen(function*() {
        const transport = yield* opened(
          Transport.Transport,
          HttpClientView.layerTransport.pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, web("first"))))
        )
        const got = yield* fetchText(transport, "http://a.test").pipe(
          Effect.provideContext(Context.make(HttpClient.HttpClient, web("second")))
        )
        expect(got).toBe("first")
      })
  )
})
