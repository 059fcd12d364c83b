/** Requests that vendors reject though their protocol can express them. */
import type { ChatRequest, Message } from "@clawback/providers/ChatRequest"
import type { EmbeddingRequest } from "@clawback/providers/Embedding"
import type { ChatProtocol } from "@clawback/providers/Protocol"
import type { Received } from "../faulty/journal.ts"

/** A protocol's name, and the parameters that it has and the canonical request lacks. Vendors reject all others. */
type Parameters = Pick<ChatProtocol, "name" | "parameters">

/** The names that vendors accept for tools. */
const toolName = /^[a-zA-Z0-9_-]{1,64}$/

const callsOf = (message: Message): ReadonlyArray<string> =>
  message.role !== "assistant" || typeof message.content === "string"
    ? []
    : message.content.flatMap((part) => part.type === "tool-call" ? [part.id] : [])

/** Finds a tool call without its result before the next message, or a result without its call. */
const unpaired = (messages: ReadonlyArray<Message>): string | undefined => {
  let open = new Set<string>()
  for (const [at, message] of messages.entries()) {
    if (message.role === "tool") {
      if (!open.delete(message.toolCallId)) {
        return `messages[${at}]: the tool result ${message.toolCallId} answers no call of the message before it`
      }
      continue
    }
    if (open.size > 0) return `messages[${at}]: the tool calls ${[...open].join(", ")} have no results before it`
    open = new Set(callsOf(message))
  }
  return open.size > 0 ? `the tool calls ${[...open].join(", ")} at the end have no results` : undefined
}

/** Finds a fault that any kind of request can have. */
const wrongAtAll = (
  { name, parameters }: Parameters,
  { extras, model }: Pick<ChatRequest, "extras" | "model">,
  { headers }: Received
): string | undefined => {
  const type = headers["content-type"]
  if (typeof type !== "string" || !type.startsWith("application/json")) {
    return "the content type must be application/json"
  }
  if (model.trim() === "") return "you must provide a model"
  const unknown = Object.keys(extras?.[name] ?? {}).filter((field) => !parameters.has(field))
  return unknown.length > 0 ? `unrecognized request arguments: ${unknown.join(", ")}` : undefined
}

/** Why the vendor rejects an embeddings request. Undefined: it accepts it. */
export const embeddingObjection = (
  protocol: Parameters,
  maxInputs: number,
  request: EmbeddingRequest,
  received: Received
): string | undefined => {
  const wrong = wrongAtAll(protocol, request, received)
  if (wrong !== undefined) return wrong
  if (request.input.length > maxInputs) return `input: at most ${maxInputs} are allowed`
  if (request.input.some((input) => input.length === 0)) return "input: none may be empty"
  return request.dimensions === 0 ? "dimensions: must be at least 1" : undefined
}

/** Why the vendor rejects a chat request. Undefined: it accepts it. */
export const objection = (protocol: Parameters, request: ChatRequest, received: Received): string | undefined => {
  const wrong = wrongAtAll(protocol, request, received)
  if (wrong !== undefined) return wrong
  if (request.messages.length === 0) return "messages: at least one is required"
  for (const tool of request.tools ?? []) {
    if ("name" in tool && !toolName.test(tool.name)) return `tools: ${tool.name} is not a name for a tool`
  }
  return unpaired(request.messages)
}
