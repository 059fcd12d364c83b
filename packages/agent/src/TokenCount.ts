/**
 * Counts the tokens of messages, for compactions and for Effect's `Tokenizer`.
 *
 * Compactions count by an estimate: 3 bytes of text and 2 bytes of JSON for a token, 4 tokens more for each message, 1,600 for
 * an image. It is meant to be too high: of recorded conversations, it counts 1.3 to 1.6 times what OpenAI's `o200k_base` counts.
 * It is too low for long texts of hexadecimal digits or base64, which have 1.5 bytes for a token. Where Effect's `Tokenizer`
 * is provided, compactions count by it.
 *
 * `layerTokenizer` provides Effect's `Tokenizer` by the estimate. Its `truncate` keeps system messages, and parts no tool result
 * from its call; that of Effect keeps whatever messages come last.
 *
 * ```ts
 * import { TokenCount } from "@clawback/agent"
 * import { Console, Effect } from "effect"
 * import { Tokenizer } from "effect/ai"
 *
 * const program = Effect.gen(function*() {
 *   const tokenizer = yield* Tokenizer.Tokenizer
 *   const tokens = yield* tokenizer.tokenize("How many tokens are these?")
 *   yield* Console.log(tokens.length) // 13
 * })
 *
 * await Effect.runPromise(Effect.provide(program, TokenCount.layerTokenizer))
 * ```
 *
 * Sources: OpenAI's cookbook, "How to count tokens with tiktoken" (tokens of a message) · Anthropic's documentation, "Vision"
 * (tokens of an image) and "PDF support" (tokens of a page) · bytes for a token: measured with `o200k_base` and `cl100k_base` over
 * 100 conversations of τ-bench and 731 recorded requests.
 *
 * @experimental
 */

import * as AiError from "effect/ai/AiError"
import * as Prompt from "effect/ai/Prompt"
import * as Tokenizer from "effect/ai/Tokenizer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { counting } from "./internal/compaction/count.ts"
import * as Count from "./internal/compaction/count.ts"
import * as Drop from "./internal/compaction/drop.ts"
import { estimate as estimateMessage } from "./internal/compaction/estimate.ts"
import { layoutOf } from "./internal/compaction/layout.ts"
import type { Counted } from "./internal/compaction/model.ts"

export type { Counter } from "./internal/compaction/count.ts"

/** The counter of compactions. Default: the estimate, or Effect's `Tokenizer` where one is provided. */
export const CurrentCounter = Count.CurrentCounter

/** The estimated tokens of a message, or of all messages of a prompt. */
export const estimate = (of: Prompt.Message | Prompt.Prompt): number =>
  Prompt.isPrompt(of) ? of.content.reduce((sum, message) => sum + estimateMessage(message), 0) : estimateMessage(of)

/** The newest turns that fit, and all that compactions keep. */
const truncated = (counted: Counted, tokens: number): Effect.Effect<Prompt.Prompt, AiError.AiError> => {
  if (counted.total <= tokens) return Effect.succeed(Prompt.fromMessages(counted.items.map(({ message }) => message)))
  const layout = layoutOf(counted)
  const kept = Drop.fitting(layout, { target: tokens, turns: Infinity })
  const size = Drop.sizeOf(layout, kept)
  if (size <= tokens) {
    return Effect.succeed(Prompt.fromMessages(Drop.without(counted, layout, kept).items.map(({ message }) => message)))
  }
  return Effect.fail(AiError.make({
    module: "TokenCount",
    method: "truncate",
    reason: new AiError.InvalidUserInputError({
      description:
        `The system messages, the newest turn and unfinished tool calls have ${size} tokens, more than ${tokens}.`
    })
  }))
}

const service: Tokenizer.Service = Tokenizer.Tokenizer.of({
  // Nothing but their number is known of them.
  tokenize: (input) => Effect.sync(() => Array.from({ length: estimate(Prompt.make(input)) }, (_, at) => at)),
  truncate: (input, tokens) =>
    Effect.suspend(() =>
      truncated(counting(Prompt.make(input).content.map((message) => ({ message })), Count.byBytes), tokens)
    )
})

/**
 * Effect's `Tokenizer` by the estimate. `tokenize` returns as many numbers as there are tokens; the numbers mean nothing.
 * `truncate` fails with `InvalidUserInputError` if what must stay does not fit.
 */
export const layerTokenizer: Layer.Layer<Tokenizer.Tokenizer> = Layer.succeed(Tokenizer.Tokenizer, service)
