/** Mistakes in how texts share requests. */
import type { Mutant } from "../../support/mutant.ts"

const resolver = "packages/providers/src/internal/effect/cancellableResolver.ts"
const waiting = "packages/providers/src/internal/effect/waiting.ts"
const model = "packages/providers/src/internal/effect/embeddingModel.ts"
const embeddings = "packages/providers/src/internal/call/embeddings.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module: "Embeddings",
    file: resolver,
    find: "() => abandon(request))",
    replace: "() => Effect.void)",
    rule: "nobody's request runs on"
  },
  {
    module: "Embeddings",
    file: resolver,
    find: "Effect.andThen(Deferred.succeed(batch.abandoned, undefined), Deferred.await(batch.ended))",
    replace: "Effect.asVoid(Deferred.succeed(batch.abandoned, undefined))",
    rule: "who is interrupted last waits until the request has ended"
  },
  {
    module: "Embeddings",
    file: waiting,
    find: "known.left.size === 0 ? known.batch : undefined",
    replace: "known.batch",
    rule: "a request goes on while anybody waits for it"
  },
  {
    module: "Embeddings",
    file: waiting,
    find: "if (!this.abandoned.has(request)) left.add(request)",
    replace: "left.add(request)",
    rule: "who left before a request began does not keep it going"
  },
  {
    module: "Embeddings",
    file: model,
    find: "Equal.equals(this.caller, that.caller)",
    replace: "this.caller !== undefined",
    rule: "a request has the texts of one caller"
  },
  {
    module: "Embeddings",
    file: embeddings,
    find: "embeddings.length === input.length",
    replace: "embeddings.length >= 0",
    rule: "missing vectors are the provider's fault"
  },
  {
    module: "Embeddings",
    file: model,
    find: "embeddings.map((vector) => Array.from(vector))",
    replace: "embeddings.toReversed().map((vector) => Array.from(vector))",
    rule: "vectors come in the order of their inputs"
  }
]
