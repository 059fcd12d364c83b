/**
 * DeepInfra: open models, and embeddings.
 *
 * Headers with limits, and the field of its models' thinking, are not documented: both fields are read.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `DEEPINFRA_API_KEY`, its base URL `DEEPINFRA_BASE_URL`. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "deepinfra",
    baseUrl: "https://api.deepinfra.com/v1/openai",
    chat: OpenAiChat.make({ maxTokensField: "max_tokens", limitHeaders: {} }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", limitHeaders: {} }),
    sources: {
      baseUrl: "https://deepinfra.com/docs/openai_api",
      embeddings: "https://deepinfra.com/docs/openai_api"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>
