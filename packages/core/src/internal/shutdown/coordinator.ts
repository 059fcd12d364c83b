/** One shutdown: it is asked for by many, and one fiber goes through its phases. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Stream from "effect/Stream"
import { Current, type Info } from "../../Session.ts"
import * as Monotonic from "../time/monotonic.ts"
import { Rejections } from "./causes.ts"
import { type Finalizer, Finalizing } from "./finalizer.ts"
import { InFlight } from "./inFlight.ts"
import * as Items from "./items.ts"
import { type Escalation, type Registration, Stopping, type Ticket } from "./machine.ts"
import type { Admitted, Item, PhaseReport, Report, ShuttingDown, Signal } from "./model.ts"
import { perform } from "./performPhase.ts"
import type { Course } from "./phaseRun.ts"
import type { Phase, State } from "./phases.ts"
import * as Reports from "./report.ts"
import { States } from "./states.ts"

export class Coordinator {
  private readonly stopping = new Stopping<Admitted, Finalizer>()
  private readonly finished = Deferred.makeUnsafe<Report>()
  private readonly rejections = new Rejections()
  private readonly states = new States(() => this.stopping.state)
  private readonly course: Course
  private reason = ""
  private signal: Signal | undefined

  /** The limits are in milliseconds. */
  constructor(limits: Readonly<Record<Phase, number>>) {
    this.course = {
      stopping: this.stopping,
      limits,
      reason: () => `the process is shutting down: ${this.reason}`,
      hurried: Deferred.makeUnsafe(),
      abandoned: Deferred.makeUnsafe(),
      drained: Deferred.makeUnsafe(),
      lost: [],
      underWay: new Set()
    }
  }

  /** The sum of the limits. */
  get limit(): Duration.Duration {
    return Duration.millis(Object.values(this.course.limits).reduce((sum, limit) => sum + limit, 0))
  }

  get state(): State {
    return this.stopping.state
  }

  get changes(): Stream.Stream<State> {
    return this.states.changes
  }

  get report(): Effect.Effect<Report> {
    return Deferred.await(this.finished)
  }

  /** Begins it unless it has begun, and waits for its report. */
  shutdown(fiber: Fiber.Fiber<unknown, unknown>, reason: string): Effect.Effect<Report> {
    const finalizing = fiber.getRef(Finalizing)
    if (finalizing !== undefined && this.stopping.runs(finalizing)) {
      return Effect.die(new Error(`The finalizer ${finalizing.name} cannot wait for the shutdown that waits for it`))
    }
    this.stopping.excuse(fiber.getRef(InFlight))
    this.noticeDrained()
    if (this.stopping.begin()) this.begin(reason, fiber.context)
    return this.report
  }

  /** Does what a signal does. Phases and their finalizers see the clock and the registry of the context. */
  escalate(reason: string, signal: Signal | undefined, context: Context.Context<never>): Escalation {
    const escalation = this.stopping.escalate()
    if (escalation === "over") return escalation
    // The first signal decides the exit code, unless the third one ends the process at once.
    this.signal = escalation === "abandoned" ? signal ?? this.signal : this.signal ?? signal
    if (escalation === "begun") this.begin(reason, context)
    if (escalation === "hurried") Deferred.doneUnsafe(this.course.hurried, Exit.void)
    if (escalation === "abandoned") Deferred.doneUnsafe(this.course.abandoned, Exit.void)
    return escalation
  }

  private begin(reason: string, context: Context.Context<never>): void {
    this.reason = reason
    const own = context.pipe(Context.add(Current, undefined), Context.add(InFlight, undefined))
    // On a fiber of its own from the first step: the caller may be interrupted by the shutdown that it asks for.
    Effect.runForkWith(own)(Effect.map(Effect.exit(this.perform), (exit) => {
      Deferred.doneUnsafe(this.finished, exit)
      this.states.emit("done")
    }))
  }

  private readonly perform: Effect.Effect<Report> = Effect.gen({ self: this }, function*() {
    const { stopping } = this
    const clock = yield* Clock.Clock
    const startedAt = Monotonic.millis(clock)
    const phases: Array<PhaseReport> = []
    for (let state: State = stopping.state; state !== "done" && state !== "running"; state = stopping.next()) {
      this.states.emit(state)
      phases.push(yield* perform(this.course, state))
    }
    const duration = Duration.millis(Monotonic.millis(clock) - startedAt)
    return Reports.assemble({
      reason: this.reason,
      signal: this.signal,
      duration,
      phases,
      isAbandoned: stopping.isAbandoned
    })
  })

  /** Whether work may begin now, in this context. */
  admits(context: Context.Context<never>): boolean {
    return this.stopping.admits(Context.get(context, InFlight))
  }

  /** Admits work, unless admission has stopped. `leave` must follow. */
  admit(work: Admitted, inside: Ticket<Admitted> | undefined): Ticket<Admitted> | undefined {
    return this.stopping.admit(work, inside)
  }

  leave(ticket: Ticket<Admitted>, isInterrupted: boolean): void {
    this.stopping.leave(ticket, isInterrupted)
    this.noticeDrained()
  }

  private noticeDrained(): void {
    const { isDrained, state } = this.stopping
    if (state === "drain" && isDrained) Deferred.doneUnsafe(this.course.drained, Exit.void)
  }

  /** The error of work that is not admitted. */
  rejection(info: Pick<Info, "kind" | "name">): ShuttingDown {
    return this.rejections.make(info)
  }

  /** Whether an error, or one behind it by its `cause`s, comes from this shutdown. */
  isCauseOf(error: unknown): boolean {
    return this.stopping.state !== "running" && this.rejections.isCauseOf(error, this.course.reason())
  }

  /** Returns how to withdraw the finalizer, or undefined if its phase has begun. */
  register(phase: Phase, finalizer: Finalizer): Effect.Effect<void> | undefined {
    const registration = { phase, finalizer }
    return this.stopping.register(registration) ? this.withdraw(registration) : undefined
  }

  private withdraw(registration: Registration<Finalizer>): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const { finalizer } = registration
      return this.stopping.withdraw(registration) || !this.stopping.runs(finalizer) ||
          fiber.getRef(Finalizing) === finalizer
        ? Effect.void
        : Deferred.await(finalizer.settled)
    })
  }

  /** What it would wait for at this moment. */
  pending(clock: Clock.Clock): ReadonlyArray<Item> {
    const now = Monotonic.millis(clock)
    return [
      ...this.stopping.finalizing.map((finalizer) => Items.ofFinalizer(finalizer, now)),
      ...this.stopping.live.map((work) => Items.ofSession(work, now))
    ]
  }
}

/** Under this key our own modules find the coordinator of a shutdown. */
export const TypeId: unique symbol = Symbol.for("@clawback/core/Shutdown")

export const coordinatorOf = (shutdown: { readonly [TypeId]: unknown }): Coordinator => {
  const coordinator = shutdown[TypeId]
  if (coordinator instanceof Coordinator) return coordinator
  throw new TypeError("This is no shutdown: make one by `Shutdown.layer` or `Shutdown.makeUnsafe`")
}
