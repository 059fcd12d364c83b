import type { FinishReason } from "../../../ChatEvent.ts"
import type { Choice } from "../../../ChatResponse.ts"
import type { Quirks } from "./quirks.ts"

const decoded: ReadonlyMap<string, FinishReason> = new Map([
  ["stop", "stop"],
  ["length", "length"],
  ["tool_calls", "tool-calls"],
  ["function_call", "tool-calls"],
  ["content_filter", "content-filter"]
])

export const finishOf = (raw: string): Choice["finish"] => ({ reason: decoded.get(raw) ?? "other", raw })

const encoded: Readonly<Record<Exclude<FinishReason, "other" | "tool-calls">, string>> = {
  "stop": "stop",
  "length": "length",
  "content-filter": "content_filter"
}

/** OpenAI's word, or the provider's own if OpenAI has none. */
export const finishReason = ({ toolFinish }: Quirks, { raw, reason }: Choice["finish"]): string => {
  if (reason === "other") return raw
  return reason === "tool-calls" ? toolFinish : encoded[reason]
}
