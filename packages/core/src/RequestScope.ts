/**
 * Gives each request of a server a session, a deadline and a caller, and releases what it holds when its client goes.
 *
 * What a handler opens, forks and acquires belongs to its request. All of it ends with the response's last byte, or when the
 * client disconnects, the deadline passes, or the session (kind `"request"`) is revoked. A fiber that the handler or the
 * body forks (`Effect.forkChild`) may produce the body. A detached fiber outlives the request; what it acquires in the
 * request's scope does not. `layer` serves every route of an `HttpRouter`, also those of an `HttpApi` and of an RPC server.
 * `http` wraps one handler. `Rpc` is the middleware that does the same for each call of an RPC server.
 *
 * A request that is cut short before its response has begun gets an error response: 504 if the deadline passed, 503 if the
 * session was revoked, 429 if the tenant's quota is used up. Its body has the shape of OpenAI's errors, and a sentence for the
 * client: `{ "error": { "message", "type", "param", "code" } }`, where `type` is the tag of the error. Of a revocation it has the
 * reason, and nothing of the session. A 429 has no `Retry-After`: a quota limits what is open, and nothing tells when that ends.
 *
 * The parts of a streamed body that have a limit of their own end at the request's deadline: a model's stream, or
 * `Deadline.withinStream`, fails with `DeadlineExceeded`, and the body may still send a last event. If the session is revoked,
 * the sessions inside are revoked too: a model's stream fails with `SessionRevoked`. A body that continues is cut off when
 * `grace` has passed, or at the revocation's deadline.
 *
 * Each request is admitted to the current `Shutdown` until its body ends, so a shutdown drains it. Work that it begins is
 * admitted as part of it. After phase `stop` begins, requests get 503, `Retry-After` and `Connection: close`, and remote
 * calls fail with `ShuttingDown`. Requests that have not ended when the drain is over are revoked.
 *
 * For a server on Node.js, `NodeServer.layer` of `@clawback/node` does all this, and stops its listener and connections too.
 *
 * A WebSocket is one request until it is closed. An open WebSocket keeps the drain waiting until its limit, then is closed
 * with 1001. Close it yourself when `Shutdown.changes` emits `"stop"`. Later messages are new work: `Shutdown.admit` and
 * `Rpc` reject them. `Rpc` treats each call as a request.
 *
 * Imported by its own path, `@clawback/core/RequestScope`, since Effect's HTTP modules take a while to load.
 *
 * @stable
 */

import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Headers } from "effect/http/Headers"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as RpcMiddleware from "effect/rpc/RpcMiddleware"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { unhandled } from "effect/Types"
import * as Caller from "./Caller.ts"
import * as Deadline from "./Deadline.ts"
import * as Interop from "./internal/interop.ts"
import { RequestParts } from "./internal/request/requestParts.ts"
import { enter, pathOf } from "./internal/request/scoped.ts"
import { isUpgrade, untilUpgraded } from "./internal/request/upgrade.ts"
import { coordinatorOf } from "./internal/shutdown/coordinator.ts"
import { InFlight } from "./internal/shutdown/inFlight.ts"
import type { Ticket } from "./internal/shutdown/machine.ts"
import type { Admitted } from "./internal/shutdown/model.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as Session from "./Session.ts"
import { QuotaExceeded, type SessionError, SessionRevoked } from "./SessionError.ts"
import * as Shutdown from "./Shutdown.ts"

export interface Options<out R = never> {
  /**
   * How long a request may take, its response's body included. Default: 10 minutes. Too low, and long responses are cut off;
   * too high, and a request that hangs holds its resources for as long. A WebSocket and an RPC call have no default.
   */
  readonly deadline?: Duration.Input | undefined
  /**
   * How long a streamed body may go on after its deadline, to send a last event. Default: 1 second. Too low, and the event is
   * lost; too high, and a body that ignores its deadline holds its resources for as long. Zero: it is cut off at the deadline.
   */
  readonly grace?: Duration.Input | undefined
  /** Reads the caller of a request from its headers. Default: no caller. */
  readonly caller?: ((headers: Headers) => Effect.Effect<Caller.Caller | undefined, never, R>) | undefined
}

const defaultDeadline = Duration.minutes(10)
const defaultGrace = Duration.seconds(1)

/** Why a request or a remote call was rejected or cut short. A client of remote calls gets it as the error. */
export const RpcError = Schema.Union([SessionRevoked, QuotaExceeded, Deadline.DeadlineExceeded, Shutdown.ShuttingDown])

type CutShort = typeof RpcError.Type

const isCutShort = Schema.is(RpcError)

const statuses = { DeadlineExceeded: 504, SessionRevoked: 503, QuotaExceeded: 429, ShuttingDown: 503 } as const

/** Sends the client to another replica, over another connection, after a second. */
const leaving = (headers: Headers) => ({
  "retry-after": "1",
  // HTTP/2 has no such header.
  ...(headers[":authority"] === undefined && { connection: "close" })
})

