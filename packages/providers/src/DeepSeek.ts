/**
 * DeepSeek.
 *
 * It has no schemas of answers: the schema goes into the system message. It takes no images here. Its models think by default, and
 * then reject a tool choice that forces a call ("Thinking mode does not support this tool_choice", `RequestRejected`). To disable
 * thinking, set the extra `thinking: { type: "disabled" }`. A request that forces a call and asks for thinking fails with
 * `Unsupported`. In a conversation with tools, it wants its thoughts back. It states no
 * limits.
 *
 * `anthropic` has the same models in Anthropic's protocol: `DeepSeek.anthropic.layer({ model })`.
 *
 * @stable
 */

import * as AnthropicMessages from "./AnthropicMessages.ts"
import * as Auth from "./Auth.ts"
import * as OpenAiChat from "./OpenAiChat.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `DEEPSEEK_API_KEY`, its base URL `DEEPSEEK_BASE_URL`. */
export const { provider, target, layer, layerConfig, model } = Provider.make({
  name: "deepseek",
  baseUrl: "https://api.deepseek.com",
  chat: OpenAiChat.make({
    maxTokensField: "max_tokens",
    reasoningField: "reasoning_content",
    lacks: ["topK"],
    formats: "json_object",
    unsupported: ["images", "forced tools while thinking"],
    cachedTokens: "prompt_cache_hit_tokens",
    limitHeaders: {}
  }),
  sources: {
    baseUrl: "https://api-docs.deepseek.com/",
    errors: "https://api-docs.deepseek.com/quick_start/error_codes",
    formats: "https://api-docs.deepseek.com/guides/json_mode",
    limitHeaders: "https://api-docs.deepseek.com/quick_start/rate_limit",
    reasoningField: "https://api-docs.deepseek.com/guides/thinking_mode",
    unsupported:
      "recorded in https://github.com/0xPlaygrounds/rig, tests/cassettes/deepseek (2026); https://github.com/cloudwego/eino/issues/994",
    usage: "https://api-docs.deepseek.com/api/create-chat-completion"
  }
})

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>

/** The same models in Anthropic's protocol. Its base URL is the configuration's `DEEPSEEK_ANTHROPIC_BASE_URL`. */
export const anthropic = Provider.make({
  name: "deepseek",
  baseUrl: "https://api.deepseek.com/anthropic",
  chat: AnthropicMessages.protocol,
  auth: Auth.orElse(Auth.header("x-api-key"), Auth.bearer),
  config: { baseUrl: "DEEPSEEK_ANTHROPIC_BASE_URL" },
  sources: { baseUrl: "https://api-docs.deepseek.com/guides/anthropic_api" }
})
