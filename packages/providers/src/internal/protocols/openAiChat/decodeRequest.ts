import type * as Result from "effect/Result"
import type { ChatRequest, Extras, Format, FunctionTool, Reasoning, Tool, ToolChoice } from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import { type Delivery, RequestInvalid } from "../../../Protocol.ts"
import { catching } from "../../json/catching.ts"
import { count as countOf, isObject, others, parse, present } from "../../json/json.ts"
import { decodeMessages } from "./decodeMessages.ts"
import { extrasOf, protocol } from "./extras.ts"
import type { Quirks } from "./quirks.ts"
import { read } from "./read.ts"

const knownInTool = new Set(["type", "function"])
const knownInFunction = new Set(["name", "description", "parameters", "strict"])

const functionTool = (value: Json | undefined, path: string, outer: JsonObject | undefined): FunctionTool => {
  const details = read.object(value, path)
  const unknown = others(details, knownInFunction)
  const extras = unknown === undefined ? outer : { ...outer, function: unknown }
  return present({
    name: read.name(details["name"], `${path}.name`),
    description: read.optional(details["description"], (value) => read.string(value, `${path}.description`)),
    parameters: read.optional(details["parameters"], (value) => read.object(value, `${path}.parameters`)) ??
      { type: "object", properties: {} },
    strict: read.optional(details["strict"], (value) => read.boolean(value, `${path}.strict`)),
    extras: extras && { [protocol]: extras }
  })
}

/** Mistral accepts a function without a type. */
const typeOf = (tool: JsonObject, path: string): string =>
  tool["type"] === undefined && isObject(tool["function"]) ? "function" : read.name(tool["type"], `${path}.type`)

const tool = (value: Json, path: string): Tool => {
  const tool = read.object(value, path)
  return typeOf(tool, path) === "function"
    ? functionTool(tool["function"], `${path}.function`, others(tool, knownInTool))
    : { protocol, definition: tool }
}

const words = new Set(["auto", "none", "required"])

const isWord = (value: Json | undefined): value is "auto" | "none" | "required" =>
  typeof value === "string" && words.has(value)

/** Undefined where it is of a form that only this protocol has. */
const toolChoice = (value: Json | undefined, legacy: Json | undefined): ToolChoice | undefined => {
  if (isWord(value)) return value
  // Mistral's word. Other servers accept it too.
  if (value === "any") return "required"
  if (typeof value === "string") return read.fail("tool_choice", "must be auto, none, required or an object")
  if (isObject(value) && value["type"] === "function") {
    return {
      tool: read.name(read.object(value["function"], "tool_choice.function")["name"], "tool_choice.function.name")
    }
  }
  if (value !== undefined && value !== null) return read.object(value, "tool_choice") && undefined
  if (isWord(legacy)) return legacy
  return read.optional(legacy, (value) => ({
    tool: read.name(read.object(value, "function_call")["name"], "function_call.name")
  }))
}

/** Undefined where it is of a form that only this protocol has. */
const format = (value: Json | undefined): Format | undefined => {
  const type = read.optional(
    value,
    (value) => read.name(read.object(value, "response_format")["type"], "response_format.type")
  )
  if (type === "json_object") {
    // Cohere, Together, Fireworks and llama.cpp accept a schema here.
    const schema = isObject(value) && value["schema"]
    return isObject(schema) ? { type: "json-schema", name: "response", schema } : { type: "json" }
  }
  if (type !== "json_schema" || !isObject(value)) return undefined
  const path = "response_format.json_schema"
  const details = read.object(value["json_schema"], path)
  return present({
    type: "json-schema" as const,
    // Perplexity requires none.
    name: read.optional(details["name"], (value) => read.name(value, `${path}.name`)) ?? "response",
    description: read.optional(details["description"], (value) => read.string(value, `${path}.description`)),
    schema: read.optional(details["schema"], (value) => read.object(value, `${path}.schema`)) ?? {},
    strict: read.optional(details["strict"], (value) => read.boolean(value, `${path}.strict`))
  })
}

const stop = (value: Json): ReadonlyArray<string> =>
  typeof value === "string"
    ? [value]
    : read.array(value, "stop").map((text, index) => read.string(text, `stop[${index}]`))

const number = (body: JsonObject, name: string) => read.optional(body[name], (value) => read.number(value, name))
const count = (body: JsonObject, name: string) => read.optional(body[name], (value) => read.count(value, name))
const string = (body: JsonObject, name: string) => read.optional(body[name], (value) => read.string(value, name))
const boolean = (body: JsonObject, name: string) => read.optional(body[name], (value) => read.boolean(value, name))
const array = (body: JsonObject, name: string) => read.optional(body[name], (value) => read.array(value, name))

const choices = (body: JsonObject): number | undefined => {
  const given = count(body, "n")
  return given === 0 ? read.fail("n", "must be 1 or more") : given
}

/** A client that sends functions knows no other calls. */
const isLegacy = (body: JsonObject): boolean => !Array.isArray(body["tools"]) && Array.isArray(body["functions"])

