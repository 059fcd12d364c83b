/**
 * Gives every request that a server takes a session, a deadline and a caller, and releases all of it when its client goes.
 *
 * What a handler opens, forks and acquires belongs to its request: it ends with the response's last byte, or when the client
 * disconnects, the deadline passes, or somebody revokes the session (kind `"request"`). So a fiber that the handler or the
 * body forks (`Effect.forkChild`) can make the body. One that is detached outlives the request; what it acquires in the
 * request's scope does not. `layer` serves every route of an
 * `HttpRouter`, those of an `HttpApi` and of an RPC server included; `http` wraps a single handler; `Rpc` is the middleware
 * that does the same for each call of an RPC server.
 *
 * A request that is cut short before its response has begun is answered: 504 where the deadline passed, 503 where the
 * session was revoked, 429 where the tenant's quota is used up. A streamed body is cut off at its deadline. When its session
 * is revoked, so are those inside of it: a model's stream fails in there with `SessionRevoked`, and what the body says last
 * of that is sent. One that goes on is cut off when the revocation's own deadline has passed.
 *
 * Each request is admitted to the `Shutdown` in force. It is in flight until its body ends, so a shutdown drains it; what it
 * begins is admitted as part of it. Once admission has stopped, a request is answered with 503, `Retry-After` and
 * `Connection: close`, and a remote call fails with `ShuttingDown`. What has not ended when the drain is over is revoked.
 *
 * For a server on Node.js, `NodeServer.layer` of `@clawback/node` does all this, and stops its listener and connections too.
 *
 * A WebSocket is one request, in flight until it is closed. One that stays open uses up the whole drain and is then closed
 * with 1001, so have it end when `Shutdown.changes` says `"stop"` if it may. What comes over it after that is not part of the
 * request: `Shutdown.admit` refuses it, and so does `Rpc`, to which each call over a socket is a request.
 *
 * Imported by its own path, `@clawback/core/RequestScope`, since Effect's HTTP modules take a while to load.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Headers } from "effect/http/Headers"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
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
import { RequestWork } from "./internal/request/work.ts"
import { InFlight } from "./internal/shutdown/admission.ts"
import type { Ticket } from "./internal/shutdown/machine.ts"
import type { Work as AdmittedWork } from "./internal/shutdown/phases.ts"
import * as Urls from "./internal/transport/urls.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as Session from "./Session.ts"
import { QuotaExceeded, type SessionError, SessionRevoked } from "./SessionError.ts"
import * as Shutdown from "./Shutdown.ts"

export interface Options<out R = never> {
  /**
   * How long a request may take, the body of its response included. Default: 10 minutes. Too short, and long answers are
   * cut off; too long, and a request that hangs holds what it holds for as long. A connection that becomes a WebSocket, and
   * an RPC call, have none unless this is set.
   */
  readonly deadline?: Duration.Input | undefined
  /** Who a request is for, told from its headers. Default: nobody in particular. */
  readonly caller?: ((headers: Headers) => Effect.Effect<Caller.Caller | undefined, never, R>) | undefined
}

const defaultDeadline = Duration.minutes(10)

/** Why a request or a remote call was not begun or was cut short, as a client of remote calls gets to know it. */
export const RpcError = Schema.Union([SessionRevoked, QuotaExceeded, Deadline.DeadlineExceeded, Shutdown.ShuttingDown])

type Interruption = typeof RpcError.Type

const isInterruption = Schema.is(RpcError)

const statuses = { DeadlineExceeded: 504, SessionRevoked: 503, QuotaExceeded: 429, ShuttingDown: 503 } as const

/** Whoever is answered by a process that is going away should ask another one: over another connection, in a second. */
const leaving = (headers: Headers) => ({
  "retry-after": "1",
  // HTTP/2 has no such header.
  ...(headers[":authority"] === undefined && { connection: "close" })
})

const answer = ({ _tag, message }: Interruption, headers?: Record<string, string>) =>
  HttpServerResponse.jsonUnsafe({ error: _tag, message }, { status: statuses[_tag], headers })

