/**
 * OpenAI, and servers that speak its chat completions and embeddings.
 *
 * Every call is a session: the registry lists it while it runs, and its connection is returned when it ends, however it
 * ends. If you stop reading a stream, the provider's work is cancelled.
 *
 * @stable
 */

import { toCodecOpenAI } from "effect/ai/OpenAiStructuredOutput"
import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

const openAi = Provider.make({
  name: "openai",
  baseUrl: "https://api.openai.com/v1",
  chat: OpenAiChat.make({ lacks: ["topK"] }),
  embeddings: OpenAiEmbeddings.protocol,
  limits: { embeddings: { inputs: 2048, tokens: 300_000 } },
  transformer: toCodecOpenAI,
  sources: {
    baseUrl: "https://platform.openai.com/docs/api-reference/introduction",
    limits: "https://platform.openai.com/docs/api-reference/embeddings/create",
    lacks: "https://platform.openai.com/docs/api-reference/chat/create"
  }
})

export type Options<E = never, R = never> = Provider.ChatOptions<E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptions<E, R>

/**
 * The row. Its key is the configuration's `OPENAI_API_KEY`, its base URL `OPENAI_BASE_URL`. For a server with smaller
 * batches, use `Provider.make({ ...OpenAi.provider, limits: { embeddings: { inputs: 32, tokens: 8_000 } } })`.
 */
export const provider = openAi.provider

/** A model at OpenAI, as a value. */
export const target = openAi.target

/** A model at OpenAI as Effect's `LanguageModel`, and as a `ChatModel`. See `Provider.ChatFaces`. */
export const layer = openAi.layer

/** The same, with its options from the application's configuration. */
export const layerConfig = openAi.layerConfig

/** A model at OpenAI as Effect's `Model`, which opens at its first call. */
export const model = openAi.model

/** A model at OpenAI that makes vectors of texts, as a value. */
export const embeddingTarget = openAi.embeddingTarget

/** A model at OpenAI as Effect's `EmbeddingModel`, and as an `Embedder`. */
export const embeddingLayer = openAi.embeddingLayer

/** The same, with its options from the application's configuration. */
export const embeddingLayerConfig = openAi.embeddingLayerConfig
