import type * as Result from "effect/Result"
import type { ChatRequest, Format, Reasoning, Tool, ToolChoice } from "../../../ChatRequest.ts"
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

const format = (format: Format): Json => {
  if (format.type === "json") return { type: "json_object" }
  const { description, name, schema, strict } = format
  return { type: "json_schema", json_schema: fields({ name, description, schema, strict }) }
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
      if (request.topK !== undefined && quirks.topK === "unsupported") unsupported("a top K")
      return {
        ...extras,
        model: request.model,
        messages: encodeMessages(quirks, request.messages),
        // OpenAI rejects these fields in a request without tools.
        ...(tools.length > 0 && fields({
          tools: tools.map(tool),
          tool_choice: request.toolChoice && toolChoice(quirks, request.toolChoice),
          parallel_tool_calls: request.parallelToolCalls
        })),
        ...fields({
          response_format: request.format && format(request.format),
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
