/** The canonical request of a call to Effect's `LanguageModel`. */
import * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Tool from "effect/ai/Tool"
import * as Context from "effect/Context"
import * as Result from "effect/Result"
import type * as ChatRequest from "../../ChatRequest.ts"
import type { JsonObject } from "../../Json.ts"
import { merged } from "../model/parameters.ts"
import { promptMessages } from "./promptMessages.ts"
import { ToolExtras } from "./toolExtras.ts"
import type { ToolParameters } from "./toolParameters.ts"

const unsupportedSchema = (cause: unknown) =>
  new AiError.UnsupportedSchemaError({ description: cause instanceof Error ? cause.message : String(cause) })

type Refused = AiError.InvalidUserInputError | AiError.UnsupportedSchemaError

const functionTool = (tool: Tool.Any, parameters: ToolParameters): Result.Result<ChatRequest.FunctionTool, Refused> => {
  if (Tool.isProviderDefined(tool)) {
    return Result.fail(
      new AiError.InvalidUserInputError({
        description: `The tool ${tool.name} is defined by a provider: this layer takes only tools of your own.`
      })
    )
  }
  const strict = Tool.getStrictMode(tool)
  const description = Tool.getDescription(tool)
  const extras = Context.get(tool.annotations, ToolExtras)
  return Result.try({
    try: () => ({
      name: tool.name,
      ...(description !== undefined && { description }),
      ...(strict !== undefined && { strict }),
      ...(extras !== undefined && { extras }),
      parameters: parameters.jsonSchema(tool) as JsonObject
    }),
    catch: unsupportedSchema
  })
}

type Choice = LanguageModel.ToolChoice<string>

/** The tools that the model sees, and whether it must call one. */
const toolFields = (
  tools: ReadonlyArray<Tool.Any>,
  choice: Choice,
  parameters: ToolParameters
): Result.Result<Pick<ChatRequest.ChatRequest, "tools" | "toolChoice">, Refused> =>
  Result.map(
    Result.all(tools.map((tool) => functionTool(tool, parameters))),
    (tools) =>
      typeof choice === "string" || "tool" in choice
        ? { tools, toolChoice: choice }
        : { tools: tools.filter(({ name }) => choice.oneOf.includes(name)), toolChoice: choice.mode ?? "auto" }
  )

/** Providers take only these characters. The model reads the name as a hint. */
const formatName = (name: string): string => name.replace(/[^a-zA-Z0-9_-]/gu, "_").slice(0, 64) || "_"

type JsonFormat = Extract<LanguageModel.ProviderOptions["responseFormat"], { readonly type: "json" }>

const formatField = (
  { objectName, schema }: JsonFormat,
  transformer: LanguageModel.CodecTransformer
): Result.Result<Pick<ChatRequest.ChatRequest, "format">, Refused> =>
  Result.try({
    try: () => ({
      format: {
        type: "json-schema",
        name: formatName(objectName),
        schema: transformer(schema).jsonSchema as JsonObject,
        strict: true
      }
    }),
    catch: unsupportedSchema
  })

const none = Result.succeed({})

/** What one model at a provider gets in every request. */
export interface Settings {
  readonly model: string
  readonly parameters: ChatRequest.Parameters
  /** Makes schemas that the provider takes. */
  readonly transformer: LanguageModel.CodecTransformer
}

export const toChatRequest = (
  { model, parameters, transformer }: Settings,
  toolParameters: ToolParameters,
  { prompt, responseFormat, toolChoice, tools }: LanguageModel.ProviderOptions,
  given?: ChatRequest.Parameters
): Result.Result<ChatRequest.ChatRequest, Refused> => {
  const messages = promptMessages(prompt)
  if (Result.isFailure(messages)) return Result.fail(messages.failure)
  const asked = tools.length === 0 ? none : toolFields(tools, toolChoice, toolParameters)
  if (Result.isFailure(asked)) return Result.fail(asked.failure)
  const format = responseFormat.type === "text" ? none : formatField(responseFormat, transformer)
  if (Result.isFailure(format)) return Result.fail(format.failure)
  return Result.succeed({
    ...merged(parameters, given),
    model,
    messages: messages.success,
    ...asked.success,
    ...format.success
  })
}
