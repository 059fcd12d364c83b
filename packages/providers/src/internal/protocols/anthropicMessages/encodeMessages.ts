import type { Message } from "../../../ChatRequest.ts"
import type { JsonObject } from "../../../Json.ts"
import { assistantBlocks, content, plain, toolResult } from "./encodeParts.ts"
import { extrasOf } from "./extras.ts"

interface Turn {
  readonly role: "system" | "user" | "assistant"
  readonly blocks: ReadonlyArray<JsonObject>
  readonly extras: JsonObject
}

const turn = (message: Message): Turn => {
  const extras = message.role === "tool" ? {} : extrasOf(message)
  switch (message.role) {
    case "system":
      return { role: "system", blocks: content(message.content), extras }
    case "user":
      return { role: "user", blocks: content(message.content), extras }
    case "tool":
      return { role: "user", blocks: [toolResult(message)], extras }
    case "assistant": {
      const blocks = typeof message.content === "string"
        ? content(message.content)
        : message.content.flatMap(assistantBlocks)
      return { role: "assistant", blocks, extras }
    }
  }
}

/** Joins neighbours of one role, so that turns alternate. An empty message makes no turn. */
const turns = (messages: ReadonlyArray<Message>): ReadonlyArray<Turn> => {
  const turns: Array<{ role: Turn["role"]; blocks: Array<JsonObject>; extras: JsonObject }> = []
  for (const message of messages) {
    const { blocks, extras, role } = turn(message)
    if (blocks.length === 0) continue
    const last = turns.at(-1)
    if (last?.role === role) {
      for (const block of blocks) last.blocks.push(block)
      last.extras = { ...last.extras, ...extras }
    } else turns.push({ role, blocks: [...blocks], extras })
  }
  return turns
}

const wireMessage = ({ blocks, extras, role }: Turn): JsonObject => ({ ...extras, role, content: plain(blocks) })

/** The first system messages go to `system`. Later ones stay in their place. */
export const encodeMessages = (messages: ReadonlyArray<Message>): JsonObject => {
  const [first, ...rest] = turns(messages)
  const system = first?.role === "system" ? first : undefined
  const others = system === undefined && first !== undefined ? [first, ...rest] : rest
  return {
    ...(system && { system: plain(system.blocks) }),
    messages: others.map(wireMessage)
  }
}
