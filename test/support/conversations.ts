/** Real conversations with tools, as τ-bench published them, and what identifies a point in one. */
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { env, exit, stderr } from "node:process"

interface WireToolCall {
  readonly id: string
  readonly type: "function"
  readonly function: { readonly name: string; readonly arguments: string }
}

export type WireMessage =
  | { readonly role: "system" | "user"; readonly content: string }
  | { readonly role: "assistant"; readonly content: string | null; readonly tool_calls?: ReadonlyArray<WireToolCall> }
  | { readonly role: "tool"; readonly content: string; readonly tool_call_id: string }

export interface Conversation {
  readonly id: string
  readonly messages: ReadonlyArray<WireMessage>
}

const folder = env["CLAWBACK_DATA"] ?? join(import.meta.dirname, "../data")

const read = (path: string): string => {
  if (existsSync(path)) return readFileSync(path, "utf8")
  stderr.write(`${path} does not exist: CLAWBACK_DATA must name the folder that has it, or not be set\n`)
  return exit(2)
}

export const conversations = (limit = Infinity): ReadonlyArray<Conversation> =>
  read(join(folder, "tau-bench-airline-1.jsonl"))
    .split("\n").filter((line) => line !== "").slice(0, limit).map((line) => JSON.parse(line))

/** The name of a history by its meaning: tool arguments are compared as values, since their JSON may be formatted anew. */
export const keyOf = (messages: ReadonlyArray<WireMessage>): string =>
  createHash("sha256").update(JSON.stringify(messages.map((message) => [
    message.role,
    message.content ?? null,
    message.role === "tool" ? message.tool_call_id : null,
    message.role === "assistant"
      ? (message.tool_calls ?? []).map((call) => [call.id, call.function.name, JSON.parse(call.function.arguments)])
      : []
  ]))).digest("hex")

/** The tokens that the server is told to bill for the answer at one point: any number will do that no other point has. */
const usageAt = (index: number) => ({
  prompt_tokens: 1_000 + index,
  completion_tokens: 10 + index % 97,
  total_tokens: 1_010 + index + index % 97
})

/** A point at which the model speaks: what it has heard so far, what it says, and what the server bills for it. */
export interface Turn {
  readonly key: string
  readonly history: ReadonlyArray<WireMessage>
  readonly answer: Extract<WireMessage, { role: "assistant" }>
  readonly usage: ReturnType<typeof usageAt>
}

export const turns = (all: ReadonlyArray<Conversation>): ReadonlyArray<Turn> => {
  const found = new Map<string, Turn>()
  for (const { messages } of all) {
    for (const [at, answer] of messages.entries()) {
      if (answer.role !== "assistant") continue
      const history = messages.slice(0, at)
      const key = keyOf(history)
      if (!found.has(key)) found.set(key, { key, history, answer, usage: usageAt(found.size) })
    }
  }
  return [...found.values()]
}

/** The names of all tools that are called. */
export const toolNames = (all: ReadonlyArray<Turn>): ReadonlyArray<string> =>
  [...new Set(all.flatMap(({ answer }) => (answer.tool_calls ?? []).map((call) => call.function.name)))].toSorted()
