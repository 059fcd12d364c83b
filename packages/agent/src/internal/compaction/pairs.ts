/** Which messages belong together: a tool call and its result, an approval request and its response, at any distance. */
import type * as Prompt from "effect/ai/Prompt"

export interface Pairs {
  /** For each message, the last one that belongs to it, or itself. */
  readonly until: ReadonlyArray<number>
  /** Messages with a call that has no result, or with an approval request that has no response. */
  readonly open: ReadonlySet<number>
}

interface Request {
  readonly at: number
  readonly callId: string
}

/**
 * An id may be used again in a later turn, as some providers number the calls of each answer. A result belongs to the newest
 * call of its id that has none.
 */
class Calls {
  private readonly waiting = new Map<string, Array<number>>()
  private readonly newest = new Map<string, number>()
  /** Who runs these calls is the provider: the caller owes no result. */
  private readonly foreign = new Set<string>()

  add({ id, providerExecuted }: Prompt.ToolCallPart, at: number): void {
    this.newest.set(id, at)
    if (providerExecuted) this.foreign.add(id)
    else this.foreign.delete(id)
    const waiting = this.waiting.get(id)
    if (waiting === undefined) this.waiting.set(id, [at])
    else waiting.push(at)
  }

  /** Where the call of a result is. Undefined: there is none. */
  settle(id: string): number | undefined {
    const waiting = this.waiting.get(id)
    const at = waiting?.pop()
    if (waiting?.length === 0) this.waiting.delete(id)
    return at ?? this.newest.get(id)
  }

  has(id: string): boolean {
    return this.newest.has(id)
  }

  get open(): ReadonlyArray<number> {
    return [...this.waiting].flatMap(([id, places]) => this.foreign.has(id) ? [] : places)
  }
}

const partsOf = (message: Prompt.Message): ReadonlyArray<Prompt.Part> =>
  message.role === "system" ? [] : message.content

export const pairsOf = (messages: ReadonlyArray<Prompt.Message>): Pairs => {
  const until = messages.map((_, at) => at)
  const calls = new Calls()
  const requests = new Map<string, Request>()
  const unanswered = new Map<string, Request>()
  const link = (from: number | undefined, to: number) => {
    if (from !== undefined) until[from] = Math.max(until[from] ?? to, to)
  }
  for (const [at, message] of messages.entries()) {
    for (const part of partsOf(message)) {
      switch (part.type) {
        case "tool-call":
          calls.add(part, at)
          break
        case "tool-result":
          link(calls.settle(part.id), at)
          break
        case "tool-approval-request": {
          const request = { at, callId: part.toolCallId }
          requests.set(part.approvalId, request)
          unanswered.set(part.approvalId, request)
          break
        }
        case "tool-approval-response":
          link(requests.get(part.approvalId)?.at, at)
          unanswered.delete(part.approvalId)
          break
      }
    }
  }
  // A request for a known call is over when the call has its result.
  const awaiting = [...unanswered.values()].flatMap(({ at, callId }) => calls.has(callId) ? [] : [at])
  return { until, open: new Set([...calls.open, ...awaiting]) }
}
