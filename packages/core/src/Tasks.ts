/**
 * Background tasks with an owner: supervised fibers, a limited number at a time, which end with the owner's scope.
 *
 * Each task is a session of the kind `"task"`, inside of the session in which its `Tasks` were made. A failure is reported,
 * and the task runs again if its `restart` says so. Each task declares what a shutdown does with it. A shutdown waits for
 * `"drain"` tasks. After the drain it interrupts them with `SessionRevoked`. It interrupts `"cancel"` tasks as soon as
 * admission stops. Closing the scope without a shutdown treats each kind the same way.
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
 * await Effect.runPromise(Effect.scoped(program)) // ends the heartbeat
 * ```
 *
 * @stable
 */

import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Scope from "effect/Scope"
import { Group } from "./internal/tasks/group.ts"
import type { Options, TaskOptions, Tasks } from "./internal/tasks/model.ts"
import * as Session from "./Session.ts"
import * as Shutdown from "./Shutdown.ts"

export {
  type Options,
  type Outcome,
  type Rejection,
  type Task,
  TaskCancelled,
  TaskFailed,
  type TaskOptions,
  type Tasks,
  TasksClosed,
  TasksFull
} from "./internal/tasks/model.ts"

/** Tasks that end with the surrounding scope. */
export const make = (options: Options): Effect.Effect<Tasks, never, Scope.Scope> =>
  Effect.gen(function*() {
    const owner = yield* Session.Current
    const shutdown = yield* Shutdown.Shutdown
    const group = new Group(options, owner, shutdown)
    yield* Effect.addFinalizer(() => group.close)
    yield* Shutdown.addFinalizer({ phase: "stop", name: `${group.name}: cancel` })(group.stop)
    yield* Shutdown.addFinalizer({ phase: "drain", name: `${group.name}: end of cancelled tasks` })(group.cancelledEnd)
    return {
      start: dual(
        2,
        <A, E, R>(task: Effect.Effect<A, E, R>, options: TaskOptions) => group.start(task, options)
      ),
      awaitEmpty: group.awaitEmpty
    }
  })
