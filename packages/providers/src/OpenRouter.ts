/**
 * OpenRouter: models of many providers.
 *
 * Its options, such as `provider` and `models`, are extras under `openai-chat`. What a model wants back of its reasoning comes as
 * `reasoning_details`, which goes back with the history. It states limits only for some models.
 *
 * `anthropic` has the same models in Anthropic's protocol: `OpenRouter.anthropic.layer({ model })`.
 *
 * @stable
 */

import * as AnthropicMessages from "./AnthropicMessages.ts"
import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

const limitHeaders = {
  requests: {
    limit: "x-ratelimit-limit",
    remaining: "x-ratelimit-remaining",
    reset: "x-ratelimit-reset",
    resetAs: "epoch milliseconds"
  }
} as const

/** The row. Its key is the configuration's `OPENROUTER_API_KEY`, its base URL `OPENROUTER_BASE_URL`. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "openrouter",
    baseUrl: "https://openrouter.ai/api/v1",
    chat: OpenAiChat.make({
      maxTokensField: "max_tokens",
      reasoningField: "reasoning",
      fileUrl: "file_data",
      reasoningDetails: "as-received",
      usage: "unasked",
      limitHeaders
    }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", limitHeaders }),
    sources: {
      baseUrl: "https://openrouter.ai/docs/api/reference/overview",
      embeddings: "https://openrouter.ai/docs/api/reference/embeddings",
      errors: "https://openrouter.ai/docs/api/reference/errors-and-debugging",
      fileUrl: "https://openrouter.ai/docs/guides/overview/multimodal/pdfs",
      limitHeaders: "https://openrouter.ai/docs/api/reference/limits",
      reasoningDetails: "https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks",
      reasoningField: "https://openrouter.ai/docs/guides/best-practices/reasoning-tokens"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>

/** The same models in Anthropic's protocol. Its base URL is the configuration's `OPENROUTER_ANTHROPIC_BASE_URL`. */
export const anthropic = Provider.make({
  name: "openrouter",
  baseUrl: "https://openrouter.ai/api",
  chat: AnthropicMessages.protocol,
  config: { baseUrl: "OPENROUTER_ANTHROPIC_BASE_URL" },
  sources: { baseUrl: "https://openrouter.ai/docs/api/api-reference/anthropic-messages/create-messages" }
})
