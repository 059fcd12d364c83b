/**
 * What a conversation's log says: its messages, and how far each tool call has come. A state machine without clock and effects.
 *
 * | state | meaning |
 * | --- | --- |
 * | proposed | stands in an assistant message |
 * | awaiting | an approval was requested |
 * | approved, denied | the request was answered |
 * | started | its handler may have begun |
 * | resolved | its result is in the log |
 *
 * A call is known by its id. If a later message uses the id again, results and approvals belong to the later call.
 */
import type * as Prompt from "effect/ai/Prompt"
import { makeMessage, makePart } from "effect/ai/Prompt"
import type { Item } from "../compaction/model.ts"
import type { Cursor } from "../store/model.ts"
import type { Entry, View } from "./entry.ts"

export type CallState = "proposed" | "awaiting" | "approved" | "denied" | "started" | "resolved"

export interface Call {
  readonly part: Prompt.ToolCallPart
  state: CallState
  /** The id of the request, if an approval was requested. */
  approvalId: string | undefined
  /** Why it was denied. */
  reason: string | undefined
}

/** What follows from an operation on a call: entries for the log, or the state that forbids it. */
export type Decision =
  | { readonly _tag: "append"; readonly entries: ReadonlyArray<Entry> }
  | { readonly _tag: "refused"; readonly state: CallState | "missing" }

const append = (...entries: ReadonlyArray<Entry>): Decision => ({ _tag: "append", entries })

export const said = (message: Prompt.Message): Entry => ({ _tag: "message", message })

const toolMessage = (content: ReadonlyArray<Prompt.ToolMessagePart>): Entry => said(makeMessage("tool", { content }))

export const errorResult = (part: Prompt.ToolCallPart, result: unknown): Prompt.ToolResultPart =>
  makePart("tool-result", {
    id: part.id,
    name: part.name,
    isFailure: true,
    result,
    providerExecuted: part.providerExecuted
  })

/** What the model reads in place of a result that does not exist. */
const unresolved: Readonly<Record<Exclude<CallState, "resolved">, string>> = {
  proposed: "This tool call was not run.",
  awaiting: "This tool call was not run yet: it awaits approval.",
  approved: "This tool call was not run yet: it was approved, and will run.",
  denied: "This tool call was not run: it was denied.",
  started: "The outcome of this tool call is unknown: it was started, and may have taken effect."
}

const denial = (reason: string | undefined) => ({ type: "execution-denied", ...reason === undefined ? {} : { reason } })

/** The result that stands for a missing one. */
export const placeholder = ({ part, reason, state }: Call): Prompt.ToolResultPart =>
  errorResult(part, state === "denied" ? denial(reason) : unresolved[state === "resolved" ? "proposed" : state])

/** The result of a call whose id was used again before it had one. */
export const notRun = (part: Prompt.ToolCallPart): Prompt.ToolResultPart => errorResult(part, unresolved.proposed)

/** The result of a call whose handler was interrupted, or died. */
export const unknownOutcome = (part: Prompt.ToolCallPart): Prompt.ToolResultPart =>
  errorResult(part, unresolved.started)

export class Machine {
  readonly items: Array<Item> = []
  private readonly calls = new Map<string, Call>()
  private readonly approvals = new Map<string, Call>()
  cursor: Cursor = { incarnation: 0, position: 0 }
  /** The version of the view; 0 if there is none. */
  version = 0

  constructor(view?: Pick<View, "items" | "started">) {
    if (view === undefined) return
    for (const item of view.items) this.say(item)
    for (const call of view.started) this.begin(call)
  }

  apply(entry: Entry, position: number): void {
    if (entry._tag === "message") this.say({ message: entry.message, position })
    else this.begin(entry.call)
  }

  private begin(id: string): void {
    const call = this.calls.get(id)
    if (call !== undefined && call.state !== "resolved") call.state = "started"
  }

