/**
 * What a chat model says, piece by piece, in the terms that all providers share.
 *
 * An answer is `Started`, then deltas, then `Finished`, then `Used` if the provider counted tokens. An answer that came
 * in one piece is the same sequence. Without `Finished` it is not whole.
 */

/** The provider has begun to answer. Nothing was said yet. */
export interface Started {
  readonly _tag: "Started"
  readonly id: string | undefined
  /** The model that answers, which may be a dated version of the one asked for. */
  readonly model: string | undefined
}

export interface TextDelta {
  readonly _tag: "TextDelta"
  readonly text: string
}

/** The model's thinking, where the provider shows it. */
export interface ReasoningDelta {
  readonly _tag: "ReasoningDelta"
  readonly text: string
}

/** The model declines, in its own words, instead of answering. */
export interface RefusalDelta {
  readonly _tag: "RefusalDelta"
  readonly text: string
}

/** A tool call begins. `index` tells calls apart whose fragments come mixed. */
export interface ToolCallStarted {
  readonly _tag: "ToolCallStarted"
  readonly index: number
  readonly id: string
  readonly name: string
}

/** The next fragment of a tool call's JSON arguments. */
export interface ToolCallDelta {
  readonly _tag: "ToolCallDelta"
  readonly index: number
  readonly arguments: string
}

export type FinishReason = "stop" | "length" | "tool-calls" | "content-filter" | "other"

export interface Finished {
  readonly _tag: "Finished"
  readonly reason: FinishReason
  /** The provider's own word for it. */
  readonly raw: string
}

/** Tokens as the provider counted them. What it did not count is undefined, which is not zero. */
export interface Used {
  readonly _tag: "Used"
  readonly inputTokens: number | undefined
  /** The part of `inputTokens` that came from the provider's cache. */
  readonly cachedInputTokens: number | undefined
  readonly outputTokens: number | undefined
  /** The part of `outputTokens` that was spent on thinking. */
  readonly reasoningTokens: number | undefined
}

export type ChatEvent =
  | Started
  | TextDelta
  | ReasoningDelta
  | RefusalDelta
  | ToolCallStarted
  | ToolCallDelta
  | Finished
  | Used

/** Whether the model said something, as against the provider announcing or counting. */
export const isOutput = (event: ChatEvent): boolean => event._tag !== "Started" && event._tag !== "Used"
