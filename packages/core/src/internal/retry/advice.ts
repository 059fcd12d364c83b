/** What an error says about trying again. */
import type * as Duration from "effect/Duration"

/** How far an attempt got before it failed. */
export type Reach = "unsent" | "unanswered" | "answered" | "delivered"

/** What an error says about trying again. */
export interface Advice {
  readonly reach: Reach
  /** Whether the same thing may go well the next time. */
  readonly isTransient: boolean
  /** How long to wait at least. */
  readonly retryAfter?: Duration.Duration | undefined
}

/** An error that gives its own advice. One that does not is tried again only if `classify` says so. */
export interface Declared {
  readonly retry: Advice
}
