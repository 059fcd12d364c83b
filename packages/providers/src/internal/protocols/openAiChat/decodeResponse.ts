import * as Result from "effect/Result"
import type { AssistantPart, RefusalPart, TextPart, ToolCallPart } from "../../../ChatRequest.ts"
import type { ChatResponse, Choice } from "../../../ChatResponse.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import type { HttpResponse, Peer } from "../../../Protocol.ts"
import type { ProviderError } from "../../../ProviderError.ts"
import * as From from "../../json/json.ts"
import { invalidResponse } from "../../model/invalidResponse.ts"
import { madeUpId } from "../../model/madeUpId.ts"
import { classify } from "../openAi/decodeError.ts"
import { errorOf } from "../openAi/errorBody.ts"
import { extrasOf, protocol, reasoningNames, thinkingName, type Thought } from "./extras.ts"
import { finishOf } from "./finishReason.ts"
import type { Quirks } from "./quirks.ts"
import * as Details from "./reasoningDetails.ts"
import { callExtras, detailsOf, legacyCall } from "./toolCalls.ts"
import { used } from "./usage.ts"

/** Receives the content of a message, which becomes parts of a whole answer or events of a stream. */
export interface Listener {
  text(text: string): void
  /** The field that had it, and what the server wants back with it. */
  reasoning(text: string, extras: Thought): void
  /** Thinking that the model needs back: of the whole answer, or the next pieces of it. */
  details(details: ReadonlyArray<JsonObject>): void
  refusal(text: string): void
  /** Something about the answer that is no part of it. */
  note(value: JsonObject): void
}

/** Mistral's thinking: a list of texts. Other parts in it are notes. */
const thinkingPart = (part: JsonObject, listener: Listener): void => {
  const { thinking, type: _, ...rest } = part
  const inner = typeof thinking === "string" ? [{ type: "text", text: thinking }] : From.array(thinking)
  for (const value of inner) {
    const text = From.string(From.object(value)?.["text"])
    if (text !== undefined) listener.reasoning(text, { ...rest, name: thinkingName })
    else if (From.isObject(value)) listener.note({ ...rest, type: "thinking", thinking: [value] })
  }
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
    else if (type === "thinking") thinkingPart(part, listener)
    else if (typeof type === "string" && type !== "text") listener.note(part)
  }
}

const known: ReadonlySet<string> = new Set([
  "role",
  "content",
  "refusal",
  "tool_calls",
  "function_call",
  Details.field,
  ...reasoningNames
])

/** Thinking is not in OpenAI's reference. Some servers send it under both names, and the declared one wins. */
const reasoning = (quirks: Quirks, message: JsonObject, listener: Listener): void => {
  const name = quirks.reasoningField === "reasoning" ? "reasoning" : "reasoning_content"
  const other = name === "reasoning" ? "reasoning_content" : "reasoning"
  const text = From.string(message[name])
  const otherText = From.string(message[other])
  if (text === undefined) {
    if (otherText !== undefined) listener.reasoning(otherText, { name: other })
  } else if (text === otherText) listener.reasoning(text, { name, copy: other })
  else {
    listener.reasoning(text, { name })
    if (otherText !== undefined) listener.note({ message: { [other]: otherText } })
  }
}

/** Reads text, thinking and refusal, whose fields are the same in a whole message and in a delta. */
export const readMessage = (quirks: Quirks, message: JsonObject, listener: Listener): void => {
  reasoning(quirks, message, listener)
  const details = Details.detailsOf(message)
  if (details.length > 0) listener.details(details)
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

  reasoning(text: string, extras: Thought): void {
    this.content.push({ type: "reasoning", text, extras: { [protocol]: extras } })
  }

  details(details: ReadonlyArray<JsonObject>): void {
    const thought = this.content.at(-1)
    if (thought?.type === "reasoning") this.content[this.content.length - 1] = { ...thought, details }
    else this.content.push({ type: "reasoning", text: "", details })
  }

  note(value: JsonObject): void {
    this.content.push({ type: "native", protocol, value })
  }
}

/** Returns a string if the call is not valid: the reason. */
const toolCall = (value: Json, index: number, madeUp: string): ToolCallPart | string => {
  const call = From.object(value) ?? {}
  const { name, text } = detailsOf(call)
  if (name === undefined) return `tool_calls[${index}] has no name`
  if (text === null) return `tool_calls[${index}] has arguments that are neither a string nor an object`
  return { type: "tool-call", id: From.string(call["id"]) ?? madeUp, name, arguments: text ?? "", ...callExtras(call) }
}

/** The calls of a message. Returns a string if one is not valid: the reason. */
const toolCalls = (message: JsonObject, number: number, id: string): ReadonlyArray<ToolCallPart> | string => {
  const calls = From.array(message["tool_calls"])
  // The old form, in which calls had no ids.
  const legacy = calls.length === 0 ? legacyCall(message) : undefined
  const found: Array<ToolCallPart> = []
  for (const [index, value] of (legacy === undefined ? calls : [legacy]).entries()) {
    const call = toolCall(value, index, madeUpId(id, number, index))
    if (typeof call === "string") return call
    found.push(call)
  }
  return found
}

/** Decodes one of the answers. Returns a string if it is not valid: the reason. */
const decodeChoice = (quirks: Quirks, value: Json, number: number, id: string): Choice | string => {
  const choice = From.object(value)
  const finish = finishOf(From.string(choice?.["finish_reason"]))
  // Azure sends a filtered answer without its message.
  const message = From.object(choice?.["message"]) ?? (finish.reason === "content-filter" ? {} : undefined)
  if (choice === undefined || message === undefined) return `no choices[${number}].message`
  const parts = new Parts()
  readMessage(quirks, message, parts)
  const calls = toolCalls(message, number, id)
  if (typeof calls === "string") return `choices[${number}].message.${calls}`
  for (const call of calls) parts.content.push(call)
  readOthers(choice, parts)
  return { content: parts.content, finish }
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
