/**
 * How a process stops: in order, each step within its time, whatever hangs, and with a report of what came of it.
 *
 * Its law: every caller gets the same report, once, no later than the limits of the phases allow; work that was admitted
 * ends by itself, or is interrupted and named; nothing new is admitted once admission has stopped.
 *
 * | phase | what happens | limit (default) | too low | too high |
 * | --- | --- | --- | --- | --- |
 * | `unready` | `isReady` turns false; work is still admitted | 0 seconds, and all of it is waited | a load balancer sends to a closed door: give it as long as it takes to notice, some 5 seconds | the stop takes longer for nothing |
 * | `stop` | `admit` refuses with `ShuttingDown`; listeners are closed | 1 second | a listener is named as stuck that was about to close | one that hangs holds up all that follows |
 * | `drain` | admitted work gets to end by itself | 15 seconds | answers are cut off | whoever runs the process kills it first, and nothing is persisted |
 * | `persist` | persisters run | 5 seconds | state is lost | as above |
 * | `interrupt` | admitted work that is left fails with `SessionRevoked`, and is named as interrupted unless it succeeds all the same; then finalizers, such as the program's own scopes | 3 seconds | work is released under its users | as above |
 * | `close` | what any session still holds is taken back by force | 3 seconds | sockets are left to the kernel | as above |
 *
 * They sum up to 27 seconds: Kubernetes kills 30 seconds after its `SIGTERM`.
 *
 * In each phase its finalizers run all at once, each no longer than its own deadline and the phase's limit; one that
 * overruns is interrupted, named, and waited for no longer. What must come in an order belongs into one finalizer, or into
 * different phases. Work that calls `shutdown` itself is not drained, or it would wait for itself;
 * nor is work that has a fiber of its own call it, since nobody can tell whether it waits for that.
 *
 * Work that nobody admitted is not waited for: it goes on until its program is interrupted. What is under way then in a
 * session (`Session.use`, `scoped`, `scopedStream`, a call of a model) and does not come to its end was cut short, and is named
 * like admitted work; what is merely held (`Session.acquire`, a connection) was not. Work outside of any session, or in a
 * registry other than that of whoever asked for the shutdown, is not seen: admit it.
 *
 * ```ts
 * import { Shutdown } from "@clawback/core"
 * import { Console, Effect } from "effect"
 *
 * const request = Shutdown.admit({ kind: "request", name: "GET /" })(Effect.as(Effect.sleep("50 millis"), "answer"))
 *
 * const program = Effect.gen(function*() {
 *   yield* Shutdown.addFinalizer({ phase: "persist", name: "journal" })(Console.log("journal written"))
 *   const answer = yield* Effect.forkChild(request, { startImmediately: true })
 *   const report = yield* Shutdown.shutdown("an example")
 *   yield* Console.log(answer.pollUnsafe()) // the answer: it was drained
 *   yield* Console.log(yield* Effect.flip(request)) // ShuttingDown
 *   yield* Console.log(Shutdown.format(report), report.exitCode) // 0
 * })
 *
 * Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Shutdown.layer({ drain: "10 seconds" }))))
 * ```
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Deadline from "./Deadline.ts"
import { contextOf } from "./internal/session/releaseContext.ts"
import * as Site from "./internal/session/site.ts"
import { Admission, InFlight, type ShuttingDown } from "./internal/shutdown/admission.ts"
import * as Coordinator from "./internal/shutdown/coordinator.ts"
import { phases, type Ticket } from "./internal/shutdown/machine.ts"
import * as Phases from "./internal/shutdown/phases.ts"
import * as Monotonic from "./internal/time/monotonic.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as Session from "./Session.ts"
import type { SessionError } from "./SessionError.ts"
import { type Held, type Phase, type Report, type Signal, type State } from "./ShutdownReport.ts"

export { ShuttingDown } from "./internal/shutdown/admission.ts"
export { format } from "./ShutdownReport.ts"

/** The limit of each phase. The table above says their defaults, and what goes wrong when they are too low or too high. */
export type Options = { readonly [P in Phase]?: Duration.Input | undefined }

/** The limits that hold where nothing is set. */
export const defaults = {
  unready: Duration.zero,
  stop: Duration.seconds(1),
  drain: Duration.seconds(15),
  persist: Duration.seconds(5),
  interrupt: Duration.seconds(3),
  close: Duration.seconds(3)
} as const satisfies Record<Phase, Duration.Duration>

