/** The histories that a machine gives. */
import type * as Prompt from "effect/ai/Prompt"
import { fromMessages } from "effect/ai/Prompt"
import type { Item } from "../compaction/model.ts"
import { type Machine, notRun, placeholder } from "./machine.ts"
import { type Missing, render } from "./render.ts"

/** Every call that has no result gets one that says why. */
const everyCall = (machine: Machine): Missing => (part) => {
  const call = machine.call(part.id)
  return call?.part === part ? placeholder(call) : notRun(part)
}

/** Calls that may get a result yet stay without one, with their approvals. */
const exceptOpen = (machine: Machine): Missing => (part) =>
  machine.call(part.id)?.part === part ? undefined : notRun(part)

/** Calls whose approval is open stay as they are, so that Effect's language models run them once they are approved. */
const exceptApprovals = (machine: Machine): Missing => (part) => {
  const call = machine.call(part.id)
  const isAsked = call?.part === part && call.approvalId !== undefined && call.state !== "started"
  return isAsked ? undefined : everyCall(machine)(part)
}

/** The history for a request. */
export const complete = (machine: Machine): ReadonlyArray<Item> => render(machine.items, everyCall(machine))

/** The history for a compaction, which keeps calls that have no result. */
export const unfinished = (machine: Machine): ReadonlyArray<Item> => render(machine.items, exceptOpen(machine))

/** The history for a language model of Effect, which settles approvals. */
export const withApprovals = (machine: Machine): ReadonlyArray<Item> => render(machine.items, exceptApprovals(machine))

export const promptOf = (items: ReadonlyArray<Item>): Prompt.Prompt => fromMessages(items.map(({ message }) => message))
