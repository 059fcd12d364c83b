/** A whole conversation, as one store gives it to another: its state, and the texts and operation ids beside it. */
import { cursorOf, endsAt, type Live, type Removed, type State } from "./machine.ts"
import type { Append, Head, Loaded, View } from "./model.ts"
import { utf8Length } from "./utf8.ts"

/** An append that is remembered by its id. */
export interface Operation {
  readonly id: string
  readonly digest: string
  /** The end of the log after it. */
  readonly position: number
}

export interface Texts {
  /** The entries that were not trimmed. */
  readonly entries: ReadonlyArray<string>
  /** Of the view. Empty without one. */
  readonly view: string
  /** The oldest first. */
  readonly operations: ReadonlyArray<Operation>
}

export interface Stored extends Texts {
  readonly conversation: string
  readonly state: State
}

export const knownOperation = ({ operations }: Pick<Texts, "operations">, id: string): Operation | undefined =>
  operations.findLast((operation) => operation.id === id)

/** The append, as the machine sees it. */
export const additionOf = ({ digest, entries, expected, expiry, fence, subject }: Append) => ({
  expected,
  digest,
  expiry,
  fence,
  subject,
  count: entries.length,
  bytes: utf8Length(...entries)
})

export const headOf = (conversation: string, state: Live): Head => ({
  conversation,
  cursor: cursorOf(state),
  trimmed: state.trimmed,
  subject: state.subject,
  createdAt: state.createdAt,
  touchedAt: state.touchedAt,
  expiresAt: finite(endsAt(state)),
  bytes: state.bytes
})

const finite = (at: number) => at === Infinity ? undefined : at

export const viewOf = ({ viewUpTo, viewVersion }: Live, text: string): View | undefined =>
  viewVersion === 0 ? undefined : { version: viewVersion, upTo: viewUpTo, text }

/** The position after which entries are loaded: after the view, unless the caller says otherwise. */
export const loadedFrom = ({ position, trimmed, viewUpTo }: Live, from: number | undefined): number =>
  Math.min(Math.max(from ?? viewUpTo, trimmed), position)

export const loadedOf = (
  conversation: string,
  state: Live,
  from: number,
  texts: Pick<Loaded, "entries"> & { readonly view: string }
): Loaded => ({
  ...headOf(conversation, state),
  isRemoved: false,
  view: viewOf(state, texts.view),
  from,
  entries: texts.entries
})

export const removedOf = (conversation: string, state: Removed): Loaded => ({
  conversation,
  cursor: cursorOf(state),
  isRemoved: true,
  trimmed: 0,
  subject: undefined,
  createdAt: 0,
  touchedAt: 0,
  expiresAt: state.until,
  bytes: 0,
  view: undefined,
  from: 0,
  entries: []
})
