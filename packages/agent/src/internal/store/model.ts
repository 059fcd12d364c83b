/** What a conversation store keeps, and the changes that it makes. Texts are the caller's: JSON, or encrypted. */
import * as Schema from "effect/Schema"

/**
 * The end of a log. The incarnation is new each time that a conversation begins, after it was removed or has expired, so that
 * a late change of an earlier one is refused. Both are 0 if there is no such conversation.
 */
export const Cursor = Schema.Struct({ incarnation: Schema.Number, position: Schema.Number })
export interface Cursor extends Schema.Schema.Type<typeof Cursor> {}

/** How long a conversation is kept, in milliseconds. */
export interface Expiry {
  /** Since its newest activity. */
  readonly idle: number | undefined
  /** Since it began. */
  readonly absolute: number | undefined
}

/** Entries for the end of a log. */
export interface Append {
  readonly conversation: string
  /** The id of this change, made before its first attempt: a repeated change does nothing. */
  readonly operation: string
  /** Tells a repeated change from another one with its id. Of the plain entries, since encryption differs each time. */
  readonly digest: string
  readonly expected: Cursor
  readonly entries: ReadonlyArray<string>
  /** The token of the writer's lease: the store refuses lower ones than it has seen. */
  readonly fence?: number | undefined
  readonly expiry: Expiry
  /** Whom the conversation is about, for erasure. */
  readonly subject?: string | undefined
}

export interface Appended {
  readonly cursor: Cursor
  /** The change had been made before. */
  readonly duplicate: boolean
}

/** What stands for all entries up to a position. */
export interface View {
  /** Rises with each change of the view. */
  readonly version: number
  readonly upTo: number
  /** Empty if the conversation was cleared. */
  readonly text: string
}

export interface ViewChange {
  readonly conversation: string
  readonly incarnation: number
  /** The version that the change replaces; 0 if there is no view. */
  readonly version: number
  readonly upTo: number
  readonly text: string
  readonly fence?: number | undefined
}

/** A conversation without its texts. Times are in milliseconds of the store's clock. */
export interface Head {
  readonly conversation: string
  readonly cursor: Cursor
  /** How many entries at the beginning were trimmed. */
  readonly trimmed: number
  readonly subject: string | undefined
  readonly createdAt: number
  readonly touchedAt: number
  readonly expiresAt: number | undefined
  readonly bytes: number
}

export interface Loaded extends Head {
  readonly view: View | undefined
  /** The position before the first of `entries`. */
  readonly from: number
  readonly entries: ReadonlyArray<string>
}
