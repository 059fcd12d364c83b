/**
 * SambaNova: open models on its own hardware, and embeddings.
 *
 * The field of its models' thinking, and the form of a reset, are not documented: both fields are read,
 * and a reset as seconds.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

const limitHeaders = {
  requests: { limit: "x-ratelimit-limit-requests", remaining: "x-ratelimit-remaining-requests" }
}

/** The row. Its key is the configuration's `SAMBANOVA_API_KEY`, its base URL `SAMBANOVA_BASE_URL`. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "sambanova",
    baseUrl: "https://api.sambanova.ai/v1",
    chat: OpenAiChat.make({ maxTokensField: "max_tokens", limitHeaders }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", limitHeaders }),
    sources: {
      baseUrl: "https://docs.sambanova.ai/docs/en/features/openai-compatibility",
      embeddings: "https://docs.sambanova.ai/docs/en/features/embeddings",
      errors: "https://docs.sambanova.ai/docs/en/api-reference/using-the-api/api-error-codes",
      limitHeaders: "https://docs.sambanova.ai/docs/en/models/rate-limits"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>
