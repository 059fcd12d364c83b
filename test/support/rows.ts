/** The modules of all providers. */
import type { Provider } from "@clawback/providers"
import * as Anthropic from "@clawback/providers/Anthropic"
import * as AzureOpenAi from "@clawback/providers/AzureOpenAi"
import * as Cerebras from "@clawback/providers/Cerebras"
import * as Cohere from "@clawback/providers/Cohere"
import * as DeepInfra from "@clawback/providers/DeepInfra"
import * as DeepSeek from "@clawback/providers/DeepSeek"
import * as Fireworks from "@clawback/providers/Fireworks"
import * as Google from "@clawback/providers/Google"
import * as Groq from "@clawback/providers/Groq"
import * as HuggingFace from "@clawback/providers/HuggingFace"
import * as LlamaCpp from "@clawback/providers/LlamaCpp"
import * as LmStudio from "@clawback/providers/LmStudio"
import * as Mistral from "@clawback/providers/Mistral"
import * as Moonshot from "@clawback/providers/Moonshot"
import * as NvidiaNim from "@clawback/providers/NvidiaNim"
import * as Ollama from "@clawback/providers/Ollama"
import * as OpenAi from "@clawback/providers/OpenAi"
import * as OpenRouter from "@clawback/providers/OpenRouter"
import * as Perplexity from "@clawback/providers/Perplexity"
import * as Qwen from "@clawback/providers/Qwen"
import * as SambaNova from "@clawback/providers/SambaNova"
import * as Together from "@clawback/providers/Together"
import * as Venice from "@clawback/providers/Venice"
import * as VercelAiGateway from "@clawback/providers/VercelAiGateway"
import * as Vllm from "@clawback/providers/Vllm"
import * as XAi from "@clawback/providers/XAi"
import * as XRoute from "@clawback/providers/XRoute"
import * as ZAi from "@clawback/providers/ZAi"

/** A row, and the layers that its module derives from it. */
export interface Faces extends Pick<Provider.ChatFaces<string, Needed>, "layer"> {
  readonly provider: Provider.ChatRow
  readonly embeddingLayer?: Provider.EmbeddingFaces<Needed>["embeddingLayer"]
}

type Needed = { readonly baseUrl: string }

const modules = {
  Anthropic,
  AzureOpenAi,
  Cerebras,
  Cohere,
  DeepInfra,
  DeepSeek,
  Fireworks,
  Google,
  Groq,
  HuggingFace,
  LlamaCpp,
  LmStudio,
  Mistral,
  Moonshot,
  NvidiaNim,
  Ollama,
  OpenAi,
  OpenRouter,
  Perplexity,
  Qwen,
  SambaNova,
  Together,
  Venice,
  VercelAiGateway,
  Vllm,
  XAi,
  XRoute,
  ZAi
} satisfies Record<string, Faces & { readonly anthropic?: Faces }>

/** The modules by name, each with its row and layers. */
export const providers: Readonly<Record<string, Faces & { readonly anthropic?: Faces }>> = modules

/** All rows: those of modules by the module's name, and their second ones, such as `ZAi.anthropic`. */
export const rows: ReadonlyArray<readonly [name: string, faces: Faces]> = Object.entries(providers).flatMap(
  ([name, faces]): ReadonlyArray<readonly [string, Faces]> =>
    faces.anthropic === undefined ? [[name, faces]] : [[name, faces], [`${name}.anthropic`, faces.anthropic]]
)
