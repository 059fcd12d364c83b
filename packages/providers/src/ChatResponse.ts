/**
 * A chat model's whole answer, in one form for all providers.
 *
 * @stable
 */

import type * as Option from "effect/Option"
import type { ChatEvent } from "./ChatEvent.ts"
import type { ChatResponse } from "./internal/model/chatResponse.ts"
import * as Fold from "./internal/model/fold.ts"

export type { ChatResponse, Choice } from "./internal/model/chatResponse.ts"

/**
 * The response of a stream's events. None if an answer lacks its `Finished`.
 *
 * Deltas of one kind in a row are one part. Notes follow the part that they are about. Answers are sorted by number.
 */
export const fromEvents: (events: Iterable<ChatEvent>) => Option.Option<ChatResponse> = Fold.fromEvents

/**
 * The events of a response. `fromEvents` returns the same response, except: parts of one kind in a row are joined, empty texts
 * are dropped, and so are the extras of texts.
 */
export const toEvents: (response: ChatResponse) => ReadonlyArray<ChatEvent> = Fold.toEvents
