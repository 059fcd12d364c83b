/** Recorded conversations as Effect's messages. */
import { AnthropicMessages, type ChatRequest, OpenAiChat } from "@clawback/providers"
import { Result } from "effect"
import { Prompt } from "effect/ai"
import { type Conversation, conversations } from "./conversations.ts"
import { httpRequest } from "./httpRequest.ts"
import { recordings } from "./recordings.ts"

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

type Content = ChatRequest.Message["content"]

const partsOf = (content: Content) => typeof content === "string" ? [{ type: "text" as const, text: content }] : content

const inputParts = (content: Content): ReadonlyArray<Prompt.TextPart | Prompt.FilePart> =>
  partsOf(content).flatMap((part): ReadonlyArray<Prompt.TextPart | Prompt.FilePart> => {
    if (part.type === "text") return [Prompt.textPart({ text: part.text })]
    if (part.type !== "image" && part.type !== "file") return []
    const { source } = part
    if ("fileId" in source) return []
    return "url" in source
      ? URL.canParse(source.url) ? [Prompt.filePart({ mediaType: "image/*", data: new URL(source.url) })] : []
      : [Prompt.filePart({ mediaType: source.mediaType, data: source.data })]
  })

const assistantParts = (content: Content): ReadonlyArray<Prompt.AssistantMessagePart> =>
  partsOf(content).flatMap((part): ReadonlyArray<Prompt.AssistantMessagePart> => {
    switch (part.type) {
      case "text":
      case "refusal":
        return [Prompt.textPart({ text: part.text })]
      case "reasoning":
        return [
          Prompt.reasoningPart({
            text: part.text,
            options: part.signature === undefined ? {} : { clawback: { signature: part.signature } }
          })
        ]
      case "tool-call":
        return [
          Prompt.toolCallPart({ id: part.id, name: part.name, params: parsed(part.arguments), providerExecuted: false })
        ]
      default:
        return []
    }
  })

/** What Effect's messages have no place for is left out. */
const messageOf = (message: ChatRequest.Message): Prompt.Message => {
  const { content } = message
  switch (message.role) {
    case "system":
      return Prompt.systemMessage({
        content: partsOf(content).map((part) => "text" in part ? part.text : "").join("\n")
      })
    case "user":
      return Prompt.userMessage({ content: inputParts(content) })
    case "assistant":
      return Prompt.assistantMessage({ content: assistantParts(content) })
    case "tool":
      return Prompt.toolMessage({
        content: [
          Prompt.toolResultPart({
            id: message.toolCallId,
            name: "tool",
            isFailure: message.isError ?? false,
            result: "",
            modelOutput: inputParts(content),
            providerExecuted: false
          })
        ]
      })
  }
}

const byVendor = { "openai-chat": OpenAiChat.protocol, "anthropic-messages": AnthropicMessages.protocol } as const

/** The histories of recorded requests. */
export const recordedRequests = (): ReadonlyArray<ReadonlyArray<Prompt.Message>> =>
  recordings().flatMap(({ protocol, requestBody }) => {
    if (requestBody === null || protocol === "openai-embeddings") return []
    const decoded = byVendor[protocol].decodeRequest(httpRequest(requestBody))
    return Result.isSuccess(decoded) ? [decoded.success.request.messages.map(messageOf)] : []
  })

const wire = ({ messages }: Conversation): ReadonlyArray<Prompt.Message> => {
  const decoded = OpenAiChat.protocol.decodeRequest(httpRequest(JSON.stringify({ model: "model-1", messages })))
  return Result.getOrThrow(decoded).request.messages.map(messageOf)
}

/** The conversations of τ-bench: each alone, and several in a row as one, as of a customer who comes back. */
export const customers = (limit: number, together: number): ReadonlyArray<ReadonlyArray<Prompt.Message>> => {
  const all = conversations(limit).map(wire)
  const long: Array<ReadonlyArray<Prompt.Message>> = []
  for (let at = 0; at < all.length; at += together) {
    const [first = [], ...others] = all.slice(at, at + together)
    long.push(first.concat(...others.map((messages) => messages.filter(({ role }) => role !== "system"))))
  }
  return [...all, ...long]
}
