/** Mistakes in streamed calls of a model. */
import type { Mutant } from "../../support/mutant.ts"

const pipeline = "packages/providers/src/internal/call/pipeline.ts"
const answer = "packages/providers/src/internal/call/answer.ts"
const telemetry = "packages/providers/src/internal/call/telemetry.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module: "Target",
    file: pipeline,
    find:
      "const deadline = <A>({ total }: Endpoint, self: Stream.Stream<A, CallError>) => Deadline.withinStream(self, total)\n\nconst session = (",
    replace:
      "const session = <A>({ total }: Endpoint, self: Stream.Stream<A, CallError>) => Deadline.withinStream(self, total)\n\nconst deadline = (",
    rule: "the deadline of a call is outside of its session"
  },
  {
    module: "Target",
    file: answer,
    find: "decoder?.isFinished === true && decoder.failure === undefined",
    replace: "decoder === undefined",
    rule: "a limit leaves an answer whole that has its finish"
  },
  {
    module: "Target",
    file: answer,
    find: "    if (this.body !== undefined) this.finish(this.body)\n    return",
    replace: "    this.take(of)\n    if (this.body !== undefined) this.finish(this.body)\n    return",
    rule: "what was decoded is delivered, though a limit passes in between"
  },
  {
    module: "Target",
    file: telemetry,
    find: "record.end(isWhole ? Exit.void : exit)",
    replace: "if (end !== undefined) record.end(isWhole ? Exit.void : exit)",
    rule: "a call is told of to its end, though its reader is away"
  }
]
