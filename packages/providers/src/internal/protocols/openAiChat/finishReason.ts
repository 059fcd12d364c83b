import type { FinishReason } from "../../../ChatEvent.ts"
import type { Choice } from "../../../ChatResponse.ts"

const decoded: ReadonlyMap<string, FinishReason> = new Map([
  ["stop", "stop"],
  ["length", "length"],
  ["tool_calls", "tool-calls"],
  ["function_call", "tool-calls"],
  ["content_filter", "content-filter"]
])

export const finishOf = (raw: string): Choice["finish"] => ({ reason: decoded.get(raw) ?? "other", raw })

const encoded: Readonly<Record<Exclude<FinishReason, "other">, string>> = {
  "stop": "stop",
  "length": "length",
  "tool-calls": "tool_calls",
  "content-filter": "content_filter"
}

/** OpenAI's word, or the provider's own if OpenAI has none. */
export const finishReason = ({ raw, reason }: Choice["finish"]): string => reason === "other" ? raw : encoded[reason]
