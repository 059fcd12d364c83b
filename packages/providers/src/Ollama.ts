/**
 * Ollama: models on this machine, and embeddings.
 *
 * It needs no key. For Ollama's cloud, set `OLLAMA_API_KEY` and the base URL `https://ollama.com/v1`. It states no limits.
 *
 * `anthropic` has the same models in Anthropic's protocol: `Ollama.anthropic.layer({ model })`.
 *
 * @stable
 */

import * as Credential from "@clawback/core/Credential"
import * as AnthropicMessages from "./AnthropicMessages.ts"
import * as Auth from "./Auth.ts"
import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

const auth = Auth.optional(Auth.bearer)
const credential = Credential.configOrNone("OLLAMA_API_KEY")

/** The row. Its key is the configuration's `OLLAMA_API_KEY`, if there is one, its base URL `OLLAMA_BASE_URL`. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "ollama",
    baseUrl: "http://localhost:11434/v1",
    chat: OpenAiChat.make({
      maxTokensField: "max_tokens",
      reasoningField: "reasoning",
      lacks: ["topK", "user", "choices"],
      unsupported: ["forced tools"],
      limitHeaders: {}
    }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", lacks: ["user"], limitHeaders: {} }),
    auth,
    credential,
    sources: {
      baseUrl: "https://docs.ollama.com/api/openai-compatibility",
      embeddings: "https://docs.ollama.com/api/openai-compatibility",
      lacks: "https://docs.ollama.com/api/openai-compatibility",
      unsupported: "https://docs.ollama.com/api/openai-compatibility",
      reasoningField: "recorded in https://github.com/pydantic/pydantic-ai (2026)"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>

/** The same models in Anthropic's protocol. Its base URL is the configuration's `OLLAMA_ANTHROPIC_BASE_URL`. */
export const anthropic = Provider.make({
  name: "ollama",
  baseUrl: "http://localhost:11434",
  chat: AnthropicMessages.protocol,
  auth,
  credential,
  config: { baseUrl: "OLLAMA_ANTHROPIC_BASE_URL" },
  sources: { baseUrl: "https://docs.ollama.com/api/anthropic-compatibility" }
})
