/** Texts as vectors: the request and its answer, in the terms that all providers share. */
import type { Extras } from "./ChatRequest.ts"
import type { JsonObject } from "./Json.ts"

export interface EmbeddingRequest {
  readonly model: string
  /** Texts, or each as the numbers of its tokens. */
  readonly input: ReadonlyArray<string> | ReadonlyArray<ReadonlyArray<number>>
  /** How long the vectors are to be. Default: the model's own. Shorter ones are cheaper to store and less exact. */
  readonly dimensions?: number | undefined
  readonly user?: string | undefined
  readonly extras?: Extras | undefined
}

export interface EmbeddingResponse {
  readonly model: string | undefined
  /** One for each input, in their order. */
  readonly embeddings: ReadonlyArray<ReadonlyArray<number>>
  readonly extras?: Extras | undefined
  readonly usage: { readonly inputTokens: number | undefined; readonly raw: JsonObject } | undefined
}
