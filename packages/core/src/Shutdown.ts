/**
 * Stops a process in phases, each within its limit, and reports the result.
 *
 * Guarantees: all callers get the same report, at the latest when the sum of the limits has passed. Admitted work ends by
 * itself, or is interrupted and named. Nothing new is admitted once admission has stopped.
 *
 * | phase | what happens | limit (default) | too low | too high |
 * | --- | --- | --- | --- | --- |
 * | `unready` | `isReady` turns false; work is still admitted | 0 seconds; a longer limit is waited in full | a load balancer sends requests to a closed port: give it the time that it takes to notice, some 5 seconds | the shutdown takes longer for nothing |
 * | `stop` | `admit` fails with `ShuttingDown`; listeners are closed | 1 second | a listener that is still closing is reported as stuck | a listener that hangs delays the other phases |
 * | `drain` | admitted work gets its time to end | 15 seconds | responses are cut off | the supervisor kills the process before anything is persisted |
 * | `persist` | state is saved | 5 seconds | state is lost | as above |
 * | `interrupt` | remaining work fails with `SessionRevoked` and is reported as interrupted, unless it still succeeds; then the program's scopes close | 3 seconds | work is released while it runs | as above |
 * | `close` | what any session still holds is released by force | 3 seconds | sockets are left to the kernel | as above |
 *
 * The sum is 27 seconds: Kubernetes kills a process 30 seconds after its `SIGTERM`.
 *
 * The finalizers of a phase run all at once, each no longer than its own deadline and the phase's limit. A finalizer that
 * overruns is interrupted, named, and waited for no longer. For a fixed order, use one finalizer, or different phases. The
 * drain does not wait for work that called `shutdown`, or whose forked fiber did: that work may wait for the shutdown.
 *
 * Work that was not admitted goes on until its program is interrupted:
 * - Unadmitted work in a session (`Session.use`, `scoped`, `scopedStream`, a model call): not awaited; reported if cut
 *   short.
 * - Held resources (`Session.acquire`, a connection): not reported.
 * - Work outside sessions, or in another registry than that of the fiber that began the shutdown: not seen. Admit it.
 *
 * ```ts
 * import { Shutdown } from "@clawback/core"
 * import { Console, Effect } from "effect"
 *
 * const job = Shutdown.admit({ kind: "job", name: "nightly" })(Effect.as(Effect.sleep("50 millis"), "done"))
 *
 * const program = Effect.gen(function*() {
 *   yield* Shutdown.addFinalizer({ phase: "persist", name: "journal" })(Console.log("journal written"))
 *   const running = yield* Effect.forkChild(job, { startImmediately: true })
 *   const report = yield* Shutdown.shutdown("an example")
 *   yield* Console.log(running.pollUnsafe()) // a success: it was drained
 *   yield* Console.log(yield* Effect.flip(job)) // ShuttingDown
 *   yield* Console.log(Shutdown.format(report), report.exitCode) // 0
 * })
 *
 * await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Shutdown.layer({ drain: "10 seconds" }))))
 * ```
 *
 * @stable
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
import { useAt } from "./internal/session/use.ts"
import { Admission } from "./internal/shutdown/admission.ts"
import { Coordinator, coordinatorOf, TypeId } from "./internal/shutdown/coordinator.ts"
import { Finalizer, Finalizing } from "./internal/shutdown/finalizer.ts"
import { InFlight } from "./internal/shutdown/inFlight.ts"
import type { Escalation } from "./internal/shutdown/machine.ts"
import type { Item, Report, ShuttingDown, Signal } from "./internal/shutdown/model.ts"
import { type Phase, phases, type State } from "./internal/shutdown/phases.ts"
import * as Monotonic from "./internal/time/monotonic.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as Session from "./Session.ts"
import type { SessionError } from "./SessionError.ts"

export type { Escalation } from "./internal/shutdown/machine.ts"
export { ShuttingDown } from "./internal/shutdown/model.ts"
export { format } from "./ShutdownReport.ts"

/** The limit of each phase. The table above has the defaults, and what goes wrong if a limit is too low or too high. */
export type Options = { readonly [P in Phase]?: Duration.Input | undefined }

