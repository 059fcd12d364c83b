/**
 * Runs a program as the process's own, and stops it as `Shutdown` says: the stand-in for `NodeRuntime.runMain`.
 *
 * | what happens | what it does |
 * | --- | --- |
 * | `SIGINT`, `SIGTERM`, `SIGHUP`, `SIGBREAK` | begins the shutdown, and the log says what is waited for; a second one skips the drain; a third exits at once |
 * | the program fails | its cause is logged, the shutdown follows; one that fails as it is interrupted, by a release, is logged as well |
 * | an exception or a rejection that nobody handles | is logged, the shutdown follows, the exit code is 1 |
 * | the program has ended and nothing keeps the process (`beforeExit`) | the shutdown follows: what was forgotten is named |
 *
 * The program itself is interrupted in the phase `interrupt`, and gets that phase's last quarter at least to close its
 * scopes. What it should be waited for before that must be admitted (`Shutdown.admit`), which is for work, and not for a
 * server that never ends: an admitted program is drained when somebody presses Ctrl-C.
 *
 * | exit code | meaning |
 * | --- | --- |
 * | 0, or the program's own `process.exitCode` | nothing was cut short, nothing failed, nothing is left |
 * | 1 | the program failed by itself (or the code that its error carries), something crashed, a finalizer or session is stuck and is named in the log, or work was cut short and there was no signal |
 * | 129, 130, 143, 149 | work was cut short, and the first signal was `SIGHUP`, `SIGINT`, `SIGTERM` or `SIGBREAK`; or that was the third, which ended the process |
 *
 * Cut short is what was admitted and did not end in the drain, and what was under way in a session when the program was
 * interrupted, such as a model's answer: `job && next` does not go on after Ctrl-C. Nor does it after a `Shutdown.shutdown`
 * of the program's own that cuts a job. A server that waits is not cut short, and neither is work outside of any session,
 * which cannot be seen: admit a job as a whole. Admitted work that catches the `SessionRevoked` and succeeds all the same
 * counts as ended by itself, but for a request in a `RequestScope`.
 *
 * A program that fails because the shutdown revoked or refused its work, be that behind its error's `cause`, did not fail by
 * itself.
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
 */
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Shutdown from "@clawback/core/Shutdown"
import * as ShutdownReport from "@clawback/core/ShutdownReport"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { writeSync } from "node:fs"
import type * as Http from "node:http"
import process from "node:process"
import { Connections } from "./internal/connections.ts"
import { stopWithShutdown } from "./internal/stopping.ts"

export type Options = Shutdown.Options & {
  /**
   * When the process exits with code 1 whatever is left, counted from the beginning of the shutdown. Default: 1 second
   * more than the phases' limits. Too low, and phases are cut; too high, and whoever runs the process kills it first.
   * It must be finite.
   */
  readonly ceiling?: Duration.Input | undefined
  /** Leaves the cause of a program that fails, also as it is interrupted, out of the log. Default: false. */
  readonly disableErrorReporting?: boolean | undefined
}

const signals = Object.keys(ShutdownReport.signals) as ReadonlyArray<ShutdownReport.Signal>

/** Past all logging: nothing may be waited for any more. */
const say = (title: string, held: ReadonlyArray<ShutdownReport.Held>) => {
  writeSync(2, `${[title, ...held.map((one) => `  ${ShutdownReport.formatHeld(one)}`)].join("\n")}\n`)
}

/** So many are named before they end by themselves; the report names all that do not. */
const namedAtFirst = 10

const waiting = (signal: ShutdownReport.Signal, held: ReadonlyArray<ShutdownReport.Held>): string =>
  [
    `${signal}: waiting for what is in flight. A second signal skips the wait, a third exits at once.`,
    ...held.slice(0, namedAtFirst).map(ShutdownReport.formatHeld),
    ...(held.length > namedAtFirst ? [`and ${held.length - namedAtFirst} more`] : [])
  ].join("\n  ")

/** With the code that the process exits with, which what became of the program may decide. */
const logReport = (report: ShutdownReport.Report, exitCode: number) => {
  const text = Shutdown.format({ ...report, exitCode })
  if (report.exitCode === 1) return Effect.logError(text)
  if (report.exitCode !== 0 || report.forced.length > 0 || report.interrupted.length > 0) return Effect.logWarning(text)
  return report.signal === undefined ? Effect.logDebug(text) : Effect.logInfo(text)
}

/** What is a program's own in how it ended: no interruption, and nothing that a shutdown refused or revoked. */
const ownOf = (shutdown: Shutdown.Shutdown, cause: Cause.Cause<unknown>): Cause.Cause<unknown> =>
  Cause.fromReasons(cause.reasons.filter((reason) =>
    !Cause.isInterruptReason(reason) &&
    !shutdown.causedUnsafe(Cause.isFailReason(reason) ? reason.error : reason.defect)
  ))

