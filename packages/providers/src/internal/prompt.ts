import * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import { toCodecOpenAI } from "effect/ai/OpenAiStructuredOutput"
import * as Prompt from "effect/ai/Prompt"
import * as Tool from "effect/ai/Tool"
import * as Effect from "effect/Effect"
import type * as ChatRequest from "../ChatRequest.ts"
import { jsonSchemaOf } from "./toolParameters.ts"

const unsupported = (description: string) => Effect.fail(new AiError.InvalidUserInputError({ description }))

const asText = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value) ?? "null"

const toolMessage = (part: Prompt.ToolResultPart): ChatRequest.ToolMessage => ({
  role: "tool",
  toolCallId: part.id,
  content: part.modelOutput === undefined ? asText(part.result) : Prompt.toolModelOutputToText(part.modelOutput)
})

const fromMessage = Effect.fnUntraced(function*(
  message: Prompt.Message
): Effect.fn.Return<ReadonlyArray<ChatRequest.Message>, AiError.InvalidUserInputError> {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: message.content }]
    case "user": {
      const texts: Array<string> = []
      for (const part of message.content) {
        if (part.type !== "text") {
          return yield* unsupported(`A ${part.mediaType} part cannot be sent: this provider layer sends text only.`)
        }
        texts.push(part.text)
      }
      return [{ role: "user", content: texts.join("\n") }]
    }
    case "assistant": {
      const texts: Array<string> = []
      const toolCalls: Array<ChatRequest.ToolCall> = []
      const results: Array<ChatRequest.ToolMessage> = []
      for (const part of message.content) {
        if (part.type === "text") texts.push(part.text)
        else if (part.type === "tool-call") {
          toolCalls.push({ id: part.id, name: part.name, arguments: asText(part.params) })
        } else if (part.type === "tool-result") results.push(toolMessage(part))
        else if (part.type === "file") {
          return yield* unsupported(`A ${part.mediaType} part cannot be sent: this provider layer sends text only.`)
        }
        // Reasoning is not part of this format's history, and approvals are settled before a request is made.
      }
      // An answer with neither is refused. It comes about when the model was cut off while it reasoned.
      if (texts.length === 0 && toolCalls.length === 0) return results
      return [
        {
          role: "assistant",
          ...(texts.length > 0 && { content: texts.join("") }),
          ...(toolCalls.length > 0 && { toolCalls })
        },
        ...results
      ]
    }
    case "tool":
      return message.content.filter((part) => part.type === "tool-result").map(toolMessage)
  }
})

const unsupportedSchema = (cause: unknown) =>
  new AiError.UnsupportedSchemaError({ description: cause instanceof Error ? cause.message : String(cause) })

const fromTool = (
  tool: Tool.Any
): Effect.Effect<ChatRequest.Tool, AiError.InvalidUserInputError | AiError.UnsupportedSchemaError> => {
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
      parameters: jsonSchemaOf(tool)
    }),
    catch: unsupportedSchema
  })
}

/** Which of the tools the model gets to see, and whether it must call one. */
const choose = (
  tools: ReadonlyArray<ChatRequest.Tool>,
  choice: LanguageModel.ToolChoice<string>
): Pick<ChatRequest.ChatRequest, "tools" | "toolChoice"> => {
  if (tools.length === 0) return {}
  if (typeof choice === "string" || "tool" in choice) return { tools, toolChoice: choice }
  return { tools: tools.filter(({ name }) => choice.oneOf.includes(name)), toolChoice: choice.mode ?? "auto" }
}

/** The name of a format, in the characters that providers take for it: it only tells the model what it is to write. */
const formatName = (name: string): string => name.replace(/[^a-zA-Z0-9_-]/gu, "_").slice(0, 64) || "_"

/** The canonical request of what Effect's `LanguageModel` asks for. */
export const toChatRequest = Effect.fnUntraced(function*(
  model: string,
  parameters: ChatRequest.Parameters,
  options: LanguageModel.ProviderOptions
): Effect.fn.Return<ChatRequest.ChatRequest, AiError.InvalidUserInputError | AiError.UnsupportedSchemaError> {
  const { prompt, responseFormat, toolChoice } = options
  const messages = yield* Effect.forEach(prompt.content, fromMessage)
  const tools = yield* Effect.forEach(options.tools, fromTool)
  const format = responseFormat.type === "text" ? undefined : {
    name: formatName(responseFormat.objectName),
    schema: yield* Effect.try({
      try: () => toCodecOpenAI(responseFormat.schema).jsonSchema,
      catch: unsupportedSchema
    })
  }
  return { ...parameters, model, messages: messages.flat(), ...choose(tools, toolChoice), ...(format && { format }) }
})
