import { Effect, Schedule } from "effect"
import { TestClock } from "effect/testing"

/** Looks until it is as expected, or for 5 seconds: the kernel tells nobody when something changes. Returns the last look. */
export const eventually = <A, E, R>(
  look: Effect.Effect<A, E, R>,
  isExpected: (seen: A) => boolean
): Effect.Effect<A, E, R> =>
  TestClock.withLive(
    Effect.repeat(look, {
      until: isExpected,
      schedule: Schedule.max([Schedule.spaced("10 millis"), Schedule.recurs(500)])
    })
  ).pipe(Effect.andThen(look))
