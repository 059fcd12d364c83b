/**
 * The limits that a provider states in a response.
 *
 * @stable
 */

import type * as Duration from "effect/Duration"

export interface RateLimit {
  /** What is limited. The provider's own word, if none of ours fits. */
  readonly dimension: "requests" | "tokens" | "input-tokens" | "output-tokens" | (string & {})
  /** The amount for one window. */
  readonly limit: number | undefined
  readonly remaining: number | undefined
  /** The time from the response until the whole amount is available again. */
  readonly resetAfter: Duration.Duration | undefined
}

export interface RateLimits {
  readonly limits: ReadonlyArray<RateLimit>
  /** How long the provider asks to wait before the next request. */
  readonly retryAfter: Duration.Duration | undefined
}
