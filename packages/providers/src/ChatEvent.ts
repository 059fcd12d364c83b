/**
 * What a chat model says, piece by piece, in the terms that all providers share.
 *
 * An answer is `Started`, then deltas, then `Finished`, then `Used` if the provider counted tokens. Where several answers
 * were asked for, each has a number and a `Finished` of its own. Without its `Finished` an answer is not whole.
 */
import type { Extras } from "./ChatRequest.ts"
import type { JsonObject } from "./Json.ts"

/** The provider has begun to answer. Nothing was said yet. */
export interface Started {
  readonly _tag: "Started"
  readonly id: string | undefined
  /** The model that answers, which may be a dated version of the one asked for. */
  readonly model: string | undefined
  /** What else the provider said of the answer as a whole, such as when it was made. */
  readonly extras?: Extras | undefined
}

interface Said {
  /** Which of several answers this belongs to; absent for the first or only one. */
  readonly choice?: number | undefined
}

export interface TextDelta extends Said {
  readonly _tag: "TextDelta"
  readonly text: string
}

/** The model's thinking, where the provider shows it. */
export interface ReasoningDelta extends Said {
  readonly _tag: "ReasoningDelta"
  readonly text: string
  readonly extras?: Extras | undefined
}

/**
 * A piece of thinking is complete and signed. The provider wants thinking and signature back unchanged; `redacted` stands for
 * thinking that only the provider can read.
 */
export interface ReasoningSigned extends Said {
  readonly _tag: "ReasoningSigned"
  readonly signature?: string | undefined
  readonly redacted?: string | undefined
}

/** The model declines, in its own words, instead of answering. */
export interface RefusalDelta extends Said {
  readonly _tag: "RefusalDelta"
  readonly text: string
}

/** A tool call begins. `index` tells calls apart whose fragments come mixed. */
export interface ToolCallStarted extends Said {
  readonly _tag: "ToolCallStarted"
  readonly index: number
  readonly id: string
  readonly name: string
  readonly extras?: Extras | undefined
}

/** The next fragment of a tool call's JSON arguments. */
export interface ToolCallDelta extends Said {
  readonly _tag: "ToolCallDelta"
  readonly index: number
  readonly arguments: string
}

/** Something that one protocol knows and this model does not: citations, log probabilities, what a provider's own tool did. */
export interface Native extends Said {
  readonly _tag: "Native"
  readonly protocol: string
  readonly value: JsonObject
  /** It is about what is being said, which goes on around it; else it stands by itself, between what is said. */
  readonly isNote?: boolean | undefined
}

export type FinishReason = "stop" | "length" | "tool-calls" | "content-filter" | "other"

export interface Finished extends Said {
  readonly _tag: "Finished"
  readonly reason: FinishReason
  /** The provider's own word for it. */
  readonly raw: string
  /** The stop text that was met, if the provider says which. */
  readonly stopSequence?: string | undefined
  /** What else the provider said of the end, such as why it refused. */
  readonly extras?: Extras | undefined
}

/** Tokens as the provider counted them. What it did not count is undefined, which is not zero. */
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
  /** The count as the provider wrote it, which has what this model does not. */
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

/** Whether the model said something, as against the provider announcing or counting. */
export const isOutput = (event: ChatEvent): boolean => event._tag !== "Started" && event._tag !== "Used"
