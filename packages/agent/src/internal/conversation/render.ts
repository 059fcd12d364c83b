/**
 * The messages of a log as a provider accepts them. Pure.
 *
 * Providers demand that each tool call has its result in the messages right behind it, and that each result has its call. A
 * log may differ: a result came late, a call has none, two results came. What is in order stays as it is, the same object.
 */
import type * as Prompt from "effect/ai/Prompt"
import { makeMessage } from "effect/ai/Prompt"
import type { Item } from "../compaction/model.ts"

/** A call at one place of the log, with the result that belongs to it. */
interface Occurrence {
  readonly part: Prompt.ToolCallPart
  /** Where its message stands. */
  readonly home: number
  /** The first message behind the tool messages that follow its message. */
  readonly until: number
  result: Prompt.ToolResultPart | undefined
  /** Where the result stands. */
  at: number
}

/** What stands for the result of a call that has none. Undefined: the call stays open, with its approval. */
export type Missing = (call: Prompt.ToolCallPart) => Prompt.ToolResultPart | undefined

/** The first message after this place that is no tool message. */
const behind = (items: ReadonlyArray<Item>, at: number): number => {
  let index = at + 1
  while (items[index]?.message.role === "tool") index++
  return index
}

/** The calls of each message. A result belongs to the latest call before it with its id, unless that has one. */
const pair = (items: ReadonlyArray<Item>): ReadonlyArray<ReadonlyArray<Occurrence>> => {
  const latest = new Map<string, Occurrence>()
  const settle = (part: Prompt.Part, at: number) => {
    if (part.type !== "tool-result") return
    const occurrence = latest.get(part.id)
    if (occurrence === undefined || occurrence.result !== undefined) return
    occurrence.result = part
    occurrence.at = at
  }
  return items.map(({ message }, home) => {
    if (message.role === "tool") { for (const part of message.content) settle(part, home) }
    if (message.role !== "assistant") return []
    const until = behind(items, home)
    const here = new Map<string, Occurrence>()
    for (const part of message.content) {
      settle(part, home)
      if (part.type !== "tool-call" || here.has(part.id)) continue
      const occurrence: Occurrence = { part, home, until, result: undefined, at: -1 }
      here.set(part.id, occurrence)
      latest.set(part.id, occurrence)
    }
    return [...here.values()]
  })
}

/** The message with some of its parts. The same object if that is all of them, and undefined if it is none. */
const keeping = <M extends Prompt.AssistantMessage | Prompt.ToolMessage>(
  message: M,
  isKept: (part: M["content"][number]) => boolean
): M | undefined => {
  const content = message.content.filter(isKept)
  if (content.length === 0) return undefined
  return content.length === message.content.length
    ? message
    : makeMessage(message.role, { content, options: message.options } as never) as M
}

class Rendering {
  readonly rendered: Array<Item> = []
  private readonly pairs: ReadonlyArray<ReadonlyArray<Occurrence>>
  /** The approvals whose call stays open. Others say nothing to a provider. */
  private readonly open = new Set<string>()

  private readonly items: ReadonlyArray<Item>
  private readonly missing: Missing

  constructor(items: ReadonlyArray<Item>, missing: Missing) {
    this.items = items
    this.missing = missing
    this.pairs = pair(items)
  }

  /** The occurrence whose result stands here, among those of one message. Each result is kept once. */
  private taker(home: number, at: number): (part: Prompt.ToolResultPart) => boolean {
    const waiting = new Set((this.pairs[home] ?? []).filter((call) => call.at === at))
    return (part) => {
      for (const call of waiting) if (call.result === part) return waiting.delete(call)
      return false
    }
  }

  private push(message: Prompt.Message | undefined, { position }: Item): void {
    if (message !== undefined && message.content.length > 0) this.rendered.push({ message, position })
  }

  private assistant(message: Prompt.AssistantMessage, at: number): Prompt.AssistantMessage | undefined {
    const calls = new Map(this.pairs[at]?.map((call) => [call.part.id, call]))
    const isHere = this.taker(at, at)
    const kept = new Set<string>()
    return keeping(message, (part) => {
      if (part.type === "tool-call") return !kept.has(part.id) && kept.add(part.id).has(part.id)
      if (part.type === "tool-result") return isHere(part)
      if (part.type !== "tool-approval-request") return true
      const call = calls.get(part.toolCallId)
      const isOpen = call !== undefined && call.result === undefined && this.missing(call.part) === undefined
      if (isOpen) this.open.add(part.approvalId)
      return isOpen
    })
  }

  private tool(message: Prompt.ToolMessage, home: number, at: number): Prompt.ToolMessage | undefined {
    const isHere = this.taker(home, at)
    return keeping(message, (part) => part.type === "tool-result" ? isHere(part) : this.open.has(part.approvalId))
  }

  /** The results of a message's calls that stand elsewhere, or nowhere. */
  private rest(home: number): Prompt.ToolMessage | undefined {
    const content = (this.pairs[home] ?? []).flatMap(({ at, part, result, until }) => {
      if (result === undefined) return this.missing(part) ?? []
      return at < until ? [] : [result]
    })
    return content.length === 0 ? undefined : makeMessage("tool", { content })
  }

  run(): ReadonlyArray<Item> {
    let home = -1
    for (const [at, item] of this.items.entries()) {
      const { message } = item
      if (message.role === "tool") this.push(this.tool(message, home, at), item)
      else {
        home = at
        this.push(message.role === "assistant" ? this.assistant(message, at) : message, item)
      }
      if (this.items[at + 1]?.message.role !== "tool") this.push(this.rest(home), item)
    }
    return this.rendered
  }
}

/** The history that a provider accepts. */
export const render = (items: ReadonlyArray<Item>, missing: Missing): ReadonlyArray<Item> =>
  new Rendering(items, missing).run()
