/** OpenAI's answers as they stand on the wire, and the events that they mean. */
import type { ChatEvent } from "@clawback/providers"
import type OpenAI from "openai"

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

export const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}

export type Delta = Partial<OpenAI.ChatCompletionChunk.Choice.Delta> & { readonly reasoning_content?: string }

export const chunk = (fields: object) =>
  `data: ${
    JSON.stringify({
      id: "chatcmpl-1",
      object: "chat.completion.chunk",
      created: 1,
      model: "gpt-5-2026-08-07",
      choices: [],
      ...fields
    })
  }\n\n`
export const says = (delta: Delta, fields: object = {}) =>
  chunk({ choices: [{ index: 0, delta, finish_reason: null }], ...fields })
export const finishes = (reason: string, fields: object = {}) =>
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: reason }], ...fields })
export const tokens = (prompt: number, completion: number) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
  prompt_tokens_details: { cached_tokens: 3 },
  completion_tokens_details: { reasoning_tokens: 2 }
})
export const done = "data: [DONE]\n\n"

export const started: ChatEvent.ChatEvent = {
  _tag: "Started",
  id: "chatcmpl-1",
  model: "gpt-5-2026-08-07",
  extras: { "openai-chat": { created: 1 } }
}
export const stopped: ChatEvent.ChatEvent = { _tag: "Finished", reason: "stop", raw: "stop" }
export const text = (text: string): ChatEvent.ChatEvent => ({ _tag: "TextDelta", text })
export const thought = (text: string): ChatEvent.ChatEvent => ({
  _tag: "ReasoningDelta",
  text,
  extras: { "openai-chat": { name: "reasoning_content" } }
})
export const used = (inputTokens: number, outputTokens: number): ChatEvent.ChatEvent => ({
  _tag: "Used",
  inputTokens,
  cachedInputTokens: 3,
  cacheWriteTokens: undefined,
  outputTokens,
  reasoningTokens: 2,
  raw: tokens(inputTokens, outputTokens)
})
