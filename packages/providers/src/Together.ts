/**
 * Together AI: open models, and embeddings.
 *
 * The field of its models' thinking is not documented for all of them: both are read, and each thought goes back under its own name.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

const limitHeaders = {
  requests: { limit: "x-ratelimit-limit", remaining: "x-ratelimit-remaining", reset: "x-ratelimit-reset" },
  tokens: { limit: "x-tokenlimit-limit", remaining: "x-tokenlimit-remaining" }
}

/** The row. Its key is the configuration's `TOGETHER_API_KEY`, its base URL `TOGETHER_BASE_URL`. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "together",
    baseUrl: "https://api.together.ai/v1",
    chat: OpenAiChat.make({
      maxTokensField: "max_tokens",
      usage: "unasked",
      cachedTokens: "cached_tokens",
      limitHeaders
    }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", limitHeaders }),
    sources: {
      baseUrl: "https://docs.together.ai/docs/inference/openai-compatibility",
      embeddings: "https://docs.together.ai/docs/inference/openai-compatibility",
      limitHeaders: "https://docs.together.ai/docs/serverless/rate-limits",
      usage: "recorded in https://github.com/0xPlaygrounds/rig (2026)"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>
