/** A history with log positions, its smaller form, and where that came from. */
import * as Prompt from "effect/ai/Prompt"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** Positions of a log, both ends included. */
export const Range = Schema.Struct({ from: Schema.Number, to: Schema.Number })
export interface Range extends Schema.Schema.Type<typeof Range> {}

export const Item = Schema.Struct({
  message: Prompt.Message,
  position: Schema.optional(Schema.Number)
})
/** A message of a history. */
export interface Item {
  readonly message: Prompt.Message
  /** Where it stands in the log. Undefined: it stands in no log, as a summary does. A message with a cleared result keeps it. */
  readonly position?: number | undefined
}

const Tokens = Schema.optional(Schema.Number)

/** One strategy's part in a compaction: the provenance of a view. */
export const Step = Schema.Struct({
  /** The strategy, such as `tokens(8000)`. */
  by: Schema.String,
  /** When, in milliseconds since 1970, by the `Clock`. */
  at: Schema.Number,
  /** Messages of the log that the view does not contain any more. */
  removed: Schema.Array(Range),
  /** Messages of the log that the view contains with cleared tool results. */
  changed: Schema.Array(Range),
  tokensBefore: Schema.Number,
  tokensAfter: Schema.Number,
  /** How the tokens were counted: `estimate`, `tokenizer`, or the name of a counter. */
  counter: Schema.String,
  /** The model that wrote the summary, by its own name. */
  model: Schema.optional(Schema.String),
  /** What the summary cost. `cached`: input tokens that the provider read from its cache. */
  usage: Schema.optional(Schema.Struct({ input: Tokens, cached: Tokens, output: Tokens }))
})
export interface Step extends Schema.Schema.Type<typeof Step> {}

/** The smaller history. Encode it by `Schema.toCodecJson(Compacted)`. */
export const Compacted = Schema.Struct({
  items: Schema.Array(Item),
  steps: Schema.Array(Step),
  /** The size of the items. */
  tokens: Schema.Number
})
export interface Compacted {
  readonly items: ReadonlyArray<Item>
  readonly steps: ReadonlyArray<Step>
  readonly tokens: number
}

/** A history with the size of each message. */
export interface Counted {
  readonly items: ReadonlyArray<Item>
  /** Tokens of each item. */
  readonly sizes: ReadonlyArray<number>
  readonly total: number
  readonly counter: string
}

export type Compact<E, R> = (history: ReadonlyArray<Item>) => Effect.Effect<Option.Option<Compacted>, E, R>

/** Positions as few ranges, in order. */
const rangesOf = (positions: Iterable<number>): ReadonlyArray<Range> => {
  const ranges: Array<{ from: number; to: number }> = []
  for (const position of [...new Set(positions)].toSorted((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && position === last.to + 1) last.to = position
    else ranges.push({ from: position, to: position })
  }
  return ranges
}

/** The positions of items that have one, as ranges. */
export const positionsOf = (items: ReadonlyArray<Item>): ReadonlyArray<Range> =>
  rangesOf(items.flatMap(({ position }) => position === undefined ? [] : [position]))

/** All ranges of both. */
export const union = (one: ReadonlyArray<Range>, other: ReadonlyArray<Range>): ReadonlyArray<Range> => {
  const merged: Array<{ from: number; to: number }> = []
  for (const { from, to } of [...one, ...other].toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1)
    if (last !== undefined && from <= last.to + 1) last.to = Math.max(last.to, to)
    else merged.push({ from, to })
  }
  return merged
}
