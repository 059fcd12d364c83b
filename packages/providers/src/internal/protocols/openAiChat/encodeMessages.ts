import type {
  AssistantMessage,
  AssistantPart,
  Message,
  ReasoningPart,
  SystemMessage,
  TextPart,
  ToolCallPart,
  ToolMessage,
  UserPart
} from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import { isObject } from "../../json/json.ts"
import * as Content from "./encodeParts.ts"
import { type Crossing, reasoningNames, thinkingName } from "./extras.ts"
import { type Quirks, reasoningName, toolId } from "./quirks.ts"
import * as Details from "./reasoningDetails.ts"

/** The content of a system message or a user's. */
const parts = (
  quirks: Quirks,
  crossing: Crossing,
  content: string | ReadonlyArray<UserPart>,
  place: "content" | "system" = "content"
): Json =>
  typeof content === "string"
    ? content
    : crossing.parts(content).map((part) => Content.userPart(quirks, crossing, part, place))

const system = (quirks: Quirks, crossing: Crossing, { content, extras }: SystemMessage): JsonObject => {
  const { role, ...rest } = crossing.own(extras, "system")
  return {
    ...rest,
    role: role === "developer" ? role : quirks.systemRole,
    content: parts(quirks, crossing, content, "system")
  }
}

export const toolCall = (
  { arguments: text, id, name }: ToolCallPart,
  { type, ...unknown }: JsonObject
): JsonObject =>
  type === "custom"
    ? { ...unknown, id, type, custom: { name, input: text } }
    : { ...unknown, id, type: "function", function: { name, arguments: text } }

const isPlain = (part: JsonObject | undefined): part is { readonly type: "text"; readonly text: string } =>
  part?.["type"] === "text" && Object.keys(part).length === 2

/** Joins plain texts in a row, since many servers accept only a string from the assistant. */
const addText = (part: JsonObject, said: Array<JsonObject>): void => {
  const last = said.at(-1)
  if (!isPlain(part)) said.push(part)
  else if (isPlain(last)) said[said.length - 1] = { type: "text", text: last.text + part.text }
  else if (part.text !== "") said.push(part)
}

const isName = (name: unknown): name is ReceivedName => receivedNames.some((known) => known === name)

const receivedNames = [...reasoningNames, thinkingName] as const
type ReceivedName = typeof receivedNames[number]

const isSigned = ({ redacted, signature }: ReasoningPart): boolean => redacted !== undefined || signature !== undefined

const add = (texts: Map<string, string>, name: string, text: string): void => {
  texts.set(name, (texts.get(name) ?? "") + text)
}

/** The model's message, for a history and for an answer. */
export const assistantMessage = (
  quirks: Quirks,
  crossing: Crossing,
  content: ReadonlyArray<AssistantPart>
): JsonObject => {
  const said: Array<JsonObject> = []
  const calls: Array<JsonObject> = []
  const message: Array<JsonObject> = []
  const reasoning = new Map<string, string>()
  const details: Array<JsonObject> = []
  let refusal: string | undefined
  for (const part of crossing.parts(content)) {
    switch (part.type) {
      case "text":
        addText(Content.text(crossing, part), said)
        break
      case "refusal":
        refusal = (refusal ?? "") + part.text
        break
      case "reasoning": {
        if (part.details !== undefined) {
          if (quirks.reasoningDetails === "never") crossing.lacks("reasoning")
          else details.push(...part.details)
          if (part.text === "") break
        }
        const { copy, name: received, ...extras } = crossing.own(part.extras, "content")
        const name = reasoningName(quirks, {
          received: isName(received) ? received : undefined,
          isSigned: isSigned(part)
        })
        if (name === thinkingName) said.push(Content.thinking(part.text, extras))
        else if (name !== undefined) add(reasoning, name, part.text)
        else if (part.text !== "" || isSigned(part)) crossing.lacks("reasoning")
        if (name === received && isName(copy)) add(reasoning, copy, part.text)
        break
      }
      case "tool-call":
        calls.push(toolCall({ ...part, id: toolId(quirks, part.id) }, crossing.own(part.extras, "content")))
        break
      case "native": {
        const { value } = part
        const fields = value["message"]
        if (typeof value["type"] === "string") said.push(value)
        // Fields of the whole answer have no place in a message.
        else if (isObject(fields)) message.push(fields)
        break
      }
    }
  }
  const [first] = said
  return {
    ...Content.mergeFields(message),
    content: first === undefined ? null : said.length === 1 && isPlain(first) ? first.text : said,
    ...Object.fromEntries(reasoning),
    ...(details.length > 0 && { [Details.field]: details }),
    ...(refusal !== undefined && { refusal }),
    ...(calls.length > 0 && { tool_calls: calls })
  }
}

/** Undefined if nothing remains to be sent: servers reject an empty message. */
const assistant = (
  quirks: Quirks,
  crossing: Crossing,
  { content, extras }: AssistantMessage
): JsonObject | undefined => {
  const message: JsonObject = {
    ...crossing.own(extras, "messages"),
    role: "assistant",
    ...(typeof content === "string" ? { content } : assistantMessage(quirks, crossing, content))
  }
  return message["content"] === null && Object.keys(message).length === 2 ? undefined : message
}

/** Parts that a tool message cannot hold. */
type Shown = Exclude<UserPart, { readonly type: "text" }>

const isText = (part: UserPart): part is TextPart => part.type === "text"

const tool = (
  quirks: Quirks,
  crossing: Crossing,
  { content: given, extras, isError, toolCallId: id }: ToolMessage,
  shown: Array<UserPart>
): JsonObject => {
  if (isError === true) crossing.lacks("isError")
  const toolCallId = toolId(quirks, id)
  const content = typeof given === "string" ? given : crossing.parts(given)
  const text = typeof content === "string" ? content : content.filter(isText)
  const others = typeof content === "string" ? [] : content.filter((part): part is Shown => !isText(part))
  if (others.length > 0) shown.push({ type: "text", text: `From the tool call ${toolCallId}:` })
  for (const part of others) shown.push(part)
  const body = typeof text === "string"
    ? text
    : text.length === 0
    ? ""
    : text.map((part) => Content.text(crossing, part))
  return { ...crossing.own(extras, "messages"), role: "tool", tool_call_id: toolCallId, content: body }
}

/**
 * The messages as OpenAI accepts them. A tool message holds text only. Other parts of a result follow in a user message,
 * after the results of the same turn.
 */
export const encodeMessages = (
  quirks: Quirks,
  crossing: Crossing,
  messages: ReadonlyArray<Message>
): ReadonlyArray<JsonObject> => {
  const encoded: Array<JsonObject> = []
  let shown: Array<UserPart> = []
  const show = () => {
    if (shown.length > 0) encoded.push({ role: "user", content: parts(quirks, crossing, shown) })
    shown = []
  }
  for (const message of messages) {
    if (message.role === "tool") {
      encoded.push(tool(quirks, crossing, message, shown))
      continue
    }
    show()
    if (message.role === "system") encoded.push(system(quirks, crossing, message))
    else if (message.role === "assistant") {
      const encodedMessage = assistant(quirks, crossing, message)
      if (encodedMessage !== undefined) encoded.push(encodedMessage)
    } else {
      const extras = crossing.own(message.extras, "messages")
      encoded.push({ ...extras, role: "user", content: parts(quirks, crossing, message.content) })
    }
  }
  show()
  return encoded
}
