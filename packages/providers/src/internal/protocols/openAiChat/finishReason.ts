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

/** Some servers send no reason, or an empty one. */
export const finishOf = (raw: string | undefined): Choice["finish"] =>
  raw === undefined ? { reason: "unknown", raw: "" } : { reason: decoded.get(raw) ?? "other", raw }

const encoded: Readonly<Record<Exclude<FinishReason, "other" | "tool-calls">, string>> = {
  "stop": "stop",
  "length": "length",
  "content-filter": "content_filter",
  // Clients need a reason.
  "unknown": "stop"
}

/** OpenAI's word, or the provider's own if OpenAI has none. `isLegacy`: the call has its old form. */
export const finishReason = ({ toolFinish }: Quirks, { raw, reason }: Choice["finish"], isLegacy = false): string => {
  if (reason === "other") return raw || encoded.unknown
  return reason === "tool-calls" ? isLegacy ? "function_call" : toolFinish : encoded[reason]
}
