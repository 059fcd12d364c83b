/** The protocol that a recording is of, with the quirks of the vendor's row. A vendor without a row has those of OpenAI. */
import {
  Anthropic,
  AnthropicMessages,
  OpenAi,
  OpenAiChat,
  OpenAiEmbeddings,
  type Protocol,
  type Provider
} from "@clawback/providers"
import * as AzureOpenAi from "@clawback/providers/AzureOpenAi"
import * as Cerebras from "@clawback/providers/Cerebras"
import * as DeepSeek from "@clawback/providers/DeepSeek"
import * as Google from "@clawback/providers/Google"
import * as Groq from "@clawback/providers/Groq"
import * as HuggingFace from "@clawback/providers/HuggingFace"
import * as LlamaCpp from "@clawback/providers/LlamaCpp"
import * as LmStudio from "@clawback/providers/LmStudio"
import * as Mistral from "@clawback/providers/Mistral"
import * as Moonshot from "@clawback/providers/Moonshot"
import * as Ollama from "@clawback/providers/Ollama"
import * as OpenRouter from "@clawback/providers/OpenRouter"
import * as Perplexity from "@clawback/providers/Perplexity"
import * as Qwen from "@clawback/providers/Qwen"
import * as Together from "@clawback/providers/Together"
import * as Venice from "@clawback/providers/Venice"
import * as VercelAiGateway from "@clawback/providers/VercelAiGateway"
import * as XAi from "@clawback/providers/XAi"
import * as ZAi from "@clawback/providers/ZAi"
import type { Recording } from "./recordings.ts"

interface Rows {
  readonly provider: Provider.Row
  readonly anthropic?: { readonly provider: Provider.Row }
}

/** The rows, by the vendors' names in the recordings. */
const rows: ReadonlyMap<string, Rows> = new Map<string, Rows>([
  ["alibaba", Qwen],
  ["anthropic", Anthropic],
  ["azure", AzureOpenAi],
  ["cerebras", Cerebras],
  ["deepseek", DeepSeek],
  ["google", Google],
  ["groq", Groq],
  ["huggingface", HuggingFace],
  ["llamacpp", LlamaCpp],
  ["lmstudio", LmStudio],
  ["mistral", Mistral],
  ["moonshot", Moonshot],
  ["ollama", Ollama],
  ["openai", OpenAi],
  ["openrouter", OpenRouter],
  ["perplexity", Perplexity],
  ["together", Together],
  ["venice", Venice],
  ["vercel-gateway", VercelAiGateway],
  ["xai", XAi],
  ["zai", ZAi]
])

/** Perplexity's embeddings are no part of its row. */
const signedBytes = OpenAiEmbeddings.make({ encoding: "base64_int8" })

const named = (protocol: Protocol.ChatProtocol | undefined, name: string): Protocol.ChatProtocol | undefined =>
  protocol?.name === name ? protocol : undefined

export const chatOf = ({ protocol, vendor }: Recording): Protocol.ChatProtocol => {
  const found = rows.get(vendor)
  return named(found?.anthropic?.provider.chat, protocol) ?? named(found?.provider.chat, protocol) ??
    (protocol === "anthropic-messages" ? AnthropicMessages.protocol : OpenAiChat.protocol)
}

/** The quirks of the vendor's row. */
export const quirksOf = ({ vendor }: Recording): OpenAiChat.Quirks => {
  const chat = named(rows.get(vendor)?.provider.chat, "openai-chat") ?? OpenAiChat.protocol
  return (chat as OpenAiChat.OpenAiChat).quirks
}

export const embeddingsOf = ({ vendor }: Recording): Protocol.EmbeddingProtocol =>
  vendor === "perplexity" ? signedBytes : rows.get(vendor)?.provider.embeddings ?? OpenAiEmbeddings.protocol
