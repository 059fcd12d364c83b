/** The options that a pool's machine follows, and what it has its shell do. */
import type { Entry, Reason } from "./entry.ts"

/** Durations are milliseconds; Infinity switches a rule off. */
export interface Limits {
  readonly max: number
  readonly min: number
  readonly maxWaiters: number
  readonly maxUses: number
  /** An item that was known to work within so many milliseconds is lent without a check. */
  readonly bypass: number
  readonly idleTimeToLive: number
  readonly maxLifetime: number
  readonly keepAlive: number
  readonly leakThreshold: number
  /** How long connecting pauses after a first failure. It doubles with each one in a row. More than zero. */
  readonly backoff: number
  readonly maxBackoff: number
  /** Whether an item is reset after each use. */
  readonly isReset: boolean
}

/** What the shell must do. */
export type Command<R, W> =
  /** Connect, then call `opened` or `openFailed`. */
  | { readonly _tag: "Open"; readonly entry: Entry<R> }
  /** Check whether the item works, then call `validated`. */
  | { readonly _tag: "Validate"; readonly entry: Entry<R> }
  /** Prepare the item for its next use, then call `reset`. */
  | { readonly _tag: "Reset"; readonly entry: Entry<R> }
  /** Close the item, then call `closed`. */
  | { readonly _tag: "Close"; readonly entry: Entry<R>; readonly reason: Reason }
  /** The result of what the shell does with the entry is not wanted any more: stop it. Its end is reported as always. */
  | { readonly _tag: "Abort"; readonly entry: Entry<R> }
  /** The waiter has borrowed the item. If it is gone, the shell must `pass` the item on. */
  | { readonly _tag: "Lend"; readonly waiter: W; readonly entry: Entry<R> }
  /** The waiter fails: connecting failed and nothing else can serve it, or the pool was shut. */
  | { readonly _tag: "Reject"; readonly waiter: W; readonly why: "connect" | "shut" }
  /** The item is lent for longer than the threshold. */
  | { readonly _tag: "Leak"; readonly entry: Entry<R> }

export type Commands<R, W> = ReadonlyArray<Command<R, W>>
