import type * as Result from "effect/Result"
import type { ChatRequest, Format, Message, Reasoning, Tool, ToolChoice } from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import { type Delivery, Unsupported } from "../../../Protocol.ts"
import { catching } from "../../json/catching.ts"
import { fields, object } from "../../json/json.ts"
import { encodeMessages } from "./encodeMessages.ts"
import { own, protocol, unsupported } from "./extras.ts"
import type { Quirks } from "./quirks.ts"

const tool = (tool: Tool): JsonObject => {
  if ("protocol" in tool) {
    return tool.protocol === protocol ? tool.definition : unsupported(`a tool of the protocol ${tool.protocol}`)
  }
  const { description, extras, name, parameters, strict } = tool
  const { function: details, ...rest } = own(extras)
  return {
    ...rest,
    type: "function",
    function: { ...object(details), ...fields({ name, description, parameters, strict }) }
  }
}

const toolChoice = ({ requiredTool }: Quirks, choice: ToolChoice): Json =>
  choice === "required"
    ? requiredTool
    : typeof choice === "string"
    ? choice
    : { type: "function", function: { name: choice.tool } }

const format = ({ formats }: Quirks, format: Format): Json => {
  if (format.type === "json" || formats === "json_object") return { type: "json_object" }
  const { description, name, schema, strict } = format
  return formats === "json_object_schema"
    ? { type: "json_object", schema }
    : { type: "json_schema", json_schema: fields({ name, description, schema, strict }) }
}

/** The messages. Where a server knows no schemas, the first one tells the model its schema. */
const told = ({ formats }: Quirks, { format, messages }: ChatRequest): ReadonlyArray<Message> => {
  if (format?.type !== "json-schema" || formats !== "json_object") return messages
  const text = `Answer with one JSON object that fits this JSON schema, and nothing else: ${
    JSON.stringify(format.schema)
  }`
  const [first, ...others] = messages
  if (first?.role !== "system") return [{ role: "system", content: text }, ...messages]
  const { content } = first
  return [
    { ...first, content: typeof content === "string" ? `${content}\n\n${text}` : [...content, { type: "text", text }] },
    ...others
  ]
}

const shown = ({ messages }: ChatRequest): boolean =>
  messages.some(({ content }) => typeof content !== "string" && content.some(({ type }) => type === "image"))

/** Fails where the request has something that these servers do not offer. */
const refuse = ({ topK, unsupported: lacks }: Quirks, request: ChatRequest): void => {
  if (request.topK !== undefined && topK === "unsupported") unsupported("a top K")
  if (lacks.includes("tools") && (request.tools ?? []).length > 0) unsupported("tools")
  const { toolChoice = "auto" } = request
  if (lacks.includes("forced tools") && (toolChoice === "required" || typeof toolChoice === "object")) {
    unsupported("a tool choice that forces a call")
  }
  if (lacks.includes("images") && shown(request)) unsupported("an image")
}

/** OpenAI accepts no budget. Each effort stands for roughly these tokens. */
const effort = ({ budgetTokens, effort }: Reasoning): string | undefined =>
  effort ??
    (budgetTokens === undefined
      ? undefined
      : budgetTokens === 0
      ? "none"
      : budgetTokens <= 2_048
      ? "low"
      : budgetTokens <= 8_192
      ? "medium"
      : "high")

/** The JSON body. Undefined fields are left out. */
export const encodeRequest =
  (quirks: Quirks) => (request: ChatRequest, delivery: Delivery): Result.Result<JsonObject, Unsupported> =>
    catching(Unsupported, () => {
      const tools = request.tools ?? []
      // The caller of `encodeRequest` chooses the delivery, not the extras.
      const { stream: _, stream_options: options, ...extras } = own(request.extras)
      const isAsked = delivery.includeUsage && quirks.usage === "include_usage"
      const streamOptions = { ...object(options), ...(isAsked && { include_usage: true }) }
      refuse(quirks, request)
      return {
        ...extras,
        ...(quirks.modelIn === "body" && { model: request.model }),
        messages: encodeMessages(quirks, told(quirks, request)),
        // OpenAI rejects these fields in a request without tools.
        ...(tools.length > 0 && fields({
          tools: tools.map(tool),
          tool_choice: request.toolChoice && toolChoice(quirks, request.toolChoice),
          parallel_tool_calls: request.parallelToolCalls
        })),
        ...fields({
          response_format: request.format && format(quirks, request.format),
          [quirks.maxTokensField]: request.maxOutputTokens,
          temperature: request.temperature,
          top_p: request.topP,
          top_k: request.topK,
          presence_penalty: request.presencePenalty,
          frequency_penalty: request.frequencyPenalty,
          stop: request.stop,
          [quirks.seedField]: request.seed,
          n: request.choices,
          reasoning_effort: request.reasoning && effort(request.reasoning),
          service_tier: request.serviceTier,
          user: request.user
        }),
        ...(delivery.stream && {
          stream: true,
          ...(Object.keys(streamOptions).length > 0 && { stream_options: streamOptions })
        })
      }
    })