/** One who asks for the end. */
export interface Request {
  /** Told to those whose work is interrupted. */
  readonly reason: string
  readonly signal?: Signal | undefined
}

/** What a request did: the first begins the shutdown or joins it, the second skips the drain, the third gives up. */
export type Answer = "begun" | "joined" | "hurried" | "abandoned" | "over"

export interface FinalizerOptions {
  readonly phase: Phase
  /** By which the report names it. */
  readonly name: string
  /**
   * Default: the limit of its phase, which holds as well. Too low, and it is interrupted before it is done; too high, and
   * there is no difference.
   */
  readonly deadline?: Duration.Input | undefined
}

export interface Shutdown {
  readonly state: Effect.Effect<State>
  /** The state now, and each from now on; ends with `"done"`. */
  readonly changes: Stream.Stream<State>
  /** Waits for a shutdown, without asking for one. */
  readonly report: Effect.Effect<Report>
  /** Begins it unless it has begun, and waits until it is over. It goes on even if whoever asked is interrupted. */
  readonly shutdown: (reason: string) => Effect.Effect<Report>
  /** What a signal does. Does not wait. */
  readonly request: (request: Request) => Effect.Effect<Answer>
  /** The same, where there is no fiber. Phases and their finalizers see the clock and the registry of the context. */
  readonly requestUnsafe: (request: Request, context: Context.Context<never>) => Answer
  /** What it would wait for at this moment: finalizers that run, and admitted work. */
  readonly pendingUnsafe: (clock: Clock.Clock) => ReadonlyArray<Held>
  /** Whether work may begin now, for whoever works in this context. */
  readonly admitsUnsafe: (context: Context.Context<never>) => boolean
  /** Takes work as in flight, unless admission has stopped. `leaveUnsafe` must follow. */
  readonly admitUnsafe: (work: Phases.Work, inside: Ticket<Phases.Work> | undefined) => Ticket<Phases.Work> | undefined
  readonly leaveUnsafe: (ticket: Ticket<Phases.Work>, isInterrupted: boolean) => void
  /** What work fails with that is not admitted. */
  readonly refusalUnsafe: (work: Pick<Session.Info, "kind" | "name">) => ShuttingDown
  /**
   * Whether an error, or what is behind it by its `cause`s, is this shutdown's: a `ShuttingDown` of its, or the
   * `SessionRevoked` of a session that it revoked.
   */
  readonly causedUnsafe: (error: unknown) => boolean
  /** Registers a finalizer, and answers with how to withdraw it; undefined where its phase has begun. */
  readonly registerUnsafe: (phase: Phase, finalizer: Phases.Finalizer) => Effect.Effect<void> | undefined
  /** The sum of the limits: a shutdown takes no longer. */
  readonly limit: Duration.Duration
}

/**
 * A shutdown of its own. A wrong option is a `RangeError` that names it; so is an infinite one, with which one thing that
 * hangs would keep the process for ever.
 */
export const makeUnsafe = (options: Options = {}): Shutdown =>
  Coordinator.make(
    Object.fromEntries(
      phases.map((phase) => [phase, Duration.toMillis(OptionCheck.finite(phase, options[phase] ?? defaults[phase]))])
    ) as Record<Phase, number>
  )

/** The shutdown in force: the process's own, with the default limits, unless another is provided. */
export const Shutdown: Context.Reference<Shutdown> = Context.Reference("@clawback/core/Shutdown", {
  defaultValue: (): Shutdown => makeUnsafe()
})

/** One apart from the process's, with limits of its own. Closing the layer begins nothing. */
export const layer = (options: Options = {}): Layer.Layer<never> =>
  Layer.effect(Shutdown, Effect.sync(() => makeUnsafe(options)))

const admission = (info: Session.Info) => Effect.map(Shutdown, (shutdown) => new Admission(info, shutdown))

/**
 * Runs an effect as work that a shutdown waits for: in a session of its own, in flight until it ends.
 *
 * Fails with `ShuttingDown` once admission has stopped, except inside of work that is in flight. What has not ended when
 * the drain is over fails with `SessionRevoked`, so that it can still end its answer as its protocol wants.
 */
