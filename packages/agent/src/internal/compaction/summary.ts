/** Replaces older turns by a summary that a model writes. */
import type * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { measure } from "./count.ts"
import * as Drop from "./drop.ts"
import { ContextTooLarge, SummaryFailed } from "./errors.ts"
import { type Layout, layoutOf } from "./layout.ts"
import * as Marks from "./marks.ts"
import { type Compact, type Counted, type Item, positionsOf, union } from "./model.ts"
import { Original, type Outcome, strategy } from "./strategy.ts"
import * as Summarise from "./summarise.ts"

export interface Settings {
  readonly by: string
  readonly budget: number
  readonly target: number
  readonly keep: number
  readonly maxTokens: number
  readonly instructions: string
  readonly timeout: Duration.Duration
  readonly toolkit: Toolkit.Toolkit<Record<string, Tool.Any>> | undefined
}

const isOldSummary = ({ message }: Item): boolean => Marks.rangesOf(message) !== undefined

/** The turns that stay. Undefined: there is nothing to summarise. */
const plan = (counted: Counted, layout: Layout, settings: Settings): Drop.Kept | ContextTooLarge | undefined => {
  const { budget, by, keep, maxTokens, target } = settings
  if (counted.total <= budget) return undefined
  const old = counted.items.slice(0, layout.head).reduce(
    (sum, item, at) => sum + (isOldSummary(item) ? counted.sizes[at] ?? 0 : 0),
    0
  )
  const room = { target: target + old - maxTokens, turns: keep }
  const kept = Drop.fitting(layout, room)
  const isWhole = Drop.isWhole(kept)
  const tokens = isWhole ? counted.total : Drop.sizeOf(layout, kept) - old + maxTokens
  return tokens <= budget ? kept : new ContextTooLarge({ by, tokens, budget, counter: counted.counter })
}

type Answer = Effect.Effect<LanguageModel.GenerateTextResponse<{}>, AiError.AiError, LanguageModel.LanguageModel>

const ask = Effect.fnUntraced(function*(history: Counted, settings: Settings) {
  const original = yield* Original
  const sent = original === undefined ? history : yield* measure(original)
  const prompt = Summarise.request(sent, layoutOf(sent), settings)
  const { timeout, toolkit } = settings
  // Which tools a call has does not matter here: none of them is run.
  const answer = (toolkit === undefined
    ? LanguageModel.generateText({ prompt })
    : LanguageModel.generateText({ prompt, toolkit, disableToolCallResolution: true })) as Answer
  return yield* answer.pipe(
    Effect.mapError((cause) => new SummaryFailed({ reason: "model", cause })),
    Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(new SummaryFailed({ reason: "timeout" })) })
  )
})

const summarised = Effect.fnUntraced(function*(counted: Counted, layout: Layout, kept: Drop.Kept, settings: Settings) {
  const answer = yield* ask(counted, settings)
  const written = Summarise.read(answer)
  if ("reason" in written) return yield* new SummaryFailed({ reason: written.reason })
  const replaced = Summarise.replaced(counted, layout, kept)
  const ranges = replaced.reduce(
    (ranges, { message }) => union(ranges, Marks.rangesOf(message) ?? []),
    positionsOf(replaced)
  )
  const summary = Summarise.message(written.text, ranges)
  const { items, removed } = Drop.without(counted, layout, kept, [summary], (item) => !isOldSummary(item))
  const { inputTokens, outputTokens } = answer.usage
  const outcome: Outcome = {
    items,
    removed,
    changed: [],
    about: {
      model: Summarise.modelOf(answer.content),
      usage: { input: inputTokens.total, cached: inputTokens.cacheRead, output: outputTokens.total }
    }
  }
  return outcome
})

export const summary = (
  settings: Settings
): Compact<ContextTooLarge | SummaryFailed, LanguageModel.LanguageModel> =>
  strategy(
    settings.by,
    (counted): Effect.Effect<Outcome | undefined, ContextTooLarge | SummaryFailed, LanguageModel.LanguageModel> => {
      const layout = layoutOf(counted)
      const kept = plan(counted, layout, settings)
      if (kept === undefined) return Effect.succeed(undefined)
      return kept instanceof ContextTooLarge ? kept : summarised(counted, layout, kept, settings)
    },
    (before, after) =>
      after.total <= settings.budget && after.total < before.total
        ? Effect.succeed(true)
        : new SummaryFailed({ reason: "too-long" })
  )
