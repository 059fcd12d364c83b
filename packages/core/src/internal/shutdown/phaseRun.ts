/** One phase while it is performed: its time, its finalizers, and the items of its report. */
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Deadline from "../../Deadline.ts"
import type { SessionRegistry } from "../../SessionRegistry.ts"
import * as Monotonic from "../time/monotonic.ts"
import { bounded } from "./bounded.ts"
import type { Finalizer } from "./finalizer.ts"
import * as Items from "./items.ts"
import type { Stopping } from "./machine.ts"
import type { Admitted, Failure, Item, PhaseReport } from "./model.ts"
import type { Phase } from "./phases.ts"
import type { UnderWay } from "./underWay.ts"

/** What the phases of one shutdown share. */
export interface Course {
  readonly stopping: Stopping<Admitted, Finalizer>
  /** In milliseconds. */
  readonly limits: Readonly<Record<Phase, number>>
  /** The reason that interrupted work is given. */
  readonly reason: () => string
  /** Completed by the second escalation. */
  readonly hurried: Deferred.Deferred<void>
  /** Completed by the third escalation. */
  readonly abandoned: Deferred.Deferred<void>
  /** Completed when the drain waits for nothing any more. */
  readonly drained: Deferred.Deferred<void>
  /** Sessions whose release failed: they are closed, and what they held may be held still. */
  readonly lost: Array<Item>
  /** Work that was not admitted, until a phase has reported how it ended. */
  readonly underWay: Set<UnderWay>
}

export class PhaseRun {
  readonly course: Course
  readonly phase: Phase
  /** In milliseconds. */
  readonly limit: number
  /** The registry of the fiber that began the shutdown. */
  readonly registry: SessionRegistry
  readonly interrupted: Array<Item> = []
  readonly forced: Array<Item> = []
  readonly stuck: Array<Item> = []
  private readonly finished: Array<Item> = []
  private readonly failed: Array<Failure> = []
  /** A finalizer of the drain waits for something, as work does, and may be cut short. */
  private readonly overran: Array<Item>
  private readonly finalizers: ReadonlyArray<Finalizer>
  private readonly clock: Clock.Clock
  private readonly startedAt: number
  /** Succeeds when nothing of the phase is waited for any longer. */
  readonly cut: Effect.Effect<void>

  constructor(course: Course, phase: Phase, registry: SessionRegistry, clock: Clock.Clock) {
    this.course = course
    this.phase = phase
    this.limit = course.limits[phase]
    this.registry = registry
    this.clock = clock
    this.startedAt = Monotonic.millis(clock)
    this.finalizers = course.stopping.take()
    this.overran = phase === "drain" ? this.interrupted : this.stuck
    const abandoned = Deferred.await(course.abandoned)
    const isWaiting = phase === "unready" || phase === "drain"
    this.cut = isWaiting ? Effect.raceFirst(Deferred.await(course.hurried), abandoned) : abandoned
  }

  get now(): number {
    return Monotonic.millis(this.clock)
  }

  /** How many milliseconds the phase has left. */
  get left(): number {
    return Math.max(0, this.startedAt + this.limit - this.now)
  }

  /** Whether the phase does nothing any more. */
  get isSkipped(): boolean {
    return this.course.stopping.skips(this.phase)
  }

  /** Runs work of the phase for so many milliseconds. Succeeds with false if it did not end in time. */
  within(effect: Effect.Effect<void>, millis: number): Effect.Effect<boolean> {
    return Effect.map(bounded(effect, millis, this.cut), (exit) => exit !== undefined)
  }

  /** Runs work of the phase, and its finalizers at the same time. */
  together(work: Effect.Effect<boolean>): Effect.Effect<boolean> {
    const own = Effect.suspend(() => this.isSkipped ? Effect.succeed(false) : work)
    return Effect.map(Effect.all([own, this.finalize], { concurrency: 2 }), ([isInTime]) => isInTime)
  }

  /** Runs the finalizers of the phase, all at once. */
  get finalize(): Effect.Effect<void> {
    return Effect.forEach(this.finalizers, (finalizer) => this.finalizeOne(finalizer), {
      concurrency: "unbounded",
      discard: true
    })
  }

  private finalizeOne(finalizer: Finalizer): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isSkipped) return Effect.sync(() => this.settle(finalizer, undefined))
      const millis = Math.min(finalizer.limit, this.left)
      const deadline = { at: this.now + millis, budget: Duration.millis(millis) }
      const run = Effect.provideService(finalizer.run, Deadline.Current, deadline)
      return Effect.map(bounded(run, millis, this.cut), (exit) => this.settle(finalizer, exit))
    })
  }

  private settle(finalizer: Finalizer, exit: Exit.Exit<unknown, unknown> | undefined): void {
    const item = Items.ofFinalizer(finalizer, this.now)
    if (exit === undefined) this.overran.push(item)
    else if (Exit.isSuccess(exit)) this.finished.push(item)
    else this.failed.push({ finalizer: item, cause: exit.cause })
    this.course.stopping.settle(finalizer)
    Deferred.doneUnsafe(finalizer.settled, Exit.void)
  }

  /** Reports work that was not admitted and has been cut short since the program was interrupted. */
  private takeCutShort(): void {
    const { underWay } = this.course
    for (const one of underWay) {
      if (!one.isCutShort) continue
      underWay.delete(one)
      this.interrupted.push(Items.ofSession(one, this.now))
    }
  }

  /** Takes one step: work that leaves later was in flight, and `stuck` returns it. */
  report(isInTime: boolean, stuck: (run: PhaseRun) => ReadonlyArray<Item>): PhaseReport {
    const { ended, interrupted } = this.course.stopping.takeLeft()
    this.interrupted.push(...interrupted.map((admitted) => Items.ofSession(admitted, this.now)))
    this.takeCutShort()
    this.stuck.push(...stuck(this))
    const isCompleted = isInTime && this.overran.length === 0
    return {
      phase: this.phase,
      duration: Duration.millis(this.now - this.startedAt),
      outcome: this.isSkipped ? "skipped" : isCompleted ? "completed" : "overran",
      ended,
      finished: this.finished,
      failed: this.failed,
      interrupted: this.interrupted,
      forced: this.forced,
      stuck: this.stuck
    }
  }
}
