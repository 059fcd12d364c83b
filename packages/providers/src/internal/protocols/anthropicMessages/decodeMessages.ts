import type { AssistantMessage, Message, SystemMessage, UserMessage, UserPart } from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import { assistantPart, content, plain, systemPart, textOnly, toolMessage, typeOf, userPart } from "./decodeParts.ts"
import { keep } from "./extras.ts"
import { array, at, malformed, object, text } from "./read.ts"

/** Splits a user's turn: each tool result becomes a message, and so do the parts before, between and after them. */
const userMessages = (value: Json | undefined, path: string, rest: JsonObject): ReadonlyArray<Message> => {
  if (typeof value === "string") return [{ role: "user", content: value, ...keep(rest) }]
  const messages: Array<Message> = []
  let parts: Array<UserPart> = []
  let extras = keep(rest)
  const flush = () => {
    messages.push({ role: "user", content: plain(parts), ...extras } satisfies UserMessage)
    parts = []
    extras = {}
  }
  for (const [index, element] of array(value, path).entries()) {
    const block = object(element, at(path, index))
    if (typeOf(block, at(path, index)) !== "tool_result") parts.push(userPart(block, at(path, index)))
    else {
      if (parts.length > 0) flush()
      messages.push(toolMessage(block, at(path, index)))
    }
  }
  if (parts.length > 0 || messages.length === 0) flush()
  return messages
}

const system = (value: Json | undefined, path: string): SystemMessage => ({
  role: "system",
  content: content(value, path, systemPart)
})

/** `system` has only texts. */
const prefix = (value: Json, path: string): SystemMessage => ({
  role: "system",
  content: content(value, path, textOnly)
})

const assistant = (value: Json | undefined, path: string, rest: JsonObject): AssistantMessage => ({
  role: "assistant",
  content: content(value, path, assistantPart),
  ...keep(rest)
})

const turn = (value: Json | undefined, path: string): ReadonlyArray<Message> => {
  const { content, role, ...rest } = object(value, path)
  switch (text(role, at(path, "role"))) {
    case "system":
      // A message may only change the effort: `output_config` without content.
      return [{ ...system(content ?? "", at(path, "content")), ...keep(rest) }]
    case "user":
      return userMessages(content, at(path, "content"), rest)
    case "assistant":
      return [assistant(content, at(path, "content"), rest)]
    default:
      return malformed(at(path, "role"), "must be user, assistant or system")
  }
}

export const decodeMessages = (body: JsonObject): ReadonlyArray<Message> => {
  const prompt = body["system"]
  return [
    ...(prompt === undefined || prompt === null ? [] : [prefix(prompt, "system")]),
    ...array(body["messages"], "messages").flatMap((message, index) => turn(message, at("messages", index)))
  ]
}