/** What a client is told. The error's own message is for the log: it names tenants, sessions and models. */
const sentence = (error: CutShort): string => {
  switch (error._tag) {
    case "QuotaExceeded":
      return "You have too many requests open at once. Try again when one of them has ended."
    case "DeadlineExceeded":
      return "The request took longer than it may."
    case "SessionRevoked":
      return `The request was ended: ${error.reason}.`
    case "ShuttingDown":
      return "The server is stopping. Send the request again."
  }
}

/** As OpenAI's API words its errors. Nothing tells when a quota has room again, so 429 has no `Retry-After`. */
const errorResponse = (error: CutShort, headers?: Record<string, string>) =>
  HttpServerResponse.jsonUnsafe(
    { error: { message: sentence(error), type: error._tag, param: null, code: null } },
    { status: statuses[error._tag], headers }
  )

interface Limits {
  /** Undefined: none was given. */
  readonly deadline: Duration.Duration | undefined
  readonly grace: Duration.Duration
}

const checked = ({ deadline, grace }: Options<unknown>): Limits => ({
  deadline: deadline === undefined ? undefined : OptionCheck.duration("deadline", deadline),
  grace: grace === undefined ? defaultGrace : OptionCheck.finite("grace", grace)
})

const onBehalf = <R>(options: Options<R>, headers: Headers) => <A, E, R2>(self: Effect.Effect<A, E, R2>) =>
  options.caller === undefined
    ? self
    : Effect.flatMap(options.caller(headers), (caller) => caller === undefined ? self : Caller.provide(caller)(self))

/** A request that was admitted, in its session. */
interface Running {
  readonly session: Session.Session
  readonly ticket: Ticket<Admitted>
  readonly request: RequestParts
}

/**
 * Handles a request in a session of its own, which lasts until the surrounding scope closes. Children of the handler live
 * until then, as they do on the fiber of a plain server.
 */
