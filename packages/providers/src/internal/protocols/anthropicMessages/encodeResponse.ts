import type { AssistantPart } from "../../../ChatRequest.ts"
import type { ChatResponse } from "../../../ChatResponse.ts"
import type { JsonObject } from "../../../Json.ts"
import { toolUse } from "./encodeParts.ts"
import { extrasOf, protocol } from "./extras.ts"
import { finishReason } from "./finishReason.ts"
import { encodeUsage } from "./usage.ts"

/** A part as the server sends it, which differs from the form in which clients send it back. */
const blocks = (part: AssistantPart): ReadonlyArray<JsonObject> => {
  switch (part.type) {
    case "text":
      return [{ citations: null, ...extrasOf(part), type: "text", text: part.text }]
    case "refusal":
      return [{ citations: null, type: "text", text: part.text }]
    case "reasoning":
      // Nothing but details, which are of another protocol.
      if (part.text === "" && part.signature === undefined && part.details !== undefined) return []
      return part.redacted === undefined
        ? [{ ...extrasOf(part), type: "thinking", thinking: part.text, signature: part.signature ?? "" }]
        : [{ ...extrasOf(part), type: "redacted_thinking", data: part.redacted }]
    case "tool-call":
      return [{ caller: { type: "direct" }, ...toolUse(part, extrasOf(part)) }]
    case "native":
      return part.protocol === protocol && part.value["type"] !== "citations_delta" ? [part.value] : []
  }
}

/** The fields that each message of the server has. */
export const envelope = (id: string | undefined, model: string | undefined): JsonObject => ({
  id: id ?? "msg_unnamed",
  type: "message",
  role: "assistant",
  model: model ?? "unknown",
  container: null,
  diagnostics: null,
  stop_details: null
})

/** Encodes the first answer: the protocol has only one. */
export const encodeResponse = (response: ChatResponse): JsonObject => {
  const [{ content, finish }] = response.choices
  return {
    ...envelope(response.id, response.model),
    ...extrasOf(response),
    ...extrasOf(finish),
    content: content.flatMap(blocks),
    stop_reason: finishReason(finish, content.some(({ type }) => type === "tool-call")),
    stop_sequence: finish.stopSequence ?? null,
    usage: encodeUsage(response.usage)
  }
}
