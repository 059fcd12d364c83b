/**
 * NVIDIA NIM: models of NVIDIA's API catalogue, and embeddings.
 *
 * Embedding models that tell questions from passages need the extra `input_type` (`"query"` or `"passage"`). Headers with limits are
 * not documented. A NIM of your own has its own base URL.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `NVIDIA_API_KEY`, its base URL `NVIDIA_NIM_BASE_URL`. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "nvidia-nim",
    baseUrl: "https://integrate.api.nvidia.com/v1",
    chat: OpenAiChat.make({ maxTokensField: "max_tokens", limitHeaders: {} }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", limitHeaders: {} }),
    config: { apiKey: "NVIDIA_API_KEY" },
    sources: {
      baseUrl: "https://build.nvidia.com/",
      embeddings: "https://docs.api.nvidia.com/nim/reference/retrieval-apis",
      chat: "https://docs.nvidia.com/nim/large-language-models/latest/reference/api-reference.html"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>
