/**
 * Transactions with a limit of time. They take the lock for writing when they begin, so that two processes never wait for each
 * other. The wait for it can be interrupted.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlConnection from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import { limited } from "../sql/limited.ts"
import { Statements } from "./statements.ts"

type WithTransaction = SqlClient.SqlClient["withTransaction"]

interface Options {
  readonly transactionService: SqlClient.SqlClient["transactionService"]
  readonly acquirer: Effect.Effect<Statements, SqlError, Scope.Scope>
  readonly spanAttributes: ReadonlyArray<readonly [string, unknown]>
  readonly timeout: Duration.Duration
  /** The statement that begins transactions, unless another one is provided. */
  readonly begin: string
}

/** The acquirer lends nothing else. */
const of = (connection: SqlConnection.Connection) => (connection as Statements).database

const nameOf = (id: number): string => `effect_sql_${id}`

export const make = ({ acquirer, begin, spanAttributes, timeout, transactionService }: Options): WithTransaction => {
  const loan = Effect.flatMap(acquirer, ({ database }) =>
    Effect.acquireRelease(
      Effect.sync(() => new Statements(database)),
      (statements) => Effect.sync(() => statements.end())
    ))
  const begun = Effect.tap(
    loan,
    ({ database }) => Effect.flatMap(SqlClient.BeginTransaction, (statement) => database.begin(statement ?? begin))
  )
  const nested = SqlClient.makeWithTransaction<SqlClient.TransactionConnection, SqlConnection.Connection>({
    transactionService,
    spanAttributes,
    acquireConnection: (restore) => restore(begun),
    begin: () => Effect.void,
    savepoint: (connection, id) => of(connection).savepoint(`SAVEPOINT ${nameOf(id)}`),
    commit: (connection) => of(connection).commit,
    onCommitFailure: (connection) => of(connection).rollback,
    rollback: (connection) => of(connection).rollback,
    rollbackSavepoint: (connection, id) => of(connection).tidy(`ROLLBACK TO SAVEPOINT ${nameOf(id)}`),
    releaseSavepoint: (connection, id) => of(connection).tidy(`RELEASE SAVEPOINT ${nameOf(id)}`)
  })
  return (work) =>
    Effect.withFiber((fiber) =>
      nested(Context.getOrUndefined(fiber.context, transactionService) === undefined ? limited(work, timeout) : work)
    )
}
