/**
 * Cohere: its models in OpenAI's form, and embeddings.
 *
 * Its list of parameters has no tool choice: one that forces a call fails with `Unsupported`. Of efforts it has `none` and `high`.
 * The schema of an answer goes beside the type `json_object`. Headers with limits, and thoughts in this form, are not documented.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `COHERE_API_KEY`, its base URL `COHERE_BASE_URL`. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "cohere",
    baseUrl: "https://api.cohere.ai/compatibility/v1",
    chat: OpenAiChat.make({
      maxTokensField: "max_tokens",
      usage: "unasked",
      lacks: ["topK", "choices", "serviceTier", "parallelToolCalls"],
      efforts: ["none", "high"],
      formats: "json_object_schema",
      unsupported: ["forced tools"],
      limitHeaders: {}
    }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", lacks: ["dimensions", "user"], limitHeaders: {} }),
    sources: {
      baseUrl: "https://docs.cohere.com/docs/compatibility-api",
      embeddings: "https://docs.cohere.com/docs/compatibility-api",
      errors: "https://docs.cohere.com/reference/errors",
      efforts: "https://docs.cohere.com/docs/compatibility-api",
      formats: "https://docs.cohere.com/docs/compatibility-api",
      lacks: "https://docs.cohere.com/docs/compatibility-api",
      unsupported: "https://docs.cohere.com/docs/compatibility-api",
      usage: "https://strandsagents.com/docs/user-guide/concepts/model-providers/cohere/"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>
