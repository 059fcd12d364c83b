import * as Deadline from "@clawback/core/Deadline"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** How long before a deadline we stop waiting for what is not needed, so that what we have is not lost to the deadline. */
const beforeDeadline = 20

/** This long, or as long as the deadline leaves. */
export const leavingTime = (limit: Duration.Duration): Effect.Effect<Duration.Duration> =>
  Effect.map(
    Deadline.remaining,
    (left) => Duration.min(limit, Duration.millis(Math.max(0, Duration.toMillis(left) - beforeDeadline)))
  )
