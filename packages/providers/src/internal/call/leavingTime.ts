import * as Deadline from "@clawback/core/Deadline"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Milliseconds before a deadline at which optional waits end, so that the deadline does not discard what has come. */
const beforeDeadline = 20

/** The limit, or what the deadline leaves if that is less. */
export const leavingTime = (limit: Duration.Duration): Effect.Effect<Duration.Duration> =>
  Effect.map(
    Deadline.remaining,
    (left) => Duration.min(limit, Duration.millis(Math.max(0, Duration.toMillis(left) - beforeDeadline)))
  )
