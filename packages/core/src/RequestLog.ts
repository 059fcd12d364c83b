/**
 * Writes one entry into the log for each request of a server, when it has ended: the status, the outcome and the time.
 *
 * Effect's own entry, "Sent HTTP response", is not written then. It says 200 for a response that told its client of a
 * revocation, and nothing of a client that left.
 *
 * ```ts
 * import * as RequestLog from "@clawback/core/RequestLog"
 * import * as NodeServer from "@clawback/node/NodeServer"
 * import { Effect, Layer } from "effect"
 * import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
 *
 * const Hello = HttpRouter.add("GET", "/", HttpServerResponse.text("hello"))
 *
 * const App = HttpRouter.serve(Hello, { middleware: RequestLog.middleware }).pipe(
 *   Layer.provideMerge(NodeServer.layer({ port: 0, host: "127.0.0.1" }))
 * )
 *
 * const program = HttpServer.addressFormattedWith((url) => Effect.promise(() => fetch(url).then((_) => _.text())))
 *
 * await Effect.runPromise(Effect.provide(program, App)) // logs: GET / 200, complete after 4ms
 * ```
 *
 * | outcome | the request |
 * | --- | --- |
 * | `complete` | was answered whole; the status says with what |
 * | `client left` | lost its client before its response was whole |
 * | `deadline` | lasted until its deadline |
 * | `revoked` | was revoked, also by a shutdown; the entry has the reason |
 * | `interrupted` | was interrupted by its server |
 * | `failed` | failed in the middle of its response, or was answered with a status of 500 or more; the entry has the cause |
 *
 * `complete` and `client left` are logged at `Info`, `failed` at `Error`, the others at `Warning`. The entry is annotated with the
 * method, the path without its query, the status, the outcome, the duration in seconds and the caller's tenant.
 *
 * Limits: the outcomes `deadline` and `revoked` need a `RequestScope`, which `NodeServer.layer` has. A response that is complete
 * may not have reached its client.
 *
 * Imported by its own path, `@clawback/core/RequestLog`, since Effect's HTTP modules take a while to load.
 *
 * @experimental
 */

import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { appendPreResponseHandler } from "effect/http/HttpEffect"
import { withLoggerDisabled } from "effect/http/HttpMiddleware"
import { ClientAbort } from "effect/http/HttpServerError"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Scope from "effect/Scope"
import { Attribute } from "./internal/metrics/attributes.ts"
import { pathOf, type Scoped, scopedOf } from "./internal/request/scoped.ts"
import * as Time from "./internal/time/format.ts"
import * as Monotonic from "./internal/time/monotonic.ts"

/** How a request ended. */
export type Outcome = "complete" | "client left" | "deadline" | "revoked" | "interrupted" | "failed"

type Ended = Exit.Exit<unknown, unknown>

const hasLeft = (exit: Ended): boolean =>
  Exit.isFailure(exit) &&
  exit.cause.reasons.some((reason) => Cause.isInterruptReason(reason) && reason.annotations.has(ClientAbort.key))

const outcomeOf = (exit: Ended, status: number | undefined, scoped: Scoped | undefined, now: number): Outcome => {
  if (scoped?.running?.session.revoked !== undefined) return "revoked"
  if (scoped?.deadline !== undefined && now >= scoped.deadline.at) return "deadline"
  if (hasLeft(exit)) return "client left"
  if (Exit.isSuccess(exit)) return "complete"
  if (Cause.hasInterruptsOnly(exit.cause)) return "interrupted"
  // An error of the handler that was answered, such as an unknown route.
  return status !== undefined && status >= 400 && status < 500 ? "complete" : "failed"
}

const levels = {
  "complete": "Info",
  "client left": "Info",
  "deadline": "Warn",
  "revoked": "Warn",
  "interrupted": "Warn",
  "failed": "Error"
} as const

/** The entry of a request that has ended. A server may report that it has sent a body that its client did not wait for. */
const write = (request: HttpServerRequest, closed: Ended, status: number | undefined, beganAt: number) =>
  Effect.clockWith((clock) => {
    const now = Monotonic.millis(clock)
    const scoped = scopedOf(request)
    const exit = Exit.isFailure(closed) ? closed : scoped?.running?.request.bodyExit ?? closed
    const outcome = outcomeOf(exit, status, scoped, now)
    const path = pathOf(request)
    const why = outcome === "revoked" ? ` (${scoped?.running?.session.revoked?.reason})` : ""
    const took = Duration.millis(now - beganAt)
    const text = `${request.method} ${path} ${status ?? "unanswered"}, ${outcome}${why} after ${Time.format(took)}`
    const cause = outcome === "failed" && Exit.isFailure(exit) ? [exit.cause] : []
    const tenant = scoped?.caller?.tenant
    return Effect.annotateLogs(Effect.logWithLevel(levels[outcome])(text, ...cause), {
      "http.request.method": request.method,
      "url.path": path,
      ...(status !== undefined && { "http.response.status_code": status }),
      "clawback.request.outcome": outcome,
      "http.server.request.duration": Duration.toSeconds(took),
      ...(tenant !== undefined && { [Attribute.tenant]: tenant })
    })
  })

/** For the option `middleware` of `HttpRouter.serve`, or the second argument of `HttpServer.serve`. */
export const middleware = <E, R>(
  app: Effect.Effect<HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse, E, R | HttpServerRequest | Scope.Scope> =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest
    const beganAt = Monotonic.millis(yield* Clock.Clock)
    let status: number | undefined
    yield* withLoggerDisabled(appendPreResponseHandler((_, response) => {
      status = response.status
      return Effect.succeed(response)
    }))
    // The first finalizer runs last, when the request has ended.
    yield* Scope.addFinalizerExit(yield* Effect.scope, (exit) => write(request, exit, status, beganAt))
    return yield* app
  })
