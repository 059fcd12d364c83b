/** Mistakes in the order, the limits and the bookkeeping of shutdowns and of tasks. */
import type { Mutant } from "../../support/mutant.ts"

const coordinator = "packages/core/src/internal/shutdown/coordinator.ts"
const stopping = "packages/core/src/internal/shutdown/machine.ts"
const phases = "packages/core/src/internal/shutdown/phases.ts"
const underWay = "packages/core/src/internal/shutdown/underWay.ts"
const admission = "packages/core/src/internal/shutdown/admission.ts"
const record = "packages/core/src/internal/session/record.ts"
const tasks = "packages/core/src/Tasks.ts"
const roster = "packages/core/src/internal/tasks/machine.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module: "Shutdown",
    file: stopping,
    find: "return at < rank(\"stop\") ||",
    replace: "return at < rank(\"persist\") ||",
    rule: "nothing new is admitted once admission has stopped"
  },
  {
    module: "Shutdown",
    file: stopping,
    find: "this.inFlight.has(inside) && at < rank(\"interrupt\"))",
    replace: "this.inFlight.has(inside) && at < rank(\"stop\"))",
    rule: "work in flight may begin what belongs to it"
  },
  {
    module: "Shutdown",
    file: stopping,
    find: "if (ticket.isAwaited) this.awaited--",
    replace: "if (ticket.isAwaited && !isInterrupted && ticket.parent !== undefined) this.awaited--",
    rule: "a drain ends when its work has"
  },
  {
    module: "Shutdown",
    file: stopping,
    find: "if (isInterrupted) this.interrupted.push(ticket.work)\n    else this.ended++",
    replace: "this.ended++",
    rule: "work that was cut short is named"
  },
  {
    module: "Shutdown",
    file: stopping,
    find: "      at.isAwaited = false\n      this.awaited--",
    replace: "      return",
    rule: "a drain does not wait for who waits for it"
  },
  {
    module: "Shutdown",
    file: stopping,
    find: "if (this.state !== \"running\") return false\n    this.state = \"unready\"",
    replace: "this.state = \"unready\"",
    rule: "a shutdown is one, whoever asks"
  },
  {
    module: "Shutdown",
    file: stopping,
    find: "\"persist\", \"interrupt\", \"close\"] as const",
    replace: "\"interrupt\", \"persist\", \"close\"] as const",
    rule: "what must be persisted is, before anything is interrupted"
  },
  {
    module: "Shutdown",
    file: coordinator,
    find: "if (answer === \"abandoned\") Deferred.doneUnsafe(shared.abandoned, Exit.void)",
    replace: "",
    rule: "a third request ends all of it at once"
  },
  {
    module: "Shutdown",
    file: coordinator,
    find: "if (answer === \"hurried\") Deferred.doneUnsafe(shared.hurried, Exit.void)",
    replace: "",
    rule: "a second request ends the drain"
  },
  {
    module: "Shutdown",
    file: admission,
    find: "!hasSucceeded && this.revoked !== undefined",
    replace: "false",
    rule: "work that was interrupted is not said to have ended"
  },
  {
    module: "Shutdown",
    file: coordinator,
    find: "stopping.withdraw(registration) || !shared",
    replace: "stopping.withdraw(registration) || true || !shared",
    rule: "a scope that closes waits for its finalizer"
  },
  {
    module: "Shutdown",
    file: coordinator,
    find: "stopping.leave(ticket, isInterrupted)\n      noticeDrained()",
    replace: "stopping.leave(ticket, isInterrupted)",
    rule: "a drain is told when its last work ends"
  },
  {
    module: "Shutdown",
    file: phases,
    find: "Effect.as(Effect.raceFirst(Effect.sleep(millis), cut), undefined)",
    replace: "Effect.as(cut, undefined)",
    rule: "what hangs is not waited for"
  },
  {
    module: "Shutdown",
    file: phases,
    find: "const millis = Math.min(finalizer.limit, left())",
    replace: "const millis = left()",
    rule: "a finalizer gets no more than its own time"
  },
  {
    module: "Shutdown",
    file: phases,
    find: "if (exit === undefined) overrun.push(held)",
    replace: "if (exit === undefined) finished.push(held)",
    rule: "what overran is named"
  },
  {
    module: "Shutdown",
    file: phases,
    find: "else failed.push({ finalizer: held, cause: exit.cause })",
    replace: "else finished.push(held)",
    rule: "what failed is named"
  },
  {
    module: "Shutdown",
    file: phases,
    find: "return within(takeRest, left())",
    replace: "return Effect.succeed(true)",
    rule: "what sessions still hold is taken back"
  },
  {
    module: "Shutdown",
    file: phases,
    find: "return within(interruptWork, limit * 0.75)",
    replace: "return Effect.succeed(true)",
    rule: "work that is left is interrupted before its process is taken apart"
  },
  {
    module: "Shutdown",
    file: phases,
    find: "return stopping.isDrained ? Effect.succeed(true) : within(Deferred.await(shared.drained), left())",
    replace: "return Effect.succeed(true)",
    rule: "work gets its whole time to end"
  },
  {
    module: "Shutdown",
    file: phases,
    find: "if (!one.isCutShort) continue\n",
    replace: "continue\n",
    rule: "work that nobody admitted is named if it is cut short"
  },
  {
    module: "Shutdown",
    file: phases,
    find: "if (!one.isCutShort) continue\n      underWay.delete(one)",
    replace: "underWay.delete(one)\n      if (!one.isCutShort) continue",
    rule: "what is cut short late is named as well"
  },
  {
    module: "Shutdown",
    file: underWay,
    find: "this.exit !== undefined && Exit.isFailure(this.exit)",
    replace: "this.exit !== undefined",
    rule: "work that comes to its end is not called cut short"
  },
  {
    module: "Shutdown",
    file: underWay,
    find: " && nearest(all, session) === undefined",
    replace: "",
    rule: "work is told of once, with all that is inside of it"
  },
  {
    module: "Shutdown",
    file: record,
    find: "typeof one !== \"function\" && one.pollUnsafe() === undefined",
    replace: "true",
    rule: "what is merely held is not called work"
  },
  {
    module: "Tasks",
    file: roster,
    find: "const isFree = this.running < this.concurrency",
    replace: "const isFree = this.running <= this.concurrency",
    rule: "no more run than may"
  },
  {
    module: "Tasks",
    file: roster,
    find: "      if (next.state !== \"waiting\") continue",
    replace: "      if (next.state === \"waiting\") continue",
    rule: "a place that comes free is handed on"
  },
  {
    module: "Tasks",
    file: tasks,
    find: "        Deferred.doneUnsafe(next.turn, Exit.void)\n",
    replace: "",
    rule: "who waits is woken"
  },
  {
    module: "Tasks",
    file: tasks,
    find: "if (!isDrained) yield* atMost(ended(roster.all), drain)",
    replace: "if (isDrained) yield* atMost(ended(roster.all), drain)",
    rule: "what is to be drained gets its time"
  },
  {
    module: "Tasks",
    file: tasks,
    find: "      for (const running of roster.all) running.cancelUnsafe(reason)\n",
    replace: "",
    rule: "none outlives its owner"
  },
  {
    module: "Tasks",
    file: tasks,
    find: ": report(new TaskFailed({ tasks, task: name, attempt, cause: Cause.squash(cause) })))",
    replace:
      ": attempt > 1 ? Effect.void : report(new TaskFailed({ tasks, task: name, attempt, cause: Cause.squash(cause) })))",
    rule: "each failure is reported"
  },
  {
    module: "Tasks",
    file: tasks,
    find: "Effect.onError(Effect.scoped(task)",
    replace: "Effect.tapCause(Effect.scoped(task)",
    rule: "a failure is reported even if the task is cancelled at that moment"
  },
  {
    module: "Tasks",
    file: tasks,
    find: "      isStopping = true\n",
    replace: "",
    rule: "nothing is accepted once admission has stopped"
  },
  {
    module: "Tasks",
    file: tasks,
    find: "if (own !== undefined && Exit.isSuccess(own)) return own",
    replace: "",
    rule: "what a task came to is not lost when it is told to end late"
  },
  {
    module: "Tasks",
    file: tasks,
    find: ": Exit.fail(new TaskCancelled({ tasks, task: name, reason: running.cancelled }))",
    replace: ": exit",
    rule: "a task that is told to end says so by a typed error"
  },
  {
    module: "Tasks",
    file: tasks,
    find: "          Deferred.doneUnsafe(accepted, Exit.void)\n          const",
    replace: "          const",
    rule: "a task is accepted once a shutdown knows of it"
  }
]
