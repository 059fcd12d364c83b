/**
 * Makes the history of a conversation smaller, without breaking it.
 *
 * A `Compaction` is a value: a strategy, or several. It reads a history and returns a smaller one, or nothing while the history
 * is within its limits. The log of the conversation stays as it is: the smaller history is a view, with its provenance.
 *
 * | strategy | what it does | fails with |
 * | --- | --- | --- |
 * | `turns(n)` | keeps the newest turns | – |
 * | `tokens(budget)` | keeps the newest turns that fit | `ContextTooLarge` |
 * | `clearToolResults()` | empties old tool results | – |
 * | `summary(options)` | replaces older turns by a summary that a model writes | `ContextTooLarge`, `SummaryFailed` |
 * | `all(a, b)` | one after the other | what they fail with |
 * | `orElse(a, b)` | the second where the first fails | what the second fails with |
 * | `none` | nothing | – |
 *
 * Guarantees, of each strategy and all compositions:
 * - A tool result stays with its call, an approval with its request, and reasoning with its turn: turns stay or go whole.
 * - System messages and pinned ones stay, unchanged. Those of removed turns move to the front.
 * - The newest turn and unfinished tool calls stay.
 * - A result is within the budget. Otherwise, the compaction fails, and nothing is changed.
 * - To compact twice is to compact once.
 * - Nothing changes below the limit, and each compaction leaves room: so requests begin with the bytes of the one before, and
 *   providers read them from their caches.
 * - A summary that fails, is refused or is empty changes nothing.
 *
 * ```ts
 * import { Compaction } from "@clawback/agent"
 * import { Console, Effect } from "effect"
 * import { Prompt } from "effect/ai"
 *
 * const history = Prompt.make([
 *   { role: "system", content: "You sell shoes." },
 *   { role: "user", content: "Have you boots?" },
 *   { role: "assistant", content: "We have." },
 *   { role: "user", content: "In red?" }
 * ])
 *
 * const program = Effect.gen(function*() {
 *   const smaller = yield* Compaction.compactPrompt(history, Compaction.turns(1))
 *   for (const { content, role } of smaller.content) yield* Console.log(role, content)
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @experimental
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Prompt from "effect/ai/Prompt"
import type * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import { clearing } from "./internal/compaction/clear.ts"
import * as Drop from "./internal/compaction/drop.ts"
import { ContextTooLarge, type SummaryFailed } from "./internal/compaction/errors.ts"
import { layoutOf } from "./internal/compaction/layout.ts"
import type { Compact, Compacted, Item, Step } from "./internal/compaction/model.ts"
import { Original, type Outcome, removing, strategy } from "./internal/compaction/strategy.ts"
import { defaultInstructions } from "./internal/compaction/summarise.ts"
import * as Summary from "./internal/compaction/summary.ts"

export { ContextTooLarge, SummaryFailed } from "./internal/compaction/errors.ts"
export { isPinned, pin } from "./internal/compaction/marks.ts"
export { Compacted, Item, Range, Step } from "./internal/compaction/model.ts"

const TypeId = "~@clawback/agent/Compaction"

/** A way to make a history smaller. `E` is what it can fail with, and `R` what it needs, such as a model. */
export interface Compaction<out E = never, out R = never> {
  readonly [TypeId]: typeof TypeId
  readonly name: string
  /** Returns none if there is nothing to do. Items keep their positions, and are the same objects where they are unchanged. */
  readonly compact: (history: ReadonlyArray<Item>) => Effect.Effect<Option.Option<Compacted>, E, R>
}

const make = <E, R>(name: string, compact: Compact<E, R>): Compaction<E, R> => ({ [TypeId]: TypeId, name, compact })

/** Leaves every history as it is. */
export const none: Compaction = make("none", () => Effect.succeedNone)

/** Where a compaction stops, unless it is given: with room for as much again until the next one. */
const share = 0.6

const targetOf = (name: string, limit: number, least: number, target: number | undefined): number =>
  OptionCheck.count(name, target ?? Math.max(least, Math.ceil(limit * share)), least, limit)

export interface TurnsOptions {
  /**
   * How many turns a compaction leaves. Default: 60 % of `n`, rounded up. Too low, and the model forgets more than it must; too
   * high, and compactions are frequent, and each of them empties the provider's cache.
   */
  readonly target?: number | undefined
}

/**
 * Keeps the newest turns: when there are more than `n`, at least 1, all but the newest `target` turns go.
 *
 * A turn is a message of the user, or several in a row, and all that follows until the next one.
 */
