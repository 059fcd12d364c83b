/** A chat model's whole answer, in the terms that all providers share: what the events of a stream come to. */
import type * as Option from "effect/Option"
import type { ChatEvent, FinishReason, Used } from "./ChatEvent.ts"
import type { AssistantPart, Extras } from "./ChatRequest.ts"
import * as Fold from "./internal/model/fold.ts"

/** One answer. There are several only where several were asked for. */
export interface Choice {
  readonly content: ReadonlyArray<AssistantPart>
  readonly finish: {
    readonly reason: FinishReason
    /** The provider's own word for it. */
    readonly raw: string
    readonly stopSequence?: string | undefined
    readonly extras?: Extras | undefined
  }
}

export interface ChatResponse {
  readonly id: string | undefined
  readonly model: string | undefined
  readonly choices: readonly [Choice, ...ReadonlyArray<Choice>]
  /** Undefined where the provider counted nothing. */
  readonly usage: Omit<Used, "_tag"> | undefined
  readonly extras?: Extras | undefined
}

/**
 * What events come to. None where an answer has not its finish.
 *
 * Deltas of one kind in a row are one part, and notes come behind the part that they are about. Answers are in the order of
 * their numbers.
 */
export const fromEvents: (events: Iterable<ChatEvent>) => Option.Option<ChatResponse> = Fold.fromEvents

/**
 * The events that come to this answer. Parts of one kind in a row are one when they are folded again, empty texts are none,
 * and the extras of a text are left out, since no event has them.
 */
export const toEvents: (response: ChatResponse) => ReadonlyArray<ChatEvent> = Fold.toEvents
