/** An append to wherever the end of the log is. */
import * as Effect from "effect/Effect"
import { StoreUnavailable } from "./errors.ts"
import { rememberedOperations } from "./machine.ts"
import type { Append, Cursor } from "./model.ts"
import type { ConversationStore } from "./port.ts"

export interface AtEndOptions {
  /** How often the change is tried again when another writer was faster. Default: 100. */
  readonly attempts?: number | undefined
  /**
   * Whether the change was tried before, and its outcome is unknown. `expected` must then be what it was at the first try.
   * Default: false.
   */
  readonly isRepeated?: boolean | undefined
}

/** Whether an append that was tried first at one position is still known at another one, if it was made. */
const isRemembered = (first: Cursor, actual: Cursor) => actual.position - first.position < rememberedOperations

/**
 * Appends, whatever others append meanwhile. It repeats the change with the same operation id, so that it is made once.
 *
 * Other errors, and a `Conflict` by a removal, are the caller's. If the change is repeated, and so much was appended since that
 * the store may have forgotten it, this fails with `StoreUnavailable` and the outcome `"unknown"`.
 */
export const appendAtEnd = (
  store: ConversationStore,
  change: Append,
  { attempts = 100, isRepeated = false }: AtEndOptions = {}
): ReturnType<ConversationStore["append"]> => {
  const attempt = (expected: Cursor, left: number): ReturnType<ConversationStore["append"]> =>
    Effect.catchTag(store.append({ ...change, expected }), "Conflict", (conflict) => {
      const { actual, what } = conflict
      if (what !== "position" || left <= 0) return Effect.fail(conflict)
      if (isRepeated && !isRemembered(change.expected, actual)) {
        const reason = "so much was appended meanwhile that it is not known whether this change was made"
        return Effect.fail(new StoreUnavailable({ store: store.name, outcome: "unknown", reason }))
      }
      return attempt(actual, left - 1)
    })
  return attempt(change.expected, attempts)
}
