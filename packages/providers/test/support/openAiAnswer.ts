/** What an answer of OpenAI's comes to, whoever decoded it. */
import type { ChatEvent } from "@clawback/providers"
import type OpenAI from "openai"

interface Choice {
  text: string
  refusal: string
  reasoning: string
  readonly calls: Array<{ id: string; name: string; arguments: string }>
  /** The tokens of which the probabilities were told. */
  readonly tokens: Array<string>
  finish: string | undefined
}

export interface Answer {
  readonly choices: ReadonlyArray<Choice>
  readonly usage:
    | { readonly input: number | undefined; readonly cached: number | undefined; readonly output: number | undefined }
    | undefined
}

const begin = (): Choice => ({ text: "", refusal: "", reasoning: "", calls: [], tokens: [], finish: undefined })

const tokensOf = (logprobs: OpenAI.ChatCompletionChunk.Choice.Logprobs | null | undefined) =>
  [...logprobs?.content ?? [], ...logprobs?.refusal ?? []].map(({ token }) => token)

export const ofEvents = (events: ReadonlyArray<ChatEvent.ChatEvent>): Answer => {
  const choices: Array<Choice> = []
  let usage: Answer["usage"]
  for (const event of events) {
    if (event._tag === "Started") continue
    if (event._tag === "Used") {
      usage = { input: event.inputTokens, cached: event.cachedInputTokens, output: event.outputTokens }
      continue
    }
    const choice = choices[event.choice ?? 0] ??= begin()
    if (event._tag === "TextDelta") choice.text += event.text
    else if (event._tag === "RefusalDelta") choice.refusal += event.text
    else if (event._tag === "ReasoningDelta") choice.reasoning += event.text
    else if (event._tag === "ToolCallStarted") {
      choice.calls[event.index] = { id: event.id, name: event.name, arguments: "" }
    } else if (event._tag === "ToolCallDelta") choice.calls[event.index]!.arguments += event.arguments
    else if (event._tag === "Finished") choice.finish = event.raw
    else if (event._tag === "Native") {
      const value = event.value as { choice?: { logprobs?: OpenAI.ChatCompletionChunk.Choice.Logprobs } }
      choice.tokens.push(...tokensOf(value.choice?.logprobs))
    }
  }
  return { choices, usage }
}

const counted = (usage: OpenAI.CompletionUsage | undefined): Answer["usage"] =>
  usage && {
    input: usage.prompt_tokens,
    cached: usage.prompt_tokens_details?.cached_tokens,
    output: usage.completion_tokens
  }

/** Not in OpenAI's reference: compatible servers have it under one of two names. */
const reasoningOf = (message: { reasoning_content?: string; reasoning?: string }): string =>
  message.reasoning_content ?? message.reasoning ?? ""

/** As the SDK parsed the chunks of a stream. */
export const ofChunks = (chunks: ReadonlyArray<OpenAI.ChatCompletionChunk>): Answer => {
  const choices: Array<Choice> = []
  let usage: OpenAI.CompletionUsage | undefined
  for (const chunk of chunks) {
    usage = chunk.usage ?? usage
    for (const { delta, finish_reason, index, logprobs } of chunk.choices) {
      const choice = choices[index] ??= begin()
      const { content, refusal, tool_calls } = delta
      choice.text += content ?? ""
      choice.refusal += refusal ?? ""
      choice.reasoning += reasoningOf(delta as object)
      choice.finish ??= finish_reason ?? undefined
      choice.tokens.push(...tokensOf(logprobs))
      for (const fragment of tool_calls ?? []) {
        const call = choice.calls[fragment.index] ??= { id: "", name: "", arguments: "" }
        call.id ||= fragment.id ?? ""
        call.name ||= fragment.function?.name ?? ""
        call.arguments += fragment.function?.arguments ?? ""
      }
    }
  }
  return { choices, usage: counted(usage) }
}

/** As the SDK has an answer in one piece, or put one together out of a stream. */
export const ofCompletion = ({ choices, usage }: OpenAI.ChatCompletion): Answer => ({
  choices: choices.map(({ finish_reason, logprobs, message }) => ({
    text: message.content ?? "",
    refusal: message.refusal ?? "",
    reasoning: reasoningOf(message as object),
    calls: (message.tool_calls ?? []).map((call) =>
      call.type === "function"
        ? { id: call.id, name: call.function.name, arguments: call.function.arguments }
        : { id: call.id, name: call.custom.name, arguments: call.custom.input }
    ),
    tokens: tokensOf(logprobs),
    finish: finish_reason
  })),
  usage: counted(usage)
})
