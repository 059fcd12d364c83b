/**
 * Anthropic, and servers that speak its Messages.
 *
 * Every call is a session: it appears in the registry while it runs, and gives its connection back when it ends, however
 * it ends. To stop reading a stream is to cancel it at the provider.
 *
 * Thinking comes back to the provider as it came from it, with its signature, where a conversation goes on from the parts
 * of an answer (`Prompt.fromResponseParts`). While a tool that the provider runs itself is at work, nothing comes but pings,
 * which count for nothing: the limit `idle` must leave room for that. The protocol demands a `maxOutputTokens`: where none
 * is said it is 4,096, and more where the model is to think (see `AnthropicMessages`).
 */
import type * as Transport from "@clawback/core/Transport"
import { toCodecAnthropic } from "effect/ai/AnthropicStructuredOutput"
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Layer from "effect/Layer"
import * as AnthropicMessages from "./AnthropicMessages.ts"
import * as Target from "./Target.ts"

/**
 * The key is the configuration's `ANTHROPIC_API_KEY`; the base URL its `ANTHROPIC_BASE_URL`, else
 * `https://api.anthropic.com`. It precedes `/v1/messages`.
 */
export const provider: Target.Provider = {
  name: "anthropic",
  protocol: AnthropicMessages.protocol,
  apiKey: "ANTHROPIC_API_KEY",
  baseUrlName: "ANTHROPIC_BASE_URL",
  baseUrl: "https://api.anthropic.com",
  transformer: toCodecAnthropic
}

export interface Options<out E = never, out R = never> extends Target.Options<E, R> {
  /** As the provider names it: `"claude-sonnet-5-5"`. A blank one is a defect when the layer is built. */
  readonly model: string
}

/** A model at Anthropic. */
export const target = <E = never, R = never>(model: string, options?: Target.Options<E, R>): Target.Target<E, R> =>
  Target.make(provider, model, options)

/**
 * A model at Anthropic as Effect's `LanguageModel`, and as a `ChatModel`, over a transport.
 *
 * The calls of the first fail with `AiError`; `ProviderError.fromAiError` gives back the precise error. It fails to build
 * with `CredentialUnavailable` where the key is missing or blank, and with `InvalidUrl` where the base URL is no URL to
 * call.
 */
export const layer = <E = never, R = never>(
  { model, ...options }: Options<E, R>
): Layer.Layer<LanguageModel.LanguageModel | Target.ChatModel, E | Target.OpenError, R | Transport.Transport> =>
  Layer.suspend(() => Target.layer(target(model, options)))
