/**
 * Groq: open models on its own hardware.
 *
 * It rejects more than one choice, `logprobs`, `logit_bias` and the `name` of a message. It has no embeddings. That it takes back
 * thoughts under `reasoning` is not documented.
 *
 * @stable
 */

import * as OpenAiChat from "./OpenAiChat.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `GROQ_API_KEY`, its base URL `GROQ_BASE_URL`. */
export const { provider, target, layer, layerConfig, model } = Provider.make({
  name: "groq",
  baseUrl: "https://api.groq.com/openai/v1",
  chat: OpenAiChat.make({ reasoningField: "reasoning", usage: "x_groq", lacks: ["topK", "choices"] }),
  sources: {
    baseUrl: "https://console.groq.com/docs/openai",
    lacks: "https://console.groq.com/docs/openai",
    limitHeaders: "https://console.groq.com/docs/rate-limits",
    reasoningField: "https://console.groq.com/docs/reasoning",
    usage: "https://console.groq.com/docs/api-reference#chat-create"
  }
})

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
