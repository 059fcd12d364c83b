/**
 * xAI: Grok.
 *
 * Tokens of reasoning are counted outside of `completion_tokens`; our counts of output include them. Headers with limits are not
 * documented: those of OpenAI's pattern are read. xAI has retired its form of Anthropic's protocol, and offers no public
 * embeddings.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `XAI_API_KEY`, its base URL `XAI_BASE_URL`. */
export const { provider, target, layer, layerConfig, model } = Provider.make({
  name: "xai",
  baseUrl: "https://api.x.ai/v1",
  chat: OpenAiChat.make({
    reasoningField: "reasoning_content",
    lacks: ["topK"],
    tokensOutside: ["reasoning"],
    limitHeaders: {}
  }),
  sources: {
    baseUrl: "https://docs.x.ai/developers/rest-api-reference/inference",
    reasoningField: "recorded in https://github.com/0xPlaygrounds/rig, tests/cassettes/xai (2026)",
    usage: "recorded in https://github.com/0xPlaygrounds/rig, tests/cassettes/xai (2026)"
  }
})

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