const run = (program: Effect.Effect<unknown, unknown>, options: Options): void => {
  const { ceiling, disableErrorReporting, ...limits } = options
  const shutdown = Shutdown.makeUnsafe(limits)
  const longest = OptionCheck.finite("ceiling", ceiling ?? Duration.sum(shutdown.limit, Duration.seconds(1)))
  const context = Context.make(Shutdown.Shutdown, shutdown)
  const fork = Effect.runForkWith(context)
  let hasCrashed = false
  /** Whether it ended badly before anything told it to end. */
  let hasFailed = false
  let isIdle = false
  /** What the process exits with, once all is over. */
  let exitCode: number | undefined

  const isRunning = () => Effect.runSync(shutdown.state) === "running"
  const isTold = (own: Cause.Cause<unknown>) =>
    disableErrorReporting !== true && own.reasons.length > 0 && Runtime.getErrorReported(Cause.squash(own))
  // A fiber that waits keeps no process alive, but a program that waits must.
  const keepAlive = fork(Effect.forever(Effect.sleep("20 days")))
  const isCeiling = shutdown.changes.pipe(
    Stream.filter((state) => state !== "running"),
    Stream.take(1),
    Stream.runDrain
  )
  const limiting = fork(Effect.gen(function*() {
    yield* isCeiling
    yield* Effect.sleep(longest)
    say(
      `Still shutting down after ${Duration.format(longest)}; exiting with code 1. What is left:`,
      shutdown.pendingUnsafe(yield* Clock.Clock)
    )
    process.exit(1)
  }))

  const onSignal = (signal: ShutdownReport.Signal) => {
    // What is left to do by now is others' who keep the process.
    if (exitCode !== undefined) process.exit(exitCode)
    const held = shutdown.pendingUnsafe(clock)
    const answer = shutdown.requestUnsafe({ reason: signal, signal }, context)
    if (answer === "begun" && held.length > 0) fork(Effect.logInfo(waiting(signal, held)))
    // A third one ends it in this step, unless it hangs itself.
    if (answer !== "abandoned") return
    const code = ShutdownReport.signals[signal]
    say(`${signal} for the third time; exiting with code ${code}. What is left:`, shutdown.pendingUnsafe(clock))
    process.exit(code)
  }
  const onCrash = (error: unknown, origin: string) => {
    hasCrashed = true
    fork(
      Effect.andThen(Effect.logFatal(`Nobody handled this (${origin})`, Cause.die(error)), shutdown.shutdown(origin))
    )
  }
  const onException = (error: unknown) => onCrash(error, "uncaughtException")
  const onRejection = (error: unknown) => onCrash(error, "unhandledRejection")
  const onBeforeExit = () => {
    isIdle = true
    fork(shutdown.shutdown("the program has ended"))
  }
  const clock = Context.get(context, Clock.Clock)
  for (const signal of signals) process.on(signal, onSignal)
  process.on("uncaughtException", onException)
  process.on("unhandledRejection", onRejection)
  process.on("beforeExit", onBeforeExit)

  const main = fork(program)
  Effect.runSyncWith(context)(
    Scope.provide(
      Shutdown.addFinalizer({ phase: "interrupt", name: "the program" })(Fiber.interrupt(main)),
      Scope.makeUnsafe()
    )
  )
  main.addObserver((exit) => {
    if (Exit.isSuccess(exit)) return keepAlive.interruptUnsafe()
    hasFailed = isRunning()
    // Here and not in the program, where an interruption would pass it by.
    const own = ownOf(shutdown, exit.cause)
    fork(Effect.andThen(isTold(own) ? Effect.logError(own) : Effect.void, shutdown.shutdown("the program failed")))
  })

  const codeOf = (report: Exit.Exit<ShutdownReport.Report>): number => {
    let code = Exit.isSuccess(report) ? report.value.exitCode : 1
    const exit = main.pollUnsafe()
    const isOwn = exit !== undefined && Exit.isFailure(exit) &&
      (hasFailed || ownOf(shutdown, exit.cause).reasons.length > 0)
    if (isOwn) Runtime.defaultTeardown(exit, (own) => code = own)
    if (hasCrashed) return 1
    return code === 0 ? Number(process.exitCode ?? 0) : code
  }
  fork(Effect.gen(function*() {
    const report = yield* Effect.exit(shutdown.report)
    const code = codeOf(report)
    yield* Exit.isSuccess(report) ? logReport(report.value, code) : Effect.logFatal("The shutdown failed", report.cause)
    exitCode = code
    // Those of signals stay: without them, one that comes as the process exits would kill it. They do not keep it.
    process.off("uncaughtException", onException)
    process.off("unhandledRejection", onRejection)
    process.off("beforeExit", onBeforeExit)
    keepAlive.interruptUnsafe()
    limiting.interruptUnsafe()
    if (!isIdle) process.exit(code)
    process.exitCode = code
    // Else Node gives up the handlers of signals, and then takes a while to be gone.
    process.once("exit", () => process.exit())
  }))
}

/** Runs a program until it ends or is told to stop, one a process. It sees the `Shutdown` that it is stopped by. */
export const runMain: {
  (options?: Options): <A, E>(program: Effect.Effect<A, E>) => void
  <A, E>(program: Effect.Effect<A, E>, options?: Options): void
} = dual(
  (args) => Effect.isEffect(args[0]),
  (program: Effect.Effect<unknown, unknown>, options: Options = {}) => run(program, options)
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
