/** Opens a connection again whenever it is lost, with growing pauses while that fails. */
import * as Session from "@clawback/core/Session"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import { type Connection, keptAlive, open } from "./connection.ts"
import { nameOf, type Settings } from "./model.ts"

interface Use<E> {
  /** Uses a connection that has just opened. It ends with the connection. */
  readonly use: (connection: Connection) => Effect.Effect<void, E>
  /** Called when no connection opens, or one is lost. */
  readonly onLost: (cause: unknown, wasOpen: boolean) => void
}

/** A connection as a session, until it is lost. Returns whether it opened. */
const once = <E>(settings: Settings, { onLost, use }: Use<E>): Effect.Effect<boolean> => {
  let wasOpen = false
  const { address, name } = settings
  const connected = Effect.flatMap(open(settings), (connection) => {
    wasOpen = true
    return Effect.raceFirst(
      connection.awaitLost,
      Effect.andThen(use(connection), keptAlive(settings, connection))
    )
  })
  return Session.scoped(connected, { kind: "connection", name, attributes: { server: nameOf(address) } }).pipe(
    Effect.exit,
    Effect.map((exit) => {
      onLost(Exit.isSuccess(exit) ? exit.value : Cause.squash(exit.cause), wasOpen)
      return wasOpen
    })
  )
}

/**
 * Full jitter: a pause is a random part of a limit, which doubles with each failure in a row.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export const forever = <E>(settings: Settings, use: Use<E>): Effect.Effect<never> => {
  const { base, max } = settings.backoff
  let failures = 0
  return Effect.forever(Effect.gen(function*() {
    failures = (yield* once(settings, use)) ? 0 : failures + 1
    const limit = Math.min(max, base * 2 ** Math.min(failures, 30))
    yield* Effect.sleep(limit * (yield* Random.next))
  }))
}
