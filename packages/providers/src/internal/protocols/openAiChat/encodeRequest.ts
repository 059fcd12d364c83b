import type * as Result from "effect/Result"
import type { ChatRequest, Format, Message, Reasoning, Tool, ToolChoice } from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import { type Delivery, type OnDropped, Unsupported } from "../../../Protocol.ts"
import { catching } from "../../json/catching.ts"
import { fields, isObject, object } from "../../json/json.ts"
import * as Model from "../../model/crossing.ts"
import { encodeMessages } from "./encodeMessages.ts"
import { type Crossing, own, protocol } from "./extras.ts"
import { acceptedEffort, type LackedField, type Quirks } from "./quirks.ts"

const encodeTool = (crossing: Crossing, tool: Tool): JsonObject => {
  if ("protocol" in tool) return crossing.tool(tool)
  const { description, extras, name, parameters, strict } = tool
  const { function: details, ...rest } = crossing.own(extras, "tools")
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

/** The only tool that the model may see, where the server knows no choice of one tool. */
const soleTool = ({ namedTool }: Quirks, { toolChoice, tools = [] }: ChatRequest): Tool | undefined =>
  namedTool === "required" && typeof toolChoice === "object"
    ? tools.find((tool) => "name" in tool && tool.name === toolChoice.tool)
    : undefined

type SchemaFormat = Extract<Format, { readonly type: "json-schema" }>

/** The schema where a format has no description of its own. */
const described = ({ description, schema }: SchemaFormat): JsonObject => ({ ...fields({ description }), ...schema })

/** JSON without a schema, for servers that need one. */
const anyObject: Json = { type: "json_schema", json_schema: { name: "response", schema: { type: "object" } } }

/** `unknown`: fields of the schema that only this protocol has. */
const format = ({ formats, json }: Quirks, format: Format, unknown: JsonObject = {}): Json => {
  if (format.type === "json" && json === "json_schema") return anyObject
  if (format.type === "json" || formats === "json_object") return { type: "json_object" }
  const { description, name, schema, strict } = format
  return formats === "json_object_schema"
    ? { type: "json_object", schema: described(format) }
    : { type: "json_schema", json_schema: { ...unknown, ...fields({ name, description, schema, strict }) } }
}

/** The messages. Where a server knows no schemas, the first one tells the model its schema. */
const told = ({ formats }: Quirks, { format, messages }: ChatRequest): ReadonlyArray<Message> => {
  if (format?.type !== "json-schema" || formats !== "json_object") return messages
  const text = `Answer with one JSON object that fits this JSON schema, and nothing else: ${
    JSON.stringify(described(format))
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

/** Whether a choice forces a call, for which it needs tools. */
const isChoice = (choice: ToolChoice | undefined): boolean => choice === "required" || typeof choice === "object"

/** Whether the request asks for thinking, in words of its own or in those of DeepSeek or Alibaba. */
const thinks = ({ extras, reasoning = {} }: ChatRequest): boolean => {
  const { enable_thinking: isEnabled, thinking } = own(extras)
  const type = object(thinking)?.["type"] ?? isEnabled
  if (type === "disabled" || type === false) return false
  const { budgetTokens = 0, effort = "none" } = reasoning
  return type === "enabled" || type === true || effort !== "none" || budgetTokens > 0
}

/** Fails where the request has something that these servers do not offer. */
const refuse = (crossing: Crossing, { unsupported: lacks }: Quirks, request: ChatRequest): void => {
  if (lacks.includes("tools") && (request.tools ?? []).length > 0) crossing.refuse("tools")
  if (isChoice(request.toolChoice)) {
    if (lacks.includes("forced tools")) crossing.refuse("a tool choice that forces a call")
    if (lacks.includes("forced tools while thinking") && thinks(request)) {
      crossing.refuse("a tool choice that forces a call while the model thinks")
    }
  }
  if (lacks.includes("images") && shown(request)) crossing.refuse("an image")
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

const reasoningWords = ["effort", "enabled", "max_tokens"]

/** How much to think, unless the extras say it in the words of OpenRouter (`reasoning`) or DeepSeek (`thinking`). */
const reasoningEffort = (reasoning: Reasoning | undefined, extras: JsonObject): string | undefined => {
  const { reasoning: stated, thinking } = extras
  if (reasoning === undefined || (isObject(stated) && reasoningWords.some((word) => word in stated))) return undefined
  return isObject(thinking) && "type" in thinking ? reasoning.effort : effort(reasoning)
}

/** Values that ask for nothing that a server without the field does not do anyway. */
const usual: { readonly [Field in LackedField]?: ReadonlyArray<ChatRequest[Field]> } = {
  choices: [1],
  frequencyPenalty: [0],
  parallelToolCalls: [true],
  presencePenalty: [0],
  serviceTier: ["auto", "default", "standard_only"]
}

/** The request without the fields that the server lacks. */
const without = (crossing: Crossing, { lacks }: Quirks, request: ChatRequest): ChatRequest => {
  const given = lacks.filter((field) => request[field] !== undefined)
  if (given.length === 0) return request
  const left: { -readonly [Field in keyof ChatRequest]: ChatRequest[Field] } = { ...request }
  for (const field of given) {
    const values: ReadonlyArray<unknown> = usual[field] ?? []
    if (!values.includes(request[field])) crossing.lacks(field)
    delete left[field]
  }
  return left
}

const encode = (crossing: Crossing, quirks: Quirks, given: ChatRequest, delivery: Delivery): JsonObject => {
  const request = without(crossing, quirks, given)
  const sole = soleTool(quirks, request)
  const tools = sole === undefined ? request.tools ?? [] : [sole]
  const choice = sole === undefined ? request.toolChoice : "required"
  // The caller of `encodeRequest` chooses the delivery, not the extras.
  const { stream: _, stream_options: options, ...extras } = crossing.own(request.extras, "request")
  const isAsked = delivery.includeUsage && quirks.usage === "include_usage"
  const streamOptions = { ...object(options), ...(isAsked && { include_usage: true }) }
  refuse(crossing, quirks, request)
  if (tools.length === 0 && isChoice(request.toolChoice)) crossing.lacks("toolChoice")
  return {
    ...extras,
    ...(quirks.modelIn === "body" && { model: request.model }),
    messages: encodeMessages(quirks, crossing, told(quirks, request)),
    // OpenAI rejects these fields in a request without tools.
    ...(tools.length > 0 && fields({
      tools: tools.map((tool) => encodeTool(crossing, tool)),
      tool_choice: choice && toolChoice(quirks, choice),
      parallel_tool_calls: request.parallelToolCalls
    })),
    ...fields({
      response_format: request.format &&
        format(quirks, request.format, object(object(extras["response_format"])?.["json_schema"])),
      [quirks.maxTokensField]: request.maxOutputTokens,
      temperature: request.temperature,
      top_p: request.topP,
      top_k: request.topK,
      presence_penalty: request.presencePenalty,
      frequency_penalty: request.frequencyPenalty,
      stop: request.stop,
      [quirks.seedField]: request.seed,
      n: request.choices,
      reasoning_effort: acceptedEffort(quirks, reasoningEffort(request.reasoning, extras)),
      // Anthropic's word for no other than the usual one.
      service_tier: request.serviceTier === "standard_only" ? "default" : request.serviceTier,
      user: request.user
    }),
    ...(delivery.stream && {
      stream: true,
      ...(Object.keys(streamOptions).length > 0 && { stream_options: streamOptions })
    })
  }
}

/** The JSON body. Undefined fields are left out. */
export const encodeRequest =
  (quirks: Quirks) =>
  (request: ChatRequest, delivery: Delivery, onDropped?: OnDropped): Result.Result<JsonObject, Unsupported> =>
    catching(Unsupported, () => encode(new Model.Crossing(protocol, onDropped), quirks, request, delivery))
