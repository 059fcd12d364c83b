/** What an answer means, as our decoder and as the vendors' SDKs have it. */
import type Anthropic from "@anthropic-ai/sdk"
import type { ChatResponse, OpenAiChat } from "@clawback/providers"
import type OpenAI from "openai"

export interface Meaning {
  readonly text: ReadonlyArray<string>
  readonly reasoning: ReadonlyArray<string>
  readonly refusal: ReadonlyArray<string>
  /** Ids that the server left out are empty. */
  readonly calls: ReadonlyArray<ReadonlyArray<{ readonly id: string; readonly name: string; readonly text: string }>>
  readonly finish: ReadonlyArray<string>
  readonly usage: ReadonlyArray<number | undefined>
}

type Fields = Readonly<Record<string, any>>

const joined = (parts: ReadonlyArray<Fields>, field: string): string => parts.map((part) => part[field] ?? "").join("")

const textsOf = (content: unknown): string =>
  typeof content === "string"
    ? content
    : Array.isArray(content)
    ? joined(content.filter(({ type }) => type === "text" || type === undefined), "text")
    : ""

/** Mistral's thinking. */
const thinkingOf = (content: unknown): string =>
  Array.isArray(content)
    ? content.filter(({ type }) => type === "thinking").map(({ thinking }) =>
      typeof thinking === "string" ? thinking : joined(thinking, "text")
    ).join("")
    : ""

const refusalOf = (content: unknown): string =>
  Array.isArray(content) ? joined(content.filter(({ type }) => type === "refusal"), "refusal") : ""

const cachedOf = (usage: Fields): number | undefined =>
  usage["prompt_tokens_details"]?.cached_tokens ?? usage["prompt_cache_hit_tokens"] ?? usage["cached_tokens"] ??
    usage["num_cached_tokens"]

const sum = (tokens: number, outside: number | undefined): number => tokens + (outside ?? 0)

/** Some vendors count tokens outside of the totals: xAI its reasoning, Mistral sounds. */
const openAiUsage = (
  usage: Fields | null | undefined,
  { tokensOutside }: OpenAiChat.Quirks
): Meaning["usage"] => {
  if (usage == null || Object.values(usage).every((value) => value === null)) return []
  const {
    completion_tokens: output,
    completion_tokens_details: written,
    prompt_tokens: input,
    prompt_tokens_details: read
  } = usage
  return [
    tokensOutside.includes("audio") ? sum(input, read?.audio_tokens) : input,
    cachedOf(usage),
    tokensOutside.includes("reasoning") ? sum(output, written?.reasoning_tokens) : output
  ]
}

/** Mistral's types have an object too. */
const textOf = (written: unknown): string => typeof written === "string" ? written : JSON.stringify(written)

const callOf = (call: Fields): Meaning["calls"][number][number] => ({
  id: call["id"] ?? "",
  name: call["function"]?.name || call["custom"]?.name || "",
  text: textOf(call["function"]?.arguments || call["custom"]?.input || "")
})

const legacyOf = ({ function_call: legacy }: Fields): ReadonlyArray<Fields> =>
  legacy?.name ? [{ function: legacy }] : []

const sortedCalls = (message: Fields): Meaning["calls"][number] =>
  (message["tool_calls"]?.length > 0 ? message["tool_calls"] : legacyOf(message)).map(callOf)

export const ofCompletion = ({ choices, usage }: OpenAI.ChatCompletion, quirks: OpenAiChat.Quirks): Meaning => {
  const messages = choices.map(({ message }): Fields => message ?? {})
  return {
    text: messages.map(({ content }) => textsOf(content)),
    reasoning: messages.map((message) =>
      message["reasoning_content"] || message["reasoning"] || thinkingOf(message["content"])
    ),
    refusal: messages.map(({ content, refusal }) => refusal || refusalOf(content)),
    calls: messages.map(sortedCalls),
    finish: choices.map(({ finish_reason: finish }) => finish ?? ""),
    usage: openAiUsage(usage, quirks)
  }
}

interface Growing {
  text: string
  reasoning: string
  refusal: string
  readonly calls: Array<{ index: unknown; id: string; name: string; text: string }>
  finish: string
}

const addCall = ({ calls }: Growing, fragment: Fields): void => {
  const { id, name, text } = callOf(fragment)
  const index = fragment["index"] === undefined ? undefined : Number(fragment["index"])
  const known = calls.findLast((call) =>
    index === undefined ? id === "" ? name === "" : call.id === id : call.index === index
  )
  if (known === undefined || (id !== "" && id !== known.id && name !== "")) calls.push({ index, id, name, text })
  else known.text += text
}

