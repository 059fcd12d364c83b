/** Which turns stay, and the history without the others. */
import type { Layout } from "./layout.ts"
import type { Counted, Item } from "./model.ts"

/** For each turn, whether it stays. */
export type Kept = ReadonlyArray<boolean>

const floorOf = ({ turns }: Layout): Array<boolean> =>
  turns.map(({ isHeld }, index) => isHeld || index === turns.length - 1)

/** The newest turns, and those that never go. */
export const newest = (layout: Layout, count: number): Kept => {
  const kept = floorOf(layout)
  for (let index = Math.max(0, kept.length - count); index < kept.length; index++) kept[index] = true
  return kept
}

/** The size of the history with these turns. */
export const sizeOf = ({ headTokens, turns }: Layout, kept: Kept): number =>
  turns.reduce(
    (size, { carriedTokens, tokens }, index) => size + (kept[index] === true ? tokens : carriedTokens),
    headTokens
  )

export interface Limits {
  /** The size that is aimed at. What never goes may be larger. */
  readonly target: number
  /** The most turns that stay beside those that never go. */
  readonly turns: number
}

/** As many of the newest turns as fit into the target, without a gap, and those that never go. */
export const fitting = (layout: Layout, { target, turns: most }: Limits): Kept => {
  const kept = floorOf(layout)
  let size = sizeOf(layout, kept)
  for (let index = kept.length - 1, count = 0; index >= 0 && count < most; index--, count++) {
    const turn = layout.turns[index]
    if (turn === undefined || kept[index] === true) continue
    size += turn.tokens - turn.carriedTokens
    if (size > target) break
    kept[index] = true
  }
  return kept
}

export const isWhole = (kept: Kept): boolean => kept.every((isKept) => isKept)

const isSystem = ({ message }: Item): boolean => message.role === "system"

export interface Dropped {
  readonly items: ReadonlyArray<Item>
  readonly removed: ReadonlyArray<Item>
}

/**
 * The history without the turns that go. System messages and pinned ones of these move to the front, unchanged: first all
 * system messages, then the others. `head` chooses what of the front stays, and `inserted` stands after it.
 */
export const without = (
  { items }: Counted,
  layout: Layout,
  kept: Kept,
  inserted: ReadonlyArray<Item> = [],
  head: (item: Item) => boolean = () => true
): Dropped => {
  const front: Array<Item> = items.slice(0, layout.head).filter(head)
  const rest: Array<Item> = []
  const removed: Array<Item> = []
  for (const [index, { carried, from, to }] of layout.turns.entries()) {
    if (kept[index] === true) {
      for (let at = from; at < to; at++) {
        const item = items[at]
        if (item !== undefined) (isSystem(item) ? front : rest).push(item)
      }
      continue
    }
    const stays = new Set(carried)
    for (let at = from; at < to; at++) {
      const item = items[at]
      if (item !== undefined) (stays.has(at) ? front : removed).push(item)
    }
  }
  return {
    items: [...front.filter(isSystem), ...front.filter((item) => !isSystem(item)), ...inserted, ...rest],
    removed
  }
}
