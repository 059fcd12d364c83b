import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import type {
  AssistantPart,
  FilePart,
  ImagePart,
  NativePart,
  TextPart,
  ToolCallPart,
  ToolMessage,
  UserPart
} from "../../../ChatRequest.ts"
import type { JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"
import { extrasOf, protocol, unsupported } from "./extras.ts"

const isPlainText = (mediaType: string): boolean => /^text\/plain\s*(;|$)/i.test(mediaType)

/** Plain text is sent decoded. Anything else is base64. */
const plainText = (data: string): JsonObject => ({
  type: "text",
  media_type: "text/plain",
  data: Result.getOrElse(Base64.decodeString(data), () => unsupported("a plain text file that is not base64"))
})

/** The source of an image or a document. */
const encodeSource = ({ source, type }: ImagePart | FilePart): JsonObject => {
  if ("url" in source) return { type: "url", url: source.url }
  if ("fileId" in source) return { type: "file", file_id: source.fileId }
  const { data, mediaType } = source
  if (/^(audio|video)\//i.test(mediaType)) return unsupported(`a file of the type ${mediaType}`)
  return type === "file" && isPlainText(mediaType)
    ? plainText(data)
    : { type: "base64", media_type: mediaType, data }
}

const text = (part: TextPart): JsonObject => ({ ...extrasOf(part), type: "text", text: part.text })

const native = ({ protocol: origin, value }: NativePart): ReadonlyArray<JsonObject> => {
  if (origin !== protocol) return unsupported(`a part that only ${origin} knows`)
  // It is about an earlier text, and no block.
  return value["type"] === "citations_delta" ? [] : [value]
}

/** The API rejects empty texts. */
const isEmpty = (part: TextPart): boolean => part.text === "" && part.extras === undefined

const userBlocks = (part: UserPart): ReadonlyArray<JsonObject> => {
  switch (part.type) {
    case "text":
      return isEmpty(part) ? [] : [text(part)]
    case "image":
      return [{ ...extrasOf(part), type: "image", source: encodeSource(part) }]
    case "file":
      return [{
        ...extrasOf(part),
        type: "document",
        source: encodeSource(part),
        ...From.fields({ title: part.name })
      }]
    case "native":
      return native(part)
  }
}

/** The arguments as a JSON object, which the protocol requires. */
const input = (written: string): JsonObject => {
  // Groq writes `null` for a tool without parameters.
  if (["", "null"].includes(written.trim())) return {}
  const value = From.parse(written)
  // Anthropic's documentation proposes this field for invalid JSON that a model wrote.
  return From.isObject(value) ? value : { INVALID_JSON: written }
}

export const toolUse = (part: ToolCallPart): JsonObject => ({
  ...extrasOf(part),
  type: "tool_use",
  id: part.id,
  name: part.name,
  input: input(part.arguments)
})

/** The blocks of a content. */
export const content = (
  parts: string | ReadonlyArray<UserPart>
): ReadonlyArray<JsonObject> =>
  typeof parts === "string" ? userBlocks({ type: "text", text: parts }) : parts.flatMap(userBlocks)

export const assistantBlocks = (part: AssistantPart): ReadonlyArray<JsonObject> => {
  switch (part.type) {
    case "text":
      return isEmpty(part) ? [] : [text(part)]
    case "refusal":
      return part.text === "" ? [] : [{ type: "text", text: part.text }]
    case "reasoning":
      if (part.redacted !== undefined) return [{ ...extrasOf(part), type: "redacted_thinking", data: part.redacted }]
      // Unsigned thinking comes from another provider. The API rejects it.
      if (part.signature === undefined) return []
      return [{ ...extrasOf(part), type: "thinking", thinking: part.text, signature: part.signature }]
    case "tool-call":
      return [toolUse(part)]
    case "native":
      return native(part)
  }
}

/** One plain text block becomes a string. */
export const plain = (blocks: ReadonlyArray<JsonObject>): string | ReadonlyArray<JsonObject> => {
  const [block] = blocks
  const isPlain = blocks.length === 1 && block?.["type"] === "text" && Object.keys(block).length === 2
  return isPlain ? String(block["text"]) : blocks
}

export const toolResult = (message: ToolMessage): JsonObject => ({
  ...extrasOf(message),
  type: "tool_result",
  tool_use_id: message.toolCallId,
  content: message.content === "" ? "" : plain(content(message.content)),
  ...From.fields({ is_error: message.isError })
})
