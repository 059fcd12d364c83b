/**
 * Cerebras: open models on its own hardware.
 *
 * Requests are limited by the day, tokens by the minute; a reset is in seconds. It has no embeddings.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `CEREBRAS_API_KEY`, its base URL `CEREBRAS_BASE_URL`. */
export const { provider, target, layer, layerConfig, model } = Provider.make({
  name: "cerebras",
  baseUrl: "https://api.cerebras.ai/v1",
  chat: OpenAiChat.make({
    reasoningField: "reasoning",
    lacks: ["topK"],
    limitHeaders: {
      requests: {
        limit: "x-ratelimit-limit-requests-day",
        remaining: "x-ratelimit-remaining-requests-day",
        reset: "x-ratelimit-reset-requests-day"
      },
      tokens: {
        limit: "x-ratelimit-limit-tokens-minute",
        remaining: "x-ratelimit-remaining-tokens-minute",
        reset: "x-ratelimit-reset-tokens-minute"
      }
    }
  }),
  sources: {
    baseUrl: "https://inference-docs.cerebras.ai/resources/openai",
    errors: "https://inference-docs.cerebras.ai/support/error",
    limitHeaders: "https://inference-docs.cerebras.ai/support/rate-limits",
    reasoningField: "recorded in https://github.com/pydantic/pydantic-ai (2025, 2026)"
  }
})

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
