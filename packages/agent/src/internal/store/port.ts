/** What a conversation store does. */
import type * as Effect from "effect/Effect"
import type { Conflict, OperationMismatch, StaleFence, StoreUnavailable, TooLarge } from "./errors.ts"
import type {
  Append,
  Appended,
  Loaded,
  LoadOptions,
  Page,
  RemoveOptions,
  ScanOptions,
  Trim,
  View,
  ViewChange
} from "./model.ts"
import type { Stored } from "./stored.ts"

export interface ConversationStore {
  readonly name: string
  /** What the store has of a conversation, undefined if it knows nothing of it. */
  readonly load: (conversation: string, options?: LoadOptions) => Effect.Effect<Loaded | undefined, StoreUnavailable>
  readonly append: (
    append: Append
  ) => Effect.Effect<Appended, Conflict | OperationMismatch | StaleFence | TooLarge | StoreUnavailable>
  /** Replaces the view. A view of everything without text clears the conversation. */
  readonly setView: (change: ViewChange) => Effect.Effect<View, Conflict | StaleFence | TooLarge | StoreUnavailable>
  /** Drops entries up to a position that a view stands for, and returns how many. */
  readonly trim: (trim: Trim) => Effect.Effect<number, StoreUnavailable>
  /** Removes a conversation, and returns whether there was one. It leaves a tombstone, which refuses late changes. */
  readonly remove: (conversation: string, options?: RemoveOptions) => Effect.Effect<boolean, StoreUnavailable>
  /** A page of conversations, in an order of the store's. One that changes meanwhile may be on two pages. */
  readonly scan: (options: ScanOptions) => Effect.Effect<Page, StoreUnavailable>
  /** Deletes what has expired, and returns how many conversations. */
  readonly sweep: Effect.Effect<number, StoreUnavailable>
  /** A whole conversation, for another store. */
  readonly export: (conversation: string) => Effect.Effect<Stored | undefined, StoreUnavailable>
  /** Takes a whole conversation of another store, unless this one has it newer. Returns whether it was taken. */
  readonly adopt: (stored: Stored) => Effect.Effect<boolean, StoreUnavailable>
}
