import type { ChatEvent, Finished, FinishReason, Used } from "../../../ChatEvent.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"
import { protocol, reasoningNames } from "./extras.ts"

const reasons: ReadonlyMap<string, FinishReason> = new Map([
  ["stop", "stop"],
  ["length", "length"],
  ["tool_calls", "tool-calls"],
  ["function_call", "tool-calls"],
  ["content_filter", "content-filter"]
])

/** Which answer it is that is read: nothing is said of the first. */
export type Place = { readonly choice?: number }

export const finished = (raw: string, place: Place): Finished => ({
  _tag: "Finished",
  reason: reasons.get(raw) ?? "other",
  raw,
  ...place
})

export const used = (value: Json | undefined): Used | undefined => {
  const usage = From.usage(value)
  if (usage === undefined) return undefined
  const input = From.object(usage["prompt_tokens_details"])
  return {
    _tag: "Used",
    inputTokens: From.count(usage["prompt_tokens"]),
    // The other two are DeepSeek's and Moonshot's.
    cachedInputTokens: From.count(input?.["cached_tokens"]) ?? From.count(usage["prompt_cache_hit_tokens"]) ??
      From.count(usage["cached_tokens"]),
    cacheWriteTokens: From.count(input?.["cache_write_tokens"]),
    outputTokens: From.count(usage["completion_tokens"]),
    reasoningTokens: From.count(From.object(usage["completion_tokens_details"])?.["reasoning_tokens"]),
    raw: usage
  }
}

/** The arguments of a tool call, which are JSON in a text. Undefined where there are none; null where they are no text. */
export const argumentsText = (details: JsonObject | undefined): string | null | undefined => {
  const value = details?.["arguments"]
  return value === undefined || value === null ? undefined : typeof value === "string" ? value : null
}

export const note = (value: JsonObject, place: Place): ChatEvent => ({
  _tag: "Native",
  protocol,
  value,
  isNote: true,
  ...place
})

/** Compatible servers send parts as well, of which most are text. */
const contentParts = (parts: ReadonlyArray<Json>, place: Place, emit: (event: ChatEvent) => void): void => {
  for (const part of parts) {
    const type = From.isObject(part) ? part["type"] : undefined
    const text = From.isObject(part) ? From.string(part["text"]) : undefined
    const refusal = From.isObject(part) ? From.string(part["refusal"]) : undefined
    if (text !== undefined && (type === "text" || type === undefined)) emit({ _tag: "TextDelta", text, ...place })
    else if (type === "refusal" && refusal !== undefined) emit({ _tag: "RefusalDelta", text: refusal, ...place })
    else if (From.isObject(part) && typeof type === "string" && type !== "text") emit(note(part, place))
  }
}

const known: ReadonlySet<string> = new Set([
  "role",
  "content",
  "refusal",
  "tool_calls",
  "function_call",
  ...reasoningNames
])

/** Not in OpenAI's reference. Some servers say the same under both names. */
const reasoning = (message: JsonObject, place: Place, emit: (event: ChatEvent) => void): void => {
  const text = From.string(message["reasoning_content"])
  const other = From.string(message["reasoning"])
  if (text === undefined && other === undefined) return
  const name = text === undefined ? "reasoning" : "reasoning_content"
  emit({ _tag: "ReasoningDelta", text: text ?? other ?? "", extras: { [protocol]: { name } }, ...place })
}

/** Text, reasoning and refusal have the same names in a whole message as in a delta. */
export const said = (message: JsonObject, place: Place, emit: (event: ChatEvent) => void): void => {
  reasoning(message, place, emit)
  const content = message["content"]
  if (typeof content === "string") {
    if (content !== "") emit({ _tag: "TextDelta", text: content, ...place })
  } else if (Array.isArray(content)) contentParts(content, place, emit)
  const refusal = message["refusal"]
  if (typeof refusal === "string" && refusal !== "") emit({ _tag: "RefusalDelta", text: refusal, ...place })
  const others = From.others(message, known)
  if (others !== undefined) emit(note({ message: others }, place))
}

const knownInChoice: ReadonlySet<string> = new Set(["index", "delta", "message", "finish_reason"])

/** What else an answer carries, such as log probabilities. */
export const aboutChoice = (choice: JsonObject, place: Place, emit: (event: ChatEvent) => void): void => {
  const others = From.others(choice, knownInChoice)
  if (others !== undefined) emit(note({ choice: others }, place))
}

export const knownInResponse: ReadonlySet<string> = new Set([
  "id",
  "object",
  "model",
  "choices",
  "usage",
  "error",
  // Padding, which hides how long the texts are from who watches the connection.
  "obfuscation"
])

const knownInCall: ReadonlySet<string> = new Set(["index", "id", "function", "custom"])

/** What else a call carries: signatures that the provider wants back, or that it is a call of a tool without a schema. */
export const callExtras = (call: JsonObject): { readonly extras?: { readonly [protocol]: JsonObject } } => {
  const others = From.others(call, knownInCall)
  if (others === undefined) return {}
  const { type, ...rest } = others
  const extras: JsonObject = type === undefined || type === "function" ? rest : others
  return Object.keys(extras).length === 0 ? {} : { extras: { [protocol]: extras } }
}
