/** Mistakes in streamed calls of a model. */
import type { Mutant } from "../../support/mutant.ts"

const attempt = "packages/providers/src/internal/attempt.ts"
const answer = "packages/providers/src/internal/answer.ts"
const observation = "packages/providers/src/internal/observation.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module: "Target",
    file: attempt,
    find:
      "        Session.stream(info)\n      )\n    return Observation.stream((fiber) => begin(fiber, request, true), attempts, latest.completion).pipe(\n      Deadline.withinStream(endpoint.timeouts.total ?? Timeouts.defaults.total),\n",
    replace:
      "        identity\n      )\n    return Observation.stream((fiber) => begin(fiber, request, true), attempts, latest.completion).pipe(\n      Deadline.withinStream(endpoint.timeouts.total ?? Timeouts.defaults.total),\n      Session.stream(info),\n",
    rule: "the deadline of a call is outside of its session"
  },
  {
    module: "Target",
    file: answer,
    find: "return this.completed ?? (this.isWhole ? this.completed = this.giveUp() : undefined)",
    replace: "return undefined",
    rule: "a limit leaves an answer whole that has its finish"
  },
  {
    module: "Target",
    file: observation,
    find: "call.end(events === undefined ? exit : Exit.void)",
    replace: "if (end !== undefined) call.end(events === undefined ? exit : Exit.void)",
    rule: "a call is told of to its end, though its reader is away"
  }
]
