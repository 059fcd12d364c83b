/** The statements of Effect's client on one database. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { Pull } from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlConnection from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { SQLInputValue } from "node:sqlite"
import type { Database } from "./database.ts"
import * as Errors from "./errors.ts"
import type { Prepared } from "./prepared.ts"
import { bind } from "./values.ts"

type TransformRows = (<A extends object>(row: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined

/** How many rows of a stream are read at a time, with the thread blocked. */
const batchSize = 128

interface Shape {
  /** Rows as lists of values, not as objects. */
  readonly isArray: boolean
  /** Integers as BigInt. */
  readonly isSafe: boolean
}

const shape = ({ statement }: Prepared, { isArray, isSafe }: Shape) => {
  statement.setReturnArrays(isArray)
  statement.setReadBigInts(isSafe)
}

const rows = (prepared: Prepared, values: Array<SQLInputValue>, as: Shape): ReadonlyArray<any> => {
  shape(prepared, as)
  return prepared.statement.all(...values)
}

const oneStatement = (operation: string): SqlError =>
  Errors.rejected(
    "A text with parameters, or of a stream, may hold only one statement. Run the statements one by one, in " +
      "`withTransaction` if they belong together.",
    operation
  )

/** What is run, once it is prepared. */
type Step = (prepared: Prepared, values: Array<SQLInputValue>, isSafe: boolean) => any

export class Statements implements SqlConnection.Connection {
  readonly database: Database
  private isOver = false

  constructor(database: Database) {
    this.database = database
  }

  /** Lets no statement run any more: what comes late would run in the transaction of another caller. */
  end(): void {
    this.isOver = true
  }

  private run<A>(operation: string, step: () => A): Effect.Effect<A, SqlError> {
    return Effect.suspend(() =>
      this.isOver
        ? Effect.fail(Errors.lost("The transaction of this statement has ended. Run it before that.", operation))
        : this.database.run(operation, step)
    )
  }

  execute(text: string, values: ReadonlyArray<unknown>, transformRows: TransformRows) {
    const found: Effect.Effect<ReadonlyArray<any>, SqlError> = this.each(
      "execute",
      text,
      values,
      (prepared, values, isSafe) => rows(prepared, values, { isArray: false, isSafe })
    )
    return transformRows === undefined ? found : Effect.map(found, transformRows)
  }

  executeUnprepared(text: string, values: ReadonlyArray<unknown>, transformRows: TransformRows) {
    return this.execute(text, values, transformRows)
  }

  executeRaw(text: string, values: ReadonlyArray<unknown>): Effect.Effect<unknown, SqlError> {
    return this.each("executeRaw", text, values, (prepared, values, isSafe) => {
      if (prepared.hasRows) return rows(prepared, values, { isArray: false, isSafe })
      shape(prepared, { isArray: false, isSafe })
      return prepared.statement.run(...values)
    })
  }

  executeValues(
    text: string,
    values: ReadonlyArray<unknown>
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError> {
    return this.each(
      "executeValues",
      text,
      values,
      (prepared, values, isSafe) => rows(prepared, values, { isArray: true, isSafe })
    )
  }

  executeValuesUnprepared(text: string, values: ReadonlyArray<unknown>) {
    return this.executeValues(text, values)
  }

  executeStream(
    text: string,
    values: ReadonlyArray<unknown>,
    transformRows: TransformRows
  ): Stream.Stream<any, SqlError> {
    const read = Stream.unwrap(Effect.map(this.cursor(text, values), (pull) => Stream.fromPull(Effect.succeed(pull))))
    return transformRows === undefined
      ? read
      : Stream.mapArray(read, (batch) => transformRows(batch) as Arr.NonEmptyReadonlyArray<object>)
  }

  /** Runs each statement of a text, and returns what the last one does. */
  private each(
    operation: string,
    text: string,
    values: ReadonlyArray<unknown>,
    step: Step
  ): Effect.Effect<any, SqlError> {
    return Effect.withFiber((fiber) => {
      const isSafe = fiber.getRef(SqlClient.SafeIntegers)
      let rest = ""
      const first = this.run(operation, () => {
        const prepared = this.database.prepared(text)
        if (prepared.rest !== "" && values.length > 0) throw oneStatement(operation)
        rest = prepared.rest
        return step(prepared, bind(values), isSafe)
      })
      return Effect.flatMap(
        first,
        (result) => rest === "" ? Effect.succeed(result) : this.each(operation, rest, [], step)
      )
    })
  }

  /** Reads the rows of a statement in batches. */
  private cursor(
    text: string,
    values: ReadonlyArray<unknown>
  ): Effect.Effect<Pull<Arr.NonEmptyReadonlyArray<object>, SqlError>, never, Scope.Scope> {
    return Effect.withFiber((fiber) => {
      const isSafe = fiber.getRef(SqlClient.SafeIntegers)
      let iterator: NodeJS.Iterator<object> | undefined
      let isLast = false

      const begin = () => {
        const prepared = this.database.prepareAlone(text)
        if (prepared.rest !== "") throw oneStatement("executeStream")
        shape(prepared, { isArray: false, isSafe })
        return prepared.statement.iterate(...bind(values))
      }

      const batch = () => {
        const read: Array<object> = []
        // An iterator that has failed cannot go on. The first batch begins with a new one when it is read again.
        const from = iterator ?? begin()
        while (read.length < batchSize) {
          const { done, value } = from.next()
          if (done === true) {
            isLast = true
            break
          }
          read.push(value)
        }
        iterator = from
        return read
      }

      const pull: Pull<Arr.NonEmptyReadonlyArray<object>, SqlError> = Effect.suspend(() =>
        isLast ? Cause.done() : Effect.flatMap(this.run("executeStream", batch), (read) => {
          const [first, ...others] = read
          return first === undefined ? Cause.done() : Effect.succeed([first, ...others])
        })
      )
      const end = Effect.sync(() => {
        try {
          iterator?.return?.()
        } catch {
          // The database was closed, and has ended it.
        }
      })
      return Effect.as(Effect.addFinalizer(() => end), pull)
    })
  }
}
