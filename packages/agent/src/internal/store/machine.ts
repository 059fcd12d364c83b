/**
 * The life of one conversation in a store, without clock, texts or effects.
 *
 * A store keeps the state of each conversation with its entries, its view and the ids of its newest appends. It asks this machine
 * what a change does, and performs the answer in one transaction. Times are milliseconds of the store's clock.
 *
 * Guarantees: an append is applied only at the end that its writer expects, and once for each operation id that is remembered.
 * The incarnation of a conversation is never that of an earlier one. A removed conversation is begun again only by a writer that
 * knows of the removal. A view never stands for less than the one before. Tokens of writers never go back.
 */
import type { Cursor, Expiry } from "./model.ts"

/** So many of the newest appends of a conversation are known by their ids. A writer that repeats an older one gets a conflict. */
export const rememberedOperations = 128

export interface Live {
  readonly _tag: "Live"
  readonly incarnation: number
  /** How many entries were ever appended. */
  readonly position: number
  /** How many of them were dropped, from the beginning. */
  readonly trimmed: number
  /** How many appends there were. */
  readonly appends: number
  /** 0: there was no view yet. */
  readonly viewVersion: number
  readonly viewUpTo: number
  readonly viewBytes: number
  /** The highest token of a writer; 0 if none had one. */
  readonly fence: number
  readonly subject: string | undefined
  readonly createdAt: number
  readonly touchedAt: number
  readonly idle: number | undefined
  readonly absolute: number | undefined
  /** Of all entries and of the view. */
  readonly bytes: number
}

/** What is left of a removed conversation for a while. */
export interface Removed {
  readonly _tag: "Removed"
  readonly incarnation: number
  readonly fence: number
  readonly until: number
}

export type State = Live | Removed

export interface Limits {
  /** Bytes that a conversation may have. */
  readonly maxBytes: number
}

/** An append without its texts. */
export interface Addition {
  readonly expected: Cursor
  readonly digest: string
  readonly count: number
  readonly bytes: number
  readonly fence: number | undefined
  readonly expiry: Expiry
  readonly subject: string | undefined
}

/** An append that was made, and is remembered. */
export interface Known {
  readonly digest: string
  /** The end of the log after it. */
  readonly position: number
}

export type Refusal =
  | { readonly _tag: "Conflict"; readonly what: "position" | "view" | "removed"; readonly actual: Cursor }
  | { readonly _tag: "Stale"; readonly newest: number }
  | { readonly _tag: "TooLarge"; readonly bytes: number }

export type Appending =
  | { readonly _tag: "Applied"; readonly state: Live; readonly begins: boolean }
  | { readonly _tag: "Duplicate"; readonly cursor: Cursor }
  | { readonly _tag: "Mismatch" }
  | Refusal

const expiresAt = ({ absolute, createdAt, idle, touchedAt }: Live): number =>
  Math.min(touchedAt + (idle ?? Infinity), createdAt + (absolute ?? Infinity))

/** When nothing is left of the conversation, if nothing happens. */
export const endsAt = (state: State): number => state._tag === "Live" ? expiresAt(state) : state.until

/** What has expired is not there, even if the store still has it. */
export const present = (found: State | undefined, now: number): State | undefined =>
  found !== undefined && now < endsAt(found) ? found : undefined

const none: Cursor = { incarnation: 0, position: 0 }

/** What a writer that knows everything expects. */
export const cursorOf = (state: State | undefined): Cursor =>
  state === undefined
    ? none
    : { incarnation: state.incarnation, position: state._tag === "Live" ? state.position : 0 }

const conflict = (what: "position" | "view" | "removed", state: State | undefined): Refusal => ({
  _tag: "Conflict",
  what,
  actual: cursorOf(state)
})

/** Never that of an earlier conversation of this name: clocks may go back, and the earlier one may be gone. */
const nextIncarnation = (found: State | undefined, now: number) =>
  Math.max((found?.incarnation ?? 0) + 1, Math.floor(now * 1000))

const begun = (found: State | undefined, { expiry, subject }: Addition, now: number): Live => ({
  _tag: "Live",
  incarnation: nextIncarnation(found, now),
  position: 0,
  trimmed: 0,
  appends: 0,
  viewVersion: 0,
  viewUpTo: 0,
  viewBytes: 0,
  fence: found?.fence ?? 0,
  subject,
  createdAt: now,
  touchedAt: now,
  idle: expiry.idle,
  absolute: expiry.absolute,
  bytes: 0
})

const isAt = (expected: Cursor, state: State | undefined) => {
  const actual = cursorOf(state)
  return expected.incarnation === actual.incarnation && expected.position === actual.position
}

