/**
 * Z.ai: GLM.
 *
 * Its tool choice is always `auto`: one that forces a call fails with `Unsupported`. The schema of an answer goes into the system
 * message. Headers with limits are not documented. Keys of a coding plan need the base URL
 * `https://api.z.ai/api/coding/paas/v4`.
 *
 * `anthropic` has the same models in Anthropic's protocol: `ZAi.anthropic.layer({ model })`.
 *
 * @stable
 */

import * as AnthropicMessages from "./AnthropicMessages.ts"
import * as OpenAiChat from "./OpenAiChat.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `ZAI_API_KEY`, its base URL `ZAI_BASE_URL`. */
export const { provider, target, layer, layerConfig, model } = Provider.make({
  name: "zai",
  baseUrl: "https://api.z.ai/api/paas/v4",
  chat: OpenAiChat.make({
    maxTokensField: "max_tokens",
    reasoningField: "reasoning_content",
    usage: "unasked",
    lacks: ["topK"],
    formats: "json_object",
    unsupported: ["forced tools"],
    limitHeaders: {}
  }),
  sources: {
    baseUrl: "https://docs.z.ai/guides/develop/openai/python",
    errors: "https://docs.z.ai/api-reference/api-code",
    formats: "https://docs.z.ai/guides/capabilities/struct-output",
    reasoningField: "https://docs.z.ai/api-reference/llm/chat-completion",
    unsupported: "https://docs.z.ai/guides/capabilities/function-calling"
  }
})

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>

/** The same models in Anthropic's protocol. Its base URL is the configuration's `ZAI_ANTHROPIC_BASE_URL`. */
export const anthropic = Provider.make({
  name: "zai",
  baseUrl: "https://api.z.ai/api/anthropic",
  chat: AnthropicMessages.protocol,
  config: { baseUrl: "ZAI_ANTHROPIC_BASE_URL" },
  sources: { baseUrl: "https://docs.z.ai/devpack/tool/claude" }
})
