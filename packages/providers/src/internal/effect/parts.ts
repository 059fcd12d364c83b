/**
 * The parts of Effect's `Response`, built as Effect's schema decodes them.
 *
 * A part that the schema might refuse is built in its encoded form instead: without the type id that decoded parts have.
 * Effect's schema then decodes it, or reports what is wrong with it.
 */
import * as Response from "effect/ai/Response"
import * as Schema from "effect/Schema"
import type { FinishReason, Used } from "../../ChatEvent.ts"
import type { Dropped } from "../../Protocol.ts"
import { key } from "./promptOptions.ts"

/** Effect does not export the type id of a part. */
const typeId = "~effect/ai/Response/Part"

/** Whether Effect's schema would decode every part to itself. */
export const areDecoded = <Decoded extends ReadonlyArray<Response.AnyPart>>(
  parts: ReadonlyArray<unknown>
): parts is Decoded => parts.every(Response.isPart)

export const text = (text: string): Response.TextPart => ({
  "~effect/ai/Response/Part": typeId,
  metadata: {},
  type: "text",
  text
})

export const textStart = (id: string): Response.TextStartPart => ({
  "~effect/ai/Response/Part": typeId,
  metadata: {},
  type: "text-start",
  id
})

export const textDelta = (id: string, delta: string): Response.TextDeltaPart => ({
  "~effect/ai/Response/Part": typeId,
  metadata: {},
  type: "text-delta",
  id,
  delta
})

export const textEnd = (id: string): Response.TextEndPart => ({
  "~effect/ai/Response/Part": typeId,
  metadata: {},
  type: "text-end",
  id
})

/** Parsed JSON is valid metadata, but for a number that is too large: that becomes Infinity. */
const isMetadata = Schema.is(Response.ProviderMetadata)

export const reasoning = (
  text: string,
  metadata: Response.ProviderMetadata | undefined
): Response.ReasoningPart | Response.ReasoningPartEncoded =>
  metadata === undefined || isMetadata(metadata)
    ? { "~effect/ai/Response/Part": typeId, metadata: metadata ?? {}, type: "reasoning", text }
    : { type: "reasoning", text, metadata }

export const reasoningStart = (id: string): Response.ReasoningStartPart => ({
  "~effect/ai/Response/Part": typeId,
  metadata: {},
  type: "reasoning-start",
  id
})

export const reasoningDelta = (
  id: string,
  delta: string,
  metadata: Response.ProviderMetadata | undefined
): Response.ReasoningDeltaPart | Response.ReasoningDeltaPartEncoded =>
  metadata === undefined || isMetadata(metadata)
    ? { "~effect/ai/Response/Part": typeId, metadata: metadata ?? {}, type: "reasoning-delta", id, delta }
    : { type: "reasoning-delta", id, delta, metadata }

export const reasoningEnd = (
  id: string,
  metadata: Response.ProviderMetadata | undefined
): Response.ReasoningEndPart | Response.ReasoningEndPartEncoded =>
  metadata === undefined || isMetadata(metadata)
    ? { "~effect/ai/Response/Part": typeId, metadata: metadata ?? {}, type: "reasoning-end", id }
    : { type: "reasoning-end", id, metadata }

export const toolParamsStart = (id: string, name: string): Response.ToolParamsStartPart => ({
  "~effect/ai/Response/Part": typeId,
  metadata: {},
  type: "tool-params-start",
  id,
  name,
  providerExecuted: false
})

export const toolParamsDelta = (id: string, delta: string): Response.ToolParamsDeltaPart => ({
  "~effect/ai/Response/Part": typeId,
  metadata: {},
  type: "tool-params-delta",
  id,
  delta
})

export const toolParamsEnd = (id: string): Response.ToolParamsEndPart => ({
  "~effect/ai/Response/Part": typeId,
  metadata: {},
  type: "tool-params-end",
  id
})

/** Always encoded: only the toolkit knows the schema of the parameters. */
export const toolCall = (
  id: string,
  name: string,
  params: unknown,
  metadata: Response.ProviderMetadata | undefined
): Response.ToolCallPartEncoded =>
  metadata === undefined ? { type: "tool-call", id, name, params } : { type: "tool-call", id, name, params, metadata }

export const responseMetadata = (
  id: string | undefined,
  modelId: string | undefined,
  dropped: ReadonlyArray<Dropped> | undefined
): Omit<Response.ResponseMetadataPart, "timestamp"> => ({
  "~effect/ai/Response/Part": typeId,
  metadata: dropped === undefined
    ? {}
    : { [key]: { dropped: dropped.map(({ field, reason }) => ({ field, reason })) } },
  type: "response-metadata",
  id,
  modelId
})

type Counts = typeof Response.Usage.Encoded

const isCount = (count: number | undefined): boolean => count === undefined || Number.isSafeInteger(count)

const areCounts = ({ inputTokens, outputTokens }: Counts): boolean =>
  isCount(inputTokens.uncached) && isCount(inputTokens.total) && isCount(inputTokens.cacheRead) &&
  isCount(inputTokens.cacheWrite) && isCount(outputTokens.total) && isCount(outputTokens.text) &&
  isCount(outputTokens.reasoning)

const countsOf = (used: Omit<Used, "_tag"> | undefined): Counts => {
  const { cacheWriteTokens, cachedInputTokens, inputTokens, outputTokens, reasoningTokens } = used ?? {}
  return {
    inputTokens: {
      uncached: inputTokens === undefined
        ? undefined
        : Math.max(0, inputTokens - (cachedInputTokens ?? 0) - (cacheWriteTokens ?? 0)),
      total: inputTokens,
      cacheRead: cachedInputTokens,
      cacheWrite: cacheWriteTokens
    },
    outputTokens: {
      total: outputTokens,
      text: outputTokens === undefined ? undefined : outputTokens - (reasoningTokens ?? 0),
      reasoning: reasoningTokens
    }
  }
}

/** The class checks its fields on construction, which takes 20 times as long. `areCounts` has checked them. */
const usageOf = (counts: Counts): Response.Usage => Object.assign(Object.create(Response.Usage.prototype), counts)

export const finish = (
  reason: FinishReason,
  used: Omit<Used, "_tag"> | undefined
): Response.FinishPart | Response.FinishPartEncoded => {
  const counts = countsOf(used)
  return areCounts(counts)
    ? { "~effect/ai/Response/Part": typeId, metadata: {}, type: "finish", reason, usage: usageOf(counts) }
    : { type: "finish", reason, usage: counts }
}