/** What an append does. `known` is the append with its id that the present incarnation remembers. */
export const append = (
  found: State | undefined,
  addition: Addition,
  known: Known | undefined,
  now: number,
  limits: Limits
): Appending => {
  const state = present(found, now)
  const { bytes, count, digest, expected, expiry, fence } = addition
  if (state?._tag === "Live" && known !== undefined) {
    return known.digest === digest
      ? { _tag: "Duplicate", cursor: { incarnation: state.incarnation, position: known.position } }
      : { _tag: "Mismatch" }
  }
  const newest = state?.fence ?? 0
  if (fence !== undefined && fence < newest) return { _tag: "Stale", newest }
  if (!isAt(expected, state)) {
    const isSame = state?._tag === "Live" && (expected.incarnation === state.incarnation || expected.incarnation === 0)
    return conflict(isSame ? "position" : "removed", state)
  }
  const before = state?._tag === "Live" ? state : begun(found, addition, now)
  const total = before.bytes + bytes
  if (total > limits.maxBytes) return { _tag: "TooLarge", bytes: total }
  return {
    _tag: "Applied",
    begins: before !== state,
    state: {
      ...before,
      position: before.position + count,
      appends: before.appends + 1,
      fence: Math.max(before.fence, fence ?? 0),
      subject: before.subject ?? addition.subject,
      touchedAt: Math.max(before.touchedAt, now),
      idle: expiry.idle,
      absolute: expiry.absolute,
      bytes: total
    }
  }
}

/** A change of the view without its text. */
export interface Replacement {
  readonly incarnation: number
  /** The version that it replaces. */
  readonly version: number
  readonly upTo: number
  readonly bytes: number
  readonly fence: number | undefined
}

export type Viewing = { readonly _tag: "Applied"; readonly state: Live } | Refusal

export const setView = (
  found: State | undefined,
  { bytes, fence, incarnation, upTo, version }: Replacement,
  now: number,
  limits: Limits
): Viewing => {
  const state = present(found, now)
  if (state?._tag !== "Live" || state.incarnation !== incarnation) return conflict("removed", state)
  if (fence !== undefined && fence < state.fence) return { _tag: "Stale", newest: state.fence }
  if (version !== state.viewVersion) return conflict("view", state)
  if (upTo < state.viewUpTo || upTo > state.position) return conflict("position", state)
  const total = state.bytes - state.viewBytes + bytes
  if (total > limits.maxBytes && total > state.bytes) return { _tag: "TooLarge", bytes: total }
  return {
    _tag: "Applied",
    state: {
      ...state,
      viewVersion: version + 1,
      viewUpTo: upTo,
      viewBytes: bytes,
      fence: Math.max(state.fence, fence ?? 0),
      bytes: total
    }
  }
}

/** The position up to which entries can be dropped, if any can. Only those for which the view stands. */
export const trimTo = (
  found: State | undefined,
  { incarnation, upTo }: { readonly incarnation: number; readonly upTo: number },
  now: number
): { readonly state: Live; readonly upTo: number } | undefined => {
  const state = present(found, now)
  if (state?._tag !== "Live" || state.incarnation !== incarnation) return undefined
  const to = Math.min(upTo, state.viewUpTo)
  return to > state.trimmed ? { state, upTo: to } : undefined
}

/** The state after entries were dropped, of so many bytes. */
export const trimmed = (state: Live, upTo: number, bytes: number): Live => ({
  ...state,
  trimmed: upTo,
  bytes: state.bytes - bytes
})

/** The state after activity. */
export const touched = (state: Live, { absolute, idle }: Expiry, now: number): Live => ({
  ...state,
  touchedAt: Math.max(state.touchedAt, now),
  idle,
  absolute
})

export interface Removal {
  /** Only this incarnation. */
  readonly incarnation?: number | undefined
  /** Only if there was no activity after this moment. */
  readonly idleSince?: number | undefined
}

/** What is left of the conversation, if there is one to remove. */
export const remove = (
  found: State | undefined,
  { idleSince, incarnation }: Removal,
  now: number,
  tombstone: number
): Removed | undefined => {
  const state = present(found, now)
  if (state?._tag !== "Live") return undefined
  if (incarnation !== undefined && incarnation !== state.incarnation) return undefined
  if (idleSince !== undefined && state.touchedAt > idleSince) return undefined
  return { _tag: "Removed", incarnation: state.incarnation, fence: state.fence, until: now + tombstone }
}

/** Whether a whole record replaces what a store has: only if it is at least as new. */
export const supersedes = (given: State, found: State | undefined, now: number): boolean => {
  const state = present(found, now)
  if (state === undefined) return true
  if (given.incarnation !== state.incarnation) return given.incarnation > state.incarnation
  if (state._tag === "Removed" || given._tag === "Removed") return given._tag === "Removed"
  return given.position >= state.position && given.viewVersion >= state.viewVersion &&
    given.trimmed >= state.trimmed && given.touchedAt >= state.touchedAt
}
