import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as ReadableError from "../../ReadableError.ts"
import type { Advice } from "../retry/advice.ts"
import * as Releasing from "../session/currentRelease.ts"
import * as Time from "./format.ts"
import * as Monotonic from "./monotonic.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

export interface Deadline {
  /** Monotonic milliseconds of the clock in force. */
  readonly at: number
  /** The duration that was given, for the error. */
  readonly budget: Duration.Duration
}

/** The work did not end in time. It was interrupted and what it held was released. */
export class DeadlineExceeded extends ReadableError.tagged<DeadlineExceeded>("@clawback/core/DeadlineExceeded")(
  "DeadlineExceeded",
  {
    budget: Schema.Duration,
    /** What was still being opened when the time had passed, if the work had not begun: nothing was sent. */
    unopened: Schema.optional(Schema.String)
  }
) {
  get retry(): Advice {
    return { reach: this.unopened === undefined ? "unanswered" : "unsent", isTransient: false }
  }
  override get message() {
    if (this.unopened !== undefined) {
      return `The deadline of ${
        Time.format(this.budget)
      } passed before ${this.unopened} was opened. Nothing was sent, ` +
        "and the next call tries again. Check where its secret and its configuration come from, or allow more time."
    }
    return `The deadline of ${Time.format(this.budget)} passed before the work ended, waits and ` +
      "retries included. Allow more time, or ask for less."
  }
}

/** The deadline that was set last, if there is one. */
export const Current: Context.Reference<Deadline | undefined> = Context.Reference<Deadline | undefined>(
  "@clawback/core/Deadline/Current",
  { defaultValue: () => undefined }
)

/** A deadline that this package has set, with the release inside of which it was set. */
interface Own extends Deadline {
  readonly release: Releasing.Release | undefined
}

const make = (at: number, budget: Duration.Duration, fiber: AnyFiber): Own => ({
  at,
  budget,
  release: Releasing.of(fiber)
})

/**
 * The deadline that applies to a fiber. A release ignores the deadline of the work before it, although it runs in the
 * context of that work.
 */
export const inForce = (fiber: AnyFiber): Deadline | undefined => {
  const deadline: Deadline | Own | undefined = fiber.getRef(Current)
  return deadline === undefined || !("release" in deadline) || deadline.release === Releasing.of(fiber)
    ? deadline
    : undefined
}

/**
 * How many milliseconds the work that set a deadline has to interrupt the work inside of it. After that, the inner work
 * raises the error itself. Both timers are due at the same moment, up to a rounding.
 */
const grace = 10

/**
 * Leaves an error to the work that set the deadline, and fails only if that does not interrupt this fiber. A timer that is
 * set while the processor is busy may fire at once, so the clock decides.
 */
export const leave = <E>(end: Effect.Effect<never, E>): Effect.Effect<never, E> =>
  Effect.clockWith((clock) => {
    const until = Monotonic.millis(clock) + grace
    const wait: Effect.Effect<never, E> = Effect.suspend(() => {
      const left = Math.ceil(until - Monotonic.millis(clock))
      return left > 0 ? Effect.andThen(Effect.sleep(left), wait) : end
    })
    return wait
  })

/** A deadline, and whether it was in force before. */
export interface Limit {
  readonly deadline: Deadline
  readonly isInherited: boolean
}

export const isNever = ({ deadline }: Limit) => deadline.at === Infinity

/** The deadline that `budget` sets from now, or the one in force if that is earlier. */
export const earliest = (budget: Duration.Duration, fiber: AnyFiber): Limit => {
  const inherited = inForce(fiber)
  const at = Monotonic.millis(fiber.getRef(Clock.Clock)) + Duration.toMillis(budget)
  return inherited !== undefined && inherited.at <= at
    ? { deadline: inherited, isInherited: true }
    : { deadline: make(at, budget, fiber), isInherited: false }
}

/** Runs `end` when time has run out. Leaves that to the outer work whose deadline was inherited, if it ends in time. */
export const afterGrace = <E>({ isInherited }: Limit, end: Effect.Effect<never, E>): Effect.Effect<never, E> =>
  isInherited ? leave(end) : end

/** Fails with `DeadlineExceeded`. */
export const exceeded = (limit: Limit): Effect.Effect<never, DeadlineExceeded> =>
  afterGrace(limit, Effect.fail(new DeadlineExceeded({ budget: limit.deadline.budget })))
