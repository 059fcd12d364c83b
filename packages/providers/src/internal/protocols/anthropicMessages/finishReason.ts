import type { FinishReason } from "../../../ChatEvent.ts"

const reasons = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool-calls",
  refusal: "content-filter",
  // The provider paused a long turn. Send the answer back unchanged, and it continues.
  pause_turn: "other"
} as const satisfies Record<string, FinishReason>

interface Finish {
  readonly reason: FinishReason
  readonly raw: string
  readonly stopSequence?: string | undefined
}

const isKnown = (raw: string): raw is keyof typeof reasons => Object.hasOwn(reasons, raw)

export const finishOf = (raw: string, stopSequence: string | undefined): Finish => ({
  reason: raw === "" ? "unknown" : isKnown(raw) ? reasons[raw] : "other",
  raw,
  ...(stopSequence !== undefined && { stopSequence })
})

/**
 * Anthropic's word, or the provider's own: clients must expect unknown reasons. OpenAI finishes a forced call with `stop`, and
 * Ollama any call; clients of this protocol run calls only at `tool_use`.
 */
export const finishReason = ({ raw, reason, stopSequence }: Finish, hasCalls: boolean): string => {
  if (isKnown(raw) && reasons[raw] === reason) return raw
  if (hasCalls && (reason === "stop" || raw === "")) return "tool_use"
  switch (reason) {
    case "stop":
      return stopSequence === undefined ? "end_turn" : "stop_sequence"
    case "length":
      return "max_tokens"
    case "tool-calls":
      return "tool_use"
    case "content-filter":
      return "refusal"
    case "unknown":
      return "end_turn"
    case "other":
      return raw === "" ? "end_turn" : raw
  }
}
