/** The limit of time of a transaction. */
import * as Deadline from "@clawback/core/Deadline"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { timedOut } from "./errors.ts"

/** Ends the work of a transaction in time. Its own errors pass through, also those of deadlines of its own. */
export const limited = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  timeout: Duration.Duration
): Effect.Effect<A, E | SqlError, R> =>
  Effect.exit(work).pipe(
    Deadline.within(timeout),
    Effect.mapError(({ budget }) =>
      timedOut(
        `The transaction was rolled back, since it did not end within ${
          Duration.format(budget)
        }. Allow more time, or do ` +
          "less in it.",
        "transaction"
      )
    ),
    Effect.flatMap((exit) => exit)
  )
