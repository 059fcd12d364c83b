import type * as Result from "effect/Result"
import type { ChatRequest, Format, Reasoning, Tool, ToolChoice } from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import { type Delivery, type OnDropped, Unsupported } from "../../../Protocol.ts"
import { catching } from "../../json/catching.ts"
import * as From from "../../json/json.ts"
import * as Model from "../../model/crossing.ts"
import { encodeMessages } from "./encodeMessages.ts"
import { type Crossing, protocol } from "./extras.ts"
import type { Quirks } from "./quirks.ts"

/** Tokens for thinking, if the request states an effort and no budget. */
const defaultThinkingTokens = 16_384

const encodeTool = (crossing: Crossing, tool: Tool): JsonObject => {
  if ("protocol" in tool) return crossing.tool(tool)
  const { description, extras, name, parameters, strict } = tool
  return {
    ...crossing.own(extras, "tools"),
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

/** Whether a choice needs tools. */
const isChoice = (choice: ToolChoice | undefined): boolean => choice === "required" || typeof choice === "object"

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

const encodeFormat = (crossing: Crossing, format: Format): JsonObject | undefined => {
  if (format.type === "json") {
    crossing.lacks("json")
    return undefined
  }
  if (format.description !== undefined) crossing.lacks("formatDescription")
  return { type: "json_schema", schema: format.schema }
}

const outputConfig = (crossing: Crossing, { format, reasoning }: ChatRequest): JsonObject | undefined => {
  const fields = {
    effort: reasoning && effortOf(reasoning),
    format: format && encodeFormat(crossing, format)
  }
  return fields.effort === undefined && fields.format === undefined ? undefined : From.fields(fields)
}

/** OpenAI's tiers that the API does not have. */
const otherTiers = new Set(["flex", "scale", "priority", "fast"])

const serviceTier = (crossing: Crossing, tier: string | undefined): string | undefined => {
  if (tier === "default") return "standard_only"
  if (tier === undefined || !otherTiers.has(tier)) return tier
  crossing.lacks("tier")
  return undefined
}

/** The highest is 1, where others allow 2. */
const temperature = (crossing: Crossing, asked: number | undefined): number | undefined => {
  if (asked === undefined || asked <= 1) return asked
  crossing.lacks("temperature")
  return 1
}

/** Joins a field with its extras, which win. Null in the extras leaves the field out. */
const joined = (known: JsonObject | undefined, extra: Json | undefined): Json | undefined =>
  extra === null ? undefined : known === undefined ? extra : { ...known, ...From.object(extra) }

const leaveOut = (crossing: Crossing, request: ChatRequest): void => {
  const { choices = 1, maxOutputTokens = Infinity, reasoning = {}, tools = [] } = request
  if (choices < 1) crossing.refuse("fewer choices than one")
  if (choices > 1) crossing.lacks("choices")
  // With tools, a model may think between its calls, which the limit of each answer does not count.
  if (tools.length === 0 && maxOutputTokens <= (budgetOf(reasoning) ?? 0)) {
    crossing.refuse(
      "`maxOutputTokens` that is not more than `reasoning.budgetTokens`: the budget is part of the output"
    )
  }
  if (request.seed !== undefined) crossing.lacks("seed")
  if ((request.presencePenalty ?? 0) !== 0) crossing.lacks("presencePenalty")
  if ((request.frequencyPenalty ?? 0) !== 0) crossing.lacks("frequencyPenalty")
}

/** Tokens for an answer and for the thinking before it. */
const room = ({ answerTokens }: Quirks, reasoning: Reasoning): number =>
  answerTokens + (budgetOf(reasoning) ?? (effortOf(reasoning) === undefined ? 0 : defaultThinkingTokens))

/** Extras that are not copied: the caller chooses the delivery, and the others are joined with our own fields. */
const ours = new Set(["stream", "thinking", "output_config", "metadata", "tool_choice"])

const encode = (crossing: Crossing, quirks: Quirks, request: ChatRequest, delivery: Delivery): JsonObject => {
  leaveOut(crossing, request)
  const reasoning = request.reasoning ?? {}
  const tools = request.tools ?? []
  const extras = crossing.own(request.extras, "request")
  if (tools.length === 0 && isChoice(request.toolChoice)) crossing.lacks("toolChoice")
  const choice = tools.length === 0 ? undefined : toolChoice(request.toolChoice, request.parallelToolCalls)
  const user = request.user === undefined ? undefined : { user_id: request.user }
  return {
    ...From.others(extras, ours),
    model: request.model,
    max_tokens: request.maxOutputTokens ?? extras["max_tokens"] ?? room(quirks, reasoning),
    ...encodeMessages(crossing, request.messages),
    ...From.fields({
      temperature: temperature(crossing, request.temperature),
      top_p: request.topP,
      top_k: request.topK,
      stop_sequences: request.stop,
      service_tier: serviceTier(crossing, request.serviceTier),
      tools: tools.length === 0 ? undefined : tools.map((tool) => encodeTool(crossing, tool)),
      tool_choice: joined(choice, extras["tool_choice"]),
      thinking: joined(thinking(reasoning), extras["thinking"]),
      output_config: joined(outputConfig(crossing, request), extras["output_config"]),
      metadata: joined(user, extras["metadata"]),
      stream: delivery.stream ? true : undefined
    })
  }
}

export const encodeRequest =
  (quirks: Quirks) =>
  (request: ChatRequest, delivery: Delivery, onDropped?: OnDropped): Result.Result<JsonObject, Unsupported> =>
    catching(Unsupported, () => encode(new Model.Crossing(protocol, onDropped), quirks, request, delivery))
