/**
 * What a compaction notes on messages and parts, in their options under our own key. It survives the store, and no provider
 * sees it.
 */
import type * as Prompt from "effect/ai/Prompt"
import type { Range } from "./model.ts"

const key = "clawback"

interface Optional {
  readonly options?: Prompt.ProviderOptions | undefined
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const notesOf = ({ options }: Optional): Record<string, unknown> => {
  const notes = options?.[key]
  return isRecord(notes) ? notes : {}
}

/** The options with one more note. Notes of others under the key stay. */
const noted = (of: Optional, note: Record<string, unknown>): Prompt.ProviderOptions =>
  ({ ...of.options, [key]: { ...notesOf(of), ...note } }) as Prompt.ProviderOptions

/** Marks a message that no compaction may remove. */
export const pin = <A extends Prompt.Message | Prompt.MessageEncoded>(message: A): A => ({
  ...message,
  options: noted(message, { pinned: true })
})

export const isPinned = (message: Prompt.Message): boolean => notesOf(message)["pinned"] === true

/** Marks a tool result whose content was replaced. */
export const cleared = (part: Prompt.ToolResultPart): Prompt.ProviderOptions => noted(part, { cleared: true })

export const isCleared = (part: Prompt.ToolResultPart): boolean => notesOf(part)["cleared"] === true

/** Notes which positions of the log a summary stands for. */
export const summaryOf = (ranges: ReadonlyArray<Range>): Prompt.ProviderOptions =>
  noted({}, { summary: ranges.map(({ from, to }) => ({ from, to })) })

const isRange = (value: unknown): value is Range =>
  isRecord(value) && typeof value["from"] === "number" && typeof value["to"] === "number"

/** The positions that a summary stands for. Undefined: the message is no summary. */
export const rangesOf = (message: Prompt.Message): ReadonlyArray<Range> | undefined => {
  const { summary } = notesOf(message)
  return Array.isArray(summary) ? summary.filter(isRange) : undefined
}

/** The options as a provider may see them: what is ours does not count. */
export const withoutOurs = (options: Prompt.ProviderOptions): Prompt.ProviderOptions => {
  const notes = options[key]
  if (!isRecord(notes)) return options
  const { cleared: _, pinned: __, summary: ___, ...others } = notes
  const { [key]: ____, ...rest } = options
  return (Object.keys(others).length === 0 ? rest : { ...rest, [key]: others }) as Prompt.ProviderOptions
}
