import * as Result from "effect/Result"
import type { AssistantPart, RefusalPart, TextPart, ToolCallPart } from "../../../ChatRequest.ts"
import type { ChatResponse, Choice } from "../../../ChatResponse.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import type { HttpResponse, Peer } from "../../../Protocol.ts"
import type { ProviderError } from "../../../ProviderError.ts"
import * as From from "../../json/json.ts"
import { invalidResponse } from "../../model/invalidResponse.ts"
import { classify } from "../openAi/decodeError.ts"
import { errorOf } from "../openAi/errorBody.ts"
import { extrasOf, protocol, reasoningNames } from "./extras.ts"
import { finishOf } from "./finishReason.ts"
import type { Quirks } from "./quirks.ts"
import { used } from "./usage.ts"

/** Receives the content of a message, which becomes parts of a whole answer or events of a stream. */
export interface Listener {
  text(text: string): void
  /** `name` is the field that had it. */
  reasoning(text: string, name: string): void
  refusal(text: string): void
  /** Something about the answer that is no part of it. */
  note(value: JsonObject): void
}

/** The arguments of a tool call: JSON in a string. Undefined if there are none; null if they are no string. */
export const argumentsText = (details: JsonObject | undefined): string | null | undefined => {
  const value = details?.["arguments"]
  return value === undefined || value === null ? undefined : typeof value === "string" ? value : null
}

