/**
 * Hugging Face: the inference providers behind its router.
 *
 * A model may name its provider: `openai/gpt-oss-120b:groq`. What else differs depends on that provider. The router has no
 * embeddings in OpenAI's form, and documents no headers with limits.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `HF_TOKEN`, its base URL `HUGGINGFACE_BASE_URL`. */
export const { provider, target, layer, layerConfig, model } = Provider.make({
  name: "huggingface",
  baseUrl: "https://router.huggingface.co/v1",
  chat: OpenAiChat.make({ maxTokensField: "max_tokens", cachedTokens: "cached_tokens", limitHeaders: {} }),
  config: { apiKey: "HF_TOKEN" },
  sources: {
    auth: "https://huggingface.co/docs/inference-providers/index#authentication",
    baseUrl: "https://huggingface.co/docs/inference-providers/tasks/chat-completion",
    usage: "recorded in https://github.com/pydantic/pydantic-ai (2025, 2026)"
  }
})

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
