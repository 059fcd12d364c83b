import type { Message, ToolMessage } from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import { answer, content, instructions, plain, toolResult } from "./encodeParts.ts"
import type { Crossing } from "./extras.ts"

interface Turn {
  readonly role: "system" | "user" | "assistant"
  readonly blocks: ReadonlyArray<JsonObject>
  readonly extras: JsonObject
}

/** The API caches up to a block, but neither thinking nor a whole message. */
const isCacheable = ({ type }: JsonObject): boolean => type !== "thinking" && type !== "redacted_thinking"

/** Caches up to the last block of a message, unless that says itself whether it is cached. */
const cached = (blocks: ReadonlyArray<JsonObject>, cache_control: Json): ReadonlyArray<JsonObject> => {
  const last = blocks.findLastIndex(isCacheable)
  return blocks.map((block, index) => index === last ? { cache_control, ...block } : block)
}

const blocksOf = (crossing: Crossing, message: Exclude<Message, ToolMessage>): ReadonlyArray<JsonObject> => {
  switch (message.role) {
    case "system":
      return instructions(crossing, message.content)
    case "user":
      return content(crossing, message.content)
    case "assistant":
      return answer(crossing, message.content)
  }
}

const turn = (crossing: Crossing, message: Message): Turn => {
  // The extras of a tool message are fields of its block.
  if (message.role === "tool") return { role: "user", blocks: [toolResult(crossing, message)], extras: {} }
  const { role } = message
  const { cache_control = null, ...extras } = crossing.own(message.extras, role === "system" ? role : "messages")
  const blocks = blocksOf(crossing, message)
  return { role, blocks: cache_control === null ? blocks : cached(blocks, cache_control), extras }
}

/** An empty message makes no turn, unless it is one of the system's that only sets something: the effort, for example. */
const isEmpty = ({ blocks, extras, role }: Turn): boolean =>
  blocks.length === 0 && (role !== "system" || Object.keys(extras).length === 0)

/** Instructions that `system` can hold: texts, and nothing that holds for the message alone. */
const isPrefix = ({ blocks, extras, role }: Turn): boolean =>
  role === "system" && Object.keys(extras).length === 0 && blocks.every(({ type }) => type === "text")

/** Neighbours are one turn, except those of the system that differ in what they may hold. */
const isSame = (one: Turn, other: Turn): boolean =>
  one.role === other.role && (one.role !== "system" || (isPrefix(one) && isPrefix(other)))

/** Joins neighbours of one role, so that turns alternate. */
const turns = (crossing: Crossing, messages: ReadonlyArray<Message>): ReadonlyArray<Turn> => {
  const turns: Array<{ role: Turn["role"]; blocks: Array<JsonObject>; extras: JsonObject }> = []
  for (const message of messages) {
    const next = turn(crossing, message)
    if (isEmpty(next)) continue
    const last = turns.at(-1)
    if (last !== undefined && isSame(last, next)) {
      for (const block of next.blocks) last.blocks.push(block)
      last.extras = { ...last.extras, ...next.extras }
    } else turns.push({ ...next, blocks: [...next.blocks] })
  }
  return turns
}

const wireMessage = ({ blocks, extras, role }: Turn): JsonObject => ({
  ...extras,
  role,
  ...(blocks.length > 0 && { content: plain(blocks) })
})

/** The first system messages go to `system`. Later ones stay in their place. */
export const encodeMessages = (crossing: Crossing, messages: ReadonlyArray<Message>): JsonObject => {
  const [first, ...rest] = turns(crossing, messages)
  const system = first !== undefined && isPrefix(first) ? first : undefined
  const others = system === undefined && first !== undefined ? [first, ...rest] : rest
  return {
    ...(system && { system: plain(system.blocks) }),
    messages: others.map(wireMessage)
  }
}
