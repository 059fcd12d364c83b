import * as Base64 from "effect/encoding/Base64"
import type {
  AssistantPart,
  NativePart,
  ReasoningPart,
  Source,
  SystemPart,
  TextPart,
  ToolCallPart,
  ToolMessage,
  UserPart
} from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"
import { keep, protocol } from "./extras.ts"
import { array, at, boolean, malformed, name, object, optional, text } from "./read.ts"
import * as ToolIds from "./toolIds.ts"

const knownOfText = new Set(["text", "type"])
const knownOfImage = new Set(["source", "type"])
const knownOfDocument = new Set(["source", "title", "type"])
const knownOfCall = new Set(["id", "input", "name", "type"])
const knownOfThinking = new Set(["data", "signature", "thinking", "type"])
const knownOfResult = new Set(["content", "is_error", "tool_use_id", "type"])

const textPart = (block: JsonObject, path: string): TextPart => ({
  type: "text",
  text: text(block["text"], at(path, "text")),
  ...keep(block, knownOfText)
})

const native = (value: JsonObject): NativePart => ({ type: "native", protocol, value })

/** Undefined if the canonical model has no such source. */
const decodeSource = (value: Json | undefined): Source | undefined => {
  const source = From.object(value)
  const [url, fileId, mediaType] = [source?.["url"], source?.["file_id"], source?.["media_type"]]
  const data = source?.["data"]
  switch (source?.["type"]) {
    case "url":
      return typeof url === "string" ? { url } : undefined
    case "file":
      return typeof fileId === "string" ? { fileId, protocol } : undefined
    case "base64":
      return typeof mediaType === "string" && typeof data === "string" ? { mediaType, data } : undefined
    case "text":
      return typeof data === "string" ? { mediaType: "text/plain", data: Base64.encode(data) } : undefined
    default:
      return undefined
  }
}

const image = (block: JsonObject): UserPart => {
  const source = decodeSource(block["source"])
  return source === undefined ? native(block) : { type: "image", source, ...keep(block, knownOfImage) }
}

const plainTexts = (content: Json | undefined): ReadonlyArray<TextPart> | undefined => {
  if (typeof content === "string") return [{ type: "text", text: content }]
  const texts = From.array(content).map((block) => From.string(From.object(block)?.["text"]))
  return texts.length > 0 && texts.every((text) => text !== undefined)
    ? texts.map((text) => ({ type: "text", text }))
    : undefined
}

/** A block of texts, for which other protocols get the texts below where they are from. */
const quoted = (block: JsonObject, head: ReadonlyArray<Json | undefined>, content: Json | undefined): NativePart => {
  const lines = head.map(From.string).filter((line) => line !== undefined)
  const texts = plainTexts(content)
  if (texts === undefined) return native(block)
  return {
    ...native(block),
    instead: lines.length === 0 ? texts : [{ type: "text", text: lines.join("\n") }, ...texts]
  }
}

const document = (block: JsonObject, path: string): UserPart => {
  const source = decodeSource(block["source"])
  if (source === undefined) return quoted(block, [block["title"]], From.object(block["source"])?.["content"])
  const name = optional(block, "title", path, text)
  return { type: "file", source, ...(name !== undefined && { name }), ...keep(block, knownOfDocument) }
}

/** The type of a block. Each block has one. */
export const typeOf = (block: JsonObject, path: string): string => name(block["type"], at(path, "type"))

export const userPart = (block: JsonObject, path: string): UserPart => {
  switch (typeOf(block, path)) {
    case "text":
      return textPart(block, path)
    case "image":
      return image(block)
    case "document":
      return document(block, path)
    case "search_result":
      return quoted(block, [block["title"], block["source"]], block["content"])
    default:
      return native(block)
  }
}

/** The model itself made the call, which is not worth keeping. */
const isDirect = (caller: Json | undefined): boolean => From.object(caller)?.["type"] === "direct"

/** The unknown fields of a tool call, as extras. */
export const callExtras = (block: JsonObject) =>
  keep(isDirect(block["caller"]) ? { ...block, caller: null } : block, knownOfCall)

const toolCall = (block: JsonObject, path: string): ToolCallPart => ({
  type: "tool-call",
  id: ToolIds.read(name(block["id"], at(path, "id"))),
  name: name(block["name"], at(path, "name")),
  arguments: JSON.stringify(object(block["input"], at(path, "input"))),
  ...callExtras(block)
})

const thinking = (block: JsonObject, path: string): ReasoningPart => {
  const signature = optional(block, "signature", path, text) ?? ""
  return {
    type: "reasoning",
    text: text(block["thinking"], at(path, "thinking")),
    ...(signature !== "" && { signature }),
    ...keep(block, knownOfThinking)
  }
}

const redactedThinking = (block: JsonObject, path: string): ReasoningPart => ({
  type: "reasoning",
  text: "",
  redacted: text(block["data"], at(path, "data")),
  ...keep(block, knownOfThinking)
})

export const assistantPart = (block: JsonObject, path: string): AssistantPart => {
  switch (typeOf(block, path)) {
    case "text":
      return textPart(block, path)
    case "thinking":
      return thinking(block, path)
    case "redacted_thinking":
      return redactedThinking(block, path)
    case "tool_use":
      return toolCall(block, path)
    default:
      return native(block)
  }
}

/** One plain text part becomes a string. */
export const plain = <Part extends { readonly type: string }>(
  parts: ReadonlyArray<Part | TextPart>
): string | ReadonlyArray<Part | TextPart> => {
  const [part] = parts
  return parts.length === 1 && part !== undefined && "text" in part && part.type === "text" && part.extras === undefined
    ? part.text
    : parts
}

/** Decodes a content: a string, or a list of blocks. */
export const content = <Part extends { readonly type: string }>(
  value: Json | undefined,
  path: string,
  part: (block: JsonObject, path: string) => Part
): string | ReadonlyArray<Part | TextPart> =>
  typeof value === "string"
    ? value
    : plain(array(value, path).map((block, index) => part(object(block, at(path, index)), at(path, index))))

export const toolMessage = (block: JsonObject, path: string): ToolMessage => {
  const isError = optional(block, "is_error", path, boolean)
  return {
    role: "tool",
    toolCallId: ToolIds.read(name(block["tool_use_id"], at(path, "tool_use_id"))),
    content: optional(block, "content", path, (value, path) => content(value, path, userPart)) ?? "",
    ...(isError !== undefined && { isError }),
    ...keep(block, knownOfResult)
  }
}

export const textOnly = (block: JsonObject, path: string): TextPart =>
  typeOf(block, path) === "text" ? textPart(block, path) : malformed(at(path, "type"), "must be text")

/** Besides texts, the API accepts changes of the tools in the middle of a conversation (`tool_addition`, `tool_removal`). */
const systemTypes = new Set(["tool_addition", "tool_removal"])

/** A system message has texts and blocks of this protocol that the API accepts there. */
export const systemPart = (block: JsonObject, path: string): SystemPart => {
  const type = typeOf(block, path)
  if (type === "text") return textPart(block, path)
  return systemTypes.has(type)
    ? native(block)
    : malformed(at(path, "type"), "must be text, tool_addition or tool_removal")
}
