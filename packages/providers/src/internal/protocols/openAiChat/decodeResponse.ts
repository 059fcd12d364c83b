import * as Result from "effect/Result"
import type { ChatEvent } from "../../../ChatEvent.ts"
import type { ChatResponse } from "../../../ChatResponse.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import type { HttpResponse, Peer } from "../../../Protocol.ts"
import type { ProviderError } from "../../../ProviderError.ts"
import * as From from "../../json/json.ts"
import { fromEvents } from "../../model/fold.ts"
import { invalidResponse } from "../../model/invalidResponse.ts"
import { classify } from "../openAi/decodeError.ts"
import { errorOf } from "../openAi/errorBody.ts"
import { extrasOf, protocol, reasoningNames } from "./extras.ts"
import { finishOf } from "./finishReason.ts"
import type { Quirks } from "./quirks.ts"
import { used } from "./usage.ts"

/** Which answer it is that is read: nothing is said of the first. */
export type Place = { readonly choice?: number }

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

/** The declared name first. */
const namesOf = ({ reasoningField }: Quirks): ReadonlyArray<string> =>
  reasoningField === "reasoning" ? reversedNames : reasoningNames

const reversedNames = reasoningNames.toReversed()

/** Not in OpenAI's reference. Some servers say the same under both names. */
const reasoning = (quirks: Quirks, message: JsonObject, place: Place, emit: (event: ChatEvent) => void): void => {
  for (const name of namesOf(quirks)) {
    const text = From.string(message[name])
    if (text === undefined) continue
    return emit({ _tag: "ReasoningDelta", text, extras: { [protocol]: { name } }, ...place })
  }
}

/** Text, reasoning and refusal have the same names in a whole message as in a delta. */
export const said = (quirks: Quirks, message: JsonObject, place: Place, emit: (event: ChatEvent) => void): void => {
  reasoning(quirks, message, place, emit)
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

/** A tool call of an answer that came in one piece. A string says what is wrong with it. */
const toolCall = (value: Json, index: number, place: Place, events: Array<ChatEvent>): string | undefined => {
  const call = From.object(value) ?? {}
  const details = From.object(call["function"]) ?? From.object(call["custom"])
  const id = From.string(call["id"])
  const name = From.string(details?.["name"])
  if (id === undefined || name === undefined) return `tool_calls[${index}] has no id or no name`
  events.push({ _tag: "ToolCallStarted", index, id, name, ...callExtras(call), ...place })
  const text = From.isObject(call["function"]) ? argumentsText(details) : From.string(details?.["input"])
  if (text === null) return `tool_calls[${index}] has arguments that are not a text`
  if (text !== undefined && text !== "") events.push({ _tag: "ToolCallDelta", index, arguments: text, ...place })
  return undefined
}

const choice = (
  quirks: Quirks,
  value: Json,
  number: number,
  id: string,
  events: Array<ChatEvent>
): string | undefined => {
  const choice = From.object(value)
  const message = From.object(choice?.["message"])
  if (choice === undefined || message === undefined) return `no choices[${number}].message`
  const reason = From.string(choice["finish_reason"])
  if (reason === undefined) return `no choices[${number}].finish_reason`
  const place = number === 0 ? {} : { choice: number }
  said(quirks, message, place, (event) => events.push(event))
  const calls = From.array(message["tool_calls"])
  for (const [index, value] of calls.entries()) {
    const wrong = toolCall(value, index, place, events)
    if (wrong !== undefined) return `choices[${number}].message.${wrong}`
  }
  // The form that calls had before they had ids.
  const legacy = From.object(message["function_call"])
  if (legacy !== undefined && calls.length === 0) {
    const wrong = toolCall({ id: legacyId(id, number), function: legacy }, 0, place, events)
    if (wrong !== undefined) {
      return `choices[${number}].message.function_call has no name, or arguments that are not a text`
    }
  }
  aboutChoice(choice, place, (event) => events.push(event))
  events.push({ _tag: "Finished", ...finishOf(reason), ...place })
  return undefined
}

/** The id of a call that came without one: it is to be told from those of other answers. */
export const legacyId = (response: string, choice: number): string => `call_${response}_${choice}`

/** The events of an answer that came in one piece. A string says what is wrong with it. */
const decode = (quirks: Quirks, response: JsonObject | undefined): ReadonlyArray<ChatEvent> | string => {
  if (response === undefined) return "not a JSON object"
  const id = From.string(response["id"])
  const extras = extrasOf(response, knownInResponse)
  const events: Array<ChatEvent> = [{ _tag: "Started", id, model: From.string(response["model"]), ...extras }]
  const choices = From.array(response["choices"])
  if (choices.length === 0) return "no choices[0].message"
  for (const [number, value] of choices.entries()) {
    const wrong = choice(quirks, value, number, id ?? "0", events)
    if (wrong !== undefined) return wrong
  }
  const usage = used(response["usage"])
  if (usage !== undefined) events.push(usage)
  return events
}

export const decodeResponse =
  (quirks: Quirks) => (peer: Peer, received: HttpResponse): Result.Result<ChatResponse, ProviderError> => {
    const body = From.object(From.parse(received.body))
    // Some servers send an error under the status of a success.
    if (errorOf(body) !== undefined) return Result.fail(classify(peer, received))
    const events = decode(quirks, body)
    if (typeof events === "string") return Result.fail(invalidResponse(peer, events, received.body))
    return Result.fromOption(fromEvents(events), () => invalidResponse(peer, "an answer without an end", received.body))
  }
