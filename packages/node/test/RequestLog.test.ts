import { SessionRegistry } from "@clawback/core"
import * as RequestLog from "@clawback/core/RequestLog"
import * as NodeServer from "@clawback/node/NodeServer"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Layer, Logger, Queue, References, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { once } from "node:events"
import { connect, get } from "./clients.ts"

interface Entry {
  readonly text: unknown
  readonly level: string
  readonly annotations: Readonly<Record<string, unknown>>
  readonly cause: unknown
}

const streamed = (stream: Stream.Stream<string, unknown>) => HttpServerResponse.stream(Stream.encodeText(stream))
const endless = Stream.concat(Stream.make("begun"), Stream.never)
const breaking = Stream.fromEffect(Effect.delay(Effect.fail("broken"), "20 millis"))

const Routes = Layer.mergeAll(
  HttpRouter.add("GET", "/whole", HttpServerResponse.text("whole")),
  HttpRouter.add("GET", "/endless", streamed(endless)),
  HttpRouter.add("GET", "/broken", streamed(Stream.concat(Stream.make("begun"), breaking))),
  HttpRouter.add("GET", "/defect", Effect.die("a defect")),
  HttpRouter.add("GET", "/hang", Effect.never)
)

/** Serves, and reads the entries of the log one by one. */
const served = (options: Partial<NodeServer.Options> = {}) =>
  Effect.gen(function*() {
    const entries = yield* Queue.unbounded<Entry>()
    const logger = Logger.make<unknown, void>(({ cause, fiber, logLevel, message }) => {
      Queue.offerUnsafe(entries, {
        text: Array.isArray(message) ? message[0] : message,
        level: logLevel,
        annotations: fiber.getRef(References.CurrentLogAnnotations),
        cause: cause.reasons.length === 0 ? undefined : Cause.squash(cause)
      })
    })
    const App = HttpRouter.serve(Routes, { middleware: RequestLog.middleware, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeServer.layer({
        port: 0,
        host: "127.0.0.1",
        caller: () => Effect.succeed({ tenant: "acme" }),
        ...options
      })),
      Layer.provide(Logger.layer([logger]))
    )
    const { address } = Context.get(yield* Layer.build(App), HttpServer.HttpServer)
    assert("port" in address)
    return { port: address.port, entry: Queue.take(entries), entries }
  })

const isolated = Effect.provide(SessionRegistry.layer({ quota: (tenant) => tenant === "acme" ? { request: 1 } : {} }))

describe("RequestLog.middleware", () => {
  it.live("writes one entry for a request, with its status, outcome, time and tenant", () =>
    Effect.gen(function*() {
      const { entries, entry, port } = yield* served()
      yield* Effect.promise(() => get(port, "/whole?key=secret"))
      const { annotations, level, text } = yield* entry
      assert.match(String(text), /^GET \/whole 200, complete after (?:<1ms|\d+ms)$/)
      const { "http.server.request.duration": seconds, ...others } = annotations
      assert.isNumber(seconds)
      assert.deepStrictEqual([level, others], ["Info", {
        "http.request.method": "GET",
        "url.path": "/whole",
        "http.response.status_code": 200,
        "clawback.request.outcome": "complete",
        "clawback.caller.tenant": "acme"
      }])
      yield* Effect.promise(() => get(port, "/nowhere"))
      assert.match(String((yield* entry).text), /^GET \/nowhere 404, complete /)
      assert.strictEqual(Queue.sizeUnsafe(entries), 0)
    }).pipe(Effect.scoped, isolated))

  it.live("tells a response that was cut from a whole one", () =>
    Effect.gen(function*() {
      const { entry, port } = yield* served()
      const socket = yield* Effect.promise(() => connect(port, "GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n"))
      yield* Effect.promise(() => once(socket, "data"))
      yield* Effect.promise(() => get(port, "/whole"))
      const rejected = yield* entry
      assert.match(String(rejected.text), /^GET \/whole 429, complete /)
      assert.strictEqual(rejected.annotations["clawback.caller.tenant"], "acme")
      socket.destroy()
      assert.match(String((yield* entry).text), /^GET \/endless 200, client left after /)

      const context = yield* Effect.context<never>()
      const revoke = SessionRegistry.revoke({ kind: "request" }, { reason: "suspended", deadline: "10 millis" })
      yield* Effect.promise(() => get(port, "/endless", () => void Effect.runForkWith(context)(revoke)))
      assert.match(String((yield* entry).text), /^GET \/endless 200, revoked \(suspended\) after /)

      yield* Effect.promise(() => get(port, "/broken"))
      assert.deepInclude(yield* entry, { level: "Error", cause: "broken" })
      yield* Effect.promise(() => get(port, "/defect"))
      const defect = yield* entry
      assert.match(String(defect.text), /^GET \/defect 500, failed after /)
      assert.strictEqual(defect.cause, "a defect")
    }).pipe(Effect.scoped, isolated))

  it.live.each([["/endless", 200], ["/hang", 504]] as const)(
    "tells that %s lasted until its deadline",
    ([path, status]) =>
      Effect.gen(function*() {
        const { entry, port } = yield* served({ deadline: "100 millis", grace: 0 })
        yield* Effect.promise(() => get(port, path))
        const { level, text } = yield* entry
        assert.match(String(text), new RegExp(`^GET ${path} ${status}, deadline after `))
        assert.strictEqual(level, "Warn")
      }).pipe(Effect.scoped, isolated)
  )
})
