/**
 * Work in the background that has an owner: supervised fibers, so many at a time, none of which outlives its scope.
 *
 * Each task is a session of the kind `"task"`, inside of the session in which its `Tasks` were made. One that fails is
 * reported, and begun again if its `restart` says so. Each declares what becomes of it in a shutdown: `"drain"` is work
 * that was promised, which the drain waits for and which is interrupted with `SessionRevoked` only after that; `"cancel"`
 * is told to end as soon as admission stops. A scope that closes without a shutdown does the same by itself.
 *
 * ```ts
 * import { Tasks } from "@clawback/core"
 * import { Console, Effect, Schedule } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const tasks = yield* Tasks.make({ name: "background", concurrency: 4 })
 *   yield* tasks.start({ name: "heartbeat", atShutdown: "cancel", restart: Schedule.spaced("1 second") })(
 *     Effect.forever(Effect.andThen(Console.log("alive"), Effect.sleep("10 seconds")))
 *   )
 *   const audit = yield* tasks.start({ name: "audit", atShutdown: "drain" })(Effect.as(Effect.sleep("20 millis"), "written"))
 *   yield* Console.log(yield* audit.await) // the exit: a success with "written"
 * })
 *
 * Effect.runPromise(Effect.scoped(program)) // ends the heartbeat
 * ```
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Deadline from "./Deadline.ts"
import { type Place, Roster } from "./internal/tasks/machine.ts"
import { atMost } from "./internal/time/atMost.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as Retry from "./Retry.ts"
import * as Session from "./Session.ts"
import { QuotaExceeded, type SessionError, SessionRevoked } from "./SessionError.ts"
import * as Shutdown from "./Shutdown.ts"

/** As many tasks wait as may. It was not begun. */
export class TasksFull extends Schema.TaggedError<TasksFull>("@clawback/core/TasksFull")("TasksFull", {
  tasks: Schema.String,
  task: Schema.String,
  concurrency: Schema.Int,
  capacity: Schema.Int
}) {
  override get message() {
    return `${this.tasks} runs ${this.concurrency} tasks and ${this.capacity} wait, so ${this.task} was not begun. ` +
      "Try later, or raise `concurrency` or `capacity`."
  }
}

/** Their owner has ended. It was not begun. */
export class TasksClosed extends Schema.TaggedError<TasksClosed>("@clawback/core/TasksClosed")("TasksClosed", {
  tasks: Schema.String,
  task: Schema.String
}) {
  override get message() {
    return `${this.tasks} was closed by its owner, so ${this.task} was not begun.`
  }
}

