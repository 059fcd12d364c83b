/** A history as what stays at its front, and turns that stay or go as one. */
import type * as Prompt from "effect/ai/Prompt"
import * as Marks from "./marks.ts"
import type { Counted, Item } from "./model.ts"
import { pairsOf } from "./pairs.ts"

/**
 * A turn: messages of the user, and all that follows until the next one that is not empty. Turns that share a tool call and its
 * result are one. So reasoning, signatures and other blocks that a provider wants back unchanged stay with their turn.
 */
interface Turn {
  readonly from: number
  /** The index after its last message. */
  readonly to: number
  readonly tokens: number
  /** What of it stays even if the turn goes: system messages, and pinned ones of the user. */
  readonly carried: ReadonlyArray<number>
  readonly carriedTokens: number
  /** It never goes: it has an unfinished tool call, or a pinned answer. */
  readonly isHeld: boolean
}

export interface Layout {
  /** How many messages stand before the turns: system messages, pinned ones, summaries. */
  readonly head: number
  readonly headTokens: number
  readonly turns: ReadonlyArray<Turn>
}

const isHead = ({ message }: Item): boolean =>
  message.role === "system" ||
  (message.role === "user" && (Marks.isPinned(message) || Marks.rangesOf(message) !== undefined))

const isCarried = ({ message }: Item): boolean =>
  message.role === "system" || (message.role === "user" && Marks.isPinned(message))

/** Providers drop or refuse an empty message, so none can begin what is left of a history. */
const isEmpty = ({ content, role }: Prompt.Message): boolean =>
  role === "user" && content.every((part) => part.type === "text" && part.text.trim() === "")

export const layoutOf = ({ items, sizes }: Counted): Layout => {
  const { open, until } = pairsOf(items.map(({ message }) => message))
  const sum = (from: number, to: number): number => {
    let tokens = 0
    for (let at = from; at < to; at++) tokens += sizes[at] ?? 0
    return tokens
  }
  const firstOther = items.findIndex((item) => !isHead(item))
  const head = firstOther === -1 ? items.length : firstOther
  const turns: Array<Turn> = []
  const end = (from: number, to: number) => {
    const carried: Array<number> = []
    let isHeld = false
    for (let at = from; at < to; at++) {
      const item = items[at]
      if (item === undefined) continue
      if (isCarried(item)) carried.push(at)
      else if (open.has(at) || Marks.isPinned(item.message)) isHeld = true
    }
    const carriedTokens = carried.reduce((tokens, at) => tokens + (sizes[at] ?? 0), 0)
    turns.push({ from, to, tokens: sum(from, to), carried, carriedTokens, isHeld })
  }
  let from = head
  /** The last message that belongs to the turns so far. */
  let reach = head
  let before = "user"
  for (let at = head; at < items.length; at++) {
    const message = items[at]?.message
    const role = message === undefined || isEmpty(message) ? undefined : message.role
    if (at > from && role === "user" && before !== "user" && reach < at) {
      end(from, at)
      from = at
    }
    reach = Math.max(reach, until[at] ?? at)
    if (role !== "system" && role !== undefined) before = role
  }
  if (from < items.length) end(from, items.length)
  return { head, headTokens: sum(0, head), turns }
}
