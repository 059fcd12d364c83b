/** A program as the process's own: what happens at a signal, at a crash, at its end, and when nothing is left to do. */
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Shutdown from "@clawback/core/Shutdown"
import * as ShutdownReport from "@clawback/core/ShutdownReport"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import process from "node:process"
import * as Messages from "./messages.ts"

export type Options = Shutdown.Options & {
  /**
   * How long after its beginning a shutdown may take before the process exits with code 1. Default: 1 second more than the
   * sum of the phases' limits. Too low, and phases are cut; too high, and the supervisor kills the process first. It must be
   * finite.
   */
  readonly ceiling?: Duration.Input | undefined
  /** Whether the cause of a program that fails stays out of the log, also of one that is interrupted. Default: false. */
  readonly disableErrorReporting?: boolean | undefined
}

const signals = Object.keys(ShutdownReport.signals) as ReadonlyArray<ShutdownReport.Signal>

export class Main {
  private readonly shutdown: Shutdown.Shutdown
  private readonly context: Context.Context<never>
  private readonly ceiling: Duration.Duration
  private readonly isReporting: boolean
  private readonly program: Fiber.Fiber<unknown, unknown>
  /** A fiber that waits does not keep the process alive, but a program that waits must. */
  private readonly keepAlive: Fiber.Fiber<never>
  private readonly limiting: Fiber.Fiber<void>
  private hasCrashed = false
  /** Whether the program failed before the shutdown began. */
  private hasFailed = false
  private isIdle = false
  /** The code that the process exits with, once the shutdown is over. */
  private exitCode: number | undefined

  constructor(program: Effect.Effect<unknown, unknown>, { ceiling, disableErrorReporting, ...limits }: Options) {
    this.shutdown = Shutdown.makeUnsafe(limits)
    this.context = Context.make(Shutdown.Shutdown, this.shutdown)
    this.ceiling = OptionCheck.finite("ceiling", ceiling ?? Duration.sum(this.shutdown.limit, Duration.seconds(1)))
    this.isReporting = disableErrorReporting !== true
    this.keepAlive = this.fork(Effect.forever(Effect.sleep("20 days")))
    this.limiting = this.fork(this.limit)
    this.listen()
    this.program = this.fork(program)
    this.interruptInShutdown()
    this.program.addObserver((exit) => this.onEnd(exit))
    this.fork(this.finish)
  }

  private fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.context)(effect)
  }

  /** Runs an effect of one step. Unlike `Effect.runSync`, it passes no scheduler of its own to fibers that the step forks. */
  private run<A>(effect: Effect.Effect<A>): A {
    const exit = this.fork(effect).pollUnsafe()
    if (exit === undefined || Exit.isFailure(exit)) {
      throw new Error("The effect takes more than one step", { cause: exit })
    }
    return exit.value
  }

  private get pending(): ReadonlyArray<ShutdownReport.Item> {
    return this.run(this.shutdown.pending)
  }

  private listen(): void {
    for (const signal of signals) process.on(signal, this.onSignal)
    process.on("uncaughtException", this.onException)
    process.on("unhandledRejection", this.onRejection)
    process.on("beforeExit", this.onBeforeExit)
  }

  /** Keeps listening to signals: a signal that comes as the process exits would kill it otherwise. */
  private ignoreCrashes(): void {
    process.off("uncaughtException", this.onException)
    process.off("unhandledRejection", this.onRejection)
    process.off("beforeExit", this.onBeforeExit)
  }

  private readonly onSignal = (signal: ShutdownReport.Signal): void => {
    // The shutdown is over, and something else keeps the process alive.
    if (this.exitCode !== undefined) process.exit(this.exitCode)
    const { pending } = this
    const escalation = this.run(this.shutdown.escalate({ reason: signal, signal }))
    if (escalation === "begun" && pending.length > 0) this.fork(Effect.logInfo(Messages.waiting(signal, pending)))
    if (escalation !== "abandoned") return
    // In this step, since a fiber may not run any more.
    const code = ShutdownReport.signals[signal]
    Messages.write(`${signal} for the third time; exiting with code ${code}. What is left:`, this.pending)
    process.exit(code)
  }

  private readonly onException = (error: unknown): void => this.onCrash(error, "uncaughtException")

  private readonly onRejection = (error: unknown): void => this.onCrash(error, "unhandledRejection")

  private onCrash(error: unknown, origin: string): void {
    this.hasCrashed = true
    const logged = Effect.logFatal(`Unhandled error (${origin})`, Cause.die(error))
    this.fork(Effect.andThen(logged, this.shutdown.shutdown(origin)))
  }

  private readonly onBeforeExit = (): void => {
    this.isIdle = true
    this.fork(this.shutdown.shutdown("the program has ended"))
  }

  /** Exits at the ceiling, whatever is left. */
  private get limit(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      yield* this.shutdown.changes.pipe(Stream.filter((state) => state !== "running"), Stream.take(1), Stream.runDrain)
      yield* Effect.sleep(this.ceiling)
      const title = `Still shutting down after ${Duration.format(this.ceiling)}; exiting with code 1. What is left:`
      Messages.write(title, yield* this.shutdown.pending)
      process.exit(1)
    })
  }

  private interruptInShutdown(): void {
    const interrupted = Shutdown.addFinalizer({ phase: "interrupt", name: "the program" })(
      Fiber.interrupt(this.program)
    )
    this.run(Scope.provide(interrupted, Scope.makeUnsafe()))
  }

  private onEnd(exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit)) return this.keepAlive.interruptUnsafe()
    this.hasFailed = this.run(this.shutdown.state) === "running"
    // Here and not in the program, where an interruption would skip it.
    const own = this.ownOf(exit.cause)
    const isLogged = this.isReporting && own.reasons.length > 0 && Runtime.getErrorReported(Cause.squash(own))
    const logged = isLogged ? Effect.logError(own) : Effect.void
    this.fork(Effect.andThen(logged, this.shutdown.shutdown("the program failed")))
  }

  /** The program's own part of a cause: no interruption, and no error that comes from the shutdown. */
  private ownOf(cause: Cause.Cause<unknown>): Cause.Cause<unknown> {
    return Cause.fromReasons(cause.reasons.filter((reason) =>
      !Cause.isInterruptReason(reason) &&
      !this.shutdown.isCauseOf(Cause.isFailReason(reason) ? reason.error : reason.defect)
    ))
  }

  private codeOf(report: Exit.Exit<ShutdownReport.Report>): number {
    let code = Exit.isSuccess(report) ? report.value.exitCode : 1
    const exit = this.program.pollUnsafe()
    const isOwnFailure = exit !== undefined && Exit.isFailure(exit) &&
      (this.hasFailed || this.ownOf(exit.cause).reasons.length > 0)
    if (isOwnFailure) Runtime.defaultTeardown(exit, (own) => code = own)
    if (this.hasCrashed) return 1
    return code === 0 ? Number(process.exitCode ?? 0) : code
  }

  /** Waits for the report, logs it and exits. */
  private get finish(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const report = yield* Effect.exit(this.shutdown.report)
      const code = this.codeOf(report)
      yield* Exit.isSuccess(report)
        ? Messages.logReport(report.value, code)
        : Effect.logFatal("The shutdown failed", report.cause)
      this.exitCode = code
      this.ignoreCrashes()
      this.keepAlive.interruptUnsafe()
      this.limiting.interruptUnsafe()
      if (!this.isIdle) process.exit(code)
      process.exitCode = code
      // Without this, Node drops the handlers of signals first, and then takes a while to exit.
      process.once("exit", () => process.exit())
    })
  }
}
