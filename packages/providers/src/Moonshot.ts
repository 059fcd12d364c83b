/**
 * Moonshot: Kimi.
 *
 * The schema of an answer goes into the system message: its reference documents `json_object`. When a limit resets is stated in a
 * form that is not documented, so it is not read. It has no embeddings.
 *
 * Models that think, such as Kimi K2.6, may reject a tool choice that forces a call ("tool_choice 'specified' is incompatible with
 * thinking enabled", `RequestRejected`). They think by default: to disable it, set the extra `thinking: { type: "disabled" }`.
 *
 * `anthropic` has the same models in Anthropic's protocol: `Moonshot.anthropic.layer({ model })`.
 *
 * @stable
 */

import * as AnthropicMessages from "./AnthropicMessages.ts"
import * as OpenAiChat from "./OpenAiChat.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `MOONSHOT_API_KEY`, its base URL `MOONSHOT_BASE_URL`. */
export const { provider, target, layer, layerConfig, model } = Provider.make({
  name: "moonshot",
  baseUrl: "https://api.moonshot.ai/v1",
  chat: OpenAiChat.make({
    reasoningField: "reasoning_content",
    lacks: ["topK"],
    formats: "json_object",
    cachedTokens: "cached_tokens",
    limitHeaders: { requests: { limit: "x-ratelimit-limit", remaining: "x-ratelimit-remaining" } }
  }),
  sources: {
    baseUrl: "https://platform.kimi.ai/docs/api/overview",
    errors: "https://www.kimi.com/help/kimi-api/api-error-codes",
    formats: "https://platform.kimi.ai/docs/guide/use-json-mode-feature-of-kimi-api",
    limitHeaders: "https://www.kimi.com/help/kimi-api/api-rate-limits",
    forcedTools: "https://github.com/can1357/oh-my-pi/issues/1077",
    reasoningField: "recorded in https://github.com/pydantic/pydantic-ai (2025, 2026)"
  }
})

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>

/** The same models in Anthropic's protocol. Its base URL is the configuration's `MOONSHOT_ANTHROPIC_BASE_URL`. */
export const anthropic = Provider.make({
  name: "moonshot",
  baseUrl: "https://api.moonshot.ai/anthropic",
  chat: AnthropicMessages.protocol,
  config: { baseUrl: "MOONSHOT_ANTHROPIC_BASE_URL" },
  sources: { baseUrl: "https://platform.kimi.ai/docs/api/overview" }
})
