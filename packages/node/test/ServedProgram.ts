/** Servers of scoped requests that a signal stops: `node ServedProgram.ts NAME [OPTIONS as JSON]`. */
import { Session } from "@clawback/core"
import * as RequestScope from "@clawback/core/RequestScope"
import { NodeShutdown } from "@clawback/node"
import * as NodeServer from "@clawback/node/NodeServer"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Console, Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Socket } from "effect/socket"
import { createServer } from "node:http"
import process, { argv } from "node:process"

const event = (name: string, data: string) => `event: ${name}\ndata: ${data}\n\n`

/** Sends a number every 20 milliseconds, and a last event in its own protocol, however it ends. */
const numbers = (count: number) =>
  Stream.range(1, count).pipe(
    Stream.mapEffect((n) => Effect.as(Effect.sleep(20), event("number", String(n)))),
    Stream.concat(Stream.make(event("done", String(count)))),
    Session.scopedStream({ kind: "stream", name: `to ${count}` }),
    Stream.catch(({ _tag, message }) => Stream.make(event("error", JSON.stringify({ _tag, message })))),
    Stream.encodeText
  )

const upgraded = Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ upgrade }) => upgrade)

const routes = Layer.mergeAll(
  HttpRouter.add(
    "GET",
    "/numbers/:count",
    Effect.map(
      HttpRouter.params,
      ({ count }) => HttpServerResponse.stream(numbers(Number(count)), { contentType: "text/event-stream" })
    )
  ),
  HttpRouter.add("GET", "/hang", Effect.andThen(Effect.addFinalizer(() => Console.log("hang released")), Effect.never)),
  HttpRouter.add("GET", "/flood", HttpServerResponse.stream(Stream.forever(Stream.make(new Uint8Array(65_536))))),
  // Below one megabyte, Effect's server does not wait until such a body is sent.
  HttpRouter.add(
    "GET",
    "/large/:bytes",
    Effect.map(HttpRouter.params, ({ bytes }) => HttpServerResponse.text("x".repeat(Number(bytes))))
  ),
  HttpRouter.add(
    "POST",
    "/echo",
    Effect.gen(function*() {
      const { text } = yield* HttpServerRequest.HttpServerRequest
      return HttpServerResponse.text(yield* Effect.delay(text, "200 millis"))
    })
  ),
  HttpRouter.add(
    "GET",
    "/socket",
    Effect.gen(function*() {
      yield* Stream.runDrain(Socket.toStream(yield* upgraded))
      return HttpServerResponse.empty()
    })
  )
)

const announced = Layer.effectDiscard(
  Effect.map(HttpServer.HttpServer, ({ address }) => process.send?.({ port: "port" in address ? address.port : 0 }))
)

const listen = { port: 0, host: "127.0.0.1" }
const quiet = { disableLogger: true, disableListenLog: true }

const launch = <E>(
  served: Layer.Layer<never, E, HttpServer.HttpServer>,
  server: Layer.Layer<HttpServer.HttpServer, E>
) =>
  Layer.merge(served, announced).pipe(
    Layer.provide(server),
    Layer.provide(Layer.effectDiscard(Effect.addFinalizer(() => Console.log("outer layer closed")))),
    Layer.launch
  )

const programs: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
  NodeServer: launch(HttpRouter.serve(routes, quiet), NodeServer.layer(listen)),
  "a request scope alone": launch(
    HttpRouter.serve(Layer.mergeAll(routes, RequestScope.layer()), quiet),
    NodeHttpServer.layerServer(() => createServer(), listen)
  )
}

const [, , name = "", options = "{}"] = argv
NodeShutdown.runMain(programs[name] ?? Effect.die(`There is no program ${name}`), JSON.parse(options))
