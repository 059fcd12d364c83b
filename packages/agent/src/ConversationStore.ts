/**
 * Where histories of conversations are kept: an append-only log for each, and a smaller view of it.
 *
 * Changes are compare-and-set: each says at which end of the log it expects the conversation, and fails with `Conflict` if
 * another writer was faster. A repeated change with the same operation id does nothing. A removed conversation leaves a
 * tombstone that refuses late changes. The store itself forgets what has expired.
 *
 * @experimental
 */

import type * as Effect from "effect/Effect"
import type { Conflict, OperationMismatch, StaleFence, StoreUnavailable, TooLarge } from "./internal/store/errors.ts"
import type { Append, Appended, Expiry, Head, Loaded, View, ViewChange } from "./internal/store/model.ts"

export { Conflict, OperationMismatch, StaleFence, StoreUnavailable, TooLarge } from "./internal/store/errors.ts"
export type { Append, Appended, Expiry, Head, Loaded, View, ViewChange } from "./internal/store/model.ts"

export interface LoadOptions {
  /** The load counts as activity, and the conversation expires by this. */
  readonly touch?: Expiry | undefined
  /** The position after which entries are returned. Default: that of the view, or the beginning. */
  readonly from?: number | undefined
}

export interface ScanOptions {
  readonly subject?: string | undefined
  /** Only conversations without activity since then, in milliseconds of the store's clock. */
  readonly idleSince?: number | undefined
  /** The last conversation of the previous page. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface ConversationStore {
  readonly name: string
  readonly load: (conversation: string, options?: LoadOptions) => Effect.Effect<Loaded | undefined, StoreUnavailable>
  readonly append: (
    append: Append
  ) => Effect.Effect<Appended, Conflict | OperationMismatch | StaleFence | TooLarge | StoreUnavailable>
  /** Replaces the view. A view of everything without text clears the conversation. */
  readonly setView: (change: ViewChange) => Effect.Effect<View, Conflict | StaleFence | TooLarge | StoreUnavailable>
  /** Drops entries up to a position that a view stands for, and returns how many. */
  readonly trim: (
    options: { readonly conversation: string; readonly incarnation: number; readonly upTo: number }
  ) => Effect.Effect<number, StoreUnavailable>
  /** Removes a conversation, and returns whether there was one. */
  readonly remove: (conversation: string) => Effect.Effect<boolean, StoreUnavailable>
  /** A page of conversations, in an order of the store's. */
  readonly scan: (options: ScanOptions) => Effect.Effect<ReadonlyArray<Head>, StoreUnavailable>
  /** Deletes what has expired, and returns how many conversations. */
  readonly sweep: Effect.Effect<number, StoreUnavailable>
}
