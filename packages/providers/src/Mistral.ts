/**
 * Mistral: its models, and its embeddings.
 *
 * Mistral rejects fields that it does not know: `max_completion_tokens`, `stream_options`, `reasoning_content` and others. Its
 * tool call ids have 9 letters and digits; other ids are replaced by their hash. Its sounds are counted outside of
 * `prompt_tokens`. It names the windows of its limits in the headers, which differ by plan: those in tokens are declared, the
 * others are read under their own names.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

const limitHeaders = {
  tokens: { limit: "x-ratelimit-limit-tokens-minute", remaining: "x-ratelimit-remaining-tokens-minute" }
}

/** The row. Its key is the configuration's `MISTRAL_API_KEY`, its base URL `MISTRAL_BASE_URL`. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "mistral",
    baseUrl: "https://api.mistral.ai/v1",
    chat: OpenAiChat.make({
      maxTokensField: "max_tokens",
      reasoningField: "thinking",
      toolIds: { alphanumeric: 9 },
      usage: "unasked",
      lacks: ["topK", "user", "serviceTier"],
      seedField: "random_seed",
      requiredTool: "any",
      tokensOutside: ["audio"],
      cachedTokens: "num_cached_tokens",
      limitHeaders
    }),
    embeddings: OpenAiEmbeddings.make({
      dimensionsField: "output_dimension",
      encoding: "float",
      lacks: ["user"],
      limitHeaders
    }),
    sources: {
      baseUrl: "https://docs.mistral.ai/api/endpoint/chat",
      embeddings: "https://docs.mistral.ai/api/endpoint/embeddings",
      errors: "https://docs.mistral.ai/resources/error-glossary",
      lacks:
        "https://github.com/mistralai/client-ts, src/models/components/chatcompletionrequest.ts and embeddingrequest.ts",
      reasoningField: "https://docs.mistral.ai/capabilities/reasoning",
      limitHeaders: "recorded in https://github.com/edubruell/tidyllm, tests/testthat/mistral_embedding (2025)",
      usage: "recorded in https://github.com/0xPlaygrounds/rig and https://github.com/pydantic/pydantic-ai (2025, 2026)"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>
