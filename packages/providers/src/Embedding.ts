/**
 * Embeddings: the request and its response, in one form for all providers.
 *
 * @stable
 */

import type { Extras } from "./ChatRequest.ts"
import type { Dropped } from "./internal/model/dropped.ts"
import type { JsonObject } from "./Json.ts"

export interface EmbeddingRequest {
  readonly model: string
  /** Texts, or each text as its token numbers. */
  readonly input: ReadonlyArray<string> | ReadonlyArray<ReadonlyArray<number>>
  /** The length of the vectors. Default: the model's. Shorter vectors are cheaper to store and less exact. */
  readonly dimensions?: number | undefined
  readonly user?: string | undefined
  readonly extras?: Extras | undefined
}

export interface EmbeddingResponse {
  readonly model: string | undefined
  /** One vector for each input, in the same order. */
  readonly embeddings: ReadonlyArray<ReadonlyArray<number>>
  readonly extras?: Extras | undefined
  /** The fields of the request that were not sent, since the provider's protocol lacks them. */
  readonly dropped?: ReadonlyArray<Dropped> | undefined
  readonly usage: { readonly inputTokens: number | undefined; readonly raw: JsonObject } | undefined
}
