/**
 * The moment by which work must have ended. Nested work inherits it: an inner deadline can only be earlier.
 *
 * A deadline is absolute and monotonic, so retries, waits and attempts inside of it share one budget of time. When it
 * passes, the work is interrupted, its releases are awaited, and the caller gets `DeadlineExceeded`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Monotonic from "./internal/monotonic.ts"

export interface Deadline {
  /** Monotonic milliseconds of the clock in force. */
  readonly at: number
  /** What it was set to, for the error that names it. */
  readonly budget: Duration.Duration
}

/** The work did not end in time. It was interrupted and what it held was released. */
export class DeadlineExceeded extends Schema.TaggedError<DeadlineExceeded>("@clawback/core/DeadlineExceeded")(
  "DeadlineExceeded",
  { budget: Schema.Duration }
) {
  override get message() {
    return `The deadline of ${Duration.format(this.budget)} passed before the work ended, waits and ` +
      "retries included. Allow more time, or ask for less."
  }
}

/** The deadline in force, if there is one. */
export const Current: Context.Reference<Deadline | undefined> = Context.Reference<Deadline | undefined>(
  "@clawback/core/Deadline/Current",
  { defaultValue: () => undefined }
)

/** How much time is left: infinite without a deadline, zero once it has passed. */
export const remaining: Effect.Effect<Duration.Duration> = Effect.withFiber((fiber) => {
  const deadline = fiber.getRef(Current)
  return Effect.succeed(
    deadline === undefined
      ? Duration.infinity
      : Duration.millis(Math.max(0, deadline.at - Monotonic.millis(fiber.getRef(Clock.Clock))))
  )
})

/** The deadline that `duration` sets from now, unless the one in force comes sooner. */
const earlier = (duration: Duration.Input): Effect.Effect<Deadline | undefined> =>
  Effect.withFiber((fiber) => {
    const budget = Duration.fromInputUnsafe(duration)
    const inherited = fiber.getRef(Current)
    const at = Monotonic.millis(fiber.getRef(Clock.Clock)) + Duration.toMillis(budget)
    return Effect.succeed(inherited !== undefined && inherited.at <= at ? undefined : { at, budget })
  })

/** Runs an effect under a deadline. An earlier one that is in force already stays so, and raises its own error. */
export const within =
  (duration: Duration.Input) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
    Effect.flatMap(
      earlier(duration),
      (deadline) =>
        deadline === undefined ? self : Effect.timeoutOrElse(Effect.provideService(self, Current, deadline), {
          duration: deadline.budget,
          orElse: () => Effect.fail(new DeadlineExceeded({ budget: deadline.budget }))
        })
    )

/**
 * Runs a whole stream under a deadline, counted from its first pull.
 *
 * Time that the reader takes between two pulls counts as well; the error comes with the next pull.
 */
export const withinStream =
  (duration: Duration.Input) => <A, E, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A, E | DeadlineExceeded, R> =>
    Stream.unwrap(Effect.map(earlier(duration), (deadline): Stream.Stream<A, E | DeadlineExceeded, R> => {
      if (deadline === undefined) return self
      const exceeded = Effect.fail(new DeadlineExceeded({ budget: deadline.budget }))
      return Stream.transformPull(
        Stream.provideService(self, Current, deadline),
        (pull) =>
          Effect.succeed(Effect.clockWith((clock) => {
            const left = deadline.at - Monotonic.millis(clock)
            return left <= 0 ? exceeded : Effect.timeoutOrElse(pull, { duration: left, orElse: () => exceeded })
          }))
      )
    }))