const checked = (options: Options<unknown>): Duration.Duration | undefined =>
  options.deadline === undefined ? undefined : OptionCheck.duration("deadline", options.deadline)

const onBehalf = <R>(options: Options<R>, headers: Headers) => <A, E, R2>(self: Effect.Effect<A, E, R2>) =>
  options.caller === undefined
    ? self
    : Effect.flatMap(options.caller(headers), (caller) => caller === undefined ? self : Caller.provide(caller)(self))

interface Work {
  readonly session: Session.Session
  readonly ticket: Ticket<AdmittedWork>
  readonly request: RequestWork
}

/**
 * Does a request's work in a session of its own, which lasts until the scope around closes: what the work forks as a child
 * goes on until then, as it does on the fiber of a server without us.
 */
const lasting = <A, E, R>(
  info: Session.Info,
  hasSucceeded: (exit: Exit.Exit<unknown, unknown>) => boolean,
  work: (of: Work) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | SessionError | Shutdown.ShuttingDown, R | Scope.Scope> =>
  Effect.flatMap(Shutdown.Shutdown, (shutdown) =>
    Effect.flatMap(
      Session.acquire(
        info,
        Effect.sync(() => new RequestWork(info, shutdown)),
        (request, exit) => request.release(exit, hasSucceeded(exit))
      ),
      ({ awaitRevoked, session, value: request }) => {
        const working = Effect.flatMap(request.admission.take, (ticket) => work({ session, ticket, request }))
        const handled = Effect.provideService(request.handle(session, working), Session.Current, session)
        return Effect.andThen(
          // Comes before the session's release, which another fiber may be running and have wait for this one.
          Effect.flatMap(Effect.scope, (scope) => Scope.addFinalizer(scope, Effect.sync(() => request.leave()))),
          Effect.raceFirst(handled, Effect.flatMap(awaitRevoked, Effect.fail))
        )
      }
    ))

/** Nothing of a request is outside of its deadline: neither who it is for nor whether it may begin. */
const inTime = (limit: Duration.Duration | undefined) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  limit === undefined ? self : Deadline.within(limit)(self)

/** The same request, which reports that it has become a WebSocket. */
const watchUpgrade = (
  request: HttpServerRequest.HttpServerRequest,
  onUpgrade: () => void
): HttpServerRequest.HttpServerRequest => {
  const upgradeWith: typeof request.upgradeWith = (options) =>
    Effect.tap(request.upgradeWith(options), () => Effect.sync(onUpgrade))
  const modify: typeof request.modify = (options) => watchUpgrade(request.modify(options), onUpgrade)
  return Object.create(request, {
    upgrade: { get: () => upgradeWith({}) },
    upgradeWith: { value: upgradeWith },
    modify: { value: modify }
  })
}

/** The default deadline for a request that says it wants to become a WebSocket: it holds until that is one. */
const untilUpgraded = <A, E, R>(
  limit: Duration.Duration,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | Deadline.DeadlineExceeded, R | HttpServerRequest.HttpServerRequest> =>
  Effect.suspend(() => {
    let isUpgraded = false
    const expired = Effect.flatMap(
      Effect.sleep(limit),
      () => isUpgraded ? Effect.never : Effect.fail(new Deadline.DeadlineExceeded({ budget: limit }))
    )
    const watched = Effect.updateService(
      self,
      HttpServerRequest.HttpServerRequest,
      (request) => watchUpgrade(request, () => isUpgraded = true)
    )
    return Effect.raceFirst(watched, expired)
  })

/**
 * The body goes on after the handler. It is cut off by the same deadline, and when the session is released under it. A
 * revocation comes first to the sessions inside of it, so that it can say in its own protocol why it ends.
 */
const guard = (
  response: HttpServerResponse.HttpServerResponse,
  { request, session, ticket }: Work,
  caller: Caller.Caller | undefined,
  left: Duration.Duration
): HttpServerResponse.HttpServerResponse => {
  const { body, headers } = response
  const stream = body._tag === "Stream" ? body.stream : body._tag === "Raw" ? Interop.webStream(body.body) : undefined
  if (stream === undefined || body._tag === "Empty") return response
  const guarded = request.body(session, stream).pipe(
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

/** The same for one handler: for `HttpServer.serve`, or the routes that are chosen for it. */
export const http = <R = never>(options: Options<R> = {}) => {
  const limit = checked(options)
  return <E, R2>(
    handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R2>
  ): Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    E,
    R | R2 | HttpServerRequest.HttpServerRequest | Scope.Scope
  > =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers, method, originalUrl }) => {
      // Without the query, which may hold what is nobody's business. Some servers give the origin, too.
      const path = URL.parse(originalUrl, "http://localhost")?.pathname ?? "/"
      const isUpgrade = headers["upgrade"]?.toLowerCase() === "websocket"
      const info = { kind: "request", name: Urls.copied(`${method} ${path}`) }
      const handled = lasting(
        info,
        // Whatever it was answered with, it was cut short if it was revoked.
        () => false,
        (work) =>
          Effect.flatMap(
            // What comes over a WebSocket later is not begun inside of the request that opened it.
            Effect.provideService(handler, InFlight, isUpgrade ? undefined : work.ticket),
            (response) =>
              Effect.flatMap(Caller.Current, (caller) =>
                Effect.map(
                  Deadline.remaining,
                  (left) => guard(response, work, caller, isUpgrade && limit === undefined ? defaultDeadline : left)
                ))
          )
      ).pipe(onBehalf(options, headers))
      const answered = isUpgrade && limit === undefined
        ? untilUpgraded(defaultDeadline, handled)
        : inTime(limit ?? defaultDeadline)(handled)
      return Effect.flatMap(Shutdown.Shutdown, (shutdown) =>
        Effect.catchIf(
          answered,
          isInterruption,
          (error) => Effect.succeed(answer(error, shutdown.causedUnsafe(error) ? leaving(headers) : undefined))
        )).pipe(
          // A server runs a bare handler so that nothing interrupts it, not even its client's going away.
          Effect.interruptible
        ) as Effect.Effect<
          HttpServerResponse.HttpServerResponse,
          E,
          R | R2 | HttpServerRequest.HttpServerRequest | Scope.Scope
        >
    })
}

/**
 * What tells the caller, with all that it needs. No more than that is provided: what the layer is built in has a scope of
 * its own, in which nothing of a request may end up.
 */
const provided = <R>(options: Options<R>): Effect.Effect<Options, never, R> =>
  Effect.map(Effect.context<R>(), (context) => {
    const { caller, deadline } = options
    return { deadline, caller: caller && ((headers) => Effect.provide(caller(headers), context)) }
  })

type Handler = Effect.Effect<HttpServerResponse.HttpServerResponse, unhandled>

/** The same for every route of the router that the layer is built with. */
export const layer = <R = never>(
  options: Options<R> = {}
): Layer.Layer<never, never, Exclude<R, Scope.Scope> | HttpRouter.HttpRouter> =>
  HttpRouter.use((router) =>
    Effect.flatMap(
      provided(options),
      (options) => {
        const inScope = http(options)
        return router.addGlobalMiddleware((handler: Handler) => inScope(handler))
      }
    )
  )

/**
 * The same for each call of an RPC server, streams included: `MyRpcs.middleware(RequestScope.Rpc)`, and `layerRpc` for the
 * server. The client's schema has what can cut a call short as `RpcError`.
 */
export class Rpc extends RpcMiddleware.Service<Rpc>()("@clawback/core/RequestScope/Rpc", { error: RpcError }) {}

/** What `Rpc` needs on the server. */
export const layerRpc = <R = never>(options: Options<R> = {}): Layer.Layer<Rpc, never, R> =>
  Layer.effect(
    Rpc,
    Effect.map(provided(options), (options) => {
      const limit = checked(options)
      return Rpc.of((call, { headers, rpc }) =>
        lasting(
          { kind: "request", name: `rpc ${rpc._tag}` },
          Exit.isSuccess,
          ({ ticket }) => Effect.provideService(call, InFlight, ticket)
        ).pipe(onBehalf(options, headers), inTime(limit))
      )
    })
  )
