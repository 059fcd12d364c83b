/** Counts the tokens of a history: by the counter in force, else by Effect's `Tokenizer`, else by the estimate. */
import * as Prompt from "effect/ai/Prompt"
import * as Tokenizer from "effect/ai/Tokenizer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { estimate } from "./estimate.ts"
import type { Counted, Item } from "./model.ts"

export interface Counter {
  /** What a view's provenance says of its token counts. */
  readonly name: string
  /** The tokens of one message. It must not depend on other messages. */
  readonly count: (message: Prompt.Message) => number
}

export const byBytes: Counter = { name: "estimate", count: estimate }

/** The counter of compactions. Default: the estimate, or Effect's `Tokenizer` where one is provided. */
export const CurrentCounter = Context.Reference<Counter>("@clawback/agent/TokenCount/CurrentCounter", {
  defaultValue: () => byBytes
})

const known = new WeakMap<Tokenizer.Service, WeakMap<Prompt.Message, number>>()

const knownBy = (tokenizer: Tokenizer.Service): WeakMap<Prompt.Message, number> => {
  const before = known.get(tokenizer)
  if (before !== undefined) return before
  const sizes = new WeakMap<Prompt.Message, number>()
  known.set(tokenizer, sizes)
  return sizes
}

/** A message that the tokenizer rejects is estimated, since a compaction must not fail for it. */
const exact = (tokenizer: Tokenizer.Service, message: Prompt.Message): Effect.Effect<number> => {
  const sizes = knownBy(tokenizer)
  const before = sizes.get(message)
  if (before !== undefined) return Effect.succeed(before)
  return tokenizer.tokenize(Prompt.fromMessages([message])).pipe(
    Effect.map(({ length }) => {
      sizes.set(message, length)
      return length
    }),
    Effect.orElseSucceed(() => estimate(message))
  )
}

const counted = (items: ReadonlyArray<Item>, sizes: ReadonlyArray<number>, counter: string): Counted => ({
  items,
  sizes,
  total: sizes.reduce((sum, size) => sum + size, 0),
  counter
})

export const counting = (items: ReadonlyArray<Item>, { count, name }: Counter): Counted =>
  counted(items, items.map(({ message }) => count(message)), name)

export const measure = (items: ReadonlyArray<Item>): Effect.Effect<Counted> =>
  Effect.withFiber((fiber) => {
    const counter = fiber.getRef(CurrentCounter)
    const tokenizer = Context.getOption(fiber.context as Context.Context<Tokenizer.Tokenizer>, Tokenizer.Tokenizer)
    if (counter !== byBytes || tokenizer._tag === "None") return Effect.succeed(counting(items, counter))
    return Effect.map(
      Effect.forEach(items, ({ message }) => exact(tokenizer.value, message)),
      (sizes) => counted(items, sizes, "tokenizer")
    )
  })
