import type * as Result from "effect/Result"
import type { ChatRequest, Format, NativeTool, Reasoning, Tool, ToolChoice } from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import { type Delivery, Unsupported } from "../../../Protocol.ts"
import { catching } from "../../json/catching.ts"
import * as From from "../../json/json.ts"
import { encodeMessages } from "./encodeMessages.ts"
import { extrasOf, protocol, unsupported } from "./extras.ts"
import type { Quirks } from "./quirks.ts"

/** Tokens for thinking, if the request states an effort and no budget. */
const defaultThinkingTokens = 16_384

const isNative = (tool: Tool): tool is NativeTool => "protocol" in tool

const encodeTool = (tool: Tool): JsonObject => {
  if (isNative(tool)) {
    return tool.protocol === protocol ? tool.definition : unsupported(`a tool that only ${tool.protocol} knows`)
  }
  const { description, name, parameters, strict } = tool
  return {
    ...extrasOf(tool),
    name,
    ...From.fields({ description, strict }),
    input_schema: parameters["type"] === undefined ? { type: "object", ...parameters } : parameters
  }
}

const choices = { auto: "auto", none: "none", required: "any" } as const

const toolChoice = (choice: ToolChoice | undefined, isParallel: boolean | undefined): JsonObject | undefined => {
  if (choice === undefined && isParallel === undefined) return undefined
  const kind: JsonObject = typeof choice === "object"
    ? { type: "tool", name: choice.tool }
    : { type: choices[choice ?? "auto"] }
  return choice === "none" || isParallel === undefined ? kind : { ...kind, disable_parallel_tool_use: !isParallel }
}

/** Anthropic's word for an effort. Its lowest is `low`. */
const effortOf = ({ effort }: Reasoning): string | undefined =>
  effort === "none" ? undefined : effort === "minimal" ? "low" : effort

const budgetOf = ({ budgetTokens, effort }: Reasoning): number | undefined =>
  budgetTokens ?? (effort === "none" ? 0 : undefined)

const thinking = (reasoning: Reasoning): JsonObject | undefined => {
  const budget = budgetOf(reasoning)
  if (budget === 0) return { type: "disabled" }
  if (budget !== undefined) return { type: "enabled", budget_tokens: budget }
  return effortOf(reasoning) === undefined ? undefined : { type: "adaptive" }
}

const format = (format: Format): JsonObject =>
  format.type === "json-schema"
    ? { type: "json_schema", schema: format.schema }
    : unsupported("JSON without a schema; give a schema")

const outputConfig = (request: ChatRequest): JsonObject | undefined => {
  const effort = request.reasoning && effortOf(request.reasoning)
  return effort === undefined && request.format === undefined
    ? undefined
    : From.fields({ effort, format: request.format && format(request.format) })
}

/** Joins a field with its extras, which win. Null in the extras leaves the field out. */
const joined = (known: JsonObject | undefined, extra: Json | undefined): Json | undefined =>
  extra === null ? undefined : known === undefined ? extra : { ...known, ...From.object(extra) }

const rejectUnsupported = (request: ChatRequest): void => {
  if ((request.choices ?? 1) !== 1) unsupported("several answers to one request")
  if (request.seed !== undefined) unsupported("a seed")
  if ((request.presencePenalty ?? 0) !== 0) unsupported("a presence penalty")
  if ((request.frequencyPenalty ?? 0) !== 0) unsupported("a frequency penalty")
}

/** Tokens for an answer and for the thinking before it. */
const room = ({ answerTokens }: Quirks, reasoning: Reasoning): number =>
  answerTokens + (budgetOf(reasoning) ?? (effortOf(reasoning) === undefined ? 0 : defaultThinkingTokens))

/** Extras that are not copied: the caller chooses the delivery, and the others are joined with our own fields. */
const ours = new Set(["stream", "thinking", "output_config", "metadata", "tool_choice"])

const encode = (quirks: Quirks, request: ChatRequest, delivery: Delivery): JsonObject => {
  rejectUnsupported(request)
  const reasoning = request.reasoning ?? {}
  const tools = request.tools ?? []
  const extras = extrasOf(request)
  const choice = tools.length === 0 ? undefined : toolChoice(request.toolChoice, request.parallelToolCalls)
  const user = request.user === undefined ? undefined : { user_id: request.user }
  return {
    ...From.others(extras, ours),
    model: request.model,
    max_tokens: request.maxOutputTokens ?? room(quirks, reasoning),
    ...encodeMessages(request.messages),
    ...From.fields({
      temperature: request.temperature,
      top_p: request.topP,
      top_k: request.topK,
      stop_sequences: request.stop,
      service_tier: request.serviceTier,
      tools: tools.length === 0 ? undefined : tools.map(encodeTool),
      tool_choice: joined(choice, extras["tool_choice"]),
      thinking: joined(thinking(reasoning), extras["thinking"]),
      output_config: joined(outputConfig(request), extras["output_config"]),
      metadata: joined(user, extras["metadata"]),
      stream: delivery.stream ? true : undefined
    })
  }
}

export const encodeRequest =
  (quirks: Quirks) => (request: ChatRequest, delivery: Delivery): Result.Result<JsonObject, Unsupported> =>
    catching(Unsupported, () => encode(quirks, request, delivery))