export const turns = (n: number, options: TurnsOptions = {}): Compaction => {
  OptionCheck.count("n", n, 1)
  const target = targetOf("target", n, 1, options.target)
  const name = `turns(${n})`
  return make(
    name,
    strategy(name, (counted) => {
      const layout = layoutOf(counted)
      if (layout.turns.length <= n) return Effect.succeed(undefined)
      const kept = Drop.newest(layout, target)
      if (Drop.isWhole(kept)) return Effect.succeed(undefined)
      const { items, removed } = Drop.without(counted, layout, kept)
      return Effect.succeed(removing(items, removed))
    })
  )
}

export interface TokensOptions {
  /**
   * How many tokens a compaction leaves at most, unless what must stay has more. Default: 60 % of the budget, rounded up. Too low,
   * and the model forgets more than it must; too high, and compactions are frequent, and each of them empties the provider's cache.
   */
  readonly target?: number | undefined
}

/**
 * Keeps the newest turns that fit: when the history has more tokens than the budget, the oldest turns go until the rest has
 * `target` tokens.
 *
 * The budget is for the history alone. Choose the model's context window, less the longest answer and the tools. Fails with
 * `ContextTooLarge` if what must stay is larger than the budget.
 */
export const tokens = (budget: number, options: TokensOptions = {}): Compaction<ContextTooLarge> => {
  OptionCheck.count("budget", budget, 1)
  const target = targetOf("target", budget, 1, options.target)
  const name = `tokens(${budget})`
  return make(
    name,
    strategy(name, (counted): Effect.Effect<Outcome | undefined, ContextTooLarge> => {
      if (counted.total <= budget) return Effect.succeed(undefined)
      const layout = layoutOf(counted)
      const kept = Drop.fitting(layout, { target, turns: Infinity })
      const size = Drop.sizeOf(layout, kept)
      if (size > budget) return new ContextTooLarge({ by: name, tokens: size, budget, counter: counted.counter })
      const { items, removed } = Drop.without(counted, layout, kept)
      return Effect.succeed(removing(items, removed))
    })
  )
}

export interface ClearOptions {
  /** Results are cleared when the history has more tokens than this. Default: 100,000. Too low, and tools run again. */
  readonly trigger?: number | undefined
  /** How many of the newest results stay. Default: 3. Too low, and the model calls tools again for what it has just read. */
  readonly keep?: number | undefined
  /**
   * Clears nothing unless it saves this many tokens. Default: a fifth of `trigger`. Too low, and results are cleared one by one,
   * and each time the provider's cache is lost; too high, and the history grows beyond the trigger by as much.
   */
  readonly atLeast?: number | undefined
  /** Names of tools whose results always stay. Default: none. */
  readonly exclude?: ReadonlyArray<string> | undefined
  /** What a cleared result contains. Default: `[cleared]`. */
  readonly placeholder?: string | undefined
}

/**
 * Empties the results of old tool calls, all at once, as Anthropic's context editing does (`clear_tool_uses_20250919`) for any
 * provider. The calls stay. Results of tools that the provider runs stay too.
 */
export const clearToolResults = (options: ClearOptions = {}): Compaction => {
  const trigger = OptionCheck.count("trigger", options.trigger ?? 100_000, 0)
  const atLeast = OptionCheck.count("atLeast", options.atLeast ?? Math.ceil(trigger / 5), 0)
  const how = {
    keep: OptionCheck.count("keep", options.keep ?? 3, 0),
    exclude: new Set(options.exclude),
    placeholder: OptionCheck.text("placeholder", options.placeholder ?? "[cleared]")
  }
  const name = `clearToolResults(${trigger})`
  return make(
    name,
    strategy(
      name,
      (counted) => {
        if (counted.total <= trigger) return Effect.succeed(undefined)
        const changed = clearing(counted, how)
        if (changed.size === 0) return Effect.succeed(undefined)
        const items = counted.items.map((item, at) => changed.get(at) ?? item)
        return Effect.succeed({ items, removed: [], changed: [...changed.values()] })
      },
      (before, after) => Effect.succeed(before.total - after.total >= Math.max(1, atLeast))
    )
  )
}

