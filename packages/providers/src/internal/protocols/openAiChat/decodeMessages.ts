import type {
  AssistantMessage,
  AssistantPart,
  Message,
  ReasoningPart,
  ToolCallPart,
  ToolMessage
} from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import { others } from "../../json/json.ts"
import { CallIds } from "./callIds.ts"
import * as Content from "./decodeParts.ts"
import { extrasOf, protocol, reasoningNames, type Thought } from "./extras.ts"
import { read } from "./read.ts"
import * as Details from "./reasoningDetails.ts"
import { argumentsText, callExtras } from "./toolCalls.ts"

const knownInMessage = new Set(["role", "content"])
const knownInTool = new Set(["role", "content", "tool_call_id"])
const knownInFunction = new Set(["role", "content", "name"])
const knownInAssistant = new Set([
  "role",
  "content",
  "refusal",
  "tool_calls",
  "function_call",
  Details.field,
  ...reasoningNames
])

/** The arguments of a call. Mistral accepts an object too. */
const argumentsOf = (value: Json | undefined, path: string): string =>
  argumentsText(value) === null ? read.string(value, path) : argumentsText(value) ?? ""

const details = (value: Json | undefined, path: string, input: "arguments" | "input") => {
  const call = read.object(value, path)
  return {
    name: read.name(call["name"], `${path}.name`),
    arguments: input === "input"
      ? read.string(call[input], `${path}.${input}`)
      : argumentsOf(call[input], `${path}.${input}`)
  }
}

const idOf = (value: Json | undefined, path: string): string | undefined =>
  read.optional(value, (value) => read.string(value, path))

const toolCall = (value: Json, path: string): Omit<ToolCallPart, "id"> & { readonly id: string | undefined } => {
  const call = read.object(value, path)
  const id = idOf(call["id"], `${path}.id`)
  const type = read.optional(call["type"], (value) => read.string(value, `${path}.type`)) ??
    ("custom" in call && !("function" in call) ? "custom" : "function")
  if (type !== "function" && type !== "custom") return read.fail(`${path}.type`, "must be \"function\" or \"custom\"")
  const said = type === "custom"
    ? details(call["custom"], `${path}.custom`, "input")
    : details(call["function"], `${path}.function`, "arguments")
  return { type: "tool-call", id, ...said, ...callExtras(call) }
}

/**
 * The thinking of a message. Some clients send it under both names. DeepSeek rejects calls without the field, so that clients
 * send it empty.
 */
const thoughts = (message: JsonObject): ReadonlyArray<ReasoningPart> => {
  const [name, copy] = reasoningNames
  const [text, copied] = [message[name], message[copy]]
  const first: Thought = text === copied ? { name, copy } : { name }
  const found: Array<ReasoningPart> = []
  if (typeof text === "string") found.push({ type: "reasoning", text, extras: { [protocol]: first } })
  if (typeof copied === "string" && copied !== text) {
    found.push({ type: "reasoning", text: copied, extras: { [protocol]: { name: copy } } })
  }
  const details = Details.detailsOf(message)
  if (details.length > 0) found.push({ type: "reasoning", text: "", ...found.pop(), details })
  return found
}

/** Decodes a history in order, since a result without an id answers an earlier call. */
class Messages {
  readonly decoded: Array<Message> = []
  private readonly ids = new CallIds()

  add(value: Json, index: number): void {
    const path = `messages[${index}]`
    const message = read.object(value, path)
    this.decoded.push(this.message(message, path, index))
  }

  private message(message: JsonObject, path: string, index: number): Message {
    const role = read.name(message["role"], `${path}.role`)
    switch (role) {
      case "system":
      case "developer": {
        const unknown = others(message, knownInMessage)
        const extras = role === "developer" ? { ...unknown, role } : unknown
        return {
          role: "system",
          content: Content.content(message["content"], `${path}.content`, Content.systemPart),
          ...(extras && { extras: { [protocol]: extras } })
        }
      }
      case "user":
        return {
          role,
          content: Content.content(message["content"], `${path}.content`, Content.userPart),
          ...extrasOf(message, knownInMessage)
        }
      case "assistant":
        return this.assistant(message, path, index)
      case "tool":
        return this.tool(message, path, "tool_call_id", knownInTool)
      case "function":
        read.name(message["name"], `${path}.name`)
        return this.tool(message, path, undefined, knownInFunction)
      default:
        return read.fail(`${path}.role`, "must be system, developer, user, assistant, tool or function")
    }
  }

  /** `field`: the one that has the id of the call, if there is one. */
  private tool(message: JsonObject, path: string, field: string | undefined, known: ReadonlySet<string>): ToolMessage {
    const at = field === undefined ? path : `${path}.${field}`
    const given = field === undefined ? undefined : idOf(message[field], at)
    const name = message["name"]
    const toolCallId = this.ids.result(given, typeof name === "string" ? name : undefined) ??
      read.fail(at, "is empty, and no earlier call is without a result")
    return {
      role: "tool",
      toolCallId,
      // The old `function` role allows null.
      content: (message["content"] ?? null) === null
        ? ""
        : Content.content(message["content"], `${path}.content`, Content.userPart),
      ...extrasOf(message, known)
    }
  }

  private assistant(message: JsonObject, path: string, index: number): AssistantMessage {
    const content = read.optional(
      message["content"],
      (value) => Content.content(value, `${path}.content`, Content.assistantPart)
    )
    const before = thoughts(message)
    const refusal = read.optional(message["refusal"], (value) => read.string(value, `${path}.refusal`))
    const after: Array<AssistantPart> = refusal === undefined || refusal === ""
      ? []
      : [{ type: "refusal", text: refusal }]
    const calls = read.optional(message["tool_calls"], (value) => read.array(value, `${path}.tool_calls`)) ?? []
    const legacy = message["function_call"] ?? undefined
    if (calls.length > 0 || legacy !== undefined) this.ids.begin()
    for (const [number, value] of calls.entries()) {
      const call = toolCall(value, `${path}.tool_calls[${number}]`)
      after.push({ ...call, id: this.ids.call(call.id, `call_${index}_${number}`, call.name) })
    }
    if (legacy !== undefined) {
      const call = details(legacy, `${path}.function_call`, "arguments")
      after.push({ type: "tool-call", id: this.ids.call(undefined, `call_${index}`, call.name), ...call })
    }
    const extras = extrasOf(message, knownInAssistant)
    const isAlone = before.length === 0 && after.length === 0
    if (isAlone && content !== undefined) return { role: "assistant", content, ...extras }
    const said: ReadonlyArray<AssistantPart> = typeof content === "string"
      // An empty text beside a tool call means nothing.
      ? content === "" ? [] : [{ type: "text", text: content }]
      : content ?? []
    return { role: "assistant", content: [...before, ...said, ...after], ...extras }
  }
}

export const decodeMessages = (values: ReadonlyArray<Json>): ReadonlyArray<Message> => {
  const messages = new Messages()
  for (const [index, value] of values.entries()) messages.add(value, index)
  return messages.decoded
}
