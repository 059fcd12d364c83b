/** The request for a summary, and what its answer is worth. */
import * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import type { Kept } from "./drop.ts"
import type { SummaryFailed } from "./errors.ts"
import type { Layout } from "./layout.ts"
import * as Marks from "./marks.ts"
import type { Counted, Item, Range } from "./model.ts"
import { pairsOf } from "./pairs.ts"

export const defaultInstructions =
  "Summarise the conversation above. Your summary replaces its older messages, and you continue from it: you will not see " +
  "them again. Keep what the user wants and has decided, names, numbers, ids and other facts word for word, what was done " +
  "with which tools and what came of it, and what is still open. Leave out courtesies and what is settled."

/** The answer must name itself a summary: a model that declines in plain text does not. */
const form = (maxTokens: number): string =>
  `Do not answer the user, and do not call a tool. Write at most ${
    Math.floor(maxTokens / 2)
  } words, all of them between ` +
  "<summary> and </summary>."

const question = (instructions: string, maxTokens: number): Prompt.Message =>
  Prompt.userMessage({ content: [Prompt.textPart({ text: `${instructions}\n\n${form(maxTokens)}` })] })

const isAnswered = (messages: ReadonlyArray<Prompt.Message>, from: number): boolean =>
  messages.slice(from).some(({ role }) => role === "assistant" || role === "tool")

/**
 * The conversation and the question. It begins with the very messages of the conversation's last request, so that the provider
 * reads nearly all of it from its cache.
 *
 * The newest turn is left out if nobody answered it, and is cut before its first unfinished tool call. An older turn with
 * such a call is left out: no provider accepts it.
 */
export const request = (
  { items }: Counted,
  { turns }: Layout,
  options: { readonly instructions: string; readonly maxTokens: number }
): Prompt.Prompt => {
  const messages = items.map(({ message }) => message)
  const { open } = pairsOf(messages)
  const sent = messages.filter((_, at) => {
    const index = turns.findIndex(({ from, to }) => at >= from && at < to)
    const turn = turns[index]
    if (turn === undefined) return true
    const firstOpen = [...open].filter((at) => at >= turn.from && at < turn.to).toSorted((a, b) => a - b)[0]
    if (index < turns.length - 1) return firstOpen === undefined
    const end = firstOpen ?? turn.to
    return at < end && isAnswered(messages.slice(0, end), turn.from)
  })
  return Prompt.fromMessages([...sent, question(options.instructions, options.maxTokens)])
}

type Reason = SummaryFailed["reason"]

/** The summary in an answer, or why there is none. */
export const read = (
  { finishReason, text, toolCalls }: {
    readonly finishReason: Response.FinishReason
    readonly text: string
    readonly toolCalls: ReadonlyArray<unknown>
  }
): { readonly text: string } | { readonly reason: Reason } => {
  if (finishReason === "content-filter") return { reason: "refused" }
  if (finishReason === "error") return { reason: "model" }
  if (finishReason === "length") return { reason: "cut-short" }
  if (toolCalls.length > 0 || finishReason === "tool-calls") return { reason: "tool-call" }
  if (text.trim() === "") return { reason: "empty" }
  const from = text.indexOf("<summary>")
  if (from === -1) return { reason: "refused" }
  const to = text.lastIndexOf("</summary>")
  if (to < from) return { reason: "cut-short" }
  const summary = text.slice(from + "<summary>".length, to).trim()
  return summary === "" ? { reason: "empty" } : { text: summary }
}

/** The messages that a summary takes the place of: the turns that go, and older summaries. */
export const replaced = ({ items }: Counted, { head, turns }: Layout, kept: Kept): ReadonlyArray<Item> => [
  ...items.slice(0, head).filter(({ message }) => Marks.rangesOf(message) !== undefined),
  ...turns.flatMap(({ carried, from, to }, index) =>
    kept[index] === true ? [] : items.slice(from, to).filter((_, at) => !carried.includes(from + at))
  )
]

/** A summary as a message of the user: the one role that may begin a conversation with any provider. */
export const message = (text: string, ranges: ReadonlyArray<Range>): Item => ({
  message: Prompt.userMessage({
    content: [Prompt.textPart({ text: `Summary of the conversation so far:\n\n${text}` })],
    options: Marks.summaryOf(ranges)
  })
})

/** The model's own name for itself, if its answer has it. */
export const modelOf = (parts: ReadonlyArray<Response.AnyPart>): string | undefined =>
  parts.find((part) => part.type === "response-metadata")?.modelId