export interface SummaryOptions<Tools extends Record<string, Tool.Any> = {}> {
  /** The conversation is summarised when it has more tokens than this. The result never has more. */
  readonly budget: number
  /** How many tokens are left then, the summary included, unless what must stay has more. Default: 60 % of the budget. */
  readonly target?: number | undefined
  /** How many of the newest turns stay word for word, if they fit. Default: 3. The newest always stays. */
  readonly keep?: number | undefined
  /** The room for the summary, in tokens. Default: a fifth of the budget, at most 2,000. Too low, and facts are lost. */
  readonly maxTokens?: number | undefined
  /** What the summary is to contain. Default: goals, decisions, facts, results of tools, and open questions. */
  readonly instructions?: string | undefined
  /**
   * The tools of the conversation. Without them, the request differs from the conversation's from its first byte on, and the
   * provider reads nothing from its cache. None of them is run.
   */
  readonly toolkit?: Toolkit.Toolkit<Tools> | undefined
  /** How long the model may take. Default: 2 minutes. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Replaces older turns, and an older summary, by a summary that the `LanguageModel` writes.
 *
 * Its request is the conversation's last one, with what came after it and a question. So the provider reads the conversation
 * from its cache. Fails with `SummaryFailed` if there is no summary, and changes nothing then. A summary is accepted if the
 * model puts it between `<summary>` tags, as it is asked to: so a refusal in plain text is never stored.
 */
export const summary = <Tools extends Record<string, Tool.Any> = {}>(
  options: SummaryOptions<Tools>
): Compaction<
  ContextTooLarge | SummaryFailed,
  LanguageModel.LanguageModel | Tool.ParametersEncodingServices<Tools[keyof Tools]>
> => {
  const budget = OptionCheck.count("budget", options.budget, 10)
  const by = `summary(${budget})`
  const settings: Summary.Settings = {
    by,
    budget,
    target: targetOf("target", budget, 1, options.target),
    keep: OptionCheck.count("keep", options.keep ?? 3, 1),
    maxTokens: OptionCheck.count("maxTokens", options.maxTokens ?? Math.min(2_000, Math.floor(budget / 5)), 1, budget),
    instructions: OptionCheck.text("instructions", options.instructions ?? defaultInstructions),
    timeout: OptionCheck.finite("timeout", options.timeout ?? "2 minutes"),
    toolkit: options.toolkit as unknown as Summary.Settings["toolkit"]
  }
  return make(by, Summary.summary(settings))
}

/** What any of several compactions can fail with. */
export type Error<C> = C extends Compaction<infer E, infer _R> ? E : never

/** What several compactions need together. */
export type Services<C> = C extends Compaction<infer _E, infer R> ? R : never

/**
 * Several compactions as one: each gets the history as the one before has left it. If one fails, nothing is changed. A summary
 * is made of the history as it was before all of them.
 *
 * Begin with what loses least: clear tool results, then summarise, then drop turns.
 */
export const all = <const Parts extends ReadonlyArray<Compaction<unknown, unknown>>>(
  ...parts: Parts
): Compaction<Error<Parts[number]>, Services<Parts[number]>> =>
  make(
    `all(${parts.map(({ name }) => name).join(", ")})`,
    Effect.fnUntraced(function*(history) {
      let items = history
      let last: Compacted | undefined
      const steps: Array<Step> = []
      const original = (yield* Original) ?? history
      for (const part of parts as unknown as ReadonlyArray<Compaction<Error<Parts[number]>, Services<Parts[number]>>>) {
        const compacted = yield* Effect.provideService(part.compact(items), Original, original)
        if (Option.isNone(compacted)) continue
        last = compacted.value
        items = last.items
        steps.push(...last.steps)
      }
      return last === undefined ? Option.none() : Option.some({ ...last, steps })
    })
  )

/** Uses another compaction, on the same history, where the first one fails. */
export const orElse: {
  <E2, R2>(that: Compaction<E2, R2>): <E, R>(self: Compaction<E, R>) => Compaction<E2, R | R2>
  <E, R, E2, R2>(self: Compaction<E, R>, that: Compaction<E2, R2>): Compaction<E2, R | R2>
} = dual(
  2,
  <E, R, E2, R2>(self: Compaction<E, R>, that: Compaction<E2, R2>): Compaction<E2, R | R2> =>
    make(
      `orElse(${self.name}, ${that.name})`,
      (history) => Effect.catch(self.compact(history), () => that.compact(history))
    )
)

/** Compacts a prompt, for programs that keep their history themselves. Returns the same prompt if there is nothing to do. */
export const compactPrompt: {
  <E, R>(compaction: Compaction<E, R>): (self: Prompt.Prompt) => Effect.Effect<Prompt.Prompt, E, R>
  <E, R>(self: Prompt.Prompt, compaction: Compaction<E, R>): Effect.Effect<Prompt.Prompt, E, R>
} = dual(
  2,
  <E, R>(self: Prompt.Prompt, compaction: Compaction<E, R>): Effect.Effect<Prompt.Prompt, E, R> =>
    Effect.map(
      compaction.compact(self.content.map((message, at) => ({ message, position: at + 1 }))),
      Option.match({
        onNone: () => self,
        onSome: ({ items }) => Prompt.fromMessages(items.map(({ message }) => message))
      })
    )
)
