import * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import * as Tool from "effect/ai/Tool"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import type * as ChatRequest from "../../ChatRequest.ts"
import type { JsonObject } from "../../Json.ts"
import * as DataUrl from "../http/dataUrl.ts"
import { extrasOf, unseenOf } from "./promptOptions.ts"
import { jsonSchemaOf } from "./toolParameters.ts"

const unsupported = (description: string) => Effect.fail(new AiError.InvalidUserInputError({ description }))

const asText = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value) ?? "null"

const textPart = ({ options, text }: Prompt.TextPart): ChatRequest.TextPart => ({
  type: "text",
  text,
  ...extrasOf(options)
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
    ? { type: "image", source, ...extrasOf(options) }
    : { type: "file", source, ...(fileName !== undefined && { name: fileName }), ...extrasOf(options) }
}

const userPart = (part: Prompt.TextPart | Prompt.FilePart) => part.type === "text" ? textPart(part) : filePart(part)

const isPlain = (part: ChatRequest.UserPart): part is ChatRequest.TextPart =>
  part.type === "text" && part.extras === undefined

/** Plain texts are one, in which each has its own line. */
const contentOf = (parts: ReadonlyArray<Prompt.TextPart | Prompt.FilePart>): ChatRequest.UserMessage["content"] => {
  const content = parts.map(userPart)
  return content.every(isPlain) ? content.map(({ text }) => text).join("\n") : content
}

const toolMessage = (part: Prompt.ToolResultPart): ChatRequest.ToolMessage => ({
  role: "tool",
  toolCallId: part.id,
  content: part.modelOutput === undefined ? asText(part.result) : contentOf(part.modelOutput),
  ...(part.isFailure && { isError: true }),
  ...extrasOf(part.options)
})

/** A text stands for the one plain part that it would be. */
const joined = (parts: ReadonlyArray<ChatRequest.AssistantPart>): ChatRequest.AssistantMessage["content"] => {
  const [first, ...rest] = parts
  return first?.type === "text" && first.extras === undefined && rest.length === 0 ? first.text : parts
}

const assistant = Effect.fnUntraced(function*(
  { content, options }: Prompt.AssistantMessage
): Effect.fn.Return<ReadonlyArray<ChatRequest.Message>, AiError.InvalidUserInputError> {
  const parts: Array<ChatRequest.AssistantPart> = []
  const results: Array<ChatRequest.ToolMessage> = []
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
        parts.push({ type: "tool-call", id, name, arguments: asText(params), ...extrasOf(options) })
        break
      }
      case "tool-result":
        results.push(toolMessage(part))
        break
      case "file":
        return yield* unsupported(
          `A ${part.mediaType} part cannot be sent as the model's own: it answers in text alone.`
        )
        // Approvals are settled before a request is made.
    }
  }
  if (parts.length === 0) return results
  return [{ role: "assistant", content: joined(parts), ...extrasOf(options) }, ...results]
})

const fromMessage = (
  message: Prompt.Message
): Effect.Effect<ReadonlyArray<ChatRequest.Message>, AiError.InvalidUserInputError> => {
  const extras = extrasOf(message.options)
  switch (message.role) {
    case "system":
      return Effect.succeed([{ role: "system", content: message.content, ...extras }])
    case "user":
      return Effect.succeed([{ role: "user", content: contentOf(message.content), ...extras }])
    case "assistant":
      return assistant(message)
    case "tool":
      return Effect.succeed(message.content.filter((part) => part.type === "tool-result").map(toolMessage))
  }
}

const unsupportedSchema = (cause: unknown) =>
  new AiError.UnsupportedSchemaError({ description: cause instanceof Error ? cause.message : String(cause) })

const fromTool = (
  tool: Tool.Any,
  transformer: LanguageModel.CodecTransformer
): Effect.Effect<ChatRequest.FunctionTool, AiError.InvalidUserInputError | AiError.UnsupportedSchemaError> => {
  if (Tool.isProviderDefined(tool)) {
    return unsupported(`The tool ${tool.name} runs at another provider: this provider layer takes tools of your own.`)
  }
  const strict = Tool.getStrictMode(tool)
  const description = Tool.getDescription(tool)
  return Effect.try({
    try: () => ({
      name: tool.name,
      ...(description !== undefined && { description }),
      ...(strict !== undefined && { strict }),
      parameters: jsonSchemaOf(tool, transformer) as JsonObject
    }),
    catch: unsupportedSchema
  })
}

/** Which of the tools the model gets to see, and whether it must call one. */
const choose = (
  tools: ReadonlyArray<ChatRequest.FunctionTool>,
  choice: LanguageModel.ToolChoice<string>
): Pick<ChatRequest.ChatRequest, "tools" | "toolChoice"> => {
  if (tools.length === 0) return {}
  if (typeof choice === "string" || "tool" in choice) return { tools, toolChoice: choice }
  return { tools: tools.filter(({ name }) => choice.oneOf.includes(name)), toolChoice: choice.mode ?? "auto" }
}

/** The name of a format, in the characters that providers take for it: it only tells the model what it is to write. */
const formatName = (name: string): string => name.replace(/[^a-zA-Z0-9_-]/gu, "_").slice(0, 64) || "_"

/** The canonical request of what Effect's `LanguageModel` asks for. The transformer makes schemas such as the provider takes. */
export const toChatRequest = Effect.fnUntraced(function*(
  model: string,
  parameters: ChatRequest.Parameters,
  options: LanguageModel.ProviderOptions,
  transformer: LanguageModel.CodecTransformer
): Effect.fn.Return<ChatRequest.ChatRequest, AiError.InvalidUserInputError | AiError.UnsupportedSchemaError> {
  const { prompt, responseFormat, toolChoice } = options
  const messages = yield* Effect.forEach(prompt.content, fromMessage)
  const tools = yield* Effect.forEach(options.tools, (tool) => fromTool(tool, transformer))
  const format = responseFormat.type === "text" ? undefined : {
    type: "json-schema" as const,
    name: formatName(responseFormat.objectName),
    schema: yield* Effect.try({
      try: () => transformer(responseFormat.schema).jsonSchema as JsonObject,
      catch: unsupportedSchema
    }),
    strict: true
  }
  return { ...parameters, model, messages: messages.flat(), ...choose(tools, toolChoice), ...(format && { format }) }
})
