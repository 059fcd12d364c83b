/** Whether, and after how long, a failed attempt is followed by another: a function of what is known, without clock or chance. */
import type { Advice } from "./advice.ts"
import type { Rules, Why } from "./model.ts"

export interface Failed {
  /** Attempts made so far. */
  readonly attempts: number
  /** What the error says; undefined where nobody says anything. */
  readonly advice: Advice | undefined
  /** Milliseconds that the error asks to wait. */
  readonly retryAfter: number
  /** Whether the receiver is known to serve one call once, however often it is sent. */
  readonly isIdempotent: boolean
  /** Milliseconds until the deadline. */
  readonly remaining: number
  /** Chance: from 0 up to, and not including, 1. */
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
  // Full jitter, on top of what was asked for, so that those who were told the same do not come back together; and
  // within what the deadline leaves, so that chance alone never spends the last attempt.
  const backoff = Math.min(rules.max, rules.base * 2 ** Math.min(attempts - 1, 50))
  const latest = remaining - rules.minimum
  const millis = retryAfter + failed.draw * Math.min(backoff, latest - retryAfter)
  // Timers drop parts of a millisecond, and what was asked for is a floor.
  const whole = Math.ceil(millis)
  return { _tag: "Wait", millis: hasTime(rules, remaining - whole) ? whole : millis }
}
