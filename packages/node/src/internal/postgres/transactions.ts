/**
 * Transactions with a limit of time. They differ from those of Effect's `SqlClient` in their end: a rollback that fails, or
 * takes too long, closes the connection instead of dying, so that the error of the transaction stays the error.
 */
import * as Session from "@clawback/core/Session"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlConnection from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import { ofAcquisition } from "../sql/errors.ts"
import { limited } from "../sql/limited.ts"
import type { Statements } from "./statements.ts"

type WithTransaction = SqlClient.SqlClient["withTransaction"]

interface Options {
  readonly transactionService: SqlClient.SqlClient["transactionService"]
  readonly acquirer: SqlConnection.Acquirer
  readonly spanAttributes: ReadonlyArray<readonly [string, unknown]>
  readonly timeout: Duration.Duration
}

/** The acquirer lends nothing else. */
const of = (connection: SqlConnection.Connection): Statements => connection as Statements

const run = (connection: SqlConnection.Connection, text: string) =>
  Effect.asVoid(of(connection).control("transaction", text))

/** The work of a transaction as a session. Its own errors pass through, also those of sessions of its own. */
const held = <A, E, R>(work: Effect.Effect<A, E, R>, session: Session.Info): Effect.Effect<A, E | SqlError, R> =>
  Session.use(session, Effect.void, () => Effect.void, () => Effect.exit(work)).pipe(
    Effect.mapError(ofAcquisition),
    Effect.flatMap((exit) => exit)
  )

const nameOf = (id: number): string => `effect_sql_${id}`

export const make = ({ acquirer, spanAttributes, timeout, transactionService }: Options): WithTransaction => {
  const nested = SqlClient.makeWithTransaction({
    transactionService,
    spanAttributes,
    acquireConnection: (restore) => restore(acquirer),
    begin: (connection, statement = "BEGIN") => run(connection, statement),
    savepoint: (connection, id) => run(connection, `SAVEPOINT ${nameOf(id)}`),
    commit: (connection) => of(connection).commit,
    rollback: (connection) => of(connection).rollback,
    rollbackSavepoint: (connection, id) => of(connection).tidy("a rollback", `ROLLBACK TO SAVEPOINT ${nameOf(id)}`),
    releaseSavepoint: (connection, id) => of(connection).tidy("a savepoint", `RELEASE SAVEPOINT ${nameOf(id)}`)
  })
  const outermost = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
    Effect.withFiber((fiber) => {
      const [connection] = Context.getUnsafe(fiber.context, transactionService)
      return limited(held(work, of(connection).transaction), timeout)
    })
  return (work) =>
    Effect.withFiber((fiber) =>
      nested(Context.getOrUndefined(fiber.context, transactionService) === undefined ? outermost(work) : work)
    )
}