export const admit: {
  (
    info: Session.Info
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ShuttingDown | SessionError, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, info: Session.Info): Effect.Effect<A, E | ShuttingDown | SessionError, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, info: Session.Info): Effect.Effect<A, E | ShuttingDown | SessionError, R> =>
    Session.use(
      info,
      admission(info),
      (admission, exit) => admission.giveBack(Exit.isSuccess(exit)),
      (admission) => Effect.flatMap(admission.take, (ticket) => Effect.provideService(self, InFlight, ticket))
    )
)

/**
 * The same for a stream: in flight from its first pull until it ends, fails or is given up. One that was set up and is pulled
 * only after the shutdown fails with `SessionRevoked`.
 */
export const admitStream: {
  (
    info: Session.Info
  ): <A, E, R>(
    self: Stream.Stream<A, E, R>
  ) => Stream.Stream<A, E | ShuttingDown | SessionError, Exclude<R, Scope.Scope>>
  <A, E, R>(
    self: Stream.Stream<A, E, R>,
    info: Session.Info
  ): Stream.Stream<A, E | ShuttingDown | SessionError, Exclude<R, Scope.Scope>>
} = dual(
  2,
  <A, E, R>(
    self: Stream.Stream<A, E, R>,
    info: Session.Info
  ): Stream.Stream<A, E | ShuttingDown | SessionError, Exclude<R, Scope.Scope>> =>
    Session.scopedStream(info)(Stream.unwrap(Effect.gen(function*() {
      const { take } = yield* Effect.acquireRelease(
        admission(info),
        (admission, exit) => admission.giveBack(Exit.isSuccess(exit))
      )
      return Stream.provideService(self, InFlight, yield* take)
    })))
)

/**
 * Has a shutdown do something in one of its phases, for as long as the surrounding scope is open.
 *
 * The scope's own releases come when it closes, as ever: this is for what must come earlier, or at a time of its own. A
 * scope that closes while the finalizer runs waits for it. Where the phase has begun already, it runs at once.
 */
export const addFinalizer: {
  (options: FinalizerOptions): <E, R>(self: Effect.Effect<unknown, E, R>) => Effect.Effect<void, E, R | Scope.Scope>
  <E, R>(self: Effect.Effect<unknown, E, R>, options: FinalizerOptions): Effect.Effect<void, E, R | Scope.Scope>
} = dual(
  2,
  <E, R>(
    finalizer: Effect.Effect<unknown, E, R>,
    options: FinalizerOptions
  ): Effect.Effect<void, E, R | Scope.Scope> => {
    const site = Site.sample()
    const { name } = options
    const phase = OptionCheck.choice("phase", options.phase, phases)
    const limit = Duration.toMillis(OptionCheck.duration("deadline", options.deadline ?? Duration.infinity))
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiber((fiber): Effect.Effect<void, E, R> => {
        const context = fiber.context as Context.Context<R | Scope.Scope>
        // It outlives the work around it, and has a deadline of its own.
        const own = Context.omit(Session.Current, InFlight, Deadline.Current)(contextOf(fiber)) as typeof context
        const at = Monotonic.millis(fiber.getRef(Clock.Clock))
        const registered: Phases.Finalizer = new Phases.Finalizer(
          name,
          Effect.suspend(() => Effect.provideContext(finalizer, Context.add(own, Coordinator.Finalizing, registered))),
          limit,
          site,
          at
        )
        const withdraw = fiber.getRef(Shutdown).registerUnsafe(phase, registered)
        return withdraw === undefined
          ? Effect.asVoid(restore(finalizer))
          : Scope.addFinalizer(Context.get(context, Scope.Scope), withdraw)
      })
    )
  }
)

/** Begins the shutdown in force unless it has begun, and waits for its report. */
export const shutdown = (reason: string): Effect.Effect<Report> =>
  Effect.flatMap(Shutdown, (service) => service.shutdown(reason))

/** Asks as a signal does: the first time begins it, the second skips the drain, the third gives up. Does not wait. */
export const request = (request: Request): Effect.Effect<Answer> =>
  Effect.flatMap(Shutdown, (service) => service.request(request))

/** Whether new work is welcome: what a readiness probe should answer. */
export const isReady: Effect.Effect<boolean> = Effect.flatMap(
  Shutdown,
  (service) => Effect.map(service.state, (state) => state === "running")
)

/** The state now, and each from now on. */
export const changes: Stream.Stream<State> = Stream.unwrap(Effect.map(Shutdown, (service) => service.changes))
