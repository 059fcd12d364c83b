import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Releasing from "../session/currentRelease.ts"
import * as Monotonic from "./monotonic.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

export interface Deadline {
  /** Monotonic milliseconds of the clock in force. */
  readonly at: number
  /** What it was set to, for the error that names it. */
  readonly budget: Duration.Duration
}

/** The deadline that was set last, if there is one. */
export const Current: Context.Reference<Deadline | undefined> = Context.Reference<Deadline | undefined>(
  "@clawback/core/Deadline/Current",
  { defaultValue: () => undefined }
)

/** One that was set by us, and the release inside of which that was. */
interface Own extends Deadline {
  readonly release: Releasing.Release | undefined
}

export const make = (at: number, budget: Duration.Duration, fiber: AnyFiber): Own => ({
  at,
  budget,
  release: Releasing.of(fiber)
})

/**
 * The deadline that a fiber has to keep. Not that of the work which a release follows: a finalizer brings along the context
 * in which it was made.
 */
export const inForce = (fiber: AnyFiber): Deadline | undefined => {
  const deadline: Deadline | Own | undefined = fiber.getRef(Current)
  return deadline === undefined || !("release" in deadline) || deadline.release === Releasing.of(fiber)
    ? deadline
    : undefined
}

/**
 * How many milliseconds the one that set a deadline has to interrupt the work inside of it, before that takes it that nobody
 * will. Its timer is due at the same moment, up to a rounding.
 */
const grace = 10

/**
 * Leaves an error to the one that set the deadline, and fails with it only where that does not interrupt the work. A timer
 * that is set after the processor was busy for long may fire at once, so it is the clock that decides.
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
