import type * as Result from "effect/Result"
import type { ChatRequest, Extras, Format, Reasoning, Tool, ToolChoice } from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import { type Delivery, RequestInvalid } from "../../../Protocol.ts"
import { catching } from "../../json/catching.ts"
import * as From from "../../json/json.ts"
import { decodeMessages } from "./decodeMessages.ts"
import { keep, protocol } from "./extras.ts"
import { array, at, boolean, count, malformed, name, number, object, optional, text } from "./read.ts"

const isOwn = (type: Json | undefined): boolean => type === undefined || type === null || type === "custom"

const knownOfTool = new Set(["description", "input_schema", "name", "strict", "type"])

const tool = (value: Json | undefined, path: string): Tool => {
  const definition = object(value, path)
  if (!isOwn(definition["type"])) return { protocol, definition }
  return {
    name: name(definition["name"], at(path, "name")),
    parameters: object(definition["input_schema"], at(path, "input_schema")),
    ...From.present({
      description: optional(definition, "description", path, text),
      strict: optional(definition, "strict", path, boolean)
    }),
    ...keep(definition, knownOfTool)
  }
}

const kinds: ReadonlyMap<string, ToolChoice> = new Map([["auto", "auto"], ["none", "none"], ["any", "required"]])

const toolChoice = (choice: JsonObject): ToolChoice => {
  const type = text(choice["type"], "tool_choice.type")
  if (type === "tool") return { tool: name(choice["name"], "tool_choice.name") }
  return kinds.get(type) ?? malformed("tool_choice.type", "must be auto, any, tool or none")
}

interface Thinking {
  readonly budgetTokens?: number | undefined
  /** The fields that the canonical request lacks. Null: the request has an effort and no `thinking`. */
  readonly extra: Json | undefined
}

const thinking = (config: JsonObject | undefined, effort: string | undefined): Thinking => {
  if (config === undefined) return { extra: effort === undefined ? undefined : null }
  const { budget_tokens, type, ...rest } = config
  const extra = Object.keys(rest).length === 0 ? undefined : rest
  switch (text(type, "thinking.type")) {
    case "enabled":
      return { budgetTokens: count(budget_tokens, "thinking.budget_tokens"), extra }
    case "disabled":
      return { budgetTokens: 0, extra }
    case "adaptive":
      return { extra: effort === undefined ? config : extra }
    default:
      return { extra: config }
  }
}

/** A format of the canonical request, which needs a name. */
const formatOf = (value: Json | undefined): Format | undefined => {
  const format = From.object(value)
  const schema = From.object(format?.["schema"])
  return format?.["type"] === "json_schema" && schema !== undefined
    ? { type: "json-schema", name: "answer", schema }
    : undefined
}

const knownOfOutput = new Set(["effort", "format"])

/** The rest of `output_config`. A format with more fields than its schema stays as it is. */
const outputExtra = (config: JsonObject): Json | undefined => {
  const format = config["format"] ?? undefined
  const isKnown = formatOf(format) !== undefined && Object.keys(From.object(format) ?? {}).length === 2
  const others = From.others(config, knownOfOutput)
  return format === undefined || isKnown ? others : { ...others, format }
}

/** The extras: unknown fields, and the unknown parts of known fields. */
const extrasOf = (
  unknown: JsonObject | undefined,
  parts: { readonly [field: string]: Json | undefined }
): { readonly extras?: Extras } => {
  const kept = { ...unknown, ...From.fields(parts) }
  return Object.keys(kept).length === 0 ? {} : { extras: { [protocol]: kept } }
}

const stops = (value: Json | undefined, path: string): ReadonlyArray<string> =>
  array(value, path).map((stop, index) => text(stop, at(path, index)))

const tools = (value: Json | undefined, path: string): ReadonlyArray<Tool> =>
  array(value, path).map((definition, index) => tool(definition, at(path, index)))

const known = new Set([
  "max_tokens",
  "messages",
  "metadata",
  "model",
  "output_config",
  "output_format",
  "service_tier",
  "stop_sequences",
  "stream",
  "system",
  "temperature",
  "thinking",
  "tool_choice",
  "tools",
  "top_k",
  "top_p"
])

const knownOfMetadata = new Set(["user_id"])
const knownOfChoice = new Set(["type", "name", "disable_parallel_tool_use"])

interface Decoded {
  readonly request: ChatRequest
  readonly delivery: Delivery
}

const decode = (value: Json | undefined): Decoded => {
  const body = object(value, "")
  const choice = optional(body, "tool_choice", "", object)
  const output = optional(body, "output_config", "", object)
  const metadata = optional(body, "metadata", "", object)
  const effort = output && optional(output, "effort", "output_config", text)
  const { budgetTokens, extra } = thinking(optional(body, "thinking", "", object), effort)
  const isSerial = choice && optional(choice, "disable_parallel_tool_use", "tool_choice", boolean)
  const reasoning: Reasoning = From.present({ effort, budgetTokens })
  const request: ChatRequest = {
    model: name(body["model"], "model"),
    messages: decodeMessages(body),
    ...From.present({
      maxOutputTokens: count(body["max_tokens"], "max_tokens"),
      temperature: optional(body, "temperature", "", number),
      topP: optional(body, "top_p", "", number),
      topK: optional(body, "top_k", "", count),
      stop: optional(body, "stop_sequences", "", stops),
      serviceTier: optional(body, "service_tier", "", text),
      user: metadata && optional(metadata, "user_id", "metadata", text),
      tools: optional(body, "tools", "", tools),
      toolChoice: choice && toolChoice(choice),
      parallelToolCalls: isSerial === undefined ? undefined : !isSerial,
      format: formatOf(output?.["format"] ?? body["output_format"]),
      reasoning: Object.keys(reasoning).length === 0 ? undefined : reasoning
    }),
    ...extrasOf(From.others(body, known), {
      thinking: extra,
      output_config: output && outputExtra(output),
      output_format: formatOf(body["output_format"]) === undefined ? body["output_format"] ?? undefined : undefined,
      metadata: metadata && From.others(metadata, knownOfMetadata),
      tool_choice: choice && From.others(choice, knownOfChoice)
    })
  }
  return { request, delivery: { stream: optional(body, "stream", "", boolean) ?? false, includeUsage: true } }
}

export const decodeRequest = (body: string): Result.Result<Decoded, RequestInvalid> =>
  catching(RequestInvalid, () => decode(From.parse(body)))
