import type { AssistantPart, ToolCallPart } from "../../../ChatRequest.ts"
import type { ChatResponse, Choice } from "../../../ChatResponse.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import type { Delivery } from "../../../Protocol.ts"
import { isObject } from "../../json/json.ts"
import { Answer } from "../../model/crossing.ts"
import { assistantMessage } from "./encodeMessages.ts"
import { mergeFields } from "./encodeParts.ts"
import { own, protocol } from "./extras.ts"
import { finishReason } from "./finishReason.ts"
import type { Quirks } from "./quirks.ts"
import { legacyType } from "./toolCalls.ts"
import { encodeUsage } from "./usage.ts"

/** What other protocols have is left out. */
const answer = new Answer(protocol)

/** The native fields of one place. */
const native = (content: ReadonlyArray<AssistantPart>, place: "choice" | "response"): JsonObject =>
  mergeFields(content.flatMap((part) => {
    const value = part.type === "native" && part.protocol === protocol ? part.value[place] : undefined
    return isObject(value) ? [value] : []
  }))

/** Thinking from another protocol goes to the field that most clients read. */
const named = (part: AssistantPart): AssistantPart =>
  part.type === "reasoning" && own(part.extras)["name"] === undefined
    ? { ...part, extras: { [protocol]: { name: "reasoning_content" } } }
    : part

/** A server sends thinking also where it accepts none back, and ids of any form. */
const sending = (quirks: Quirks): Quirks => ({
  ...quirks,
  toolIds: "any",
  reasoningField: quirks.reasoningField === "never" ? "as-received" : quirks.reasoningField,
  reasoningDetails: "as-received"
})

/** The only call in its old form, for a client that knows no other, or from a server that sent it so. */
const legacyCall = (content: ReadonlyArray<AssistantPart>, isRequested: boolean): ToolCallPart | undefined => {
  const [call, ...others] = content.filter((part) => part.type === "tool-call")
  if (call === undefined || others.length > 0) return undefined
  return isRequested || own(call.extras)["type"] === legacyType ? call : undefined
}

const choice = (quirks: Quirks, isLegacy: boolean) => ({ content, finish }: Choice, index: number): Json => {
  const parts = content.map(named)
  const legacy = legacyCall(parts, isLegacy)
  const encoded = assistantMessage(
    quirks,
    answer,
    legacy === undefined ? parts : parts.filter((part) => part !== legacy)
  )
  const { content: said = null, refusal = null, ...message } = encoded
  // OpenAI's own servers send an empty text if there is nothing else.
  const isEmpty = parts.every(({ type }) => type === "native") && !("audio" in message)
  const { logprobs = null, ...others } = native(content, "choice")
  return {
    index,
    message: {
      role: "assistant",
      content: said ?? (isEmpty ? "" : null),
      refusal,
      ...message,
      ...(legacy && { function_call: { name: legacy.name, arguments: legacy.arguments } })
    },
    logprobs,
    finish_reason: finishReason(quirks, finish, legacy !== undefined),
    ...others
  }
}

/** The JSON body of a whole answer. `created` is 0, unless the extras have it. */
export const encodeResponse = (quirks: Quirks) => (response: ChatResponse, delivery?: Delivery): JsonObject => {
  const { created = 0, ...extras } = own(response.extras)
  return {
    id: response.id ?? "",
    object: "chat.completion",
    created,
    model: response.model ?? "",
    choices: response.choices.map(choice(sending(quirks), delivery?.calls === legacyType)),
    ...(response.usage && { usage: encodeUsage(quirks, response.usage) }),
    ...mergeFields(response.choices.map(({ content }) => native(content, "response"))),
    ...extras
  }
}
