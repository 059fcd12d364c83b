/** Replaces the content of old tool results. Their calls stay, so that the model knows what it did and can do it again. */
import * as Prompt from "effect/ai/Prompt"
import { estimate } from "./estimate.ts"
import * as Marks from "./marks.ts"
import type { Counted, Item } from "./model.ts"

export interface Clearing {
  /** How many of the newest results stay. */
  readonly keep: number
  /** Names of tools whose results stay. */
  readonly exclude: ReadonlySet<string>
  readonly placeholder: string
}

const replaced = (part: Prompt.ToolResultPart, placeholder: string): Prompt.ToolResultPart =>
  Prompt.toolResultPart({
    id: part.id,
    name: part.name,
    isFailure: part.isFailure,
    result: placeholder,
    providerExecuted: part.providerExecuted,
    options: Marks.cleared(part)
  })

/** The results of the caller's own tools. Those of the provider's are its blocks, which it wants back unchanged. */
const isOwn = (part: Prompt.ToolMessagePart): part is Prompt.ToolResultPart =>
  part.type === "tool-result" && !part.providerExecuted

const sizeOf = (part: Prompt.ToolResultPart): number => estimate(Prompt.toolMessage({ content: [part] }))

/** The messages with cleared results, by index. Pinned messages stay as they are. */
export const clearing = ({ items }: Counted, { exclude, keep, placeholder }: Clearing): ReadonlyMap<number, Item> => {
  const changed = new Map<number, Item>()
  let seen = 0
  for (let at = items.length - 1; at >= 0; at--) {
    const { message, position } = items[at] ?? {}
    if (message?.role !== "tool") continue
    let isChanged = false
    const content = message.content.toReversed().map((part) => {
      if (!isOwn(part) || ++seen <= keep) return part
      if (exclude.has(part.name) || Marks.isCleared(part) || Marks.isPinned(message)) return part
      const smaller = replaced(part, placeholder)
      if (sizeOf(smaller) >= sizeOf(part)) return part
      isChanged = true
      return smaller
    }).toReversed()
    if (isChanged) changed.set(at, { message: Prompt.toolMessage({ content, options: message.options }), position })
  }
  return changed
}