/** The default limits. */
export const defaults = {
  unready: Duration.zero,
  stop: Duration.seconds(1),
  drain: Duration.seconds(15),
  persist: Duration.seconds(5),
  interrupt: Duration.seconds(3),
  close: Duration.seconds(3)
} as const satisfies Record<Phase, Duration.Duration>

export interface EscalateOptions {
  /** The reason that interrupted work is given. */
  readonly reason: string
  readonly signal?: Signal | undefined
}

export interface FinalizerOptions {
  readonly phase: Phase
  /** The name in the report. */
  readonly name: string
  /**
   * The phase's limit always applies and is the default. Too low, and it is interrupted before it is done; too high, and
   * there is no difference.
   */
  readonly deadline?: Duration.Input | undefined
}

export interface Shutdown {
  readonly [TypeId]: unknown
  readonly state: Effect.Effect<State>
  /** Emits the present state, then each later one, and ends with `"done"`. */
  readonly changes: Stream.Stream<State>
  /** Waits for the report, and does not begin the shutdown. */
  readonly report: Effect.Effect<Report>
  /** Begins the shutdown unless it has begun, and waits for its report. It goes on if the caller is interrupted. */
  readonly shutdown: (reason: string) => Effect.Effect<Report>
  /** Does what a signal does: the first call begins it, the second skips the drain, the third abandons it. Does not wait. */
  readonly escalate: (options: EscalateOptions) => Effect.Effect<Escalation>
  /** What it would wait for at this moment: finalizers that run, and admitted work. */
  readonly pending: Effect.Effect<ReadonlyArray<Item>>
  /**
   * Whether an error, or one in its `cause` chain, comes from this shutdown: its `ShuttingDown`, or the `SessionRevoked` of
   * a session that it revoked.
   */
  readonly isCauseOf: (error: unknown) => boolean
  /** The sum of the limits: a shutdown takes no longer. */
  readonly limit: Duration.Duration
}

const limitsOf = (options: Options) =>
  Object.fromEntries(
    phases.map((phase) => [phase, Duration.toMillis(OptionCheck.finite(phase, options[phase] ?? defaults[phase]))])
  ) as Record<Phase, number>

/**
 * Makes a shutdown of its own. Throws a `RangeError` that names an invalid option. An infinite limit is invalid: one
 * finalizer that hangs would keep the process running for ever.
 */
export const makeUnsafe = (options: Options = {}): Shutdown => {
  const coordinator = new Coordinator(limitsOf(options))
  return {
    [TypeId]: coordinator,
    state: Effect.sync(() => coordinator.state),
    changes: coordinator.changes,
    report: coordinator.report,
    shutdown: (reason) => Effect.withFiber((fiber) => coordinator.shutdown(fiber, reason)),
    escalate: ({ reason, signal }) =>
      Effect.withFiber((fiber) => Effect.succeed(coordinator.escalate(reason, signal, fiber.context))),
    pending: Effect.clockWith((clock) => Effect.succeed(coordinator.pending(clock))),
    isCauseOf: (error) => coordinator.isCauseOf(error),
    limit: coordinator.limit
  }
}

/** The current shutdown: the process's own with the default limits, unless another one is provided. */
export const Shutdown: Context.Reference<Shutdown> = Context.Reference("@clawback/core/Shutdown", {
  defaultValue: (): Shutdown => makeUnsafe()
})

/** Provides a shutdown of its own, with its own limits. Closing the layer does not begin it. */
export const layer = (options: Options = {}): Layer.Layer<never> =>
  Layer.effect(Shutdown, Effect.sync(() => makeUnsafe(options)))

const admission = (info: Session.Info) =>
  Effect.map(Shutdown, (shutdown) => new Admission(info, coordinatorOf(shutdown)))

/** To be run as the session of the admission is released. */
const leave = (admission: Admission, exit: Exit.Exit<unknown, unknown>) =>
  Effect.sync(() => admission.leave(Exit.isSuccess(exit)))

