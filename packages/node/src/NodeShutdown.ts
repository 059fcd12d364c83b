/**
 * Runs a program as the process's own, and stops it in the phases of `Shutdown`. Takes the place of `NodeRuntime.runMain`.
 *
 * | what happens | what it does |
 * | --- | --- |
 * | `SIGINT`, `SIGTERM`, `SIGHUP`, `SIGBREAK` | begins the shutdown, and logs what it waits for; a second signal skips the drain; a third exits at once |
 * | the program fails | logs the cause and shuts down. A failed release of an interrupted program is also logged |
 * | an unhandled exception or rejection | logs it, then shuts down with exit code 1 |
 * | the program has ended and nothing keeps the process alive (`beforeExit`) | shuts down, and names sessions that were not released |
 *
 * The program is interrupted in the phase `interrupt`, and has at least the last quarter of that phase to close its scopes.
 * Admit work (`Shutdown.admit`) that the drain should wait for. Do not admit a server that never ends: the drain would wait
 * for it.
 *
 * | exit code | meaning |
 * | --- | --- |
 * | 0, or the program's own `process.exitCode` | nothing was cut short, nothing failed, nothing is left |
 * | 1, or the code of the error | the program failed by itself |
 * | 1 | it crashed, or work was cut short without a signal |
 * | 1 | a finalizer failed, or a finalizer or session is stuck; the log names it |
 * | 129, 130, 143, 149 | work was cut short, and the first signal was `SIGHUP`, `SIGINT`, `SIGTERM` or `SIGBREAK`; or the third signal, of this kind, ended the process |
 *
 * Work is cut short if admitted work outlives the drain, or the interruption ends work in a session, such as a model call.
 * So `job && next` stops after Ctrl-C, or after the program's own `Shutdown.shutdown`, if that cut work short. A server that
 * only waits is not cut short. Work outside of any session is not seen: admit a whole job. Admitted work that catches
 * `SessionRevoked` and succeeds is not cut short. Requests in a `RequestScope` are an exception.
 *
 * A program whose error, or an error in its `cause` chain, comes from the shutdown did not fail by itself.
 *
 * ```ts
 * import { Shutdown } from "@clawback/core"
 * import { NodeShutdown } from "@clawback/node"
 * import { Console, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   yield* Shutdown.addFinalizer({ phase: "persist", name: "journal" })(Console.log("journal written"))
 *   yield* Shutdown.admit({ kind: "job", name: "nightly" })(Console.log("at work"))
 *   yield* Effect.sync(() => process.kill(process.pid, "SIGTERM"))
 *   yield* Effect.never
 * })
 *
 * program.pipe(Effect.scoped, NodeShutdown.runMain({ drain: "10 seconds" }))
 * ```
 *
 * @stable
 */

import * as Shutdown from "@clawback/core/Shutdown"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Scope from "effect/Scope"
import type * as Http from "node:http"
import { Connections } from "./internal/connections.ts"
import { Main, type Options } from "./internal/main.ts"
import { stopWithShutdown } from "./internal/stopping.ts"

export type { Options } from "./internal/main.ts"

/** Runs a program until it ends or is stopped. One process runs one. The program gets the `Shutdown` that stops it. */
export const runMain: {
  (options?: Options): <A, E>(program: Effect.Effect<A, E>) => void
  <A, E>(program: Effect.Effect<A, E>, options?: Options): void
} = dual(
  (args) => Effect.isEffect(args[0]),
  (program: Effect.Effect<unknown, unknown>, options: Options = {}) => void new Main(program, options)
)

/**
 * Stops a plain `node:http` server with the process, for as long as the surrounding scope is open. Call it before the
 * server listens. An Effect HTTP app needs `NodeServer.layer` instead, which does this and more.
 *
 * Each request is admitted as a session of the kind `"request"`, until its response is sent or its client is gone. At `stop`
 * the listener and the idle connections are closed, and a connection in use is closed after its response. At `interrupt`,
 * responses that their clients do not read are dropped. At `close`, every connection that is left is destroyed.
 *
 * The server's handlers are not interrupted, and later requests on open connections are not rejected. A handler does both
 * itself: `Shutdown.admit` and `Shutdown.admitStream` fail with `ShuttingDown` or `SessionRevoked`.
 */
export const server = (
  server: Http.Server,
  options: { readonly name?: string | undefined } = {}
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { name = "http server" } = options
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const admit = ({ method = "", url = "" }: Http.IncomingMessage, over: Effect.Effect<void>) =>
      // Keeps waiting after the revocation: the handler is interrupted separately.
      fork(Effect.uninterruptible(Shutdown.admit({ kind: "request", name: `${method} ${url.split("?")[0]}` })(over)))
    const connections = yield* Effect.acquireRelease(
      Effect.sync(() => new Connections(server, ["request"], admit)),
      (connections) => Effect.sync(() => connections.detach())
    )
    yield* stopWithShutdown(connections, name)
  })
