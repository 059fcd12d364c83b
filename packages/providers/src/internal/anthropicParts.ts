import type {
  AssistantPart,
  NativePart,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolMessage,
  UserPart
} from "../ChatRequest.ts"
import type { Json, JsonObject } from "../Json.ts"
import { keep, protocol } from "./anthropicExtras.ts"
import { array, at, boolean, malformed, name, object, optional, text } from "./anthropicRead.ts"
import { decodeSource } from "./anthropicSource.ts"
import * as From from "./json.ts"

const textPart = ({ text: said, type: _, ...rest }: JsonObject, path: string): TextPart => ({
  type: "text",
  text: text(said, at(path, "text")),
  ...keep(rest)
})

const native = (value: JsonObject): NativePart => ({ type: "native", protocol, value })

const image = (block: JsonObject): UserPart => {
  const { source: origin, type: _, ...rest } = block
  const source = decodeSource(origin)
  return source === undefined ? native(block) : { type: "image", source, ...keep(rest) }
}

const document = (block: JsonObject, path: string): UserPart => {
  const { source: origin, title: _, type: __, ...rest } = block
  const source = decodeSource(origin)
  if (source === undefined) return native(block)
  return { type: "file", source, ...From.present({ name: optional(block, "title", path, text) }), ...keep(rest) }
}

/** The type of a block, which each has. */
export const typeOf = (block: JsonObject, path: string): string => name(block["type"], at(path, "type"))

export const userPart = (block: JsonObject, path: string): UserPart => {
  switch (typeOf(block, path)) {
    case "text":
      return textPart(block, path)
    case "image":
      return image(block)
    case "document":
      return document(block, path)
    default:
      return native(block)
  }
}

/** By whom a call was made is worth keeping where it was not the model itself. */
const isDirect = (caller: Json | undefined): boolean =>
  typeof caller === "object" && caller !== null && "type" in caller && caller["type"] === "direct"

/** What is left of a tool call for the extras. */
export const callExtras = (block: JsonObject) => {
  const { caller, id: _, input: __, name: ___, type: ____, ...rest } = block
  return keep(caller === undefined || isDirect(caller) ? rest : { ...rest, caller })
}

const toolCall = (block: JsonObject, path: string): ToolCallPart => ({
  type: "tool-call",
  id: name(block["id"], at(path, "id")),
  name: name(block["name"], at(path, "name")),
  arguments: JSON.stringify(object(block["input"], at(path, "input"))),
  ...callExtras(block)
})

const thinking = ({ signature: _, thinking, type: __, ...rest }: JsonObject, signature: string): ReasoningPart => ({
  type: "reasoning",
  text: String(thinking),
  ...From.present({ signature: signature === "" ? undefined : signature }),
  ...keep(rest)
})

const redactedThinking = ({ data, type: _, ...rest }: JsonObject, path: string): ReasoningPart => ({
  type: "reasoning",
  text: "",
  redacted: text(data, at(path, "data")),
  ...keep(rest)
})

export const assistantPart = (block: JsonObject, path: string): AssistantPart => {
  switch (typeOf(block, path)) {
    case "text":
      return textPart(block, path)
    case "thinking":
      text(block["thinking"], at(path, "thinking"))
      return thinking(block, optional(block, "signature", path, text) ?? "")
    case "redacted_thinking":
      return redactedThinking(block, path)
    case "tool_use":
      return toolCall(block, path)
    default:
      return native(block)
  }
}

/** One text without anything else to say about it is no list of parts. */
export const plain = <Part extends { readonly type: string }>(
  parts: ReadonlyArray<Part | TextPart>
): string | ReadonlyArray<Part | TextPart> => {
  const [part] = parts
  return parts.length === 1 && part !== undefined && "text" in part && part.type === "text" && part.extras === undefined
    ? part.text
    : parts
}

/** A content: a text, or a list of blocks. */
export const content = <Part extends { readonly type: string }>(
  value: Json | undefined,
  path: string,
  part: (block: JsonObject, path: string) => Part
): string | ReadonlyArray<Part | TextPart> =>
  typeof value === "string"
    ? value
    : plain(array(value, path).map((block, index) => part(object(block, at(path, index)), at(path, index))))

export const toolMessage = (block: JsonObject, path: string): ToolMessage => {
  const { content: said, is_error: _, tool_use_id, type: __, ...rest } = block
  return {
    role: "tool",
    toolCallId: name(tool_use_id, at(path, "tool_use_id")),
    content: said === undefined || said === null ? "" : content(said, at(path, "content"), userPart),
    ...From.present({ isError: optional(block, "is_error", path, boolean) }),
    ...keep(rest)
  }
}

/** Of the system's parts all are text. */
export const systemPart = (block: JsonObject, path: string): TextPart =>
  typeOf(block, path) === "text" ? textPart(block, path) : malformed(at(path, "type"), "must be text")