/** The chunks that the SDK finds, joined. It joins them itself only if they are as OpenAI's server sends them. */
export const ofChunks = (
  chunks: ReadonlyArray<OpenAI.ChatCompletionChunk>,
  quirks: OpenAiChat.Quirks
): Meaning => {
  const growing = new Map<number, Growing>()
  let usage: Fields | undefined
  for (const chunk of chunks as ReadonlyArray<Fields>) {
    const counted = chunk["usage"] ?? (quirks.usage === "x_groq" ? chunk["x_groq"]?.usage : undefined) ?? undefined
    if (counted !== undefined && Object.values(counted).some((value) => value !== null)) usage = counted
    for (const choice of chunk["choices"] ?? []) {
      const number = choice.index ?? 0
      const found = growing.get(number) ?? { text: "", reasoning: "", refusal: "", calls: [], finish: "" }
      growing.set(number, found)
      found.finish ||= choice.finish_reason ?? ""
      const delta: Fields = choice.delta ?? {}
      found.text += textsOf(delta["content"])
      found.refusal += delta["refusal"] || refusalOf(delta["content"])
      found.reasoning += delta["reasoning_content"] || delta["reasoning"] || thinkingOf(delta["content"])
      for (const fragment of delta["tool_calls"] ?? []) addCall(found, fragment)
      if (!delta["tool_calls"]?.length && (delta["function_call"]?.name || delta["function_call"]?.arguments)) {
        addCall(found, { index: 0, function: delta["function_call"] })
      }
    }
  }
  const choices = [...growing].toSorted(([a], [b]) => a - b).map(([, choice]) => choice)
  return {
    text: choices.map(({ text }) => text),
    reasoning: choices.map(({ reasoning }) => reasoning),
    refusal: choices.map(({ refusal }) => refusal),
    calls: choices.map(({ calls }) => calls.map(({ id, name, text }) => ({ id, name, text }))),
    finish: choices.map(({ finish }) => finish),
    usage: openAiUsage(usage, quirks)
  }
}

const anthropicUsage = (usage: Fields): Meaning["usage"] => [
  usage["input_tokens"] + (usage["cache_read_input_tokens"] ?? 0) + (usage["cache_creation_input_tokens"] ?? 0),
  usage["cache_read_input_tokens"] ?? undefined,
  usage["output_tokens"]
]

export const ofMessage = ({ content, stop_reason: finish, usage }: Anthropic.Message): Meaning => ({
  text: [joined(content.filter(({ type }) => type === "text"), "text")],
  reasoning: [joined(content.filter(({ type }) => type === "thinking"), "thinking")],
  refusal: [""],
  calls: [
    content.flatMap((block) =>
      block.type === "tool_use"
        ? [{ id: block.id ?? "", name: block.name, text: JSON.stringify(block.input ?? {}) }]
        : []
    )
  ],
  finish: [finish ?? ""],
  usage: usage == null ? [] : anthropicUsage(usage)
})

/** The events that the SDK finds, joined. It fails at a call whose input was cut off, and at a second message. */
export const ofAnthropicEvents = (events: ReadonlyArray<Anthropic.RawMessageStreamEvent>): Meaning => {
  const found = { text: "", reasoning: "", finish: "" }
  const calls = new Map<number, { id: string; name: string; text: string; input: unknown }>()
  let usage: Fields = {}
  for (const event of events) {
    if (event.type === "message_start") usage = { ...event.message.usage }
    else if (event.type === "content_block_start") {
      const { content_block: block, index } = event
      if (block.type === "text") found.text += block.text
      else if (block.type === "thinking") found.reasoning += block.thinking
      else if (block.type === "tool_use") {
        calls.set(index, { id: block.id ?? "", name: block.name, text: "", input: block.input })
      }
    } else if (event.type === "content_block_delta") {
      const { delta, index } = event
      if (delta.type === "text_delta") found.text += delta.text
      else if (delta.type === "thinking_delta") found.reasoning += delta.thinking
      else if (delta.type === "input_json_delta") {
        const call = calls.get(index)
        if (call !== undefined) call.text += delta.partial_json
      }
    } else if (event.type === "message_delta") {
      found.finish = event.delta.stop_reason ?? found.finish
      const counted = Object.entries(event.usage ?? {}).filter(([, value]) => value !== null)
      usage = { ...usage, ...Object.fromEntries(counted) }
    } else if (event.type === "message_stop") break
  }
  const inputs = [...calls.values()].map(({ id, input, name, text }) => ({
    id,
    name,
    text: text === "" && Object.keys(input ?? {}).length > 0 ? JSON.stringify(input) : text
  }))
  return {
    text: [found.text],
    reasoning: [found.reasoning],
    refusal: [""],
    calls: [inputs],
    finish: [found.finish],
    usage: anthropicUsage(usage)
  }
}

const partsOf = (content: ChatResponse.Choice["content"], type: "text" | "reasoning" | "refusal"): string =>
  content.flatMap((part) => part.type === type ? [part.text] : []).join("")

/** Our id of a call. Empty where the server left it out, and ours is the only one of its kind. */
const idOf = (theirs: string | undefined, ours: string, all: ReadonlyArray<string>): string =>
  theirs === "" && ours !== "" && all.indexOf(ours) === all.lastIndexOf(ours) ? "" : ours || "none"

/** Our own. `calls` are the SDK's, to leave out the ids that the server left out, and to compare inputs that were parsed. */
export const ofResponse = (
  { choices, usage }: ChatResponse.ChatResponse,
  theirs: Meaning,
  isParsed: boolean
): Meaning => {
  return {
    text: choices.map(({ content }) => partsOf(content, "text")),
    reasoning: choices.map(({ content }) => partsOf(content, "reasoning")),
    refusal: choices.map(({ content }) => partsOf(content, "refusal")),
    calls: choices.map(({ content }, number) => {
      const calls = content.filter((part) => part.type === "tool-call")
      const ids = calls.map(({ id }) => id)
      return calls.map(({ arguments: text, id, name }, index) => ({
        id: idOf(theirs.calls[number]?.[index]?.id, id, ids),
        name,
        text: isParsed ? JSON.stringify(text === "" ? {} : JSON.parse(text)) : text
      }))
    }),
    finish: choices.map(({ finish }) => finish.raw),
    usage: usage === undefined ? [] : [usage.inputTokens, usage.cachedInputTokens, usage.outputTokens]
  }
}
