import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import type {
  AssistantPart,
  FilePart,
  ImagePart,
  NativePart,
  SystemPart,
  TextPart,
  ToolCallPart,
  ToolMessage,
  UserPart
} from "../../../ChatRequest.ts"
import type { JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"
import type { Crossing } from "./extras.ts"
import * as ToolIds from "./toolIds.ts"

const isText = (mediaType: string): boolean => /^(text\/|application\/(json|xml|yaml)\s*(;|$))/i.test(mediaType)
const isPdf = (mediaType: string): boolean => /^application\/pdf\s*(;|$)/i.test(mediaType)

/** Texts are sent decoded. The API has one type for all of them. */
const plainText = (crossing: Crossing, data: string): JsonObject => ({
  type: "text",
  media_type: "text/plain",
  data: Result.getOrElse(Base64.decodeString(data), () => crossing.refuse("a file of text that is not base64"))
})

/** The source of an image or a document. */
const encodeSource = (crossing: Crossing, { source, type }: ImagePart | FilePart): JsonObject => {
  if ("url" in source) return { type: "url", url: source.url }
  if ("fileId" in source) {
    if (source.protocol !== undefined && source.protocol !== crossing.protocol) crossing.lacks("uploaded")
    return { type: "file", file_id: source.fileId }
  }
  const { data, mediaType } = source
  if (type === "file") {
    if (isText(mediaType)) return plainText(crossing, data)
    if (!isPdf(mediaType)) crossing.lacks("fileType", `a file of the type ${mediaType}`)
  }
  return { type: "base64", media_type: mediaType, data }
}

const text = (crossing: Crossing, part: TextPart, place: "content" | "system" = "content"): JsonObject => ({
  ...crossing.own(part.extras, place),
  type: "text",
  text: part.text
})

/** A citation of a stream is about an earlier text, and no block. */
const native = ({ value }: NativePart): ReadonlyArray<JsonObject> => value["type"] === "citations_delta" ? [] : [value]

/** The blocks of a text. The API rejects an empty one, which means nothing unless it has fields of its own. */
const textBlocks = (crossing: Crossing, part: TextPart, place?: "content" | "system"): ReadonlyArray<JsonObject> => {
  const block = text(crossing, part, place)
  return part.text === "" && Object.keys(block).length === 2 ? [] : [block]
}

const image = (crossing: Crossing, part: ImagePart): JsonObject => {
  if (part.detail !== undefined && part.detail !== "auto") crossing.lacks("detail")
  return { ...crossing.own(part.extras, "content"), type: "image", source: encodeSource(crossing, part) }
}

const userBlocks = (crossing: Crossing, part: UserPart): ReadonlyArray<JsonObject> => {
  switch (part.type) {
    case "text":
      return textBlocks(crossing, part)
    case "image":
      return [image(crossing, part)]
    case "file":
      if ("data" in part.source && /^image\//i.test(part.source.mediaType)) {
        if (part.name !== undefined) crossing.lacks("fileName")
        return [image(crossing, { type: "image", source: part.source, extras: part.extras })]
      }
      return [{
        ...crossing.own(part.extras, "content"),
        type: "document",
        source: encodeSource(crossing, part),
        ...From.fields({ title: part.name })
      }]
    case "native":
      return native(part)
  }
}

/** The blocks of what the system or the user says, or of what came of a tool call. */
export const content = (
  crossing: Crossing,
  parts: string | ReadonlyArray<UserPart>
): ReadonlyArray<JsonObject> =>
  typeof parts === "string"
    ? userBlocks(crossing, { type: "text", text: parts })
    : crossing.parts(parts).flatMap((part) => userBlocks(crossing, part))

/** The blocks of instructions. */
export const instructions = (
  crossing: Crossing,
  parts: string | ReadonlyArray<SystemPart>
): ReadonlyArray<JsonObject> =>
  typeof parts === "string"
    ? content(crossing, parts)
    : crossing.parts(parts).flatMap((part) =>
      part.type === "text" ? textBlocks(crossing, part, "system") : userBlocks(crossing, part)
    )

/** The arguments as a JSON object, which the protocol requires. */
const input = (written: string): JsonObject => {
  // Groq writes `null` for a tool without parameters.
  if (["", "null"].includes(written.trim())) return {}
  const value = From.parse(written)
  // Anthropic's documentation proposes this field for invalid JSON that a model wrote.
  return From.isObject(value) ? value : { INVALID_JSON: written }
}

export const toolUse = (part: ToolCallPart, extras: JsonObject): JsonObject => ({
  ...extras,
  type: "tool_use",
  id: ToolIds.write(part.id),
  name: part.name,
  input: input(part.arguments)
})

const assistantBlocks = (crossing: Crossing, part: AssistantPart): ReadonlyArray<JsonObject> => {
  switch (part.type) {
    case "refusal":
      return part.text === "" ? [] : [{ type: "text", text: part.text }]
    case "reasoning": {
      const extras = crossing.own(part.extras, "content")
      if (part.details !== undefined) crossing.lacks("reasoning")
      if (part.redacted !== undefined) return [{ ...extras, type: "redacted_thinking", data: part.redacted }]
      if (part.signature !== undefined) {
        return [{ ...extras, type: "thinking", thinking: part.text, signature: part.signature }]
      }
      if (part.text !== "") crossing.lacks("reasoning")
      return []
    }
    case "tool-call":
      return [toolUse(part, crossing.own(part.extras, "content"))]
    default:
      return userBlocks(crossing, part)
  }
}

/** The blocks of an earlier answer. */
export const answer = (
  crossing: Crossing,
  parts: string | ReadonlyArray<AssistantPart>
): ReadonlyArray<JsonObject> =>
  typeof parts === "string"
    ? content(crossing, parts)
    : crossing.parts(parts).flatMap((part) => assistantBlocks(crossing, part))

/** One plain text block becomes a string. */
export const plain = (blocks: ReadonlyArray<JsonObject>): string | ReadonlyArray<JsonObject> => {
  const [block] = blocks
  const isPlain = blocks.length === 1 && block?.["type"] === "text" && Object.keys(block).length === 2
  return isPlain ? String(block["text"]) : blocks
}

export const toolResult = (crossing: Crossing, message: ToolMessage): JsonObject => ({
  ...crossing.own(message.extras, "messages"),
  type: "tool_result",
  tool_use_id: ToolIds.write(message.toolCallId),
  content: message.content === "" ? "" : plain(content(crossing, message.content)),
  ...From.fields({ is_error: message.isError })
})
