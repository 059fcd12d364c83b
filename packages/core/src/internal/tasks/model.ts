/** The tasks of one owner: their options, their errors and their results. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ReadableError from "../../ReadableError.ts"
import type { SessionError } from "../../SessionError.ts"
import type { ShuttingDown } from "../shutdown/model.ts"

/** As many tasks wait as `capacity` allows. The task was not begun. */
export class TasksFull extends ReadableError.tagged<TasksFull>("@clawback/core/TasksFull")("TasksFull", {
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

/** The scope of the owner has closed. The task was not begun. */
export class TasksClosed extends ReadableError.tagged<TasksClosed>("@clawback/core/TasksClosed")("TasksClosed", {
  tasks: Schema.String,
  task: Schema.String
}) {
  override get message() {
    return `${this.tasks} was closed by its owner, so ${this.task} was not begun.`
  }
}

/** A task was cancelled before it ended. */
export class TaskCancelled
  extends ReadableError.tagged<TaskCancelled>("@clawback/core/TaskCancelled")("TaskCancelled", {
    tasks: Schema.String,
    task: Schema.String,
    reason: Schema.String
  })
{
  override get message() {
    return `The task ${this.task} of ${this.tasks} was cancelled: ${this.reason}.`
  }
}

/** A task failed or died; `cause` is its error or defect. */
export class TaskFailed extends ReadableError.tagged<TaskFailed>("@clawback/core/TaskFailed")("TaskFailed", {
  tasks: Schema.String,
  task: Schema.String,
  /** Counts from 1. */
  attempt: Schema.Int,
  cause: Schema.Defect()
}) {
  override get message() {
    return `The task ${this.task} of ${this.tasks} failed at attempt ${this.attempt}.`
  }
}

export interface Options {
  /** The name in logs, errors and reports. */
  readonly name: string
  /** How many tasks run at a time. Default: 16. Too low, and tasks wait; too high, and they crowd out other work. */
  readonly concurrency?: number | undefined
  /** How many tasks may wait. Default: 1,024. Too low, and bursts are rejected; too high, and waiting tasks are out of date. */
  readonly capacity?: number | undefined
  /**
   * How long a scope that closes waits for tasks with `atShutdown: "drain"`. Default: 15 seconds. Too low, and promised work
   * is cut off; too high, and a task that hangs delays its owner. Interrupted tasks then get 5 seconds to end.
   */
  readonly drain?: Duration.Input | undefined
  /** Handles each failure. Default: log it as an error. */
  readonly onFailure?: ((failure: TaskFailed) => Effect.Effect<void>) | undefined
}

export interface TaskOptions {
  /** The name of its session and in its errors. */
  readonly name: string
  /** Whether a shutdown waits for the task or cancels it. */
  readonly atShutdown: "drain" | "cancel"
  /** When to run it again after a failure. Default: never. It keeps its place meanwhile. */
  readonly restart?: Schedule.Schedule<unknown, unknown> | undefined
}

/** Why a task was not begun. */
export type Rejection = TasksFull | TasksClosed | ShuttingDown | SessionError

/** How a task ended. */
export type Outcome<A, E> = Exit.Exit<A, E | TaskCancelled | SessionError | ShuttingDown>

/** A task that was accepted. */
export interface Task<out A, out E> {
  readonly name: string
  /** Waits until the task has ended for good, and returns how. */
  readonly await: Effect.Effect<Outcome<A, E>>
  /** Interrupts the task, and waits until it has ended. */
  readonly cancel: Effect.Effect<void>
}

export interface Tasks {
  /** Accepts a task, which runs at once or when it has its turn. It goes on if its starter is interrupted. */
  readonly start: {
    (
      options: TaskOptions
    ): <A, E, R>(task: Effect.Effect<A, E, R>) => Effect.Effect<Task<A, E>, Rejection, Exclude<R, Scope.Scope>>
    <A, E, R>(
      task: Effect.Effect<A, E, R>,
      options: TaskOptions
    ): Effect.Effect<Task<A, E>, Rejection, Exclude<R, Scope.Scope>>
  }
  /** Waits until there is no task. */
  readonly awaitEmpty: Effect.Effect<void>
}
