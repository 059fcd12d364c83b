import type { Used } from "../../../ChatEvent.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"
import type { Quirks } from "./quirks.ts"

/** The usage in a chunk, as the server sent it. */
export const usageOf = (quirks: Quirks, chunk: JsonObject): Json | undefined =>
  chunk["usage"] ?? (quirks.usage === "x_groq" ? From.object(chunk["x_groq"])?.["usage"] : undefined)

/** A total, and the tokens that the server counts outside of it. */
const total = (counted: Json | undefined, outside: number | undefined): number | undefined => {
  const tokens = From.count(counted)
  return tokens === undefined || outside === undefined ? tokens : tokens + outside
}

/** The tokens that the provider counted. */
export const used = (
  { tokensOutside }: Quirks,
  value: Json | undefined
): Omit<Used, "_tag"> | undefined => {
  const usage = From.usage(value)
  if (usage === undefined) return undefined
  const input = From.object(usage["prompt_tokens_details"])
  // The second is Copilot's and Perplexity's.
  const reasoningTokens = From.count(From.object(usage["completion_tokens_details"])?.["reasoning_tokens"]) ??
    From.count(usage["reasoning_tokens"])
  return {
    inputTokens: total(
      usage["prompt_tokens"],
      tokensOutside.includes("audio") ? From.count(input?.["audio_tokens"]) : undefined
    ),
    // The second is DeepSeek's, the third Moonshot's, Together's and Hugging Face's, the fourth Mistral's.
    cachedInputTokens: From.count(input?.["cached_tokens"]) ?? From.count(usage["prompt_cache_hit_tokens"]) ??
      From.count(usage["cached_tokens"]) ?? From.count(usage["num_cached_tokens"]),
    cacheWriteTokens: From.count(input?.["cache_write_tokens"]),
    outputTokens: total(
      usage["completion_tokens"],
      tokensOutside.includes("reasoning") ? reasoningTokens : undefined
    ),
    reasoningTokens,
    raw: usage
  }
}

/** The provider's own count, if it is of this protocol. Unknown counts are left out: they are not zero. */
export const encodeUsage = (
  { cachedTokens, tokensOutside }: Quirks,
  { cacheWriteTokens, cachedInputTokens, inputTokens, outputTokens, raw, reasoningTokens }: Omit<
    Used,
    "_tag"
  >
): JsonObject => {
  if ("prompt_tokens" in raw || "completion_tokens" in raw) return raw
  const isDetail = cachedTokens === "prompt_tokens_details"
  const input = From.fields({
    cached_tokens: isDetail ? cachedInputTokens : undefined,
    cache_write_tokens: cacheWriteTokens
  })
  const output = From.fields({ reasoning_tokens: reasoningTokens })
  return From.fields({
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens === undefined || reasoningTokens === undefined ||
        !tokensOutside.includes("reasoning")
      ? outputTokens
      : outputTokens - reasoningTokens,
    total_tokens: inputTokens === undefined || outputTokens === undefined ? undefined : inputTokens + outputTokens,
    prompt_tokens_details: Object.keys(input).length > 0 ? input : undefined,
    completion_tokens_details: Object.keys(output).length > 0 ? output : undefined,
    ...(!isDetail && { [cachedTokens]: cachedInputTokens })
  })
}
