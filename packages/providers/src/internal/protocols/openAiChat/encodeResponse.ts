import type { AssistantPart } from "../../../ChatRequest.ts"
import type { ChatResponse, Choice } from "../../../ChatResponse.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import { isObject } from "../../json/json.ts"
import { assistantMessage } from "./encodeMessages.ts"
import { mergeFields } from "./encodeParts.ts"
import { own, protocol } from "./extras.ts"
import { finishReason } from "./finishReason.ts"
import type { Quirks } from "./quirks.ts"
import { encodeUsage } from "./usage.ts"

/** Native parts of other protocols are left out. */
const ours = (part: AssistantPart): boolean => part.type !== "native" || part.protocol === protocol

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

/** A server sends thinking also where it accepts none back. */
const sending = (quirks: Quirks): Quirks =>
  quirks.reasoningField === "never" ? { ...quirks, reasoningField: "as-received" } : quirks

const choice = (quirks: Quirks) => ({ content, finish }: Choice, index: number): Json => {
  const { content: said = null, refusal = null, ...message } = assistantMessage(quirks, content.filter(ours).map(named))
  const { logprobs = null, ...others } = native(content, "choice")
  return {
    index,
    message: { role: "assistant", content: said, refusal, ...message },
    logprobs,
    finish_reason: finishReason(quirks, finish),
    ...others
  }
}

/** The JSON body of a whole answer. `created` is 0, unless the extras have it. */
export const encodeResponse = (quirks: Quirks) => (response: ChatResponse): JsonObject => {
  const { created = 0, ...extras } = own(response.extras)
  return {
    id: response.id ?? "",
    object: "chat.completion",
    created,
    model: response.model ?? "",
    choices: response.choices.map(choice(sending(quirks))),
    ...(response.usage && { usage: encodeUsage(quirks, response.usage) }),
    ...mergeFields(response.choices.map(({ content }) => native(content, "response"))),
    ...extras
  }
}
