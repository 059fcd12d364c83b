/**
 * LM Studio: models on a machine of yours, and embeddings.
 *
 * Each server has its own base URL, such as `http://localhost:1234/v1`. It needs a key only if it was started with one. It states
 * no limits.
 *
 * `anthropic` has the same models in Anthropic's protocol: `LmStudio.anthropic.layer({ model, baseUrl })`.
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
const credential = Credential.configOrNone("LM_STUDIO_API_KEY")

/** The row. It has no base URL: each server has its own. Its key is the configuration's `LM_STUDIO_API_KEY`, if there is one. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "lm-studio",
    chat: OpenAiChat.make({
      maxTokensField: "max_tokens",
      namedTool: "required",
      json: "json_schema",
      limitHeaders: {}
    }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", limitHeaders: {} }),
    auth,
    credential,
    sources: {
      chat: "https://lmstudio.ai/docs/developer/openai-compat/chat-completions",
      embeddings: "https://lmstudio.ai/docs/developer/openai-compat/embeddings",
      formats: "https://lmstudio.ai/docs/developer/openai-compat/structured-output",
      json: "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/189",
      namedTool: "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/670"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>

/** The same models in Anthropic's protocol. The base URL is the server's, such as `http://localhost:1234`. */
export const anthropic = Provider.make({
  name: "lm-studio",
  chat: AnthropicMessages.protocol,
  auth,
  credential,
  config: { baseUrl: "LM_STUDIO_ANTHROPIC_BASE_URL" },
  sources: { chat: "https://lmstudio.ai/docs/developer/anthropic-compat" }
})
