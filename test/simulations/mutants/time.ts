/** Mistakes in what is about time and trying again: deadlines, limits, retries. */
import type { Mutant } from "../../support/mutant.ts"

const deadline = "packages/core/src/Deadline.ts"
const limits = "packages/core/src/internal/time/deadline.ts"
const timers = "packages/core/src/internal/time/timers.ts"
const cutOff = "packages/core/src/internal/time/cutOff.ts"
const pump = "packages/core/src/internal/session/streamFiber.ts"
const timeouts = "packages/core/src/Timeouts.ts"
const retry = "packages/core/src/Retry.ts"
const budget = "packages/core/src/internal/retry/budget.ts"
const call = "packages/core/src/internal/retry/call.ts"
const rules = "packages/core/src/internal/retry/rules.ts"
const attempts = "packages/core/src/internal/retry/stream.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module: "Deadline",
    file: limits,
    find: "inherited !== undefined && inherited.at <= at\n",
    replace: "inherited !== undefined && inherited.at < at - 1e9\n",
    rule: "an inner deadline can only be earlier"
  },
  {
    module: "Deadline",
    file: deadline,
    find: "return isNever(limit) ? self : until(",
    replace: "return isNever(limit) || limit.isInherited ? self : until(",
    rule: "work that nobody interrupts is under a clock of its own"
  },
  {
    module: "Deadline",
    file: deadline,
    find: "    this.timers.set(this)\n",
    replace: "",
    rule: "a stream holds nothing past its deadline, though its reader is away"
  },
  {
    module: "Deadline",
    file: deadline,
    find: "at: limit.deadline.at,",
    replace: "at: limit.deadline.at + 1,",
    rule: "time runs out at the deadline"
  },
  {
    module: "Deadline",
    file: limits,
    find: "isInherited ? leave(end) : end",
    replace: "isInherited ? end : end",
    rule: "who set the earliest deadline hears of it"
  },
  {
    module: "Deadline",
    file: deadline,
    find: "  Effect.uninterruptibleMask((restore) =>\n    Effect.withFiber((fiber) =>\n      cutOff(self, {",
    replace:
      "  ((f: (restore: <A>(a: A) => A) => any) => Effect.suspend(() => f((a) => a)))((restore) =>\n    Effect.withFiber((fiber) =>\n      cutOff(self, {",
    rule: "starting what runs under a deadline and arranging for its end are one step"
  },
  {
    module: "Deadline",
    file: cutOff,
    find:
      "return fiber.pollUnsafe() === undefined ? Effect.andThen(Fiber.interrupt(fiber), defectsOf(fiber)) : undefined",
    replace: "return undefined",
    rule: "who is interrupted takes along what runs for him"
  },
  {
    module: "Deadline",
    file: timers,
    find: "if (timer.at >= this.wakesAt) return",
    replace: "if (this.wakesAt < Infinity) return",
    rule: "the fiber of the timers wakes for the earliest of them"
  },
  {
    module: "Deadline",
    file: timers,
    find: "    this.wakesAt = heap.earliest\n",
    replace: "    this.wakesAt = Infinity\n",
    rule: "the fiber of the timers sleeps again until the next of them"
  },
  {
    module: "Timeouts",
    file: timeouts,
    find: "      this.waited = 0\n",
    replace: "",
    rule: "each output starts the idle clock again"
  },
  {
    module: "Timeouts",
    file: timeouts,
    find: "if (elements.some(this.limits.isOutput)) {",
    replace: "if (elements.length > 0) {",
    rule: "what is no output does not count as progress"
  },
  {
    module: "Timeouts",
    file: timeouts,
    find: "    } else {\n      this.waited += this.timers.now - this.pulledAt\n",
    replace: "    } else {\n",
    rule: "what is no output does not start the idle clock again"
  },
  {
    module: "Timeouts",
    file: pump,
    find: "const opened = Channel.toPullScoped(Stream.toChannel(this.stream), this.scope)",
    replace: "const opened = Effect.uninterruptible(Channel.toPullScoped(Stream.toChannel(this.stream), this.scope))",
    rule: "opening is part of the first pull"
  },
  {
    module: "Timeouts",
    file: pump,
    find: "const given = Effect.map(pull, (elements)",
    replace: "const given = Effect.map(Effect.flatMap(Effect.forkChild(pull), Fiber.join), (elements)",
    rule: "a stream runs on one fiber"
  },
  {
    module: "Timeouts",
    file: timeouts,
    find: ": this.firstAt\n",
    replace: ": this.pulledAt + Duration.toMillis(this.limits.firstToken)\n",
    rule: "pings do not put the first limit off"
  },
  {
    module: "Retry",
    file: rules,
    find: `if (advice?.isTransient !== true) return end("permanent")`,
    replace: `if (advice === undefined) return end("permanent")`,
    rule: "only what is transient is tried again"
  },
  {
    module: "Retry",
    file: rules,
    find: `(rules.resend === "idempotent" && failed.isIdempotent)`,
    replace: `rules.resend === "idempotent"`,
    rule: "what may have been processed is sent again only where that does no harm"
  },
  {
    module: "Retry",
    file: rules,
    find: "if (attempts >= rules.attempts)",
    replace: "if (attempts > rules.attempts)",
    rule: "attempts are bounded"
  },
  {
    module: "Retry",
    file: rules,
    find: "const millis = retryAfter + failed.draw * Math.min(backoff, latest - retryAfter)",
    replace: "const millis = failed.draw * Math.min(backoff + retryAfter, latest)",
    rule: "what the other side asks for is a floor"
  },
  {
    module: "Retry",
    file: call,
    find: "deadline !== undefined && !hasTime(this.policy.rules, this.remaining(fiber))",
    replace: "deadline !== undefined && this.remaining(fiber) < 0",
    rule: "no attempt begins that cannot end in time"
  },
  {
    module: "Retry",
    file: call,
    find: "if (this.isPaid) this.policy.budget.refund()",
    replace: "",
    rule: "a retry that was not made is given back"
  },
  {
    module: "Retry",
    file: call,
    find: `if (!this.policy.budget.withdraw()) return void this.end(cause, "budget")`,
    replace: "this.policy.budget.withdraw()",
    rule: "all retries are taken from the budget"
  },
  {
    module: "Retry",
    file: budget,
    find: "    this.tokens -= whole\n    return true",
    replace: "    this.tokens -= this.gain\n    return true",
    rule: "a retry costs a whole token"
  },
  {
    module: "Retry",
    file: retry,
    find: `Exit.isFailure(exit) || scope.state._tag === "Empty" ? Scope.close(scope, exit) : Effect.void`,
    replace: `scope.state._tag === "Empty" ? Scope.close(scope, exit) : Effect.void`,
    rule: "backing off holds nothing"
  },
  {
    module: "Retry",
    file: attempts,
    find: "return Scope.close(attempt.scope, exit)",
    replace: "return Effect.void",
    rule: "a failed stream is closed before the wait"
  },
  {
    module: "Retry",
    file: attempts,
    find: "this.delivering ?? this.settled",
    replace: "this.settled",
    rule: "nothing is repeated once there was output"
  },
  {
    module: "Retry",
    file: attempts,
    find: "this.attempt = undefined\n",
    replace: "",
    rule: "a new attempt is a new one"
  },
  {
    module: "Retry",
    file: attempts,
    find: "this.attempt ??= this.open()",
    replace: "this.attempt = this.open()",
    rule: "who comes back goes on with the attempt that was left"
  },
  {
    module: "Retry",
    file: attempts,
    find: "return attempt.isOpened ? undefined : close",
    replace: "return undefined",
    rule: "what was left while it opened is given back"
  },
  {
    module: "Retry",
    file: call,
    find: "if (wait >= nanosecond) return",
    replace: "if (wait >= nanosecond && this.isPaid) return",
    rule: "who comes back to a wait waits for the rest of it"
  },
  {
    module: "Retry",
    file: call,
    find: "Effect.sleep(wait)",
    replace: "Effect.sleep(this.isPaid ? wait : 2 * wait)",
    rule: "who comes back to a wait waits for no more than its rest"
  }
]
