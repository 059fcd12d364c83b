/**
 * OpenAI, and servers that speak its chat completions.
 *
 * Every call is a session: it appears in the registry while it runs, and gives its connection back when it ends, however
 * it ends. To stop reading a stream is to cancel it at the provider.
 */
import type * as Transport from "@clawback/core/Transport"
import type * as LanguageModel from "effect/ai/LanguageModel"
import { toCodecOpenAI } from "effect/ai/OpenAiStructuredOutput"
import * as Layer from "effect/Layer"
import * as OpenAiChat from "./OpenAiChat.ts"
import * as Target from "./Target.ts"

/**
 * The key is the configuration's `OPENAI_API_KEY`; the base URL its `OPENAI_BASE_URL`, else `https://api.openai.com/v1`. It
 * precedes `/chat/completions`.
 */
export const provider: Target.Provider = {
  name: "openai",
  codec: OpenAiChat.codec,
  apiKey: "OPENAI_API_KEY",
  baseUrlName: "OPENAI_BASE_URL",
  baseUrl: "https://api.openai.com/v1",
  transformer: toCodecOpenAI
}

export interface Options<out E = never, out R = never> extends Target.Options<E, R> {
  /** As the provider names it: `"gpt-5"`. A blank one is a defect when the layer is built. */
  readonly model: string
}

/** A model at OpenAI. */
export const target = <E = never, R = never>(model: string, options?: Target.Options<E, R>): Target.Target<E, R> =>
  Target.make(provider, model, options)

/**
 * A model at OpenAI as Effect's `LanguageModel`, and as a `ChatModel`, over a transport.
 *
 * The calls of the first fail with `AiError`; `ProviderError.fromAiError` gives back the precise error. It fails to build
 * with `CredentialUnavailable` where the key is missing or blank, and with `InvalidUrl` where the base URL is no URL to
 * call.
 */
export const layer = <E = never, R = never>(
  { model, ...options }: Options<E, R>
): Layer.Layer<LanguageModel.LanguageModel | Target.ChatModel, E | Target.OpenError, R | Transport.Transport> =>
  Layer.suspend(() => Target.layer(target(model, options)))
