/**
 * Vercel's AI Gateway: models of many providers, and embeddings.
 *
 * Models are named `openai/gpt-5`. Its options are the extra `providerOptions`. Headers with limits are not documented.
 *
 * `anthropic` has the same models in Anthropic's protocol: `VercelAiGateway.anthropic.layer({ model })`.
 *
 * @stable
 */

import * as AnthropicMessages from "./AnthropicMessages.ts"
import * as Auth from "./Auth.ts"
import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `AI_GATEWAY_API_KEY`, its base URL `VERCEL_AI_GATEWAY_BASE_URL`. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "vercel-ai-gateway",
    baseUrl: "https://ai-gateway.vercel.sh/v1",
    chat: OpenAiChat.make({ reasoningField: "reasoning", reasoningDetails: "as-received", limitHeaders: {} }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", limitHeaders: {} }),
    config: { apiKey: "AI_GATEWAY_API_KEY" },
    sources: {
      baseUrl: "https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions",
      embeddings: "https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions/embeddings",
      reasoningDetails: "https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions/advanced",
      reasoningField: "https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions/advanced"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>

/** The same models in Anthropic's protocol. Its base URL is the configuration's `VERCEL_AI_GATEWAY_ANTHROPIC_BASE_URL`. */
export const anthropic = Provider.make({
  name: "vercel-ai-gateway",
  baseUrl: "https://ai-gateway.vercel.sh",
  chat: AnthropicMessages.protocol,
  auth: Auth.orElse(Auth.header("x-api-key"), Auth.bearer),
  config: { apiKey: "AI_GATEWAY_API_KEY", baseUrl: "VERCEL_AI_GATEWAY_ANTHROPIC_BASE_URL" },
  sources: { baseUrl: "https://vercel.com/docs/ai-gateway/anthropic-compat" }
})
