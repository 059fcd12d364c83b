import type { EmbeddingResponse } from "../../../Embedding.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"

/** The tokens that the provider counted. */
export const used = (value: Json | undefined): EmbeddingResponse["usage"] => {
  const usage = From.usage(value)
  return usage && { inputTokens: From.count(usage["prompt_tokens"]), raw: usage }
}

/** The provider's own count, if it is of this protocol. */
export const encodeUsage = ({ inputTokens, raw }: NonNullable<EmbeddingResponse["usage"]>): JsonObject =>
  "prompt_tokens" in raw || "total_tokens" in raw
    ? raw
    : From.fields({ prompt_tokens: inputTokens, total_tokens: inputTokens })
