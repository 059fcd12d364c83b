/**
 * The events of a chat model's answer, in one form for all providers.
 *
 * An answer is `Started`, then deltas, then `Finished`, then `Used` if the provider counted tokens. If a request asks for
 * several answers, each has a number and its own `Finished`. An answer without its `Finished` is not whole.
 *
 * @stable
 */

import type { Extras } from "./ChatRequest.ts"
import type { Dropped } from "./internal/model/dropped.ts"
import type { JsonObject } from "./Json.ts"

/** The provider began to answer. It has no content yet. */
export interface Started {
  readonly _tag: "Started"
  readonly id: string | undefined
  /** The model that answers. It may be a dated version of the requested one. */
  readonly model: string | undefined
  /** What the provider counted before it answered, in its own form. `Used` has the final counts. */
  readonly counted?: JsonObject | undefined
  /** Other fields of the whole answer, such as its time. */
  readonly extras?: Extras | undefined
  /** The fields of the request that were not sent as they were asked, since the provider's protocol lacks them. */
  readonly dropped?: ReadonlyArray<Dropped> | undefined
}

interface OfChoice {
  /** The number of the answer. Absent for the first or only one. */
  readonly choice?: number | undefined
}

export interface TextDelta extends OfChoice {
  readonly _tag: "TextDelta"
  readonly text: string
}

/** The model's thinking, if the provider shows it. */
export interface ReasoningDelta extends OfChoice {
  readonly _tag: "ReasoningDelta"
  readonly text: string
  readonly extras?: Extras | undefined
}

/**
 * A piece of thinking is complete and signed. The provider requires thinking and signature back unchanged. `redacted` is
 * thinking that only the provider can read.
 */
export interface ReasoningSigned extends OfChoice {
  readonly _tag: "ReasoningSigned"
  readonly signature?: string | undefined
  readonly redacted?: string | undefined
  /** Those of the piece, as in `ChatRequest.ReasoningPart`. */
  readonly details?: ReadonlyArray<JsonObject> | undefined
}

/** The model declines to answer, in its own words. */
export interface RefusalDelta extends OfChoice {
  readonly _tag: "RefusalDelta"
  readonly text: string
}

/** A tool call begins. `index` identifies the call, since fragments of several calls may interleave. */
export interface ToolCallStarted extends OfChoice {
  readonly _tag: "ToolCallStarted"
  readonly index: number
  readonly id: string
  readonly name: string
  readonly extras?: Extras | undefined
}

/** The next fragment of a tool call's JSON arguments. */
export interface ToolCallDelta extends OfChoice {
  readonly _tag: "ToolCallDelta"
  readonly index: number
  readonly arguments: string
}

/** Something that only one protocol has: citations, log probabilities, results of a provider's own tool. */
export interface Native extends OfChoice {
  readonly _tag: "Native"
  readonly protocol: string
  readonly value: JsonObject
  /** True: the value annotates the surrounding content without splitting it. Default: it is a separate part. */
  readonly isNote?: boolean | undefined
}

/** `unknown`: the provider sent no reason. */
export type FinishReason = "stop" | "length" | "tool-calls" | "content-filter" | "other" | "unknown"

export interface Finished extends OfChoice {
  readonly _tag: "Finished"
  readonly reason: FinishReason
  /** The provider's own word for the reason. */
  readonly raw: string
  /** The stop text that ended the answer, if the provider states it. */
  readonly stopSequence?: string | undefined
  /** Other fields of the end, such as the reason of a refusal. */
  readonly extras?: Extras | undefined
}

/** Tokens as the provider counted them. Undefined means unknown, not zero. */
export interface Used {
  readonly _tag: "Used"
  /** All of the input, cached or not. */
  readonly inputTokens: number | undefined
  /** The part of `inputTokens` that came from the provider's cache. */
  readonly cachedInputTokens: number | undefined
  /** The part of `inputTokens` that was written to the provider's cache. */
  readonly cacheWriteTokens: number | undefined
  readonly outputTokens: number | undefined
  /** The part of `outputTokens` that was spent on thinking. */
  readonly reasoningTokens: number | undefined
  /** The usage as the provider sent it, with fields that this form lacks. */
  readonly raw: JsonObject
}

export type ChatEvent =
  | Started
  | TextDelta
  | ReasoningDelta
  | ReasoningSigned
  | RefusalDelta
  | ToolCallStarted
  | ToolCallDelta
  | Native
  | Finished
  | Used

/** Whether the event comes from the model: not `Started`, not `Used`. */
export const isOutput = (event: ChatEvent): boolean => event._tag !== "Started" && event._tag !== "Used"
