import * as Caller from "@clawback/core/Caller"
import * as Deadline from "@clawback/core/Deadline"
import * as Retry from "@clawback/core/Retry"
import * as Session from "@clawback/core/Session"
import { SessionRegistry } from "@clawback/core/SessionRegistry"
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import type { EmbeddingResponse } from "../../Embedding.ts"
import type { CallError } from "../../ProviderError.ts"
import { toAiError } from "./aiError.ts"
import * as Cancellable from "./cancellableResolver.ts"
import { type Most, split } from "./inputs.ts"

/** What a call inherits from its fiber. Only texts with equal origins share a request. */
class Origin implements Equal.Equal {
  private readonly registry: SessionRegistry
  private readonly session: Session.Session | undefined
  private readonly deadline: Deadline.Deadline | undefined
  private readonly key: Retry.IdempotencyKey | undefined
  private readonly caller: Caller.Caller | undefined

  constructor(context: Context.Context<never>) {
    this.registry = Context.get(context, SessionRegistry)
    this.session = Context.get(context, Session.Current)
    this.deadline = Context.get(context, Deadline.Current)
    this.key = Context.get(context, Retry.CurrentKey)
    this.caller = Context.get(context, Caller.Current)
  }

  [Equal.symbol](that: Equal.Equal): boolean {
    return that instanceof Origin && this.registry === that.registry && this.session === that.session &&
      this.deadline === that.deadline && this.key === that.key && Equal.equals(this.caller, that.caller)
  }

  [Hash.symbol](): number {
    return Hash.combine(Hash.number(this.session?.id ?? 0), Hash.number(this.deadline?.at ?? 0))
  }
}

/** A call that is split needs one idempotency key for each part: a provider takes two requests with one key for the same. */
const underKey = (part: number, parts: number) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  parts === 1 ? self : Effect.flatMap(Retry.CurrentKey, (key) =>
    key === undefined
      ? self
      : Effect.provideService(self, Retry.CurrentKey, { ...key, value: `${key.value}-${part + 1}-of-${parts}` }))

const sum = (counts: ReadonlyArray<number | undefined>): number | undefined =>
  counts.reduce((all, one) => all === undefined || one === undefined ? undefined : all + one, 0)

/** Effect's `EmbeddingModel` over a function that embeds texts. */
export const make = (
  embed: (request: { readonly input: ReadonlyArray<string> }) => Effect.Effect<EmbeddingResponse, CallError>,
  most: Most,
  address: string
): Effect.Effect<EmbeddingModel.EmbeddingModel> => {
  const embedMany = ({ inputs }: EmbeddingModel.ProviderOptions) => {
    const parts = split(inputs, most)
    return Effect.forEach(parts, (input, part) => underKey(part, parts.length)(embed({ input }))).pipe(
      Effect.map((responses): EmbeddingModel.ProviderResponse => ({
        results: responses.flatMap(({ embeddings }) => embeddings.map((vector) => Array.from(vector))),
        usage: { inputTokens: sum(responses.map(({ usage }) => usage?.inputTokens)) }
      })),
      Effect.mapError((error) => toAiError(error, "embedMany", address))
    )
  }
  return Effect.map(
    EmbeddingModel.make({ embedMany, batchKey: (context) => new Origin(context) }),
    (model) => {
      const { request, resolver } = Cancellable.make(model.resolver)
      return EmbeddingModel.EmbeddingModel.of({
        ...model,
        resolver,
        embed: (input) =>
          Effect.withSpan(request(new EmbeddingModel.EmbeddingRequest({ input })), "EmbeddingModel.embed")
      })
    }
  )
}
