/** The messages of a prompt, in the canonical model. */
import * as AiError from "effect/ai/AiError"
import type * as Prompt from "effect/ai/Prompt"
import * as Base64 from "effect/encoding/Base64"
import type * as Result from "effect/Result"
import type * as ChatRequest from "../../ChatRequest.ts"
import * as DataUrl from "../http/dataUrl.ts"
import { catching } from "../json/catching.ts"
import { extrasField, unseenOf } from "./promptOptions.ts"

/** A value as JSON. Throws `InvalidUserInputError` if it has none, such as a bigint, or a value that holds itself. */
const asText = (value: unknown, of: string): string => {
  if (typeof value === "string") return value
  try {
    return JSON.stringify(value) ?? "null"
  } catch (cause) {
    throw new AiError.InvalidUserInputError({
      description: `${of} cannot be written as JSON: ${cause instanceof Error ? cause.message : String(cause)}`
    })
  }
}

const textPart = ({ options, text }: Prompt.TextPart): ChatRequest.TextPart => ({
  type: "text",
  text,
  ...extrasField(options)
})

/** Base64 has no colon, so a text with one is a URL. */
const sourceOf = ({ data, mediaType }: Prompt.FilePart): ChatRequest.Source => {
  if (data instanceof Uint8Array) return { mediaType, data: Base64.encode(data) }
  const text = String(data)
  return text.includes(":") ? DataUrl.parse(text) ?? { url: text } : { mediaType, data: text }
}

const filePart = (part: Prompt.FilePart): ChatRequest.ImagePart | ChatRequest.FilePart => {
  const { fileName, mediaType, options } = part
  const source = sourceOf(part)
  return mediaType.startsWith("image/")
    ? { type: "image", source, ...extrasField(options) }
    : { type: "file", source, ...(fileName !== undefined && { name: fileName }), ...extrasField(options) }
}

const userPart = (part: Prompt.TextPart | Prompt.FilePart) => part.type === "text" ? textPart(part) : filePart(part)

const isPlain = (part: ChatRequest.UserPart): part is ChatRequest.TextPart =>
  part.type === "text" && part.extras === undefined

/** Plain texts become one text, in which each has its own line. */
const contentOf = (parts: ReadonlyArray<Prompt.TextPart | Prompt.FilePart>): ChatRequest.UserMessage["content"] => {
  const content = parts.map(userPart)
  return content.every(isPlain) ? content.map(({ text }) => text).join("\n") : content
}

const toolMessage = (part: Prompt.ToolResultPart): ChatRequest.ToolMessage => ({
  role: "tool",
  toolCallId: part.id,
  content: part.modelOutput === undefined
    ? asText(part.result, `The result of the call ${part.id} of the tool ${part.name}`)
    : contentOf(part.modelOutput),
  ...(part.isFailure && { isError: true }),
  ...extrasField(part.options)
})

/** One plain text part becomes its text. */
const joined = (parts: ReadonlyArray<ChatRequest.AssistantPart>): ChatRequest.AssistantMessage["content"] => {
  const [first] = parts
  return parts.length === 1 && first?.type === "text" && first.extras === undefined ? first.text : parts
}

type Messages = Array<ChatRequest.Message>

const pushAssistant = ({ content, options }: Prompt.AssistantMessage, messages: Messages): void => {
  const parts: Array<ChatRequest.AssistantPart> = []
  const results: Messages = []
  for (const part of content) {
    switch (part.type) {
      case "text":
        parts.push(textPart(part))
        break
      case "reasoning":
        parts.push({ type: "reasoning", text: part.text, ...unseenOf(part.options) })
        break
      case "tool-call": {
        const { id, name, options, params } = part
        parts.push({
          type: "tool-call",
          id,
          name,
          arguments: asText(params, `The parameters of the call ${id} of the tool ${name}`),
          ...extrasField(options)
        })
        break
      }
      case "tool-result":
        results.push(toolMessage(part))
        break
      case "file":
        throw new AiError.InvalidUserInputError({
          description: `An assistant message cannot have a ${part.mediaType} part: these models answer in text alone.`
        })
      case "tool-approval-request":
        // Effect settles approvals before the request.
        break
    }
  }
  if (parts.length > 0) messages.push({ role: "assistant", content: joined(parts), ...extrasField(options) })
  messages.push(...results)
}

const pushMessage = (message: Prompt.Message, messages: Messages): void => {
  switch (message.role) {
    case "system":
      messages.push({ role: "system", content: message.content, ...extrasField(message.options) })
      break
    case "user":
      messages.push({ role: "user", content: contentOf(message.content), ...extrasField(message.options) })
      break
    case "assistant":
      pushAssistant(message, messages)
      break
    case "tool":
      for (const part of message.content) if (part.type === "tool-result") messages.push(toolMessage(part))
      break
  }
}

export const promptMessages = (
  { content }: Prompt.Prompt
): Result.Result<ReadonlyArray<ChatRequest.Message>, AiError.InvalidUserInputError> =>
  catching(AiError.InvalidUserInputError, () => {
    const messages: Messages = []
    for (const message of content) pushMessage(message, messages)
    return messages
  })
