/** A chat model's whole answer, in the terms that all providers share: what the events of a stream come to. */
import type * as Option from "effect/Option"
import type { ChatEvent } from "./ChatEvent.ts"
import type { ChatResponse } from "./internal/model/chatResponse.ts"
import * as Fold from "./internal/model/fold.ts"

export type { ChatResponse, Choice } from "./internal/model/chatResponse.ts"

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