  private say(item: Item): void {
    const { message } = item
    this.items.push(item)
    if (message.role === "assistant") {
      const here = new Set<string>()
      for (const part of message.content) this.propose(part, here)
    }
    if (message.role === "tool") { for (const part of message.content) this.answer(part) }
  }

  /** An id that stands twice in one message is one call. */
  private propose(part: Prompt.AssistantMessagePart, here: Set<string>): void {
    if (part.type === "tool-call") {
      if (here.has(part.id)) return
      here.add(part.id)
      this.calls.set(part.id, { part, state: "proposed", approvalId: undefined, reason: undefined })
    } else if (part.type === "tool-approval-request") {
      const call = this.calls.get(part.toolCallId)
      if (call === undefined || call.state !== "proposed") return
      call.state = "awaiting"
      call.approvalId = part.approvalId
      this.approvals.set(part.approvalId, call)
    } else if (part.type === "tool-result") this.resolve(part)
  }

  private answer(part: Prompt.ToolMessagePart): void {
    if (part.type === "tool-result") return this.resolve(part)
    const call = this.approvals.get(part.approvalId)
    if (call?.state !== "awaiting") return
    call.state = part.approved ? "approved" : "denied"
    call.reason = part.reason
  }

  private resolve({ id }: Prompt.ToolResultPart): void {
    const call = this.calls.get(id)
    if (call !== undefined) call.state = "resolved"
  }

  /** The calls without a result, in the order of the log. */
  get open(): ReadonlyArray<Call> {
    return Array.from(this.calls.values()).filter(({ state }) => state !== "resolved")
  }

  /** Copies of them, which later changes leave alone. */
  get openNow(): ReadonlyArray<Call> {
    return this.open.map((call) => ({ ...call }))
  }

  /** The calls that were started and have no result, for a view. */
  get started(): ReadonlyArray<string> {
    return this.open.flatMap(({ part, state }) => state === "started" ? [part.id] : [])
  }

  /** What the log would say with messages behind it. */
  with(messages: ReadonlyArray<Prompt.Message>): Machine {
    const machine = new Machine(this)
    for (const message of messages) machine.say({ message })
    return machine
  }

  call(id: string): Call | undefined {
    return this.calls.get(id)
  }

  private stateOf(id: string): CallState | "missing" {
    return this.calls.get(id)?.state ?? "missing"
  }

  /**
   * The results that end what a writer left behind when it ended. A call that awaits approval, or was approved and not
   * started, can still run.
   */
  repair(): ReadonlyArray<Entry> {
    const left = this.open.filter(({ state }) => state === "proposed" || state === "started" || state === "denied")
    return left.length === 0 ? [] : [toolMessage(left.map(placeholder))]
  }

  /** Whether the handler of a call may begin: only once, and not before its approval. */
  start(id: string): Decision {
    const state = this.stateOf(id)
    return state === "proposed" || state === "approved"
      ? append({ _tag: "started", call: id })
      : { _tag: "refused", state }
  }

  /** The end of a call that was started. After a clear, nothing follows. Another writer may have ended it as unknown. */
  finish(id: string, result: Prompt.ToolResultPart): Decision {
    const state = this.stateOf(id)
    if (state === "started") return append(toolMessage([result]))
    return state === "missing" ? append() : { _tag: "refused", state }
  }

  approve(id: string): Decision {
    const call = this.calls.get(id)
    if (call?.approvalId === undefined || call.state !== "awaiting") return { _tag: "refused", state: this.stateOf(id) }
    const { approvalId } = call
    return append(toolMessage([makePart("tool-approval-response", { approvalId, approved: true })]))
  }

  deny(id: string, reason: string | undefined): Decision {
    const call = this.calls.get(id)
    if (call?.approvalId === undefined || call.state !== "awaiting") return { _tag: "refused", state: this.stateOf(id) }
    const { approvalId } = call
    return append(toolMessage([
      makePart("tool-approval-response", { approvalId, approved: false, ...reason !== undefined && { reason } }),
      errorResult(call.part, denial(reason))
    ]))
  }
}
