/** What an answer comes to, whoever decoded it and however it came. */
import type Anthropic from "@anthropic-ai/sdk"
import type { ChatEvent, ChatRequest, ChatResponse } from "@clawback/providers"

export type Piece =
  | { readonly text: string }
  | { readonly thinking: string; readonly signature: string }
  | { readonly redacted: string }
  | { readonly call: string; readonly name: string; readonly input: unknown }
  | { readonly native: unknown }
  | { readonly citation: unknown }

export interface Answer {
  readonly id: string | undefined
  readonly model: string | undefined
  readonly pieces: ReadonlyArray<Piece>
  readonly finish: string
  readonly stopSequence: string | undefined
  readonly usage: {
    readonly input: number | undefined
    readonly cached: number | undefined
    readonly written: number | undefined
    readonly output: number | undefined
    readonly thinking: number | undefined
  }
}

/** Texts that follow each other are one; one that says nothing is none. */
const joined = (pieces: ReadonlyArray<Piece>): ReadonlyArray<Piece> => {
  const found: Array<Piece> = []
  for (const piece of pieces) {
    const last = found.at(-1)
    if ("text" in piece && piece.text === "") continue
    if (last !== undefined && "text" in last && "text" in piece) {
      found[found.length - 1] = { text: last.text + piece.text }
    } else found.push(piece)
  }
  return found
}

const ofBlock = (block: Anthropic.ContentBlock): ReadonlyArray<Piece> => {
  switch (block.type) {
    case "text":
      return [{ text: block.text }, ...(block.citations ?? []).map((citation) => ({ citation }))]
    case "thinking":
      return [{ thinking: block.thinking, signature: block.signature }]
    case "redacted_thinking":
      return [{ redacted: block.data }]
    case "tool_use":
      return [{ call: block.id, name: block.name, input: block.input }]
    default:
      return [{ native: { ...block } }]
  }
}

export const ofSdk = (message: Anthropic.Message): Answer => {
  const { usage } = message
  return {
    id: message.id,
    model: message.model,
    pieces: joined(message.content.flatMap(ofBlock)),
    finish: message.stop_reason ?? "",
    stopSequence: message.stop_sequence ?? undefined,
    usage: {
      input: usage.input_tokens + (usage.cache_creation_input_tokens ?? 0) + (usage.cache_read_input_tokens ?? 0),
      cached: usage.cache_read_input_tokens ?? undefined,
      written: usage.cache_creation_input_tokens ?? undefined,
      output: usage.output_tokens,
      thinking: usage.output_tokens_details?.thinking_tokens
    }
  }
}

const usageOf = (usage: ChatResponse.ChatResponse["usage"]): Answer["usage"] => ({
  input: usage?.inputTokens,
  cached: usage?.cachedInputTokens,
  written: usage?.cacheWriteTokens,
  output: usage?.outputTokens,
  thinking: usage?.reasoningTokens
})

const ofNative = (value: unknown): Piece => {
  const { type, citation } = value as { readonly type?: string; readonly citation?: unknown }
  return type === "citations_delta" ? { citation } : { native: value }
}

const parsed = (written: string): unknown => written === "" ? {} : JSON.parse(written)

/** Our events. */
export const ofEvents = (events: ReadonlyArray<ChatEvent.ChatEvent>): Answer => {
  const pieces: Array<Piece> = []
  const calls = new Map<number, { call: string; name: string; written: string }>()
  let thought: string | undefined
  let head: ChatEvent.Started | undefined
  let finish: ChatEvent.Finished | undefined
  let used: ChatEvent.Used | undefined
  for (const event of events) {
    if (event._tag !== "ReasoningDelta" && event._tag !== "ReasoningSigned" && thought !== undefined) {
      pieces.push({ thinking: thought, signature: "" })
      thought = undefined
    }
    switch (event._tag) {
      case "Started":
        head = event
        break
      case "TextDelta":
      case "RefusalDelta":
        pieces.push({ text: event.text })
        break
      case "ReasoningDelta":
        thought = (thought ?? "") + event.text
        break
      case "ReasoningSigned":
        if (event.redacted !== undefined) pieces.push({ redacted: event.redacted })
        else pieces.push({ thinking: thought ?? "", signature: event.signature ?? "" })
        thought = undefined
        break
      case "ToolCallStarted": {
        const call = { call: event.id, name: event.name, written: "", input: undefined }
        calls.set(event.index, call)
        pieces.push(call)
        break
      }
      case "ToolCallDelta": {
        const call = calls.get(event.index)
        if (call !== undefined) call.written += event.arguments
        break
      }
      case "Native":
        pieces.push(ofNative(event.value))
        break
      case "Finished":
        finish = event
        break
      case "Used":
        used = event
    }
  }
  return {
    id: head?.id,
    model: head?.model,
    pieces: joined(pieces.map((piece) =>
      "written" in piece && "call" in piece
        ? { call: piece.call, name: piece.name, input: parsed(String(piece.written)) }
        : piece
    )),
    finish: finish?.raw ?? "",
    stopSequence: finish?.stopSequence,
    usage: usageOf(used)
  }
}

const ofPart = (part: ChatRequest.AssistantPart): ReadonlyArray<Piece> => {
  switch (part.type) {
    case "text": {
      const citations = part.extras?.["anthropic-messages"]?.["citations"]
      return [{ text: part.text }, ...(Array.isArray(citations) ? citations : []).map((citation) => ({ citation }))]
    }
    case "refusal":
      return [{ text: part.text }]
    case "reasoning":
      return [
        part.redacted === undefined
          ? { thinking: part.text, signature: part.signature ?? "" }
          : { redacted: part.redacted }
      ]
    case "tool-call":
      return [{ call: part.id, name: part.name, input: parsed(part.arguments) }]
    case "native":
      return [ofNative(part.value)]
  }
}

/** Our whole answer. */
export const ofResponse = ({ choices: [{ content, finish }], ...response }: ChatResponse.ChatResponse): Answer => ({
  id: response.id,
  model: response.model,
  pieces: joined(content.flatMap(ofPart)),
  finish: finish.raw,
  stopSequence: finish.stopSequence,
  usage: usageOf(response.usage)
})
