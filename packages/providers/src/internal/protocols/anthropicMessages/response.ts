import type { AssistantPart } from "../../../ChatRequest.ts"
import type { ChatResponse } from "../../../ChatResponse.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"
import { assistantPart } from "./decodeParts.ts"
import { toolUse } from "./encodeParts.ts"
import { extrasOf, keep, protocol } from "./extras.ts"
import { array, at, name, object, optional, text } from "./read.ts"
import { finishOf, stopReason } from "./stopReason.ts"
import { encodeUsage, used } from "./usage.ts"

const usageOf = (value: Json | undefined): ChatResponse["usage"] => {
  const counted = used(value)
  if (counted === undefined) return undefined
  const { _tag: _, ...usage } = counted
  return usage
}

const known = new Set([
  "content",
  "id",
  "model",
  "role",
  "stop_details",
  "stop_reason",
  "stop_sequence",
  "type",
  "usage"
])

/** What else the provider said of a message as a whole. */
export const responseExtras = (message: JsonObject) => keep(message, known)

/** The answer that a body is. */
export const decodeResponse = (value: Json | undefined): ChatResponse => {
  const body = object(value, "")
  const stopSequence = optional(body, "stop_sequence", "", text)
  return {
    id: From.string(body["id"]),
    model: From.string(body["model"]),
    choices: [{
      content: array(body["content"], "content").map((block, index) =>
        assistantPart(object(block, at("content", index)), at("content", index))
      ),
      finish: {
        ...finishOf(name(body["stop_reason"], "stop_reason"), stopSequence),
        ...keep({ stop_details: body["stop_details"] ?? null })
      }
    }],
    usage: usageOf(body["usage"]),
    ...responseExtras(body)
  }
}

/** A part as the provider says it, which in turn is not as a client sends it back. */
const blocks = (part: AssistantPart): ReadonlyArray<JsonObject> => {
  switch (part.type) {
    case "text":
      return [{ citations: null, ...extrasOf(part), type: "text", text: part.text }]
    case "refusal":
      return [{ citations: null, type: "text", text: part.text }]
    case "reasoning":
      return part.redacted === undefined
        ? [{ ...extrasOf(part), type: "thinking", thinking: part.text, signature: part.signature ?? "" }]
        : [{ ...extrasOf(part), type: "redacted_thinking", data: part.redacted }]
    case "tool-call":
      return [{ caller: { type: "direct" }, ...toolUse(part) }]
    case "native":
      return part.protocol === protocol && part.value["type"] !== "citations_delta" ? [part.value] : []
  }
}

/** What stands in every message of the provider, null or not. */
export const envelope = (id: string | undefined, model: string | undefined): JsonObject => ({
  id: id ?? "msg_unnamed",
  type: "message",
  role: "assistant",
  model: model ?? "unknown",
  container: null,
  diagnostics: null,
  stop_details: null
})

/** Of several answers the first: the protocol has but one. */
export const encodeResponse = (response: ChatResponse): JsonObject => {
  const [{ content, finish }] = response.choices
  return {
    ...envelope(response.id, response.model),
    ...extrasOf(response),
    ...extrasOf(finish),
    content: content.flatMap(blocks),
    stop_reason: stopReason(finish),
    stop_sequence: finish.stopSequence ?? null,
    usage: encodeUsage(response.usage)
  }
}
