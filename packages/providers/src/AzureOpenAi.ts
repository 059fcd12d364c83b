/**
 * Azure OpenAI: OpenAI's models, each as a deployment of a resource of your own.
 *
 * The model is the name of a deployment: it goes into the path, and no `model` into the body. The base URL is the resource's
 * endpoint, `https://my-resource.openai.azure.com`. Another version of the API goes into its query: `?api-version=2025-04-01-preview`.
 * Azure's newer endpoint, `…/openai/v1`, has OpenAI's own form: use `OpenAi` with it as the base URL.
 *
 * The key is sent as `api-key`. For tokens of Microsoft Entra ID, use
 * `Provider.make({ ...AzureOpenAi.provider, auth: Auth.bearer })`.
 *
 * @stable
 */

import { toCodecOpenAI } from "effect/ai/OpenAiStructuredOutput"
import * as Auth from "./Auth.ts"
import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

/** The latest version that is generally available. */
const modelIn = { apiVersion: "2024-10-21" }

/** The row. Its key is the configuration's `AZURE_OPENAI_API_KEY`. It has no base URL: each resource has its own. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "azure-openai",
    chat: OpenAiChat.make({ modelIn, lacks: ["topK"] }),
    embeddings: OpenAiEmbeddings.make({ modelIn }),
    auth: Auth.orElse(Auth.header("api-key"), Auth.bearer),
    config: { baseUrl: "AZURE_OPENAI_ENDPOINT" },
    limits: { embeddings: { inputs: 2048, tokens: 300_000 } },
    transformer: toCodecOpenAI,
    sources: {
      auth: "https://learn.microsoft.com/azure/ai-services/openai/reference#authentication",
      baseUrl: "https://learn.microsoft.com/azure/ai-services/openai/reference#rest-api-versioning",
      embeddings: "https://learn.microsoft.com/azure/ai-services/openai/reference#embeddings",
      limits: "https://learn.microsoft.com/azure/ai-services/openai/how-to/embeddings"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>
