/**
 * XRoute.AI: models of many providers.
 *
 * No reference of its API was found. The base URL and the bearer key are those of programs that use it. Everything else is
 * unverified: this row assumes OpenAI's own form, no embeddings, and no headers with limits.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `XROUTE_API_KEY`, its base URL `XROUTE_BASE_URL`. */
export const { provider, target, layer, layerConfig, model } = Provider.make({
  name: "xroute",
  baseUrl: "https://api.xroute.ai/openai/v1",
  chat: OpenAiChat.make({ limitHeaders: {} }),
  sources: {
    baseUrl: "programs in public repositories that call this URL (2025, 2026); the vendor's own page was not found"
  }
})

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
