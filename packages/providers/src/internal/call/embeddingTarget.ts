/** A target that makes vectors, as a value. It is apart from its faces, which load Effect's `EmbeddingModel`. */
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Timeouts from "@clawback/core/Timeouts"
import type { EmbeddingRequest } from "../../Embedding.ts"
import type { EmbeddingRow } from "../model/row.ts"
import * as Endpoint from "./endpoint.ts"

/** What a target sends where a request says nothing. */
export type Parameters = Pick<EmbeddingRequest, "dimensions" | "user" | "extras">

/** The limits `firstToken` and `idle` do not apply here. */
export interface Options<out E = never, out R = never> extends Endpoint.Options<E, R> {
  /** What is sent where a request does not say. Default: the provider's own. */
  readonly parameters?: Parameters | undefined
}

export interface EmbeddingTarget<out E = never, out R = never> {
  readonly provider: EmbeddingRow
  readonly model: string
  readonly options: Options<E, R>
}

/** A model at a provider of your own. `OpenAi.embeddingTarget` is this function with the provider filled in. */
export const make = <E = never, R = never>(
  provider: EmbeddingRow,
  model: string,
  options: Options<E, R> = {}
): EmbeddingTarget<E, R> => {
  const limits = provider.limits?.embeddings
  if (limits !== undefined) {
    OptionCheck.count("limits.embeddings.inputs", limits.inputs, 1)
    OptionCheck.count("limits.embeddings.tokens", limits.tokens, 1)
  }
  return {
    provider,
    model: Endpoint.named(model),
    options: { ...options, timeouts: Timeouts.check(options.timeouts ?? {}) }
  }
}
