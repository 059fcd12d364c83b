/**
 * Perplexity: the Sonar models, which search the web.
 *
 * They have no tools. A stream ends with its finish, without `[DONE]`. Citations and search results are extras of the answer.
 * Headers with limits are not documented. Its embeddings are at another path and come as 8-bit integers, so they are not part of
 * this row.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `PERPLEXITY_API_KEY`, its base URL `PERPLEXITY_BASE_URL`. */
export const { provider, target, layer, layerConfig, model } = Provider.make({
  name: "perplexity",
  baseUrl: "https://api.perplexity.ai",
  chat: OpenAiChat.make({
    maxTokensField: "max_tokens",
    usage: "unasked",
    json: "json_schema",
    unsupported: ["tools"],
    streamEnd: "finish",
    limitHeaders: {}
  }),
  sources: {
    baseUrl: "https://docs.perplexity.ai/guides/chat-completions-guide",
    formats: "https://docs.perplexity.ai/docs/sonar/features",
    json: "https://docs.perplexity.ai/guides/structured-outputs",
    streamEnd: "recorded in https://github.com/0xPlaygrounds/rig, tests/cassettes/perplexity (2026)",
    unsupported: "https://docs.perplexity.ai/api-reference/chat-completions-post"
  }
})

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
