/** Mistakes in the order, the limits and the bookkeeping of shutdowns. */
import type { Mutant } from "../../support/mutant.ts"

const shutdown = "packages/core/src/Shutdown.ts"
const stopping = "packages/core/src/internal/stopping.ts"
const phases = "packages/core/src/internal/phases.ts"

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
    file: shutdown,
    find: "if (answer === \"abandoned\") Deferred.doneUnsafe(shared.abandoned, Exit.void)",
    replace: "",
    rule: "a third request ends all of it at once"
  },
  {
    module: "Shutdown",
    file: shutdown,
    find: "if (answer === \"hurried\") Deferred.doneUnsafe(shared.hurried, Exit.void)",
    replace: "",
    rule: "a second request ends the drain"
  },
  {
    module: "Shutdown",
    file: shutdown,
    find: "Exit.isFailure(exit) && this.ticket.work.session.revoked !== undefined",
    replace: "false",
    rule: "work that was interrupted is not said to have ended"
  },
  {
    module: "Shutdown",
    file: shutdown,
    find: "stopping.withdraw(registration) || !shared",
    replace: "stopping.withdraw(registration) || true || !shared",
    rule: "a scope that closes waits for its finalizer"
  },
  {
    module: "Shutdown",
    file: shutdown,
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
  }
]
