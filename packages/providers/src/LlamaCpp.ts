/**
 * llama.cpp's server, with embeddings if it was started with `--embeddings`.
 *
 * Each server has its own base URL, such as `http://localhost:8080/v1`. It needs a key only if it was started with one. It states
 * no limits.
 *
 * `anthropic` has the same models in Anthropic's protocol: `LlamaCpp.anthropic.layer({ model, baseUrl })`.
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
const credential = Credential.configOrNone("LLAMA_CPP_API_KEY")

/** The row. It has no base URL: each server has its own. Its key is the configuration's `LLAMA_CPP_API_KEY`, if there is one. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "llama-cpp",
    chat: OpenAiChat.make({ maxTokensField: "max_tokens", reasoningField: "reasoning_content", limitHeaders: {} }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", limitHeaders: {} }),
    auth,
    credential,
    sources: {
      chat: "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
      embeddings: "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
      reasoningField: "recorded in https://github.com/0xPlaygrounds/rig, tests/cassettes/llamacpp (2026)"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>

/** The same models in Anthropic's protocol. The base URL is the server's, such as `http://localhost:8080`. */
export const anthropic = Provider.make({
  name: "llama-cpp",
  chat: AnthropicMessages.protocol,
  auth,
  credential,
  config: { baseUrl: "LLAMA_CPP_ANTHROPIC_BASE_URL" },
  sources: { chat: "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md" }
})
