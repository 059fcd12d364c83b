/** What a conversation store keeps, and the changes that it makes. Texts are the caller's: JSON, or encrypted. */
import * as Schema from "effect/Schema"

/**
 * The end of a log. The incarnation is new each time that a conversation begins, after it was removed or has expired, so that
 * a late change of an earlier one is refused. Both are 0 if the store knows nothing of the conversation. After a removal, the
 * incarnation is that of the removed one, and the position 0.
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
  /** Whom the conversation is about, for erasure. It stays, once it is known. */
  readonly subject?: string | undefined
}

export interface Appended {
  /** The end of the log after this append. */
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
  /** Not before that of the view, and not after the end of the log. */
  readonly upTo: number
  readonly text: string
  readonly fence?: number | undefined
}

export interface Trim {
  readonly conversation: string
  readonly incarnation: number
  readonly upTo: number
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
  /** UTF-8 bytes of all entries and of the view. */
  readonly bytes: number
}

export interface Loaded extends Head {
  /** Whether the conversation was removed. It has no entries then, and an append that expects its cursor begins it anew. */
  readonly isRemoved: boolean
  readonly view: View | undefined
  /** The position before the first of `entries`. */
  readonly from: number
  readonly entries: ReadonlyArray<string>
}

export interface Page {
  readonly heads: ReadonlyArray<Head>
  /** To be given as `after` for the next page; undefined after the last one. */
  readonly next: string | undefined
}

export interface LoadOptions {
  /** The load counts as activity, and the conversation expires by this. */
  readonly touch?: Expiry | undefined
  /** The position after which entries are returned. Default: that of the view, or the beginning. */
  readonly from?: number | undefined
}

export interface RemoveOptions {
  /** Only this incarnation. Default: any. */
  readonly incarnation?: number | undefined
  /** Only if there was no activity after this moment of the store's clock, in milliseconds. */
  readonly idleSince?: number | undefined
}

export interface ScanOptions {
  readonly subject?: string | undefined
  /** Only conversations without activity after this moment of the store's clock, in milliseconds. */
  readonly idleSince?: number | undefined
  /** The `next` of the previous page. */
  readonly after?: string | undefined
  /** How many conversations a page has about. It may have fewer, also none, and be followed by others. */
  readonly limit: number
}