/** A task was told to end before it had. */
export class TaskCancelled extends Schema.TaggedError<TaskCancelled>("@clawback/core/TaskCancelled")("TaskCancelled", {
  tasks: Schema.String,
  task: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The task ${this.task} of ${this.tasks} was cancelled: ${this.reason}.`
  }
}

/** A task failed or died; `cause` is how. */
export class TaskFailed extends Schema.TaggedError<TaskFailed>("@clawback/core/TaskFailed")("TaskFailed", {
  tasks: Schema.String,
  task: Schema.String,
  /** From 1, counting the times that it was begun. */
  attempt: Schema.Int,
  cause: Schema.Defect()
}) {
  override get message() {
    return `The task ${this.task} of ${this.tasks} failed when it was begun for the ${this.attempt}. time`
  }
}

export interface Options {
  /** By which logs, errors and reports name them. */
  readonly name: string
  /** How many run at a time. Default: 16. Too low, and tasks wait; too high, and they crowd out other work. */
  readonly concurrency?: number | undefined
  /** How many may wait. Default: 1,024. Too low, and bursts are refused; too high, and what waits is out of date. */
  readonly capacity?: number | undefined
  /**
   * How long a scope that closes waits for tasks that are to be drained. Default: 15 seconds. Too low, and promised work
   * is cut off; too high, and one that hangs holds up its owner. What is interrupted then gets 5 seconds to end.
   */
  readonly drain?: Duration.Input | undefined
  /** What to do about a failure, each time. Default: log it as an error. */
  readonly onFailure?: ((failure: TaskFailed) => Effect.Effect<void>) | undefined
}

export interface TaskOptions {
  /** By which its session and its errors are named. */
  readonly name: string
  /** Whether a shutdown waits for it or tells it to end. */
  readonly atShutdown: "drain" | "cancel"
  /** When to begin it again after a failure. Default: never. It keeps its place meanwhile. */
  readonly restart?: Schedule.Schedule<unknown, unknown> | undefined
}

/** Why a task was not begun. */
export type Refusal = TasksFull | TasksClosed | Shutdown.ShuttingDown | SessionError

/** How a task ended. */
export type Outcome<A, E> = Exit.Exit<A, E | TaskCancelled | SessionError | Shutdown.ShuttingDown>

/** A task that was accepted. */
export interface Task<out A, out E> {
  readonly name: string
  /** Waits until it has ended for good, and tells how. */
  readonly await: Effect.Effect<Outcome<A, E>>
  /** Tells it to end, and waits until it has. */
  readonly cancel: Effect.Effect<void>
}

export interface Tasks {
  /** Accepts a task, which begins at once or when its turn has come. Interrupting whoever starts it does not end it. */
  readonly start: (
    options: TaskOptions
  ) => <A, E, R>(task: Effect.Effect<A, E, R>) => Effect.Effect<Task<A, E>, Refusal, Exclude<R, Scope.Scope>>
  /** Waits until none is left. */
  readonly awaitEmpty: Effect.Effect<void>
}

class Running {
  readonly name: string
  readonly atShutdown: TaskOptions["atShutdown"]
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  cancelled: string | undefined = undefined
  /** Completed when its turn has come. */
  readonly turn = Deferred.makeUnsafe<void>()

  constructor({ atShutdown, name }: TaskOptions) {
    this.name = name
    this.atShutdown = atShutdown
  }

  cancelUnsafe(reason: string) {
    this.cancelled ??= reason
    this.fiber?.interruptUnsafe()
  }
}

const ended = (tasks: ReadonlyArray<Running>): Effect.Effect<void> =>
  Effect.forEach(tasks, ({ fiber }) => fiber === undefined ? Effect.void : Fiber.await(fiber), {
    concurrency: "unbounded",
    discard: true
  })

/** How long tasks that were interrupted may take to end, before their owner goes on without them. */
const endTimeout = Duration.seconds(5)

/** Tasks that end with the surrounding scope. */
export const make = (options: Options): Effect.Effect<Tasks, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { name: tasks, concurrency = 16, capacity = 1024 } = options
    const drain = OptionCheck.duration("drain", options.drain ?? "15 seconds")
    const report = options.onFailure ?? ((failure) => Effect.logError(failure.message, failure.cause))
    const roster = new Roster<Running>(
      OptionCheck.count("concurrency", concurrency, 1),
      OptionCheck.count("capacity", capacity, 0)
    )
    const owner = yield* Session.Current
    const shutdown = yield* Shutdown.Shutdown
    let isStopping = false

    const cancelUnsafe = (reason: string) => {
      for (const running of roster.all) if (running.atShutdown === "cancel") running.cancelUnsafe(reason)
    }

    const close = Effect.gen(function*() {
      roster.isClosed = true
      const reason = "its owner has ended"
      cancelUnsafe(reason)
      const state = yield* shutdown.state
      const isDrained = state === "interrupt" || state === "close"
      if (!isDrained) yield* atMost(ended(roster.all), drain)
      for (const running of roster.all) running.cancelUnsafe(reason)
      if (yield* atMost(ended(roster.all), endTimeout)) return
      const names = roster.all.map(({ name }) => name)
      yield* Effect.logError(`Tasks of ${tasks} go on, although their owner has ended`, names)
    })
    yield* Effect.addFinalizer(() => close)
    yield* Shutdown.addFinalizer({ phase: "stop", name: `${tasks}: cancel` })(Effect.sync(() => {
      isStopping = true
      cancelUnsafe("the process is shutting down")
    }))
    yield* Shutdown.addFinalizer({ phase: "drain", name: `${tasks}: end of what was cancelled` })(
      Effect.suspend(() => ended(roster.all.filter(({ atShutdown }) => atShutdown === "cancel")))
    )

    /** Runs it once, and again as its policy says. Whatever it acquires is given back in between. */
    const supervised = <A, E, R>(task: Effect.Effect<A, E, R>, { name, restart }: TaskOptions) => {
      let attempt = 0
      const once = Effect.suspend(() => {
        attempt++
        // Told to end at the same moment, it has failed all the same.
        return Effect.onError(Effect.scoped(task), (cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.void
            : report(new TaskFailed({ tasks, task: name, attempt, cause: Cause.squash(cause) })))
      })
      if (restart === undefined) return once
      return Effect.sandbox(once).pipe(
        Effect.retry({ schedule: restart, while: (cause: Cause.Cause<E>) => !Cause.hasInterruptsOnly(cause) }),
        Effect.catch((cause) => Effect.failCause(cause))
      )
    }

    /** Why a task ended before it was accepted: what it is refused with, or that it was told to end. */
    const refusal = (exit: Exit.Exit<unknown, unknown>, name: string): Refusal => {
      for (const reason of Exit.isFailure(exit) ? exit.cause.reasons : []) {
        if (!Cause.isFailReason(reason)) continue
        const { error } = reason
        if (
          error instanceof Shutdown.ShuttingDown || error instanceof SessionRevoked || error instanceof QuotaExceeded
        ) {
          return error
        }
      }
      return new TasksClosed({ tasks, task: name })
    }

    const start: Tasks["start"] = (options) => <A, E, R>(task: Effect.Effect<A, E, R>) =>
      Effect.withFiber((fiber): Effect.Effect<Task<A, E>, Refusal> => {
        const { name } = options
        const atShutdown = OptionCheck.choice("atShutdown", options.atShutdown, ["drain", "cancel"])
        const running = new Running(options)
        const isRefused = atShutdown === "cancel" ? isStopping : !shutdown.admitsUnsafe(fiber.context)
        if (isRefused) return Effect.fail(shutdown.refusalUnsafe({ kind: "task", name }))
        const place = roster.enter(running)
        if (place === "closed") return Effect.fail(new TasksClosed({ tasks, task: name }))
        if (place === "full") return Effect.fail(new TasksFull({ tasks, task: name, concurrency, capacity }))

        const accepted = Deferred.makeUnsafe<void, Refusal>()
        let own: Exit.Exit<A, E> | undefined
        const work = Effect.suspend(() => {
          Deferred.doneUnsafe(accepted, Exit.void)
          const turn = place.state === "running" ? Effect.void : Deferred.await(running.turn)
          return Effect.onExitPrimitive(Effect.andThen(turn, supervised(task, options)), (exit) => {
            own = exit
            return undefined
          })
        })
        const info = { kind: "task", name, attributes: { tasks } }
        const inSession = atShutdown === "drain"
          ? Shutdown.admit(info)(work)
          : Session.use(info, Effect.void, () => Effect.void, () => work)
        const context = (fiber.context as Context.Context<Exclude<R, Scope.Scope>>).pipe(
          Context.add(Session.Current, owner),
          Context.add(Deadline.Current, undefined),
          Context.add(Retry.CurrentKey, undefined),
          Context.add(Shutdown.Shutdown, shutdown)
        )
        // Begun and registered in this one step; accepted once a shutdown knows of it, which its fiber sees to.
        const begun = Effect.runForkWith(context)(inSession)
        running.fiber = begun
        begun.addObserver((exit) => {
          giveUp(place)
          Deferred.doneUnsafe(accepted, Exit.fail(refusal(exit, name)))
        })
        // By what it did itself in its first step.
        if (running.cancelled !== undefined) begun.interruptUnsafe()
        return Effect.as(Deferred.await(accepted), {
          name,
          await: Effect.map(Fiber.await(begun), (exit): Outcome<A, E> => {
            if (running.cancelled === undefined || Exit.isSuccess(exit)) return exit
            // It may have been told to end while it went off with what it had come to.
            if (own !== undefined && Exit.isSuccess(own)) return own
            const reasons = exit.cause.reasons.filter((reason) => !Cause.isInterruptReason(reason))
            return reasons.length > 0
              ? Exit.failCause(Cause.fromReasons(reasons))
              : Exit.fail(new TaskCancelled({ tasks, task: name, reason: running.cancelled }))
          }),
          cancel: Effect.suspend(() => {
            running.cancelUnsafe("it was told to end")
            return Effect.asVoid(Fiber.await(begun))
          })
        })
      })

    const giveUp = (place: Place<Running>) => {
      const next = roster.leave(place)
      if (next !== undefined) {
        Deferred.doneUnsafe(next.turn, Exit.void)
      }
    }

    return {
      start,
      awaitEmpty: Effect.suspend(() => ended(roster.all))
    }
  })
