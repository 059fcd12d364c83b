/**
 * Serves an Effect HTTP app on a `node:http` server, and stops with the process. Takes the place of `NodeHttpServer.layer`.
 *
 * Each request runs in a `RequestScope`: it is a session with a deadline and a caller, and everything that it holds is
 * released when its response is sent or its client is gone. At the deadline, the server drops a response that the client has
 * not read. In a shutdown:
 *
 * | phase | what the server does |
 * | --- | --- |
 * | `stop` | closes the listener and the idle connections; rejects requests on open connections with 503, `Retry-After` and `Connection: close` |
 * | `drain` | waits for each request until its last byte is sent; a WebSocket is one request, until it is closed |
 * | `interrupt` | revokes the requests that are left, and drops responses that their clients do not read |
 * | `close` | destroys every connection that is left |
 *
 * A report counts each request once, as a session of the kind `"request"`. If the layer closes without a shutdown, the
 * server stops in the same order, within `gracefulShutdownTimeout`.
 *
 * ```ts
 * import { NodeShutdown } from "@clawback/node"
 * import * as NodeServer from "@clawback/node/NodeServer"
 * import { Effect, Layer } from "effect"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 *
 * const Hello = HttpRouter.add("GET", "/", HttpServerResponse.text("hello"))
 *
 * const Stop = Layer.effectDiscard(Effect.sync(() => process.kill(process.pid, "SIGTERM"))) // as Kubernetes does
 *
 * const Server = NodeServer.layer({ port: 0, host: "127.0.0.1", deadline: "2 minutes" })
 *
 * NodeShutdown.runMain(Layer.launch(Layer.provideMerge(Stop, HttpRouter.serve(Hello)).pipe(Layer.provide(Server))))
 * ```
 *
 * Limits:
 *
 * - HTTP/1.1, with or without TLS.
 * - Do not add `RequestScope.layer`: reports would then count each request twice.
 * - If a client asks for an upgrade, sends more bytes, and leaves before a handler reads them, its request goes on until its
 *   deadline. The same holds for a client that leaves after the response to such a request has begun, until more is written.
 *
 * Imported by its own path, `@clawback/node/NodeServer`, since Effect's HTTP modules take a while to load.
 *
 * @stable
 */

import * as Deadline from "@clawback/core/Deadline"
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as RequestScope from "@clawback/core/RequestScope"
import * as Shutdown from "@clawback/core/Shutdown"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type * as NodeServices from "@effect/platform-node/NodeServices"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import type * as Etag from "effect/http/Etag"
import type { HttpMiddleware } from "effect/http/HttpMiddleware"
import type * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpServer from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type * as Https from "node:https"
import { Connections } from "./internal/connections.ts"
import { withMessage } from "./internal/serveError.ts"
import { stopWithShutdown } from "./internal/stopping.ts"
import { closeAbandoned } from "./internal/upgrades.ts"

export interface Options<out R = never>
  extends RequestScope.Options<R>, Omit<NodeHttpServer.Options, "disablePreemptiveShutdown">
{
  /** Creates the server, for example with a certificate or Node's own timeouts. Default: `Http.createServer`. */
  readonly createServer?: LazyArg<Http.Server | Https.Server> | undefined
  /** The name of the server in reports. Default: `"http server"`. */
  readonly name?: string | undefined
  /**
   * How long a layer that closes without a shutdown waits for its requests. Default: 20 seconds. Too low, and requests are
   * interrupted; too high, and one request that hangs keeps the layer open.
   */
  readonly gracefulShutdownTimeout?: NodeHttpServer.Options["gracefulShutdownTimeout"]
}

/** The requests that a server handles at this moment. */
class Requests {
  private count = 0
  /** Open while there is no request. */
  private readonly empty = Latch.makeUnsafe(true)

  readonly awaitEmpty: Effect.Effect<void> = this.empty.await

  enter(): void {
    if (this.count++ === 0) this.empty.closeUnsafe()
  }

  leave(): void {
    if (--this.count === 0) this.empty.openUnsafe()
  }
}

type Applied<A extends App<any, any>> = HttpMiddleware.Applied<A, unknown, HttpServerRequest | Scope.Scope>

type App<E, R> = Effect.Effect<HttpServerResponse, E, R>

