/** One place of a pool, from the moment in which its item is being opened until that is closed. */

/**
 * - `opening`: its item is being connected.
 * - `idle`: no caller uses it.
 * - `busy`: a caller has borrowed it.
 * - `validating`: the pool checks whether it still works.
 * - `resetting`: a caller has returned it, and the pool prepares it for the next one.
 * - `closing`: its item is being closed.
 * - `closed`: its place is free.
 */
export type State = "opening" | "idle" | "busy" | "validating" | "resetting" | "closing" | "closed"

/** Why an item was closed. */
export type Reason =
  | "idle"
  | "lifetime"
  | "uses"
  | "invalid"
  | "resetFailed"
  | "invalidated"
  | "refreshed"
  | "revoked"
  | "shutdown"

export class Entry<R> {
  state: State = "opening"
  /** What the shell has opened. Undefined before that, and after its place was freed. */
  resource: R | undefined = undefined
  /** Why it is not lent any more, once that is decided. */
  ending: Reason | undefined = undefined
  /** It is not lent from this moment on. All moments are in monotonic milliseconds. */
  expiresAt = Infinity
  /** When it was opened, or returned last. */
  usedAt = 0
  /** When it was last known to work. */
  checkedAt = 0
  /** When it is checked next, while it is idle. */
  checksAt = Infinity
  /** When it was lent last. */
  takenAt = 0
  /** How often it was lent. */
  uses = 0
  /** Whether this loan was reported as a leak. */
  isReported = false
  /** From 0 to 1, at random: what was opened together ends at different moments. */
  spread = 0
}
