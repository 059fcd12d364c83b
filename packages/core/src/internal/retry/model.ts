/** What a retried call goes by, below everything that uses it. */
import type { Advice } from "./advice.ts"
import type { RetryBudget } from "./budget.ts"

/** Which calls are sent again after they may have been processed: those known to be served once, all of them, or none. */
export type Resend = "idempotent" | "always" | "never"

/** The numbers of a policy; durations in milliseconds. */
export interface Rules {
  readonly attempts: number
  readonly base: number
  readonly max: number
  readonly maxRetryAfter: number
  readonly minimum: number
  readonly resend: Resend
}

/** When and how often to retry. `E` is what `classify` can judge, beside the errors that give their own advice. */
export interface Policy<in E = unknown> {
  readonly rules: Rules
  readonly budget: RetryBudget
  readonly classify: ((error: E) => Advice | undefined) | undefined
}

/** Names one call to the server, however often it is sent. */
export interface IdempotencyKey {
  readonly value: string
  /** Whether the server is known to serve a key once. By default, only then is a lost answer asked for again. */
  readonly isHonoured: boolean
}

/**
 * Why a call that failed was not retried: the error is `permanent`, output had been `delivered`, the call may have been
 * processed and must not be twice (`unanswered`), all `attempts` were made, the server asked for a longer wait than the policy
 * allows (`retryAfter`), or the `deadline` or the `budget` left no room for another attempt.
 */
export type Why = "permanent" | "delivered" | "unanswered" | "attempts" | "retryAfter" | "deadline" | "budget"

export interface Ended {
  /** Attempts that were made. */
  readonly attempts: number
  readonly why: Why
}
