/** Effect's SQL connection on one connection to PostgreSQL: statements with a limit of time, and streams of rows. */
import * as Deadline from "@clawback/core/Deadline"
import * as Session from "@clawback/core/Session"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Pull } from "effect/Pull"
import type * as Scope from "effect/Scope"
import type * as SqlConnection from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import { Query, type QueryResult, type Submittable } from "pg"
import { ofAcquisition, timedOut } from "../sql/errors.ts"
import { transactionOn } from "./activity.ts"
import type { Connection } from "./connection.ts"
import * as Errors from "./errors.ts"
import { type Batch, Portal } from "./portal.ts"

type TransformRows = (<A extends object>(row: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined

/** How many rows of a stream are read at a time. The memory of a stream is bounded by them. */
const batchSize = 128

/** Several statements in one text have several results. */
type Result = QueryResult | ReadonlyArray<QueryResult>

/** What pg's types leave out of a query. */
type Queries = new(
  config: { readonly text: string; readonly values: ReadonlyArray<unknown>; readonly rowMode: "array" | undefined },
  callback: (error: unknown, result?: Result) => void
) => Submittable

const Queries = Query as unknown as Queries

const rowsOf = (result: Result): ReadonlyArray<any> => "rows" in result ? result.rows : result.map(({ rows }) => rows)

export class Statements implements SqlConnection.Connection {
  readonly connection: Connection
  private readonly timeout: Duration.Duration
  /** The name of its transactions in sessions. */
  private readonly name: string
  private isOver = false

  constructor(connection: Connection, timeout: Duration.Duration, name: string) {
    this.connection = connection
    this.timeout = timeout
    this.name = name
  }

  /** The same for one borrower, until the scope closes. What it runs later would run in the transaction of another caller. */
  readonly lend: Effect.Effect<Statements, never, Scope.Scope> = Effect.suspend(() =>
    Effect.acquireRelease(
      Effect.sync(() => new Statements(this.connection, this.timeout, this.name)),
      (lent) =>
        Effect.sync(() => {
          lent.isOver = true
        })
    )
  )

  /** The session of a transaction. */
  get transaction(): Session.Info {
    return transactionOn(this.connection, this.name)
  }

  execute(text: string, values: ReadonlyArray<unknown>, transformRows: TransformRows) {
    const rows = Effect.map(this.send("execute", text, values), rowsOf)
    return transformRows === undefined ? rows : Effect.map(rows, transformRows)
  }

  executeUnprepared(text: string, values: ReadonlyArray<unknown>, transformRows: TransformRows) {
    return this.execute(text, values, transformRows)
  }

  executeRaw(text: string, values: ReadonlyArray<unknown>): Effect.Effect<unknown, SqlError> {
    return this.send("executeRaw", text, values)
  }

  executeValues(text: string, values: ReadonlyArray<unknown>) {
    return Effect.map(this.send("executeValues", text, values, "array"), rowsOf)
  }

  executeValuesUnprepared(text: string, values: ReadonlyArray<unknown>) {
    return this.executeValues(text, values)
  }

  executeStream(
    text: string,
    values: ReadonlyArray<unknown>,
    transformRows: TransformRows
  ): Stream.Stream<any, SqlError> {
    const rows = Stream.unwrap(Effect.map(this.portal(text, values), (pull) => Stream.fromPull(Effect.succeed(pull))))
    return transformRows === undefined
      ? rows
      : Stream.mapArray(rows, (batch) => transformRows(batch) as Arr.NonEmptyReadonlyArray<object>)
  }

  /**
   * Runs a statement that begins or ends a transaction. An interruption or a deadline does not end it at once: see `finish`.
   */
  control(operation: string, text: string): Effect.Effect<Result, SqlError> {
    return Effect.uninterruptible(Effect.suspend(() =>
      this.connection.finish(
        `${text}, which was interrupted,`,
        Effect.provideService(this.send(operation, text), Deadline.Current, undefined)
      )
    ))
  }

  readonly commit: Effect.Effect<void, SqlError> = Effect.suspend(() =>
    Effect.flatMap(this.control("commit", "COMMIT"), (result) =>
      "command" in result && result.command === "ROLLBACK"
        ? Effect.fail(Errors.rejected(
          "The transaction was rolled back instead of committed, since a statement of it had failed",
          "commit"
        ))
        : Effect.void)
  )

  private get isInTransaction(): boolean {
    return !this.isOver && this.connection.isInTransaction
  }

  /** Ends the transaction, if there is one, or else the connection. */
  readonly rollback: Effect.Effect<void> = Effect.suspend(() =>
    this.isInTransaction
      ? Effect.andThen(
        this.tidy("a rollback", "ROLLBACK"),
        Effect.suspend(() => this.isInTransaction ? this.connection.destroy : Effect.void)
      )
      : Effect.void
  )

  /** Runs a statement that cleans up in a transaction. What the server answers changes nothing. */
  tidy(what: string, text: string): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.isInTransaction ? this.connection.tidy(what, this.sendUnlimited("rollback", text)) : Effect.void
    )
  }

  /** Asks the server for nothing. Fails if it does not answer in time. */
  readonly ping: Effect.Effect<void, SqlError> = Effect.suspend(() =>
    Effect.andThen(
      this.connection.tidy("an empty query", this.sendUnlimited("validate", "")),
      Effect.suspend(() =>
        this.connection.isReusable ? Effect.void : Effect.fail(Errors.lost("It does not answer", "validate"))
      )
    )
  )

  /** Without a limit of time. */
  readonly clean = (text: string): Effect.Effect<unknown, SqlError> => this.sendUnlimited("reset", text)

  private run<A>(operation: string, submit: Parameters<typeof this.connection.run<A>>[1]): Effect.Effect<A, SqlError> {
    return this.connection.run(operation, submit, () => this.isOver)
  }

  private sendUnlimited(operation: string, text: string, values: ReadonlyArray<unknown> = [], rowMode?: "array") {
    return this.run<Result>(operation, (report) => new Queries({ text, values, rowMode }, report))
  }

  private send(operation: string, text: string, values: ReadonlyArray<unknown> = [], rowMode?: "array") {
    return this.limited(operation, this.sendUnlimited(operation, text, values, rowMode))
  }

  /** Ends a statement in time, or before that by the deadline around it. */
  private limited<A>(operation: string, statement: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> {
    return Effect.catchTag(
      Deadline.within(statement, this.timeout),
      "DeadlineExceeded",
      ({ budget }) =>
        Effect.fail(timedOut(
          `The statement was cancelled, since it did not end within ${
            Duration.format(budget)
          }. Allow more time, or ask for less.`,
          operation
        ))
    )
  }

  /** The rows of a statement, in batches. Without a transaction around it, they have one of their own. */
  private portal(
    text: string,
    values: ReadonlyArray<unknown>
  ): Effect.Effect<Pull<Arr.NonEmptyReadonlyArray<object>, SqlError>, SqlError, Scope.Scope> {
    return Effect.suspend(() => {
      const { connection } = this
      const isOwn = !connection.isInTransaction
      const portal = new Portal(text, values, batchSize)
      let isLast = false

      const end = Effect.suspend(() => {
        if (isOwn) return this.rollback
        if (!this.isInTransaction) return Effect.void
        return connection.tidy("a stream of rows", this.run("close", (report) => portal.close(report)))
      })

      const next = this.limited(
        "executeStream",
        this.run<Batch>("executeStream", (report) => portal.next(report))
      )
      const pull: Pull<Arr.NonEmptyReadonlyArray<object>, SqlError> = Effect.suspend(() =>
        isLast ? Cause.done() : Effect.flatMap(next, ({ isLast: isEnd, rows }) => {
          isLast = isEnd
          const batch = Arr.isReadonlyArrayNonEmpty(rows) ? Effect.succeed(rows) : pull
          return isEnd && isOwn ? Effect.andThen(this.commit, batch) : batch
        })
      )

      if (!isOwn) return Effect.as(Effect.addFinalizer(() => end), pull)
      return Session.acquire(this.transaction, Effect.void, () => end).pipe(
        Effect.mapError(ofAcquisition),
        Effect.tap(() => this.send("executeStream", "BEGIN")),
        Effect.map(({ session }) =>
          Effect.suspend(() => session.revoked === undefined ? pull : Effect.fail(ofAcquisition(session.revoked)))
        )
      )
    })
  }
}
