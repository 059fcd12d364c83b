/**
 * Google: Gemini in OpenAI's form, and embeddings.
 *
 * It says `stop` after calls of tools, and may send calls without ids. What a model wants back with its calls is in the call's
 * `extra_content`, which goes back with the history. It states no limits in headers: a wait is in the error's message.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `GEMINI_API_KEY`, its base URL `GOOGLE_BASE_URL`. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "google",
    baseUrl: "https://generativelanguage.googleapis.com/v1beta/openai",
    chat: OpenAiChat.make({
      maxTokensField: "max_tokens",
      lacks: ["topK"],
      toolFinish: "stop",
      limitHeaders: {}
    }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", limitHeaders: {} }),
    config: { apiKey: "GEMINI_API_KEY" },
    sources: {
      baseUrl: "https://ai.google.dev/gemini-api/docs/openai",
      embeddings: "https://ai.google.dev/gemini-api/docs/openai#embeddings",
      errors: "https://ai.google.dev/gemini-api/docs/troubleshooting",
      toolFinish: "recorded in https://github.com/jackmpcollins/magentic (2025)"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>
