/** One retried call: its attempts, its use of the budget, and what follows a failed attempt. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Deadline from "../../Deadline.ts"
import { inForce } from "../time/deadline.ts"
import * as Monotonic from "../time/monotonic.ts"
import type { Advice, Declared, Reach } from "./advice.ts"
import type { Ended, Policy, Why } from "./model.ts"
import { decide, hasTime } from "./rules.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** The annotation of a cause: why there was no further attempt. */
export const EndedKey: Context.Reference<Ended | undefined> = Context.Reference<Ended | undefined>(
  "@clawback/core/Retry/Ended",
  { defaultValue: () => undefined }
)

const isDeclared = (error: unknown): error is Declared => {
  if (typeof error !== "object" || error === null || !("retry" in error)) return false
  const { retry } = error
  return typeof retry === "object" && retry !== null && "isTransient" in retry && "reach" in retry
}

/** From what may be repeated to what must not be repeated. */
const reaches: ReadonlyArray<Reach> = ["unsent", "answered", "unanswered", "delivered"]

/** In milliseconds. A shorter rest of a wait comes from rounding, and a sleep of no time would never end it. */
const nanosecond = 1e-6

const retryAfterOf = (advice: Advice): number =>
  advice.retryAfter === undefined ? 0 : Math.max(0, Duration.toMillis(advice.retryAfter))

/** Combines two pieces of advice: the more careful of each. */
const worse = (a: Advice, b: Advice): Advice => ({
  reach: reaches.indexOf(a.reach) > reaches.indexOf(b.reach) ? a.reach : b.reach,
  isTransient: a.isTransient && b.isTransient,
  retryAfter: Duration.millis(Math.max(retryAfterOf(a), retryAfterOf(b)))
})

/** `EP` is what the policy can judge by itself, `E` what the call can fail with. */
export class Call<EP, E extends EP | Declared> {
  private attempts = 0
  /** Whether a token was taken for a retry that has not begun. */
  private isPaid = false
  private last: Cause.Cause<E> | undefined
  /** When the next attempt may begin, in monotonic milliseconds. */
  private notBefore = -Infinity
  /** How the call has ended. A later pull gets the same end. */
  private ended: Effect.Effect<never, E> | undefined
  private readonly policy: Policy<EP>
  private readonly isIdempotent: boolean

  constructor(policy: Policy<EP>, isIdempotent: boolean) {
    this.policy = policy
    this.isIdempotent = isIdempotent
  }

  /** Undefined if the next attempt may begin. Otherwise a wait that continues with `again`, or the end of the call. */
  admit<A, E2, R>(
    fiber: AnyFiber,
    again: Effect.Effect<A, E2, R>
  ): Effect.Effect<A, E | E2 | Deadline.DeadlineExceeded, R> | undefined {
    if (this.ended !== undefined) return this.ended
    const wait = this.notBefore - Monotonic.millis(fiber.getRef(Clock.Clock))
    if (wait >= nanosecond) return Effect.andThen(Effect.sleep(wait), again)
    // The token was returned when the wait was interrupted.
    if (this.last !== undefined && !this.isPaid) {
      if (!this.policy.budget.withdraw()) return this.end(this.last, "budget")
      this.isPaid = true
    }
    const deadline = inForce(fiber)
    if (deadline !== undefined && !hasTime(this.policy.rules, this.remaining(fiber))) {
      return this.last === undefined
        ? Effect.fail(new Deadline.DeadlineExceeded({ budget: deadline.budget }))
        : this.end(this.last, "deadline")
    }
    return undefined
  }

  /** An attempt that was admitted has begun. */
  begin(): void {
    this.isPaid = false
    this.attempts++
  }

  succeeded(): void {
    this.policy.budget.deposit()
  }

  /**
   * Decides what follows a failed attempt, whose scope is closed: a wait from now on, or the end. `classify` is the user's
   * code: if it throws, the call ends with that defect.
   */
  failed(fiber: AnyFiber, cause: Cause.Cause<E>): void {
    try {
      this.judge(fiber, cause)
    } catch (defect) {
      this.ended = Effect.die(defect)
    }
  }

  private judge(fiber: AnyFiber, cause: Cause.Cause<E>): void {
    const advice = this.advice(cause)
    const decision = decide(this.policy.rules, {
      attempts: this.attempts,
      advice,
      retryAfter: advice === undefined ? 0 : retryAfterOf(advice),
      isIdempotent: this.isIdempotent,
      remaining: this.remaining(fiber),
      draw: fiber.getRef(Random.Random).nextDoubleUnsafe()
    })
    if (decision._tag === "End") return void this.end(cause, decision.why)
    if (!this.policy.budget.withdraw()) return void this.end(cause, "budget")
    this.isPaid = true
    this.last = cause
    this.notBefore = Monotonic.millis(fiber.getRef(Clock.Clock)) + decision.millis
  }

  end(cause: Cause.Cause<E>, why: Why): Effect.Effect<never, E> {
    if (Cause.hasInterruptsOnly(cause)) return this.ended = Effect.failCause(cause)
    const ended: Ended = { attempts: this.attempts, why }
    return this.ended = Effect.failCause(Cause.annotate(cause, EndedKey.context(ended), { overwrite: true }))
  }

  /** Returns the token of an attempt that did not begin. */
  settle(): undefined {
    if (this.isPaid) this.policy.budget.refund()
    this.isPaid = false
  }

  private remaining(fiber: AnyFiber): number {
    const deadline = inForce(fiber)
    return deadline === undefined ? Infinity : deadline.at - Monotonic.millis(fiber.getRef(Clock.Clock))
  }

  /** The combined advice of the errors; undefined if there is a defect or an error without advice. */
  private advice(cause: Cause.Cause<E>): Advice | undefined {
    let all: Advice | undefined
    for (const reason of cause.reasons) {
      if (Cause.isDieReason(reason)) return undefined
      if (!Cause.isFailReason(reason)) continue
      const error: EP | Declared = reason.error
      const advice = isDeclared(error) ? error.retry : this.policy.classify?.(error)
      if (advice === undefined) return undefined
      all = all === undefined ? advice : worse(all, advice)
    }
    return all
  }
}
