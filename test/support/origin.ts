/** The name of an error, as its first cause has it. */
import { ProviderError } from "@clawback/providers"
import { Option } from "effect"
import { AiError } from "effect/ai"

export const tagOf = (error: unknown): string => {
  const origin = AiError.isAiError(error) ? Option.getOrUndefined(ProviderError.fromAiError(error)) ?? error : error
  return typeof origin === "object" && origin !== null && "_tag" in origin ? String(origin._tag) : "?"
}
