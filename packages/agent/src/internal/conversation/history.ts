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

/** The history for a request. */
export const complete = (machine: Machine): ReadonlyArray<Item> => render(machine.items, everyCall(machine))

/** The history for a compaction, which keeps calls that have no result. */
export const unfinished = (machine: Machine): ReadonlyArray<Item> => render(machine.items, exceptOpen(machine))

export const promptOf = (items: ReadonlyArray<Item>): Prompt.Prompt => fromMessages(items.map(({ message }) => message))
