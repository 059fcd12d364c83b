/** Reads a prompt without Effect's schema, where it has only what most prompts have. */
import * as Prompt from "effect/ai/Prompt"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"

/** Effect does not export the type ids of messages and parts. */
const messageTypeId = "~effect/ai/Prompt/Message"
const partTypeId = "~effect/ai/Prompt/Part"

/** The schema reads other objects in other ways. */
const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype

const hasNoOptions = ({ options }: Readonly<Record<string, unknown>>): boolean =>
  options === undefined || (isPlain(options) && Object.keys(options).length === 0)

const textPart = (part: unknown): Prompt.TextPart | undefined => {
  if (!isPlain(part) || part["type"] !== "text" || !hasNoOptions(part)) return undefined
  const { text } = part
  return typeof text === "string" && (!(partTypeId in part) || part[partTypeId] === partTypeId)
    ? Prompt.makePart("text", { text })
    : undefined
}

const textParts = (content: unknown): Array<Prompt.TextPart> | undefined => {
  if (typeof content === "string") return [Prompt.makePart("text", { text: content })]
  if (!Array.isArray(content)) return undefined
  const parts: Array<Prompt.TextPart> = []
  for (const item of content) {
    const part = textPart(item)
    if (part === undefined) return undefined
    parts.push(part)
  }
  return parts
}

const textMessage = (message: unknown): Prompt.Message | undefined => {
  if (!isPlain(message) || !hasNoOptions(message)) return undefined
  if (messageTypeId in message && message[messageTypeId] !== messageTypeId) return undefined
  const { content, role } = message
  if (role === "system") return typeof content === "string" ? Prompt.makeMessage("system", { content }) : undefined
  if (role !== "user" && role !== "assistant") return undefined
  const parts = textParts(content)
  return parts && Prompt.makeMessage(role, { content: parts })
}

/** A prompt of texts. Undefined if anything else is in it, or anything that the schema might refuse. */
const textPrompt = (messages: ReadonlyArray<unknown>): Prompt.Prompt | undefined => {
  const read: Array<Prompt.Message> = []
  for (const item of messages) {
    const message = textMessage(item)
    if (message === undefined) return undefined
    read.push(message)
  }
  return Prompt.fromMessages(read)
}

/** A prompt of any kind. Undefined if the schema refuses it. */
const schemaPrompt = (messages: Iterable<Prompt.MessageEncoded>): Prompt.Prompt | undefined => {
  try {
    return Prompt.make(messages)
  } catch {
    return undefined
  }
}

const isApproval = ({ type }: Prompt.Part): boolean =>
  type === "tool-approval-request" || type === "tool-approval-response"

const hasApprovals = ({ content }: Prompt.Prompt): boolean =>
  content.some((message) => message.role !== "system" && message.role !== "user" && message.content.some(isApproval))

const withoutApprovals = (prompt: Prompt.Prompt): Result.Result<Prompt.Prompt, Prompt.Prompt> =>
  hasApprovals(prompt) ? Result.fail(prompt) : Result.succeed(prompt)

/**
 * Reads a prompt as `Prompt.make` does. Fails with the input, which an iterable gives only once, if it has approvals or if
 * `Prompt.make` refuses it.
 */
export const readPrompt = (input: Prompt.RawInput): Result.Result<Prompt.Prompt, Prompt.RawInput> => {
  if (typeof input === "string") return Result.succeed(Prompt.make(input))
  if (Prompt.isPrompt(input)) return withoutApprovals(input)
  if (!Predicate.isIterable(input)) return Result.fail(input)
  const messages = Array.from(input)
  const prompt = textPrompt(messages) ?? schemaPrompt(messages)
  return prompt === undefined ? Result.fail(messages) : withoutApprovals(prompt)
}
