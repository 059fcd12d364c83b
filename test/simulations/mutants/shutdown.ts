/** Mistakes in the order, the limits and the bookkeeping of shutdowns and of tasks. */
import type { Mutant } from "../../support/mutant.ts"

const coordinator = "packages/core/src/internal/shutdown/coordinator.ts"
const stopping = "packages/core/src/internal/shutdown/machine.ts"
const phases = "packages/core/src/internal/shutdown/phases.ts"
const performPhase = "packages/core/src/internal/shutdown/performPhase.ts"
const phaseRun = "packages/core/src/internal/shutdown/phaseRun.ts"
const bounded = "packages/core/src/internal/shutdown/bounded.ts"
const underWay = "packages/core/src/internal/shutdown/underWay.ts"
const admission = "packages/core/src/internal/shutdown/admission.ts"
const record = "packages/core/src/internal/session/record.ts"
const group = "packages/core/src/internal/tasks/group.ts"
const running = "packages/core/src/internal/tasks/running.ts"
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
    find: "      ;(at as InFlight<W>).isAwaited = false\n      this.awaited--",
    replace: "      return",
    rule: "a drain does not wait for who waits for it"
  },
  {
    module: "Shutdown",
    file: stopping,
    find: "if (this.at !== \"running\") return false\n    this.at = \"unready\"",
    replace: "this.at = \"unready\"",
    rule: "a shutdown is one, whoever asks"
  },
  {
    module: "Shutdown",
    file: phases,
    find: "\"persist\", \"interrupt\", \"close\"] as const",
    replace: "\"interrupt\", \"persist\", \"close\"] as const",
    rule: "what must be persisted is, before anything is interrupted"
  },
  {
    module: "Shutdown",
    file: coordinator,
    find: "if (escalation === \"abandoned\") Deferred.doneUnsafe(this.course.abandoned, Exit.void)",
    replace: "",
    rule: "a third request ends all of it at once"
  },
  {
    module: "Shutdown",
    file: coordinator,
    find: "if (escalation === \"hurried\") Deferred.doneUnsafe(this.course.hurried, Exit.void)",
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
    find: "this.stopping.withdraw(registration) || !this",
    replace: "this.stopping.withdraw(registration) || true || !this",
    rule: "a scope that closes waits for its finalizer"
  },
  {
    module: "Shutdown",
    file: coordinator,
    find: "this.stopping.leave(ticket, isInterrupted)\n    this.noticeDrained()",
    replace: "this.stopping.leave(ticket, isInterrupted)",
    rule: "a drain is told when its last work ends"
  },
  {
    module: "Shutdown",
    file: bounded,
    find: "Effect.as(Effect.raceFirst(Effect.sleep(millis), cut), undefined)",
    replace: "Effect.as(cut, undefined)",
    rule: "what hangs is not waited for"
  },
  {
    module: "Shutdown",
    file: phaseRun,
    find: "const millis = Math.min(finalizer.limit, this.left)",
    replace: "const millis = this.left",
    rule: "a finalizer gets no more than its own time"
  },
  {
    module: "Shutdown",
    file: phaseRun,
    find: "if (exit === undefined) this.overran.push(item)",
    replace: "if (exit === undefined) this.finished.push(item)",
    rule: "what overran is named"
  },
  {
    module: "Shutdown",
    file: phaseRun,
    find: "else this.failed.push({ finalizer: item, cause: exit.cause })",
    replace: "else this.finished.push(item)",
    rule: "what failed is named"
  },
  {
    module: "Shutdown",
    file: performPhase,
    find: "run.within(revokeAll(run), run.left)",
    replace: "Effect.as(Effect.sync(() => revokeAll(run)), true)",
    rule: "what sessions still hold is taken back"
  },
  {
    module: "Shutdown",
    file: performPhase,
    find: "run.within(revokeAdmitted(run), run.limit * 0.75)",
    replace: "Effect.as(Effect.sync(() => revokeAdmitted(run)), true)",
    rule: "work that is left is interrupted before its process is taken apart"
  },
  {
    module: "Shutdown",
    file: performPhase,
    find: "stopping.isDrained ? Effect.succeed(true) : run.within(Deferred.await(drained), run.left)",
    replace: "stopping.isDrained || drained ? Effect.succeed(true) : Effect.succeed(false)",
    rule: "work gets its whole time to end"
  },
  {
    module: "Shutdown",
    file: phaseRun,
    find: "if (!one.isCutShort) continue\n",
    replace: "continue\n",
    rule: "work that nobody admitted is named if it is cut short"
  },
  {
    module: "Shutdown",
    file: phaseRun,
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
    file: group,
    find: "    if (next !== undefined) Deferred.doneUnsafe(next.turn, Exit.void)\n",
    replace: "    if (next === null) Deferred.doneUnsafe(place.occupant.turn, Exit.void)\n",
    rule: "who waits is woken"
  },
  {
    module: "Tasks",
    file: group,
    find: "if (!isDrained) yield* atMost(ended(roster.all), this.drain)",
    replace: "if (isDrained) yield* atMost(ended(roster.all), this.drain)",
    rule: "what is to be drained gets its time"
  },
  {
    module: "Tasks",
    file: group,
    find: "    for (const running of roster.all) running.cancel(reason)\n",
    replace: "",
    rule: "none outlives its owner"
  },
  {
    module: "Tasks",
    file: running,
    find: ": onFailure(new TaskFailed({ tasks, task: name, attempt, cause: Cause.squash(cause) })))",
    replace:
      ": attempt > 1 ? Effect.void : onFailure(new TaskFailed({ tasks, task: name, attempt, cause: Cause.squash(cause) })))",
    rule: "each failure is reported"
  },
  {
    module: "Tasks",
    file: running,
    find: "Effect.onError(Effect.scoped(task)",
    replace: "Effect.tapCause(Effect.scoped(task)",
    rule: "a failure is reported even if the task is cancelled at that moment"
  },
  {
    module: "Tasks",
    file: group,
    find: "    this.isStopping = true\n",
    replace: "",
    rule: "nothing is accepted once admission has stopped"
  },
  {
    module: "Tasks",
    file: running,
    find: "if (this.own !== undefined && Exit.isSuccess(this.own)) return this.own",
    replace: "",
    rule: "what a task came to is not lost when it is told to end late"
  },
  {
    module: "Tasks",
    file: running,
    find: ": Exit.fail(new TaskCancelled({ tasks: this.tasks, task: this.name, reason: this.reason }))",
    replace: ": exit",
    rule: "a task that is told to end says so by a typed error"
  },
  {
    module: "Tasks",
    file: group,
    find: "        Deferred.doneUnsafe(accepted, Exit.void)\n        return",
    replace: "        return",
    rule: "a task is accepted once a shutdown knows of it"
  }
]
