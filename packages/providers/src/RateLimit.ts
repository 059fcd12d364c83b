/** What a provider says about its limits, with any answer. */
import type * as Duration from "effect/Duration"

export interface RateLimit {
  /** What is limited, in our words, or in the provider's own where we have none. */
  readonly dimension: "requests" | "tokens" | "input-tokens" | "output-tokens" | (string & {})
  /** How much there is in one window. */
  readonly limit: number | undefined
  readonly remaining: number | undefined
  /** How long until all of it is there again, counted from the answer. */
  readonly resetAfter: Duration.Duration | undefined
}

export interface RateLimits {
  readonly limits: ReadonlyArray<RateLimit>
  /** How long the provider asks to wait before the next request. */
  readonly retryAfter: Duration.Duration | undefined
}
