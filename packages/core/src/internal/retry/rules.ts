/** Decides whether another attempt follows a failed one, and after which wait: pure functions without clock or randomness. */
import type { Advice } from "./advice.ts"
import type { Rules, Why } from "./model.ts"

export interface Failed {
  /** Attempts made so far. */
  readonly attempts: number
  /** The advice about the error; undefined if there is none. */
  readonly advice: Advice | undefined
  /** The wait that the error requires, in milliseconds. */
  readonly retryAfter: number
  /** Whether the receiver is known to process a call once, however often it is sent. */
  readonly isIdempotent: boolean
  /** Milliseconds until the deadline. */
  readonly remaining: number
  /** A random number from 0 to below 1. */
  readonly draw: number
}

export type Decision =
  | { readonly _tag: "Wait"; readonly millis: number }
  | { readonly _tag: "End"; readonly why: Why }

const end = (why: Why): Decision => ({ _tag: "End", why })

/** Whether an attempt may begin now. */
export const hasTime = (rules: Rules, remaining: number): boolean => remaining > 0 && remaining >= rules.minimum

export const decide = (rules: Rules, failed: Failed): Decision => {
  const { advice, attempts, retryAfter, remaining } = failed
  if (advice?.reach === "delivered") return end("delivered")
  if (advice?.isTransient !== true) return end("permanent")
  if (advice.reach === "unanswered") {
    const maySend = rules.resend === "always" || (rules.resend === "idempotent" && failed.isIdempotent)
    if (!maySend) return end("unanswered")
  }
  if (attempts >= rules.attempts) return end("attempts")
  if (retryAfter > rules.maxRetryAfter) return end("retryAfter")
  if (!hasTime(rules, remaining - retryAfter)) return end("deadline")
  // Full jitter on top of `retryAfter`, so that callers with the same one do not retry together. It stays within the time
  // to the deadline, so that randomness alone never prevents the last attempt.
  const backoff = Math.min(rules.max, rules.base * 2 ** Math.min(attempts - 1, 50))
  const latest = remaining - rules.minimum
  const millis = retryAfter + failed.draw * Math.min(backoff, latest - retryAfter)
  // Timers drop parts of a millisecond, and `retryAfter` is a minimum.
  const whole = Math.ceil(millis)
  return { _tag: "Wait", millis: hasTime(rules, remaining - whole) ? whole : millis }
}
