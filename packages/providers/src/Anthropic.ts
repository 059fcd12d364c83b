/**
 * Anthropic, and servers that speak its Messages.
 *
 * Every call is a session: the registry lists it while it runs, and its connection is returned when it ends, however it
 * ends. If you stop reading a stream, Clawback closes its connection, so that the provider stops.
 *
 * If a conversation continues from `Prompt.fromResponseParts`, the answer's signed thinking goes back to the provider. While
 * a provider-run tool works, only pings arrive, and they do not count as progress. Set the limit `idle` longer than that.
 * The protocol requires `maxOutputTokens`. Default: 4,096, plus an allowance if thinking is requested (see
 * `AnthropicMessages`).
 *
 * @stable
 */

import { toCodecAnthropic } from "effect/ai/AnthropicStructuredOutput"
import * as AnthropicMessages from "./AnthropicMessages.ts"
import * as Auth from "./Auth.ts"
import * as Provider from "./Provider.ts"

const anthropic = Provider.make({
  name: "anthropic",
  baseUrl: "https://api.anthropic.com",
  chat: AnthropicMessages.protocol,
  // Anthropic's own SDK has sent the key as a bearer token since 1.0.
  auth: Auth.orElse(Auth.header("x-api-key"), Auth.bearer),
  transformer: toCodecAnthropic,
  sources: {
    auth: "https://docs.anthropic.com/en/api/overview#authentication",
    baseUrl: "https://docs.anthropic.com/en/api/messages"
  }
})

export type Options<E = never, R = never> = Provider.ChatOptions<E, R>

/** The row. Its key is the configuration's `ANTHROPIC_API_KEY`, its base URL `ANTHROPIC_BASE_URL`. */
export const provider = anthropic.provider

/** A model at Anthropic, as a value. */
export const target = anthropic.target

/** A model at Anthropic as Effect's `LanguageModel`, and as a `ChatModel`. See `Provider.ChatFaces`. */
export const layer = anthropic.layer

/** The same, with its options from the application's configuration. */
export const layerConfig = anthropic.layerConfig

/** A model at Anthropic as Effect's `Model`, which opens at its first call. */
export const model = anthropic.model
