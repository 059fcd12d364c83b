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
import * as Response from "./decodeChoice.ts"
import { extrasOf } from "./extras.ts"

/** A tool call of an answer that came in one piece. A string says what is wrong with it. */
const toolCall = (value: Json, index: number, place: Response.Place, events: Array<ChatEvent>): string | undefined => {
  const call = From.object(value) ?? {}
  const details = From.object(call["function"]) ?? From.object(call["custom"])
  const id = From.string(call["id"])
  const name = From.string(details?.["name"])
  if (id === undefined || name === undefined) return `tool_calls[${index}] has no id or no name`
  events.push({ _tag: "ToolCallStarted", index, id, name, ...Response.callExtras(call), ...place })
  const text = From.isObject(call["function"]) ? Response.argumentsText(details) : From.string(details?.["input"])
  if (text === null) return `tool_calls[${index}] has arguments that are not a text`
  if (text !== undefined && text !== "") events.push({ _tag: "ToolCallDelta", index, arguments: text, ...place })
  return undefined
}

const choice = (value: Json, number: number, id: string, events: Array<ChatEvent>): string | undefined => {
  const choice = From.object(value)
  const message = From.object(choice?.["message"])
  if (choice === undefined || message === undefined) return `no choices[${number}].message`
  const reason = From.string(choice["finish_reason"])
  if (reason === undefined) return `no choices[${number}].finish_reason`
  const place = number === 0 ? {} : { choice: number }
  Response.said(message, place, (event) => events.push(event))
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
  Response.aboutChoice(choice, place, (event) => events.push(event))
  events.push(Response.finished(reason, place))
  return undefined
}

/** The id of a call that came without one: it is to be told from those of other answers. */
export const legacyId = (response: string, choice: number): string => `call_${response}_${choice}`

/** The events of an answer that came in one piece. A string says what is wrong with it. */
const decode = (response: JsonObject | undefined): ReadonlyArray<ChatEvent> | string => {
  if (response === undefined) return "not a JSON object"
  const id = From.string(response["id"])
  const extras = extrasOf(response, Response.knownInResponse)
  const events: Array<ChatEvent> = [{ _tag: "Started", id, model: From.string(response["model"]), ...extras }]
  const choices = From.array(response["choices"])
  if (choices.length === 0) return "no choices[0].message"
  for (const [number, value] of choices.entries()) {
    const wrong = choice(value, number, id ?? "0", events)
    if (wrong !== undefined) return wrong
  }
  const usage = Response.used(response["usage"])
  if (usage !== undefined) events.push(usage)
  return events
}

export const decodeResponse = (peer: Peer, received: HttpResponse): Result.Result<ChatResponse, ProviderError> => {
  const body = From.object(From.parse(received.body))
  // Some servers send an error under the status of a success.
  if (errorOf(body) !== undefined) return Result.fail(classify(peer, received))
  const events = decode(body)
  if (typeof events === "string") return Result.fail(invalidResponse(peer, events, received.body))
  return Result.fromOption(fromEvents(events), () => invalidResponse(peer, "an answer without an end", received.body))
}