const inSession = <A, E, R>(
  info: Session.Info,
  hasSucceeded: (exit: Exit.Exit<unknown, unknown>) => boolean,
  handler: (running: Running) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | SessionError | Shutdown.ShuttingDown, R | Scope.Scope> =>
  Effect.flatMap(Shutdown.Shutdown, (shutdown) =>
    Effect.flatMap(
      Session.acquire(
        info,
        Effect.sync(() => new RequestParts(info, coordinatorOf(shutdown))),
        (request, exit) => request.release(exit, hasSucceeded(exit))
      ),
      ({ awaitRevoked, session, value: request }) => {
        const handling = Effect.flatMap(request.enter, (ticket) => handler({ session, ticket, request }))
        const handled = Effect.provideService(request.handle(session, handling), Session.Current, session)
        return Effect.andThen(
          // Runs before the session's release, which another fiber may run and which may wait for this one.
          Effect.flatMap(
            Effect.scope,
            (scope) => Scope.addFinalizer(scope, Effect.sync(() => request.noticeClosing()))
          ),
          Effect.raceFirst(handled, Effect.flatMap(awaitRevoked, Effect.fail))
        )
      }
    ))

/** The deadline covers everything, also finding the caller and the admission. */
const inTime = (limit: Duration.Duration | undefined) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  limit === undefined ? self : Deadline.within(limit)(self)

/** What the body of a response has in common with its handler. */
interface Around {
  readonly caller: Caller.Caller | undefined
  /** Undefined: none is in force. */
  readonly deadline: Deadline.Deadline | undefined
  /** How long the body may take before it is cut off. */
  readonly left: Duration.Duration
}

/**
 * The body goes on after the handler. It is cut off some time after the same deadline, or when the session is released. The
 * deadline reaches what the body does with limits of its own, and a revocation the sessions inside, so that the body can say in
 * its own protocol why it ends.
 */
const guard = (
  response: HttpServerResponse.HttpServerResponse,
  { request, session, ticket }: Running,
  { caller, deadline, left }: Around
): HttpServerResponse.HttpServerResponse => {
  const { body, headers } = response
  const stream = body._tag === "Stream" ? body.stream : body._tag === "Raw" ? Interop.webStream(body.body) : undefined
  if (stream === undefined || body._tag === "Empty") return response
  const inTime = deadline === undefined ? stream : Stream.provideService(stream, Deadline.Current, deadline)
  const guarded = request.body(session, inTime).pipe(
    Deadline.withinStream(left),
    Stream.provideService(Session.Current, session),
    Stream.provideService(Caller.Current, caller),
    Stream.provideService(InFlight, ticket)
  )
  return HttpServerResponse.setHeaders(
    HttpServerResponse.setBody(response, HttpBody.stream(guarded, body.contentType, body.contentLength)),
    headers
  )
}

type Handler<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

const infoOf = (request: HttpServerRequest): Session.Info => ({
  kind: "request",
  name: `${request.method} ${pathOf(request)}`
})

/** Handles a request in its session, on behalf of its caller, within its deadline. */
const handled = <E, R, R2>(
  request: HttpServerRequest,
  handler: Handler<E, R2>,
  options: Options<R>,
  { deadline: limit, grace }: Limits
) => {
  const hasNoLimit = isUpgrade(request) && limit === undefined
  const inOwnSession = Effect.withFiber((fiber) => {
    const scoped = enter(
      request,
      fiber.getRef(Caller.Current),
      hasNoLimit ? undefined : fiber.getRef(Deadline.Current)
    )
    return inSession(
      infoOf(request),
      () => false,
      Effect.fnUntraced(function*(running) {
        scoped.running = running
        // Work that comes over a WebSocket later does not begin inside of the request.
        const response = yield* Effect.provideService(
          handler,
          InFlight,
          isUpgrade(request) ? undefined : running.ticket
        )
        const left = Duration.sum(yield* Deadline.remaining, grace)
        return guard(response, running, {
          caller: yield* Caller.Current,
          deadline: yield* Deadline.Current,
          left: hasNoLimit ? defaultDeadline : left
        })
      })
    )
  }).pipe(onBehalf(options, request.headers))
  return hasNoLimit ? untilUpgraded(defaultDeadline, inOwnSession) : inTime(limit ?? defaultDeadline)(inOwnSession)
}

const wrapper = <R>(options: Options<R> = {}) => {
  const limits = checked(options)
  return <E, R2>(
    handler: Handler<E, R2>
  ): Handler<E, R | R2 | HttpServerRequest | Scope.Scope> =>
    Effect.flatMap(HttpServerRequest, (request) =>
      Effect.flatMap(Shutdown.Shutdown, (shutdown) =>
        Effect.catchIf(
          handled(request, handler, options, limits),
          isCutShort,
          (error) =>
            Effect.succeed(errorResponse(error, shutdown.isCauseOf(error) ? leaving(request.headers) : undefined))
        ))).pipe(
        // A server runs a bare handler uninterruptibly, so that a client that leaves would not interrupt it.
        Effect.interruptible
      ) as Handler<E, R | R2 | HttpServerRequest | Scope.Scope>
}

/** Wraps one handler: for `HttpServer.serve`, or for some routes. */
export const http: {
  <R = never>(
    options?: Options<R>
  ): <E, R2>(handler: Handler<E, R2>) => Handler<E, R | R2 | HttpServerRequest | Scope.Scope>
  <E, R2, R = never>(
    handler: Handler<E, R2>,
    options?: Options<R>
  ): Handler<E, R | R2 | HttpServerRequest | Scope.Scope>
} = <E, R2, R>(handler?: Handler<E, R2> | Options<R>, options?: Options<R>): any =>
  // Not by `dual`, which would check the options only when it has the handler.
  Effect.isEffect(handler) ? wrapper(options)(handler) : wrapper(handler)

/**
 * The options, with what their `caller` needs. Nothing else of the layer's context is provided: the scope of the layer must
 * not become that of a request.
 */
const provided = <R>(options: Options<R>): Effect.Effect<Options, never, R> =>
  Effect.map(Effect.context<R>(), (context) => {
    const { caller, deadline, grace } = options
    return { deadline, grace, caller: caller && ((headers) => Effect.provide(caller(headers), context)) }
  })

/** Wraps every route of the router that the layer is built with. */
export const layer = <R = never>(
  options: Options<R> = {}
): Layer.Layer<never, never, Exclude<R, Scope.Scope> | HttpRouter.HttpRouter> =>
  HttpRouter.use((router) =>
    Effect.flatMap(
      provided(options),
      (options) => {
        const inScope = http(options)
        return router.addGlobalMiddleware((handler: Handler<unhandled, never>) => inScope(handler))
      }
    )
  )

/**
 * Wraps each call of an RPC server, streams included: `MyRpcs.middleware(RequestScope.Rpc)`, and `layerRpc` for the server.
 * `RpcError` is the schema of the errors that a cut-short call returns to its client.
 */
export class Rpc extends RpcMiddleware.Service<Rpc>()("@clawback/core/RequestScope/Rpc", { error: RpcError }) {}

/** What `Rpc` needs on the server. */
export const layerRpc = <R = never>(options: Options<R> = {}): Layer.Layer<Rpc, never, R> =>
  Layer.effect(
    Rpc,
    Effect.map(provided(options), (options) => {
      const { deadline } = checked(options)
      return Rpc.of((call, { headers, rpc }) =>
        inSession(
          { kind: "request", name: `rpc ${rpc._tag}` },
          Exit.isSuccess,
          ({ ticket }) => Effect.provideService(call, InFlight, ticket)
        ).pipe(onBehalf(options, headers), inTime(deadline))
      )
    })
  )