/**
 * Runs an effect as work that a shutdown waits for, in a session of its own.
 *
 * Fails with `ShuttingDown` once admission has stopped, except inside of other admitted work. Work that has not ended when
 * the drain is over fails with `SessionRevoked`, so that it can still end its response in its own protocol.
 */
export const admit: {
  (
    info: Session.Info
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ShuttingDown | SessionError, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, info: Session.Info): Effect.Effect<A, E | ShuttingDown | SessionError, R>
} = dual(
  2,
  function asked<A, E, R>(
    self: Effect.Effect<A, E, R>,
    info: Session.Info
  ): Effect.Effect<A, E | ShuttingDown | SessionError, R> {
    return useAt(
      Site.sample(asked, Site.ofDual),
      info,
      admission(info),
      leave,
      (admission) => Effect.flatMap(admission.enter, (ticket) => Effect.provideService(self, InFlight, ticket))
    )
  }
)

/**
 * The same for a stream, from its first pull until it ends, fails or is closed. A stream opened before the shutdown fails
 * with `SessionRevoked` if it is first pulled afterwards.
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
      const { enter } = yield* Effect.acquireRelease(admission(info), leave)
      return Stream.provideService(self, InFlight, yield* enter)
    })))
)

/**
 * Runs an effect in a phase of the shutdown, if the surrounding scope is still open in that phase.
 *
 * The scope's own releases run when it closes, as always: use this for what must run earlier. A scope that closes while the
 * finalizer runs waits for it. If the phase has begun already, the finalizer runs at once.
 */
export const addFinalizer: {
  (options: FinalizerOptions): <E, R>(self: Effect.Effect<unknown, E, R>) => Effect.Effect<void, E, R | Scope.Scope>
  <E, R>(self: Effect.Effect<unknown, E, R>, options: FinalizerOptions): Effect.Effect<void, E, R | Scope.Scope>
} = dual(
  2,
  function asked<E, R>(
    finalizer: Effect.Effect<unknown, E, R>,
    options: FinalizerOptions
  ): Effect.Effect<void, E, R | Scope.Scope> {
    const site = Site.sample(asked, Site.ofDual)
    const { name } = options
    const phase = OptionCheck.choice("phase", options.phase, phases)
    const limit = Duration.toMillis(OptionCheck.duration("deadline", options.deadline ?? Duration.infinity))
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiber((fiber): Effect.Effect<void, E, R> => {
        const context = fiber.context as Context.Context<R | Scope.Scope>
        // It outlives the work around it, and has a deadline of its own.
        const own = Context.omit(Session.Current, InFlight, Deadline.Current)(contextOf(fiber)) as typeof context
        const at = Monotonic.millis(fiber.getRef(Clock.Clock))
        const registered: Finalizer = new Finalizer(
          name,
          Effect.suspend(() => Effect.provideContext(finalizer, Context.add(own, Finalizing, registered))),
          limit,
          site,
          at
        )
        const withdraw = coordinatorOf(fiber.getRef(Shutdown)).register(phase, registered)
        return withdraw === undefined
          ? Effect.asVoid(restore(finalizer))
          : Scope.addFinalizer(Context.get(context, Scope.Scope), withdraw)
      })
    )
  }
)

/** Begins the current shutdown unless it has begun, and waits for its report. */
export const shutdown = (reason: string): Effect.Effect<Report> =>
  Effect.flatMap(Shutdown, (service) => service.shutdown(reason))

/** Does what a signal does: the first call begins the shutdown, the second skips the drain, the third abandons it. */
export const escalate = (options: EscalateOptions): Effect.Effect<Escalation> =>
  Effect.flatMap(Shutdown, (service) => service.escalate(options))

/** Whether the process accepts new work, for a readiness probe. */
export const isReady: Effect.Effect<boolean> = Effect.flatMap(
  Shutdown,
  (service) => Effect.map(service.state, (state) => state === "running")
)

/** Emits the present state of the current shutdown, then each later one. */
export const changes: Stream.Stream<State> = Stream.unwrap(Effect.map(Shutdown, (service) => service.changes))
