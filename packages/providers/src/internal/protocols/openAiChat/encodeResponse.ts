import type { FinishReason, Used } from "../../../ChatEvent.ts"
import type { AssistantPart } from "../../../ChatRequest.ts"
import type { ChatResponse, Choice } from "../../../ChatResponse.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import { fields, isObject } from "../../json/json.ts"
import { spoken } from "./encodeMessages.ts"
import { own, protocol } from "./extras.ts"
import { mergeFields } from "./mergeFields.ts"

const reasons: Readonly<Record<Exclude<FinishReason, "other">, string>> = {
  "stop": "stop",
  "length": "length",
  "tool-calls": "tool_calls",
  "content-filter": "content_filter"
}

/** OpenAI's word, or, where it has none, the provider's own. */
export const finishReason = ({ raw, reason }: Choice["finish"]): string => reason === "other" ? raw : reasons[reason]

/** The count as it came, if it came by this protocol. What was not counted is left out, since it is not zero. */
export const usage = ({ cacheWriteTokens, cachedInputTokens, inputTokens, outputTokens, raw, reasoningTokens }: Omit<
  Used,
  "_tag"
>): JsonObject => {
  if ("prompt_tokens" in raw || "completion_tokens" in raw) return raw
  const input = fields({ cached_tokens: cachedInputTokens, cache_write_tokens: cacheWriteTokens })
  const output = fields({ reasoning_tokens: reasoningTokens })
  return fields({
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens === undefined || outputTokens === undefined ? undefined : inputTokens + outputTokens,
    prompt_tokens_details: Object.keys(input).length > 0 ? input : undefined,
    completion_tokens_details: Object.keys(output).length > 0 ? output : undefined
  })
}

/** What other protocols know and this one does not has no place in its answers. */
const ours = (part: AssistantPart): boolean => part.type !== "native" || part.protocol === protocol

/** The native fields of one place. */
const native = (content: ReadonlyArray<AssistantPart>, place: "choice" | "response"): JsonObject =>
  mergeFields(content.flatMap((part) => {
    const value = part.type === "native" && part.protocol === protocol ? part.value[place] : undefined
    return isObject(value) ? [value] : []
  }))

/** Clients of this protocol look for thinking under the name that its servers agree on, wherever it came from. */
const named = (part: AssistantPart): AssistantPart =>
  part.type === "reasoning" && own(part.extras)["name"] === undefined
    ? { ...part, extras: { [protocol]: { name: "reasoning_content" } } }
    : part

const choice = ({ content, finish }: Choice, index: number): Json => {
  const { content: said = null, refusal = null, ...message } = spoken(content.filter(ours).map(named))
  const { logprobs = null, ...others } = native(content, "choice")
  return {
    index,
    message: { role: "assistant", content: said, refusal, ...message },
    logprobs,
    finish_reason: finishReason(finish),
    ...others
  }
}

/** The JSON body of an answer in one piece. It was made at the beginning of time unless the extras know better. */
export const encodeResponse = (response: ChatResponse): JsonObject => {
  const { created = 0, ...extras } = own(response.extras)
  return {
    id: response.id ?? "",
    object: "chat.completion",
    created,
    model: response.model ?? "",
    choices: response.choices.map(choice),
    ...(response.usage && { usage: usage(response.usage) }),
    ...mergeFields(response.choices.map(({ content }) => native(content, "response"))),
    ...extras
  }
}