/** How much to think: OpenAI's field, else OpenRouter's `reasoning` or DeepSeek's `thinking`, which stay in the extras. */
const reasoning = (body: JsonObject): Reasoning | undefined => {
  const effort = string(body, "reasoning_effort")
  if (effort !== undefined) return { effort }
  const { reasoning, thinking } = body
  if (isObject(reasoning)) {
    const { effort, enabled, max_tokens } = reasoning
    const budgetTokens = enabled === false ? 0 : countOf(max_tokens)
    if (typeof effort === "string") return present({ effort, budgetTokens })
    if (budgetTokens !== undefined) return { budgetTokens }
    // OpenRouter's guide to reasoning tokens: the default is the medium effort.
    if (enabled === true) return { effort: "medium" }
  }
  return isObject(thinking) && thinking["type"] === "disabled" ? { budgetTokens: 0 } : undefined
}

const delivery = (quirks: Quirks, body: JsonObject): Delivery => {
  const options = read.optional(body["stream_options"], (value) => read.object(value, "stream_options"))
  const stream = boolean(body, "stream") ?? false
  const asked = read.optional(
    options?.["include_usage"],
    (value) => read.boolean(value, "stream_options.include_usage")
  )
  return {
    stream,
    includeUsage: quirks.usage === "include_usage" ? asked ?? false : stream,
    ...(isLegacy(body) && { calls: "function_call" })
  }
}

const common: ReadonlyArray<string> = [
  "model",
  "messages",
  "tools",
  "functions",
  "function_call",
  "parallel_tool_calls",
  "max_completion_tokens",
  "temperature",
  "top_p",
  "top_k",
  "presence_penalty",
  "frequency_penalty",
  "stop",
  "n",
  "reasoning_effort",
  "service_tier",
  "user",
  "stream",
  "stream_options",
  "tool_choice",
  "response_format",
  "max_tokens"
]

const knownFields = {
  seed: new Set([...common, "seed"]),
  random_seed: new Set([...common, "random_seed"])
} satisfies Record<Quirks["seedField"], ReadonlySet<string>>

const known = ({ seedField }: Quirks): ReadonlySet<string> => knownFields[seedField]

const knownInSchema = new Set(["name", "description", "schema", "strict"])

/** The unknown fields of a schema's format. */
const schemaExtras = ({ json_schema: details }: JsonObject): JsonObject => {
  const unknown = isObject(details) ? others(details, knownInSchema) : undefined
  return unknown === undefined ? {} : { response_format: { json_schema: unknown } }
}

const knownOptions = new Set(["include_usage"])

/** The fields that the canonical request lacks, under their own names. */
const extras = (
  quirks: Quirks,
  body: JsonObject,
  request: Omit<ChatRequest, "extras">
): { readonly extras?: Extras } => {
  const {
    max_completion_tokens: limit,
    max_tokens: older,
    response_format: form,
    stream_options: stream,
    tool_choice: choice
  } = body
  const options = isObject(stream) ? others(stream, knownOptions) : undefined
  return extrasOf(
    {
      ...others(body, known(quirks)),
      ...(options && { stream_options: options }),
      ...(request.toolChoice === undefined && isObject(choice) && { tool_choice: choice }),
      ...(request.format?.type === "json-schema" && isObject(form) && schemaExtras(form)),
      ...(request.format === undefined && isObject(form) && form["type"] !== "text" && { response_format: form }),
      // If a client sends both, the provider decides.
      ...(typeof limit === "number" && typeof older === "number" && { max_tokens: older })
    },
    new Set()
  )
}

const decode = (quirks: Quirks, body: JsonObject, place: string): ChatRequest => {
  const messages = read.array(body["messages"], "messages")
  if (messages.length === 0) read.fail("messages", "must not be empty")
  const tools = array(body, "tools")?.map((value, index) => tool(value, `tools[${index}]`)) ??
    array(body, "functions")?.map((value, index) => functionTool(value, `functions[${index}]`, undefined))
  const request: ChatRequest = present({
    model: place === "" ? read.name(body["model"], "model") : place,
    messages: decodeMessages(messages),
    tools,
    toolChoice: toolChoice(body["tool_choice"], body["function_call"]),
    format: format(body["response_format"]),
    parallelToolCalls: boolean(body, "parallel_tool_calls"),
    maxOutputTokens: count(body, "max_completion_tokens") ?? count(body, "max_tokens"),
    temperature: number(body, "temperature"),
    topP: number(body, "top_p"),
    topK: number(body, "top_k"),
    presencePenalty: number(body, "presence_penalty"),
    frequencyPenalty: number(body, "frequency_penalty"),
    stop: read.optional(body["stop"], stop),
    seed: number(body, quirks.seedField),
    choices: choices(body),
    reasoning: reasoning(body),
    serviceTier: string(body, "service_tier"),
    user: string(body, "user")
  })
  return { ...request, ...extras(quirks, body, request) }
}

/** Decodes a client's request. Fields that are missing or null are left out. `place`: the model that the path names, if any. */
export const decodeRequest = (quirks: Quirks) =>
(
  body: string,
  place = ""
): Result.Result<{ readonly request: ChatRequest; readonly delivery: Delivery }, RequestInvalid> =>
  catching(RequestInvalid, () => {
    const parsed = parse(body)
    if (!isObject(parsed)) return read.fail("", "the body must be a JSON object")
    return { request: decode(quirks, parsed, place), delivery: delivery(quirks, parsed) }
  })
