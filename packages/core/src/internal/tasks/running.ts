/** One task, from its acceptance to its end. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TaskCancelled, TaskFailed, type TaskOptions } from "./model.ts"

export class Running<A = unknown, E = unknown> {
  readonly name: string
  readonly tasks: string
  readonly atShutdown: TaskOptions["atShutdown"]
  /** Completed when the task has its turn. */
  readonly turn = Deferred.makeUnsafe<void>()
  private fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private reason: string | undefined = undefined
  /** The exit of the task itself, without its session. */
  private own: Exit.Exit<A, E> | undefined = undefined

  constructor(tasks: string, { atShutdown, name }: TaskOptions) {
    this.tasks = tasks
    this.name = name
    this.atShutdown = atShutdown
  }

  begin(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.fiber = fiber
    // It may have cancelled itself in its first step.
    if (this.reason !== undefined) fiber.interruptUnsafe()
  }

  cancel(reason: string): void {
    this.reason ??= reason
    this.fiber?.interruptUnsafe()
  }

  readonly ended: Effect.Effect<void> = Effect.suspend(() =>
    this.fiber === undefined ? Effect.void : Effect.asVoid(Fiber.await(this.fiber))
  )

  /** Runs the task when it has its turn. */
  inTurn<R>(task: Effect.Effect<A, E, R>, isAtOnce: boolean): Effect.Effect<A, E, R> {
    const turn = isAtOnce ? Effect.void : Deferred.await(this.turn)
    return Effect.onExitPrimitive(Effect.andThen(turn, task), (exit) => {
      this.own = exit
      return undefined
    })
  }

  /** The outcome of a task whose fiber has this exit. */
  outcome<E2>(exit: Exit.Exit<A, E2>): Exit.Exit<A, E2 | TaskCancelled> {
    if (this.reason === undefined || Exit.isSuccess(exit)) return exit
    // The cancellation may have come after the task's own end.
    if (this.own !== undefined && Exit.isSuccess(this.own)) return this.own
    const reasons = exit.cause.reasons.filter((reason) => !Cause.isInterruptReason(reason))
    return reasons.length > 0
      ? Exit.failCause(Cause.fromReasons(reasons))
      : Exit.fail(new TaskCancelled({ tasks: this.tasks, task: this.name, reason: this.reason }))
  }
}

/** Runs a task once, and again as its policy says. Its resources are released in between. */
export const supervised = <A, E, R>(
  tasks: string,
  task: Effect.Effect<A, E, R>,
  { name, restart }: TaskOptions,
  onFailure: (failure: TaskFailed) => Effect.Effect<void>
) => {
  let attempt = 0
  const once = Effect.suspend(() => {
    attempt++
    // Reports the failure even if the task is cancelled at the same moment.
    return Effect.onError(Effect.scoped(task), (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : onFailure(new TaskFailed({ tasks, task: name, attempt, cause: Cause.squash(cause) })))
  })
  if (restart === undefined) return once
  return Effect.sandbox(once).pipe(
    Effect.retry({ schedule: restart, while: (cause: Cause.Cause<E>) => !Cause.hasInterruptsOnly(cause) }),
    Effect.catch((cause) => Effect.failCause(cause))
  )
}
