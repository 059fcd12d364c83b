/**
 * The moment by which work must have ended. Nested work inherits it: an inner deadline can only be earlier.
 *
 * A deadline is absolute and monotonic, so retries, waits and attempts inside of it share one budget of time. When it
 * passes, the work is interrupted, its releases are awaited, and the caller gets `DeadlineExceeded`.
 *
 * Of two nested deadlines the earlier one applies, with its own error. If the outer deadline is earlier, both interrupt at
 * that moment, and the outer one raises the error. So a detached fiber inside the inner deadline ends too.
 *
 * Limits: a deadline decides when work is interrupted, not when it has ended. Releases take the time that they need, so
 * give a slow release a limit of its own. The release of a session runs without the deadlines that were set outside of
 * it. A deadline that is set inside of the release applies.
 *
 * ```ts
 * import { Deadline } from "@clawback/core"
 * import { Console, Duration, Effect } from "effect"
 *
 * const step = Effect.flatMap(Deadline.remaining, (left) => Console.log(Math.round(Duration.toSeconds(left)), "s"))
 *
 * const program = step.pipe(
 *   Effect.andThen(step.pipe(Deadline.within("2 seconds"))), // two seconds
 *   Effect.andThen(step.pipe(Deadline.within("1 minute"))), // ten at most: it cannot be later than the one outside
 *   Deadline.within("10 seconds"),
 *   Effect.catchTag("DeadlineExceeded", (error) => Console.log(error.message))
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @stable
 */

import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { LimitedPump } from "./internal/session/limitedStream.ts"
import { type End, openIn, type Pulled } from "./internal/session/streamFiber.ts"
import { cutOff } from "./internal/time/cutOff.ts"
import {
  afterGrace,
  Current,
  type Deadline,
  DeadlineExceeded,
  earliest,
  exceeded,
  inForce,
  isNever,
  type Limit
} from "./internal/time/deadline.ts"
import * as Monotonic from "./internal/time/monotonic.ts"
import * as OptionCheck from "./OptionCheck.ts"
import type { SessionRevoked } from "./SessionError.ts"

export { Current, DeadlineExceeded } from "./internal/time/deadline.ts"
export type { Deadline } from "./internal/time/deadline.ts"

/** How many milliseconds are left of a deadline. */
const left = (deadline: Deadline, clock: Clock.Clock): number => Math.max(0, deadline.at - Monotonic.millis(clock))

/** How much time is left: infinite without a deadline, zero once it has passed. */
export const remaining: Effect.Effect<Duration.Duration> = Effect.withFiber((fiber) => {
  const deadline = inForce(fiber)
  return Effect.succeed(
    deadline === undefined ? Duration.infinity : Duration.millis(left(deadline, fiber.getRef(Clock.Clock)))
  )
})

/** Ends an effect when a deadline passes, and waits for its releases. */
const until = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  limit: Limit
): Effect.Effect<A, E | DeadlineExceeded, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) =>
      cutOff(self, {
        at: limit.deadline.at,
        context: Context.add(fiber.context as Context.Context<R>, Current, limit.deadline),
        orElse: () => exceeded(limit),
        fiber,
        restore
      })
    )
  )

/** Like `dual`, but checks the duration where it is given, also when there is no `self` yet. */
const checkedDual = (limited: (budget: Duration.Duration) => (self: any) => unknown) => {
  const of = (duration: Duration.Input) => limited(OptionCheck.duration("deadline", duration))
  return (...args: [duration: Duration.Input] | [self: any, duration: Duration.Input]): any =>
    args.length === 1 ? of(args[0]) : of(args[1])(args[0])
}

/**
 * Runs an effect under a deadline. An earlier deadline that is in force still applies, with its own error. The deadline
 * interrupts the effect even where interruption is not allowed around it, so that an acquisition can have a deadline.
 */
export const within: {
  (duration: Duration.Input): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlineExceeded, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input): Effect.Effect<A, E | DeadlineExceeded, R>
} = checkedDual((budget) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
  Effect.withFiber((fiber) => {
    const limit = earliest(budget, fiber)
    return isNever(limit) ? self : until(self, limit)
  })
)

/** A stream that a deadline ends, both during a pull and between two pulls. */
class DeadlinePump<A, E, R> extends LimitedPump<A, E, R, DeadlineExceeded> {
  readonly at: number
  private readonly limit: Limit

  constructor(stream: Stream.Stream<A, E, R>, opener: Fiber.Fiber<unknown, unknown>, limit: Limit) {
    super(
      "Deadline.withinStream",
      stream,
      opener,
      Context.add(opener.context as Context.Context<R>, Current, limit.deadline)
    )
    this.limit = limit
    this.at = limit.deadline.at
    this.timers.set(this)
  }

  protected override error() {
    return new DeadlineExceeded({ budget: this.limit.deadline.budget })
  }

  protected override onPull() {
    if (this.timers.now >= this.at) this.fire()
  }

  protected override told(end: End<E | DeadlineExceeded | SessionRevoked>) {
    return this.passed === undefined ? end : afterGrace(this.limit, end)
  }
}

/**
 * Runs a whole stream under a deadline, counted from its first pull.
 *
 * Time that the reader takes between two pulls counts as well. What the stream holds is released when the deadline
 * passes, even between two pulls; the error comes with the next pull.
 *
 * The stream runs on a fiber of its own: what it forks, acquires and sets up lives as long as the stream. An interrupted
 * pull does not end the stream: its work goes on, and the next pull gets the result. If another fiber closes its scope, the
 * stream fails with `SessionRevoked`, even if the reader pulls later.
 */
export const withinStream: {
  (
    duration: Duration.Input
  ): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E | DeadlineExceeded | SessionRevoked, R>
  <A, E, R>(
    self: Stream.Stream<A, E, R>,
    duration: Duration.Input
  ): Stream.Stream<A, E | DeadlineExceeded | SessionRevoked, R>
} = checkedDual(
  (budget) => <A, E, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A, E | DeadlineExceeded | SessionRevoked, R> =>
    Stream.fromChannel(
      Channel.fromTransform((_, scope) =>
        Effect.withFiber((fiber): Effect.Effect<Pulled<A, E | DeadlineExceeded | SessionRevoked, R>, never, R> => {
          const limit = earliest(budget, fiber)
          return isNever(limit)
            ? Channel.toPullScoped(Stream.toChannel(self), scope)
            : openIn(new DeadlinePump(self, fiber, limit), scope)
        })
      )
    )
)
