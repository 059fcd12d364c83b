/**
 * OpenAI, and servers that speak its chat completions and embeddings.
 *
 * Every call is a session: it appears in the registry while it runs, and gives its connection back when it ends, however
 * it ends. To stop reading a stream is to cancel it at the provider.
 */
import type * as Transport from "@clawback/core/Transport"
import type * as EmbeddingModel from "effect/ai/EmbeddingModel"
import type * as LanguageModel from "effect/ai/LanguageModel"
import { toCodecOpenAI } from "effect/ai/OpenAiStructuredOutput"
import * as Layer from "effect/Layer"
import * as EmbeddingTarget from "./EmbeddingTarget.ts"
import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Target from "./Target.ts"

/**
 * The key is the configuration's `OPENAI_API_KEY`; the base URL its `OPENAI_BASE_URL`, else `https://api.openai.com/v1`. It
 * precedes `/chat/completions`.
 */
export const provider: Target.Provider = {
  name: "openai",
  protocol: OpenAiChat.protocol,
  apiKey: "OPENAI_API_KEY",
  baseUrlName: "OPENAI_BASE_URL",
  baseUrl: "https://api.openai.com/v1",
  transformer: toCodecOpenAI
}

/**
 * The same for embeddings, where the base URL precedes `/embeddings`. Vectors are asked for as base64, as OpenAI's own SDK
 * does. A request holds at most 2,048 inputs of 300,000 tokens in all (OpenAI's API reference, "Create embeddings"); a
 * server that takes less is `EmbeddingTarget.make({ ...OpenAi.embeddingProvider, most }, model)`.
 */
export const embeddingProvider: EmbeddingTarget.Provider = {
  name: provider.name,
  protocol: OpenAiEmbeddings.protocol,
  apiKey: provider.apiKey,
  baseUrlName: provider.baseUrlName,
  baseUrl: provider.baseUrl,
  delivery: { encoding: "base64" },
  most: { inputs: 2048, tokens: 300_000 }
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

/** A model at OpenAI that makes vectors of texts. */
export const embeddingTarget = <E = never, R = never>(
  model: string,
  options?: EmbeddingTarget.Options<E, R>
): EmbeddingTarget.EmbeddingTarget<E, R> => EmbeddingTarget.make(embeddingProvider, model, options)

export interface EmbeddingOptions<out E = never, out R = never> extends EmbeddingTarget.Options<E, R> {
  /** As the provider names it: `"text-embedding-3-small"`. A blank one is a defect when the layer is built. */
  readonly model: string
}

/** A model at OpenAI as Effect's `EmbeddingModel`, and as an `Embedder`, over a transport. It fails as `layer` does. */
export const embeddingLayer = <E = never, R = never>(
  { model, ...options }: EmbeddingOptions<E, R>
): Layer.Layer<
  EmbeddingModel.EmbeddingModel | EmbeddingTarget.Embedder,
  E | Target.OpenError,
  R | Transport.Transport
> => Layer.suspend(() => EmbeddingTarget.layer(embeddingTarget(model, options)))
