import type { ChatEvent, Finished, FinishReason, Used } from "../ChatEvent.ts"
import * as From from "./json.ts"

const reasons: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  length: "length",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
  content_filter: "content-filter"
}

export const finished = (raw: string): Finished => ({ _tag: "Finished", reason: reasons[raw] ?? "other", raw })

export const used = (usage: unknown): Used | undefined => {
  const counts = From.object(usage)
  return counts && {
    _tag: "Used",
    inputTokens: From.count(counts["prompt_tokens"]),
    cachedInputTokens: From.count(From.object(counts["prompt_tokens_details"])?.["cached_tokens"]),
    outputTokens: From.count(counts["completion_tokens"]),
    reasoningTokens: From.count(From.object(counts["completion_tokens_details"])?.["reasoning_tokens"])
  }
}

/** A text, or, as compatible servers send it as well, parts of which some are text. */
const contentText = (content: unknown): string | undefined =>
  Array.isArray(content)
    ? From.string(content.map((part) => From.string(From.object(part)?.["text"]) ?? "").join(""))
    : From.string(content)

/** The arguments of a tool call, which are JSON in a text. Undefined where there are none; null where they are no text. */
export const argumentsText = (details: From.JsonObject | undefined): string | null | undefined => {
  const value = details?.["arguments"]
  return value === undefined || value === null ? undefined : typeof value === "string" ? value : null
}

/** Text, reasoning and refusal have the same names in a whole message as in a delta. */
export const said = (message: From.JsonObject, events: Array<ChatEvent>): void => {
  // Not in OpenAI's reference; the name that compatible servers agree on.
  const reasoning = From.string(message["reasoning_content"])
  if (reasoning !== undefined) events.push({ _tag: "ReasoningDelta", text: reasoning })
  const text = contentText(message["content"])
  if (text !== undefined) events.push({ _tag: "TextDelta", text })
  const refusal = From.string(message["refusal"])
  if (refusal !== undefined) events.push({ _tag: "RefusalDelta", text: refusal })
}

/** The events of an answer that came in one piece. A string says what is wrong with it. */
export const decodeWhole = (body: unknown): ReadonlyArray<ChatEvent> | string => {
  const response = From.object(body)
  if (response === undefined) return "not a JSON object"
  const choice = From.object(From.array(response["choices"])[0])
  const message = From.object(choice?.["message"])
  if (choice === undefined || message === undefined) return "no choices[0].message"
  const reason = From.string(choice["finish_reason"])
  if (reason === undefined) return "no choices[0].finish_reason"

  const events: Array<ChatEvent> = [
    { _tag: "Started", id: From.string(response["id"]), model: From.string(response["model"]) }
  ]
  said(message, events)
  for (const [index, value] of From.array(message["tool_calls"]).entries()) {
    const call = From.object(value)
    const id = From.string(call?.["id"])
    const name = From.string(From.object(call?.["function"])?.["name"])
    if (id === undefined || name === undefined) return `choices[0].message.tool_calls[${index}] has no id or no name`
    events.push({ _tag: "ToolCallStarted", index, id, name })
    const text = argumentsText(From.object(call?.["function"]))
    if (text === null) return `choices[0].message.tool_calls[${index}] has arguments that are not a text`
    if (text !== undefined && text !== "") events.push({ _tag: "ToolCallDelta", index, arguments: text })
  }
  events.push(finished(reason))
  const usage = used(response["usage"])
  if (usage !== undefined) events.push(usage)
  return events
}