/** Drops a response that its client does not read, from the deadline on. A later look is for what is written after it. */
const dropUnread = (connections: Connections, request: Http.IncomingMessage): Effect.Effect<never> =>
  Effect.flatMap(Deadline.remaining, (left) =>
    Effect.andThen(
      Effect.sleep(left),
      Effect.forever(Effect.andThen(Effect.sync(() => connections.dropUnread(request)), Effect.sleep("1 second")))
    ))

/** Keeps a request's scope open until its response is sent. */
const untilSent = (requests: Requests, connections: Connections) => <E, R>(app: App<E, R>) =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest
    // HTTP/2 servers are not accepted.
    const incoming = NodeHttpServerRequest.toIncomingMessage(request) as Http.IncomingMessage
    // Before the finalizer, which waits for what this drops.
    if (connections.has(incoming)) yield* Effect.forkScoped(dropUnread(connections, incoming))
    const sent = Effect.interruptible(connections.sent(incoming))
    yield* Effect.acquireRelease(
      Effect.sync(() => requests.enter()),
      () => Effect.ensuring(sent, Effect.sync(() => requests.leave()))
    )
    return yield* app
  })

/** Stops a server whose layer closes. In a shutdown, the requests have had their time before that. */
const stop = (requests: Requests, connections: Connections, timeout: Duration.Duration) =>
  Effect.gen(function*() {
    connections.stop()
    const state = yield* Effect.flatMap(Shutdown.Shutdown, (shutdown) => shutdown.state)
    const isPastDrain = state === "interrupt" || state === "close" || state === "done"
    if (!isPastDrain) yield* Effect.timeoutOption(Effect.interruptible(requests.awaitEmpty), timeout)
    connections.abandon()
  })

const fields: Readonly<Record<keyof Options, true>> = {
  deadline: true,
  grace: true,
  caller: true,
  createServer: true,
  name: true,
  gracefulShutdownTimeout: true,
  port: true,
  host: true,
  backlog: true,
  exclusive: true,
  handle: true,
  ipv6Only: true,
  reusePort: true,
  path: true,
  readableAll: true,
  writableAll: true,
  signal: true,
  websocket: true
}

const make = Effect.fnUntraced(function*<R>(options: Options<R>) {
  OptionCheck.fields<Options<R>>("options", options, fields)
  const { caller, createServer = Http.createServer, deadline, grace, gracefulShutdownTimeout, name, ...listen } =
    options
  const timeout = OptionCheck.duration("gracefulShutdownTimeout", gracefulShutdownTimeout ?? "20 seconds")
  const context = yield* Effect.context<R>()
  const ofRequests: RequestScope.Options = {
    deadline,
    grace,
    caller: caller && ((headers) => Effect.provide(caller(headers), context))
  }
  const inScope = RequestScope.http(ofRequests)
  const server = createServer()
  const connections = yield* Effect.acquireRelease(
    Effect.sync(() => new Connections(server, ["request", "checkContinue"])),
    (connections) => Effect.sync(() => connections.detach())
  )
  yield* closeAbandoned(server)
  yield* stopWithShutdown(connections, name ?? "http server")
  const { address, serve } = yield* Effect.mapError(NodeHttpServer.make(() => server, listen), withMessage)
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      connections.stop()
      connections.destroy()
    })
  )
  const requests = new Requests()
  return HttpServer.make({
    address,
    serve: (app, middleware) => {
      const scoped = inScope(untilSent(requests, connections)(app))
      return Effect.andThen(
        middleware === undefined ? serve(scoped) : serve(scoped, middleware as Applied<App<any, any>>),
        // Runs before Effect's own server stops.
        Effect.addFinalizer(() => stop(requests, connections, timeout))
      )
    }
  })
})

/**
 * A server that listens for as long as the layer is open. Provide it to `HttpRouter.serve` or `HttpServer.serve`.
 *
 * Fails with Effect's `ServeError` if the server cannot listen. Its `cause` is Node's error, such as `EADDRINUSE`.
 */
export const layer = <R = never>(
  options: Options<R>
): Layer.Layer<
  HttpServer.HttpServer | NodeServices.NodeServices | HttpPlatform.HttpPlatform | Etag.Generator,
  ServeError,
  Exclude<R, Scope.Scope>
> => Layer.merge(Layer.effect(HttpServer.HttpServer, make(options)), NodeHttpServer.layerHttpServices)
