/** The pool of connections: how they are opened, checked, reset and lost. */
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Pool from "@clawback/core/Pool"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import { Activity } from "./activity.ts"
import * as Errors from "./errors.ts"
import type { Settings } from "./model.ts"
import { open } from "./open.ts"
import type { PoolOptions } from "./options.ts"
import { Statements } from "./statements.ts"

export type Connections = Pool.Pool<Statements, SqlError>

/**
 * Leaves no transaction open. Fails if the connection is then not idle, or its session cannot be reset: the pool closes it.
 * One that was lost is already invalidated.
 */
const reset =
  (statement: string | undefined) => ({ clean, connection, rollback }: Statements): Effect.Effect<void, SqlError> => {
    if (connection.isReusable && statement === undefined) return Effect.void
    const cleaned = Effect.suspend(() =>
      connection.isReusable && statement !== undefined ? clean(statement) : Effect.void
    )
    return Effect.andThen(
      Effect.andThen(rollback, cleaned),
      Effect.suspend(() =>
        connection.isReusable || !connection.isOpen
          ? Effect.void
          : Effect.fail(Errors.rejected("A connection was returned while a statement of it still ran", "reset"))
      )
    )
  }

/** What the pool adds to a limit that a connection keeps by itself. Then the errors of the connection come first. */
const margin = Duration.seconds(1)

export const make = (
  settings: Settings,
  options: PoolOptions
): Effect.Effect<Connections, never, Scope.Scope> =>
  Effect.gen(function*() {
    const runFork = Effect.runForkWith(yield* Effect.context<never>())
    const name = OptionCheck.text("name", options.name ?? "postgres")
    const activity = new Activity()
    const acquire = Effect.map(Effect.tap(open(settings), (connection) => activity.add(connection)), (connection) => {
      const statements = new Statements(connection, settings.statementTimeout, name)
      connection.whenLost(() => void runFork(Pool.invalidate(pool, statements)))
      return statements
    })
    yield* activity.observe(name)
    const pool: Connections = yield* Pool.make({
      name,
      max: options.max ?? 10,
      min: options.min,
      acquire,
      validate: (statements) => statements.ping,
      validateBypass: options.validateBypass,
      reset: reset(options.reset === undefined ? undefined : OptionCheck.text("reset", options.reset)),
      idleTimeToLive: options.idleTimeToLive,
      maxLifetime: options.maxLifetime,
      maxUses: options.maxUses,
      keepAlive: options.keepAlive,
      acquireTimeout: options.acquireTimeout,
      maxWaiters: options.maxWaiters,
      leakThreshold: options.leakThreshold,
      drainTimeout: options.drainTimeout,
      backoff: { ...options.backoff, max: options.backoff?.max ?? "1 second" },
      // A rollback, and a statement.
      resetTimeout: Duration.sum(Duration.times(settings.cancelTimeout, 2), margin),
      connectTimeout: Duration.sum(settings.connectTimeout, margin),
      closeTimeout: Duration.sum(settings.closeTimeout, margin)
    })
    return pool
  })
