/** Mistakes in streamed calls of a model. */
import type { Mutant } from "../../support/mutant.ts"

const attempt = "packages/providers/src/internal/call/pipeline.ts"
const answer = "packages/providers/src/internal/call/answer.ts"
const observation = "packages/providers/src/internal/call/observation.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module: "Target",
    file: attempt,
    find:
      "        Session.scopedStream(info)\n      )\n    return Observation.stream((fiber) => begin(fiber, request, true), attempts, latest).pipe(\n      Deadline.withinStream(endpoint.timeouts.total ?? Timeouts.defaults.total),\n",
    replace:
      "        identity\n      )\n    return Observation.stream((fiber) => begin(fiber, request, true), attempts, latest).pipe(\n      Deadline.withinStream(endpoint.timeouts.total ?? Timeouts.defaults.total),\n      Session.scopedStream(info),\n",
    rule: "the deadline of a call is outside of its session"
  },
  {
    module: "Target",
    file: answer,
    find: "this.answer?.isWhole === true",
    replace: "this.answer === undefined",
    rule: "a limit leaves an answer whole that has its finish"
  },
  {
    module: "Target",
    file: answer,
    find: "    this.giveUp()\n    return",
    replace: "    this.take(of)\n    this.giveUp()\n    return",
    rule: "what was decoded is delivered, though a limit passes in between"
  },
  {
    module: "Target",
    file: observation,
    find: "call.end(isWhole ? Exit.void : exit)",
    replace: "if (end !== undefined) call.end(isWhole ? Exit.void : exit)",
    rule: "a call is told of to its end, though its reader is away"
  }
]
