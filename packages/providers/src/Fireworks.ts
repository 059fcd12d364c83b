/**
 * Fireworks AI: open models, and embeddings.
 *
 * Models are named `accounts/fireworks/models/…`.
 *
 * `anthropic` has the same models in Anthropic's protocol: `Fireworks.anthropic.layer({ model })`.
 *
 * @stable
 */

import * as AnthropicMessages from "./AnthropicMessages.ts"
import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

const limitHeaders = {
  "requests": { limit: "x-ratelimit-limit-requests", remaining: "x-ratelimit-remaining-requests" },
  "input-tokens": { limit: "x-ratelimit-limit-tokens-prompt", remaining: "x-ratelimit-remaining-tokens-prompt" },
  "output-tokens": { limit: "x-ratelimit-limit-tokens-generated", remaining: "x-ratelimit-remaining-tokens-generated" }
}

/** The row. Its key is the configuration's `FIREWORKS_API_KEY`, its base URL `FIREWORKS_BASE_URL`. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "fireworks",
    baseUrl: "https://api.fireworks.ai/inference/v1",
    chat: OpenAiChat.make({
      maxTokensField: "max_tokens",
      reasoningField: "reasoning_content",
      usage: "unasked",
      limitHeaders
    }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", limitHeaders }),
    sources: {
      baseUrl: "https://docs.fireworks.ai/tools-sdks/openai-compatibility",
      embeddings: "https://docs.fireworks.ai/guides/querying-embeddings-models",
      limitHeaders: "https://docs.fireworks.ai/guides/quotas_usage/rate-limits",
      reasoningField: "https://docs.fireworks.ai/guides/reasoning",
      usage: "https://docs.fireworks.ai/tools-sdks/openai-compatibility"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>

/** The same models in Anthropic's protocol. Its base URL is the configuration's `FIREWORKS_ANTHROPIC_BASE_URL`. */
export const anthropic = Provider.make({
  name: "fireworks",
  baseUrl: "https://api.fireworks.ai/inference",
  chat: AnthropicMessages.protocol,
  config: { baseUrl: "FIREWORKS_ANTHROPIC_BASE_URL" },
  sources: { baseUrl: "https://docs.fireworks.ai/tools-sdks/anthropic-compatibility" }
})
