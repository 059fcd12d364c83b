/** The errors for what the machine refuses. */
import { Conflict, OperationMismatch, StaleFence, TooLarge } from "./errors.ts"
import type { Appending, Limits, Refusal } from "./machine.ts"
import type { Append } from "./model.ts"

export const refusalOf = (
  change: { readonly conversation: string; readonly fence?: number | undefined },
  refusal: Refusal,
  { maxBytes }: Limits
): Conflict | StaleFence | TooLarge => {
  const { conversation, fence = 0 } = change
  if (refusal._tag === "Stale") return new StaleFence({ conversation, fence, newest: refusal.newest })
  if (refusal._tag === "TooLarge") return new TooLarge({ conversation, bytes: refusal.bytes, maxBytes })
  return new Conflict({ conversation, what: refusal.what, actual: refusal.actual })
}

export const appendRefusalOf = (
  change: Append,
  answer: Exclude<Appending, { readonly _tag: "Applied" | "Duplicate" }>,
  limits: Limits
): Conflict | OperationMismatch | StaleFence | TooLarge =>
  answer._tag === "Mismatch"
    ? new OperationMismatch({ conversation: change.conversation, operation: change.operation })
    : refusalOf(change, answer, limits)
