/** The tasks of one owner: how they start, how they are cancelled, and how they end with their owner. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Deadline from "../../Deadline.ts"
import * as OptionCheck from "../../OptionCheck.ts"
import * as Retry from "../../Retry.ts"
import * as Session from "../../Session.ts"
import { QuotaExceeded, SessionRevoked } from "../../SessionError.ts"
import * as Shutdown from "../../Shutdown.ts"
import { coordinatorOf } from "../shutdown/coordinator.ts"
import { atMost } from "../time/atMost.ts"
import { type Place, Roster } from "./machine.ts"
import {
  type Options,
  type Rejection,
  type Task,
  type TaskFailed,
  type TaskOptions,
  TasksClosed,
  TasksFull
} from "./model.ts"
import { Running, supervised } from "./running.ts"

const ended = (tasks: ReadonlyArray<Running>): Effect.Effect<void> =>
  Effect.forEach(tasks, ({ ended }) => ended, { concurrency: "unbounded", discard: true })

/** How long interrupted tasks may take to end before their owner goes on without them. */
const endTimeout = Duration.seconds(5)

const isRejection = (error: unknown) =>
  error instanceof Shutdown.ShuttingDown || error instanceof SessionRevoked || error instanceof QuotaExceeded

export class Group {
  readonly name: string
  private readonly drain: Duration.Duration
  private readonly onFailure: (failure: TaskFailed) => Effect.Effect<void>
  private readonly roster: Roster<Running<any, any>>
  private readonly owner: Session.Session | undefined
  private readonly shutdown: Shutdown.Shutdown
  private isStopping = false

  constructor(options: Options, owner: Session.Session | undefined, shutdown: Shutdown.Shutdown) {
    this.name = options.name
    this.drain = OptionCheck.duration("drain", options.drain ?? "15 seconds")
    this.onFailure = options.onFailure ?? ((failure) => Effect.logError(failure.message, failure.cause))
    this.roster = new Roster(
      OptionCheck.count("concurrency", options.concurrency ?? 16, 1),
      OptionCheck.count("capacity", options.capacity ?? 1024, 0)
    )
    this.owner = owner
    this.shutdown = shutdown
  }

  get awaitEmpty(): Effect.Effect<void> {
    return Effect.suspend(() => ended(this.roster.all))
  }

  /** The tasks that a shutdown cancels, until they have ended. */
  get cancelledEnd(): Effect.Effect<void> {
    return Effect.suspend(() => ended(this.roster.all.filter(({ atShutdown }) => atShutdown === "cancel")))
  }

  /** What a shutdown does when admission stops. */
  readonly stop: Effect.Effect<void> = Effect.sync(() => {
    this.isStopping = true
    this.cancel("the process is shutting down")
  })

  private cancel(reason: string): void {
    for (const running of this.roster.all) if (running.atShutdown === "cancel") running.cancel(reason)
  }

  /** Ends all tasks with their owner. After the drain of a shutdown, tasks have had their time. */
  readonly close: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    const { roster } = this
    roster.close()
    const reason = "its owner has ended"
    this.cancel(reason)
    const state = yield* this.shutdown.state
    const isDrained = state === "interrupt" || state === "close"
    if (!isDrained) yield* atMost(ended(roster.all), this.drain)
    for (const running of roster.all) running.cancel(reason)
    if (yield* atMost(ended(roster.all), endTimeout)) return
    const names = roster.all.map(({ name }) => name)
    yield* Effect.logError(`Tasks of ${this.name} go on, although their owner has ended`, names)
  })

  /** Accepts a task, and waits until its session is open. */
  start<A, E, R>(task: Effect.Effect<A, E, R>, given: TaskOptions) {
    return Effect.withFiber((fiber): Effect.Effect<Task<A, E>, Rejection> => {
      // Getters of the options may throw: all are read before the task has a place.
      const { name, restart } = given
      const atShutdown = OptionCheck.choice("atShutdown", given.atShutdown, ["drain", "cancel"])
      const options = { name, restart, atShutdown }
      const running = new Running<A, E>(this.name, options)
      const place = this.enter(running, fiber.context)
      if (place instanceof Error) return Effect.fail(place)

      const accepted = Deferred.makeUnsafe<void, Rejection>()
      const work = Effect.suspend(() => {
        Deferred.doneUnsafe(accepted, Exit.void)
        return running.inTurn(supervised(this.name, task, options, this.onFailure), place.state === "running")
      })
      // Begun and registered in this one step. The task's own fiber enters the shutdown, and then it is accepted.
      const begun = Effect.runForkWith(this.contextOf<R>(fiber.context))(this.inSession(work, options))
      begun.addObserver((exit) => {
        this.leave(place)
        Deferred.doneUnsafe(accepted, Exit.fail(this.rejectionOf(exit, name)))
      })
      running.begin(begun)
      return Effect.as(Deferred.await(accepted), {
        name,
        await: Effect.map(Fiber.await(begun), (exit) => running.outcome(exit)),
        cancel: Effect.suspend(() => {
          running.cancel("its starter cancelled it")
          return running.ended
        })
      })
    })
  }

  /** A place for the task, or why there is none. */
  private enter(running: Running<any, any>, context: Context.Context<never>): Place<Running> | Rejection {
    const { name: tasks, roster: { capacity, concurrency } } = this
    const { atShutdown, name } = running
    const shutdown = coordinatorOf(this.shutdown)
    const isRejected = atShutdown === "cancel" ? this.isStopping : !shutdown.admits(context)
    if (isRejected) return shutdown.rejection({ kind: "task", name })
    const place = this.roster.enter(running)
    if (place === "closed") return new TasksClosed({ tasks, task: name })
    if (place === "full") return new TasksFull({ tasks, task: name, concurrency, capacity })
    return place
  }

  private leave(place: Place<Running>): void {
    const next = this.roster.leave(place)
    if (next !== undefined) Deferred.doneUnsafe(next.turn, Exit.void)
  }

  private inSession<A, E, R>(work: Effect.Effect<A, E, R>, { atShutdown, name }: TaskOptions) {
    const info = { kind: "task", name, attributes: { tasks: this.name } }
    return atShutdown === "drain"
      ? Shutdown.admit(info)(work)
      : Session.use(info, Effect.void, () => Effect.void, () => work)
  }

  /** A task belongs to its owner, not to its starter. */
  private contextOf<R>(context: Context.Context<never>): Context.Context<Exclude<R, Scope.Scope>> {
    return (context as Context.Context<Exclude<R, Scope.Scope>>).pipe(
      Context.add(Session.Current, this.owner),
      Context.add(Deadline.Current, undefined),
      Context.add(Retry.CurrentKey, undefined),
      Context.add(Shutdown.Shutdown, this.shutdown)
    )
  }

  /** Why a task ended before it was accepted. */
  private rejectionOf(exit: Exit.Exit<unknown, unknown>, name: string): Rejection {
    for (const reason of Exit.isFailure(exit) ? exit.cause.reasons : []) {
      if (Cause.isFailReason(reason) && isRejection(reason.error)) return reason.error
    }
    return new TasksClosed({ tasks: this.name, task: name })
  }
}
