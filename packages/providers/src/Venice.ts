/**
 * Venice: open models without logs, and embeddings.
 *
 * When requests reset is an instant, when tokens reset a number of seconds.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

const limitHeaders = {
  requests: {
    limit: "x-ratelimit-limit-requests",
    remaining: "x-ratelimit-remaining-requests",
    reset: "x-ratelimit-reset-requests",
    resetAs: "epoch seconds"
  },
  tokens: {
    limit: "x-ratelimit-limit-tokens",
    remaining: "x-ratelimit-remaining-tokens",
    reset: "x-ratelimit-reset-tokens"
  }
} as const

/** The row. Its key is the configuration's `VENICE_API_KEY`, its base URL `VENICE_BASE_URL`. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "venice",
    baseUrl: "https://api.venice.ai/api/v1",
    chat: OpenAiChat.make({ reasoningField: "reasoning_content", limitHeaders }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", limitHeaders }),
    sources: {
      baseUrl: "https://docs.venice.ai/api-reference/api-spec",
      embeddings: "https://docs.venice.ai/api-reference/endpoint/embeddings/generate",
      errors: "https://docs.venice.ai/api-reference/error-codes",
      limitHeaders: "https://docs.venice.ai/api-reference/rate-limiting",
      reasoningField: "recorded in https://github.com/0xPlaygrounds/rig, tests/cassettes/venice (2026)"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>
