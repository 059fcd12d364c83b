/** Errors that all databases have in common. */
import type * as Pool from "@clawback/core/Pool"
import { hasProperty } from "effect/Predicate"
import * as SqlError from "effect/sql/SqlError"

/** A statement or a transaction that took too long. */
export const timedOut = (message: string, operation: string): SqlError.SqlError =>
  new SqlError.SqlError({
    reason: new SqlError.StatementTimeoutError({ cause: new Error(message), message, operation })
  })

const ofPool: ReadonlySet<string> = new Set(
  [
    "AcquireTimeout",
    "PoolFull",
    "PoolClosed",
    "PoolConnectTimeout",
    "SessionRevoked",
    "QuotaExceeded"
  ] satisfies ReadonlyArray<Pool.PoolError["_tag"]>
)

const isOfPool = (error: unknown): error is Pool.PoolError =>
  hasProperty(error, "_tag") && typeof error._tag === "string" && ofPool.has(error._tag)

/** The pool lends no connection. Other errors are those of the borrower, and stay as they are. */
export const ofAcquisition = <E>(cause: E): Exclude<E, Pool.PoolError> | SqlError.SqlError => {
  if (!isOfPool(cause)) return cause as Exclude<E, Pool.PoolError>
  const facts = { cause, message: cause.message, operation: "acquire" }
  return new SqlError.SqlError({
    reason: cause.retry.isTransient ? new SqlError.ConnectionError(facts) : new SqlError.UnknownError(facts)
  })
}
