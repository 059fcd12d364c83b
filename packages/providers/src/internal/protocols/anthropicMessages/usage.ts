import type { Used } from "../../../ChatEvent.ts"
import type { JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"

/** All of the input. Anthropic counts cached tokens beside `input_tokens`; OpenAI counts them within. */
const total = (input: number | undefined, ...others: ReadonlyArray<number | undefined>): number | undefined =>
  input === undefined ? undefined : others.reduce<number>((sum, count) => sum + (count ?? 0), input)

/** The tokens that the provider counted. */
export const used = (value: unknown): Used | undefined => {
  const raw = From.usage(value)
  if (raw === undefined) return undefined
  const cached = From.count(raw["cache_read_input_tokens"])
  const written = From.count(raw["cache_creation_input_tokens"])
  const input = From.count(raw["input_tokens"])
  const output = From.count(raw["output_tokens"])
  return {
    _tag: "Used",
    inputTokens: total(input, cached, written),
    cachedInputTokens: cached,
    cacheWriteTokens: written,
    outputTokens: output,
    reasoningTokens: From.count(From.object(raw["output_tokens_details"])?.["thinking_tokens"]),
    raw
  }
}

/** A stream's counts are cumulative: the later one wins, unless it is null. */
export const latest = (earlier: JsonObject, later: JsonObject): JsonObject => ({
  ...earlier,
  ...Object.fromEntries(Object.entries(later).filter(([, value]) => value !== null))
})

/** Whether a server of this protocol counted. OpenAI's Responses have the same names, and a total. */
const isOwn = (raw: JsonObject): boolean =>
  !("total_tokens" in raw) && ("input_tokens" in raw || "output_tokens" in raw)

/** The usage in this protocol, which has no unknown counts: they become zero. This protocol's own counts stay as they are. */
export const encodeUsage = (usage: Omit<Used, "_tag"> | undefined): JsonObject => {
  if (usage !== undefined && isOwn(usage.raw)) return { input_tokens: 0, output_tokens: 0, ...usage.raw }
  const cached = usage?.cachedInputTokens
  const written = usage?.cacheWriteTokens
  return {
    input_tokens: Math.max(0, (usage?.inputTokens ?? 0) - (cached ?? 0) - (written ?? 0)),
    cache_creation_input_tokens: written ?? null,
    cache_read_input_tokens: cached ?? null,
    cache_creation: null,
    output_tokens: usage?.outputTokens ?? 0,
    output_tokens_details: usage?.reasoningTokens === undefined ? null : { thinking_tokens: usage.reasoningTokens },
    server_tool_use: null,
    service_tier: null,
    inference_geo: null,
    speed: null
  }
}

/** The usage of a message that begins. */
export const countedUsage = (counted: JsonObject = {}): JsonObject => ({
  ...encodeUsage(undefined),
  ...(isOwn(counted) && counted)
})