/** Some compatible servers send the content as parts. */
const contentParts = (parts: ReadonlyArray<Json>, listener: Listener): void => {
  for (const part of parts) {
    if (!From.isObject(part)) continue
    const { type } = part
    const text = From.string(part["text"])
    const refusal = From.string(part["refusal"])
    if (text !== undefined && (type === "text" || type === undefined)) listener.text(text)
    else if (type === "refusal" && refusal !== undefined) listener.refusal(refusal)
    else if (typeof type === "string" && type !== "text") listener.note(part)
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

/** The names of the field of thinking, the declared one first. */
const namesOf = ({ reasoningField }: Quirks): ReadonlyArray<string> =>
  reasoningField === "reasoning" ? reversedNames : reasoningNames

const reversedNames = reasoningNames.toReversed()

/** Thinking is not in OpenAI's reference. Some servers send it under both names. */
const reasoning = (quirks: Quirks, message: JsonObject, listener: Listener): void => {
  for (const name of namesOf(quirks)) {
    const text = From.string(message[name])
    if (text === undefined) continue
    return listener.reasoning(text, name)
  }
}

/** Reads text, thinking and refusal, whose fields are the same in a whole message and in a delta. */
export const readMessage = (quirks: Quirks, message: JsonObject, listener: Listener): void => {
  reasoning(quirks, message, listener)
  const content = message["content"]
  if (typeof content === "string") {
    if (content !== "") listener.text(content)
  } else if (Array.isArray(content)) contentParts(content, listener)
  const refusal = message["refusal"]
  if (typeof refusal === "string" && refusal !== "") listener.refusal(refusal)
  const others = From.others(message, known)
  if (others !== undefined) listener.note({ message: others })
}

const knownInChoice: ReadonlySet<string> = new Set(["index", "delta", "message", "finish_reason"])

/** Reads the other fields of a choice, such as log probabilities. */
export const readOthers = (choice: JsonObject, listener: Listener): void => {
  const others = From.others(choice, knownInChoice)
  if (others !== undefined) listener.note({ choice: others })
}

export const knownInResponse: ReadonlySet<string> = new Set([
  "id",
  "object",
  "model",
  "choices",
  "usage",
  "error",
  // Padding, which hides the length of the text from an observer of the connection.
  "obfuscation"
])

const knownInCall: ReadonlySet<string> = new Set(["index", "id", "function", "custom"])

/** The other fields of a call: a signature that the provider wants back, or the type of a tool without a schema. */
export const callExtras = (call: JsonObject): { readonly extras?: { readonly [protocol]: JsonObject } } => {
  const others = From.others(call, knownInCall)
  if (others === undefined) return {}
  const { type, ...rest } = others
  const extras: JsonObject = type === undefined || type === "function" ? rest : others
  return Object.keys(extras).length === 0 ? {} : { extras: { [protocol]: extras } }
}

/** Collects the parts of a whole answer. */
class Parts implements Listener {
  readonly content: Array<AssistantPart> = []
  /** The part that the next text of its kind extends, even after a note. */
  private last: { -readonly [Key in keyof TextPart]: TextPart[Key] } | { type: "refusal"; text: string } | undefined

  text(text: string): void {
    if (this.last?.type === "text") this.last.text += text
    else this.content.push(this.last = { type: "text", text })
  }

  refusal(text: string): void {
    if (this.last?.type === "refusal") this.last.text += text
    else this.content.push(this.last = { type: "refusal", text } satisfies RefusalPart)
  }

  reasoning(text: string, name: string): void {
    this.content.push({ type: "reasoning", text, extras: { [protocol]: { name } } })
  }

  note(value: JsonObject): void {
    this.content.push({ type: "native", protocol, value })
  }
}

/** Returns a string if the call is not valid: the reason. */
const toolCall = (value: Json, index: number): ToolCallPart | string => {
  const call = From.object(value) ?? {}
  const details = From.object(call["function"]) ?? From.object(call["custom"])
  const id = From.string(call["id"])
  const name = From.string(details?.["name"])
  if (id === undefined || name === undefined) return `tool_calls[${index}] has no id or no name`
  const text = From.isObject(call["function"]) ? argumentsText(details) : From.string(details?.["input"])
  if (text === null) return `tool_calls[${index}] has arguments that are not a string`
  return { type: "tool-call", id, name, arguments: text ?? "", ...callExtras(call) }
}

/** The calls of a message. Returns a string if one is not valid: the reason. */
const toolCalls = (message: JsonObject, number: number, id: string): ReadonlyArray<ToolCallPart> | string => {
  const found: Array<ToolCallPart> = []
  for (const [index, value] of From.array(message["tool_calls"]).entries()) {
    const call = toolCall(value, index)
    if (typeof call === "string") return call
    found.push(call)
  }
  // The old form, in which calls had no ids.
  const legacy = From.object(message["function_call"])
  if (legacy !== undefined && found.length === 0) {
    const call = toolCall({ id: legacyId(id, number), function: legacy }, 0)
    if (typeof call === "string") return "function_call has no name, or arguments that are not a string"
    found.push(call)
  }
  return found
}

/** An id for a call that has none. It is unique among the answers. */
export const legacyId = (response: string, choice: number): string => `call_${response}_${choice}`

/** Decodes one of the answers. Returns a string if it is not valid: the reason. */
const decodeChoice = (quirks: Quirks, value: Json, number: number, id: string): Choice | string => {
  const choice = From.object(value)
  const message = From.object(choice?.["message"])
  if (choice === undefined || message === undefined) return `no choices[${number}].message`
  const reason = From.string(choice["finish_reason"])
  if (reason === undefined) return `no choices[${number}].finish_reason`
  const parts = new Parts()
  readMessage(quirks, message, parts)
  const calls = toolCalls(message, number, id)
  if (typeof calls === "string") return `choices[${number}].message.${calls}`
  for (const call of calls) parts.content.push(call)
  readOthers(choice, parts)
  return { content: parts.content, finish: finishOf(reason) }
}

/** Returns a string if the response is not valid: the reason. */
const decode = (quirks: Quirks, response: JsonObject | undefined): ChatResponse | string => {
  if (response === undefined) return "not a JSON object"
  const id = From.string(response["id"])
  const found: Array<Choice> = []
  for (const [number, value] of From.array(response["choices"]).entries()) {
    const choice = decodeChoice(quirks, value, number, id ?? "0")
    if (typeof choice === "string") return choice
    found.push(choice)
  }
  const [first, ...others] = found
  if (first === undefined) return "no choices[0].message"
  return {
    id,
    model: From.string(response["model"]),
    choices: [first, ...others],
    usage: used(quirks, response["usage"]),
    ...extrasOf(response, knownInResponse)
  }
}

export const decodeResponse =
  (quirks: Quirks) => (peer: Peer, received: HttpResponse): Result.Result<ChatResponse, ProviderError> => {
    const parsed = From.parse(received.body)
    // Some servers send an error with the status of a success.
    if (errorOf(parsed) !== undefined) return Result.fail(classify(peer, received))
    const response = decode(quirks, From.object(parsed))
    return typeof response === "string"
      ? Result.fail(invalidResponse(peer, response, received.body))
      : Result.succeed(response)
  }
