/** SQLite's errors as the reasons of Effect's `SqlError`, by result code. */
import { AcquireTimeout, type PoolError } from "@clawback/core/Pool"
import * as Duration from "effect/Duration"
import { hasProperty } from "effect/Predicate"
import * as SqlError from "effect/sql/SqlError"
import * as Sql from "../sql/errors.ts"

interface Facts {
  readonly cause: unknown
  readonly message: string
  readonly operation: string
}

type Reason = (facts: Facts) => SqlError.SqlErrorReason

const connection: Reason = (facts) => new SqlError.ConnectionError(facts)
const unknown: Reason = (facts) => new SqlError.UnknownError(facts)
const syntax: Reason = (facts) => new SqlError.SqlSyntaxError(facts)
const locked: Reason = (facts) => new SqlError.LockTimeoutError(facts)

/** What SQLite names after its prefix: the columns, or the index. */
const constraintOf = (cause: unknown): string => {
  const message = cause instanceof Error ? cause.message : ""
  const [, name = "unknown"] = /^UNIQUE constraint failed: (.+)$/.exec(message) ?? []
  return name
}

const unique: Reason = (facts) => new SqlError.UniqueViolation({ ...facts, constraint: constraintOf(facts.cause) })

/** What happened, and what to do. `file` is the database. */
type Advice = (file: string) => string

interface Known {
  readonly reason: Reason
  readonly advice?: Advice
}

/** Extended result codes, and primary ones (their low byte). https://www.sqlite.org/rescode.html */
const known: Readonly<Record<number, Known>> = {
  1: { reason: syntax },
  3: {
    reason: (facts) => new SqlError.AuthorizationError(facts),
    advice: (file) => `This process may not access ${file}. Check the permissions of the file and its folder.`
  },
  5: { reason: locked },
  6: {
    reason: locked,
    advice: () => "A statement or stream of this connection still reads what this one changes. End that first."
  },
  8: {
    reason: (facts) => new SqlError.AuthorizationError(facts),
    advice: (file) =>
      `${file} cannot be written. Check the option \`readonly\`, and the permissions of the file and its folder: SQLite ` +
      "writes files beside it."
  },
  10: {
    reason: connection,
    advice: (file) => `The disk of ${file} failed to read or write. Check the disk and the system's log.`
  },
  11: {
    reason: unknown,
    advice: (file) =>
      `${file} is corrupt. Restore it from a backup, or save what can be read with the \`.recover\` command of sqlite3.`
  },
  13: {
    reason: connection,
    advice: (file) => `There is no space left for ${file}. Free space on its disk, or raise \`max_page_count\`.`
  },
  14: {
    reason: connection,
    advice: (file) =>
      `${file} cannot be opened. Check that its folder exists, that it is a file, and that this process may read and ` +
      "write both."
  },
  19: { reason: (facts) => new SqlError.ConstraintError(facts) },
  23: { reason: (facts) => new SqlError.AuthorizationError(facts) },
  26: {
    reason: connection,
    advice: (file) =>
      `${file} is no SQLite database that this version of SQLite can read. It is another kind of file, encrypted, or of a ` +
      "newer format. Check the option `file`."
  },
  517: {
    reason: (facts) => new SqlError.SerializationError(facts),
    advice: () =>
      "The transaction has read, and another process has written since, so that it cannot write any more. Run it again. " +
      "Transactions of `withTransaction` take the lock at their begin, unless another `BeginTransaction` is provided."
  },
  1555: { reason: unique },
  2067: { reason: unique }
}

/** The extended result code of SQLite, or nothing for other errors. */
const codeOf = (cause: unknown): number | undefined =>
  hasProperty(cause, "errcode") && typeof cause.errcode === "number" ? cause.errcode : undefined

/** Whether another connection holds the lock, so that the same statement may succeed later. */
export const isBusy = (cause: unknown): boolean => {
  const code = codeOf(cause)
  return code !== undefined && (code & 0xff) === 5 && code !== 517
}

/** Codes of Node.js: a value that cannot be bound or read, a text without a statement, a database that was closed. */
const ofNode: Readonly<Record<string, Reason>> = {
  ERR_INVALID_ARG_TYPE: syntax,
  ERR_INVALID_ARG_VALUE: syntax,
  ERR_INVALID_STATE: connection
}

const reasonOfNode = (cause: unknown): Reason =>
  (hasProperty(cause, "code") && typeof cause.code === "string" ? ofNode[cause.code] : undefined) ?? unknown

/** A statement that SQLite or Node.js rejected. */
export const ofStatement = (cause: unknown, operation: string, file: string): SqlError.SqlError => {
  if (SqlError.isSqlError(cause)) return cause
  const code = codeOf(cause)
  const words = cause instanceof Error ? cause.message : String(cause)
  if (code === undefined) {
    const message = hasProperty(cause, "code") && cause.code === "ERR_OUT_OF_RANGE"
      ? `${words}. Provide \`SqlClient.SafeIntegers\`, to read integers as BigInt.`
      : words
    return new SqlError.SqlError({ reason: reasonOfNode(cause)({ cause, message, operation }) })
  }
  const { advice, reason } = known[code] ?? known[code & 0xff] ?? { reason: unknown }
  const message = advice === undefined ? `${words} (${code})` : `${advice(file)} SQLite's words: ${words} (${code})`
  return new SqlError.SqlError({ reason: reason({ cause, message, operation }) })
}

/** Another connection held its lock for too long. */
export const busy = (cause: unknown, operation: string, file: string, limit: string): SqlError.SqlError =>
  new SqlError.SqlError({
    reason: locked({
      cause,
      operation,
      message:
        `${file} was locked by another connection for ${limit}, so the statement did not run. Keep transactions ` +
        "short, or raise `busyTimeout`."
    })
  })

/** The database is closed, or the transaction is gone. */
export const lost = (message: string, operation: string): SqlError.SqlError =>
  new SqlError.SqlError({ reason: connection({ cause: new Error(message), message, operation }) })

/** A statement or an option that is wrong as it is. */
export const rejected = (message: string, operation: string, cause: unknown = new Error(message)): SqlError.SqlError =>
  new SqlError.SqlError({ reason: syntax({ cause, message, operation }) })

/** An option, or a file, that this program cannot work with. */
export const unusable = (message: string, cause: unknown = new Error(message)): SqlError.SqlError =>
  new SqlError.SqlError({ reason: unknown({ cause, message, operation: "connect" }) })

/** The caller did not get the database. Other errors are those of the borrower, and stay as they are. */
export const ofAcquisition = <E>(cause: E): Exclude<E, PoolError> | SqlError.SqlError => {
  if (!(cause instanceof AcquireTimeout) || cause.held > 0 || cause.cause !== undefined) return Sql.ofAcquisition(cause)
  return new SqlError.SqlError({
    reason: connection({
      cause,
      operation: "acquire",
      message: `The database was in use for ${Duration.format(cause.waited)}, with ${cause.waiting} others waiting. ` +
        "Keep transactions and streams short, or raise `acquireTimeout`."
    })
  })
}
