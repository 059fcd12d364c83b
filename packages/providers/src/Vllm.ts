/**
 * vLLM: a server of your own, with embeddings if its model makes them.
 *
 * Each server has its own base URL, such as `http://localhost:8000/v1`. It needs a key only if it was started with one. It states
 * no limits.
 *
 * `anthropic` has the same models in Anthropic's protocol: `Vllm.anthropic.layer({ model, baseUrl })`.
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
const credential = Credential.configOrNone("VLLM_API_KEY")

/** The row. It has no base URL: each server has its own. Its key is the configuration's `VLLM_API_KEY`, if there is one. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "vllm",
    chat: OpenAiChat.make({ maxTokensField: "max_tokens", lacks: ["user"], limitHeaders: {} }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", limitHeaders: {} }),
    auth,
    credential,
    sources: {
      chat: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
      embeddings: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html#embeddings-api",
      lacks: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
      reasoningField: "both names are read: https://docs.vllm.ai/en/latest/features/reasoning_outputs.html"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>

/** The same models in Anthropic's protocol. The base URL is the server's, such as `http://localhost:8000`. */
export const anthropic = Provider.make({
  name: "vllm",
  chat: AnthropicMessages.protocol,
  auth,
  credential,
  config: { baseUrl: "VLLM_ANTHROPIC_BASE_URL" },
  sources: { chat: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html" }
})
