/**
 * The tokens of a message, estimated by its UTF-8 bytes: without a tokenizer, in about a nanosecond a byte, and rather too many
 * than too few.
 */
import type * as Prompt from "effect/ai/Prompt"
import * as Marks from "./marks.ts"

/** Role and separators. OpenAI counts 3 for each message, and 1 for a name. */
const perMessage = 4
/** Of text: 4.2 to 4.9 bytes in English, 2.5 to 4 in other scripts (o200k_base and cl100k_base). */
const bytesPerToken = 3
/** Of JSON: 2.6 to 3.7 bytes in recorded tool calls and results, 2 in short fields and numbers. */
const bytesPerJsonToken = 2
/** Anthropic scales an image down to 1,568 tokens; other providers count fewer. */
const perImage = 1600
/** A page of a PDF has 1,500 to 3,000 tokens (Anthropic), and rarely less than 60 KB. */
const bytesPerFileToken = 30

const utf8Bytes = (text: string): number => {
  let bytes = text.length
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x80) continue
    // Each half of a surrogate pair counts two.
    bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2
  }
  return bytes
}

const textTokens = (text: string): number => Math.ceil(utf8Bytes(text) / bytesPerToken)

/** What has no JSON cannot be sent either: the provider layer refuses it. */
const asJson = (value: unknown): string => {
  try {
    return typeof value === "string" ? value : JSON.stringify(value) ?? ""
  } catch {
    return String(value)
  }
}

const jsonTokens = (value: unknown): number => Math.ceil(utf8Bytes(asJson(value)) / bytesPerJsonToken)

const optionTokens = (options: Prompt.ProviderOptions): number => {
  for (const _ in options) {
    const seen = Marks.withoutOurs(options)
    return Object.keys(seen).length === 0 ? 0 : jsonTokens(seen)
  }
  return 0
}

/** Base64 has no colon, so a text with one is a URL. */
const fileBytes = (data: Prompt.FilePart["data"]): number => {
  if (data instanceof Uint8Array) return data.length
  const text = String(data)
  return text.includes(":") && !text.startsWith("data:") ? 0 : Math.ceil(text.length * 3 / 4)
}

const fileTokens = ({ data, mediaType }: Prompt.FilePart): number => {
  if (mediaType.startsWith("image/")) return perImage
  const bytes = fileBytes(data)
  return mediaType.startsWith("text/")
    ? Math.max(Math.ceil(bytes / bytesPerToken), bytes === 0 ? perImage : 0)
    : Math.max(Math.ceil(bytes / bytesPerFileToken), perImage)
}

const partTokens = (part: Prompt.Part): number => {
  switch (part.type) {
    case "text":
    case "reasoning":
      return textTokens(part.text)
    case "file":
      return fileTokens(part)
    case "tool-call":
      return textTokens(part.id) + textTokens(part.name) + jsonTokens(part.params)
    case "tool-result":
      return textTokens(part.id) + (part.modelOutput === undefined
        ? jsonTokens(part.result)
        : part.modelOutput.reduce((sum, output) => sum + partTokens(output), 0))
    case "tool-approval-request":
    case "tool-approval-response":
      return 0
  }
}

const known = new WeakMap<Prompt.Message, number>()

/** The estimated tokens of a message. Remembers them as long as the message lives. */
export const estimate = (message: Prompt.Message): number => {
  const before = known.get(message)
  if (before !== undefined) return before
  let tokens = perMessage + optionTokens(message.options)
  if (message.role === "system") tokens += textTokens(message.content)
  else for (const part of message.content) tokens += partTokens(part) + optionTokens(part.options)
  known.set(message, tokens)
  return tokens
}
