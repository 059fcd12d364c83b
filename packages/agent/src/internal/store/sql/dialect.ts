/** In what the dialects of SQL differ. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"

export interface Dialect {
  /** Has the database overwrite what is deleted, so that erased texts are not in its files. */
  readonly overwriteDeleted: Effect.Effect<unknown, SqlError>
  /** Milliseconds of the store's clock, in a statement. */
  readonly moment: Effect.Effect<Fragment>
  /** Keeps the rows that were read until the transaction ends. */
  readonly forUpdate: Fragment
  /** The same, without waiting for rows that others keep. */
  readonly forUpdateFree: Fragment
  /** The texts of a subquery as one value. */
  readonly texts: (subquery: Fragment) => Fragment
  readonly textsIn: (value: unknown) => ReadonlyArray<string>
  readonly least: (a: Fragment, b: Fragment) => Fragment
  readonly greatest: (a: Fragment, b: Fragment) => Fragment
}

const postgres = (sql: SqlClient): Dialect => ({
  // A vacuum removes it, which PostgreSQL runs by itself.
  overwriteDeleted: Effect.void,
  moment: Effect.succeed(sql.literal("(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::float8")),
  forUpdate: sql.literal("FOR UPDATE"),
  forUpdateFree: sql.literal("FOR UPDATE SKIP LOCKED"),
  texts: (subquery) => sql`(SELECT json_agg(text) FROM (${subquery}) AS found)`,
  textsIn: (value) => value as ReadonlyArray<string> | null ?? [],
  least: (a, b) => sql`LEAST(${a}, ${b})`,
  greatest: (a, b) => sql`GREATEST(${a}, ${b})`
})

/** All processes that share a file are on one machine, and have its clock. A transaction keeps all rows. */
const sqlite = (sql: SqlClient): Dialect => ({
  // It holds for the connection. https://www.sqlite.org/pragma.html#pragma_secure_delete
  overwriteDeleted: sql`PRAGMA secure_delete = ON`.withoutTransform,
  moment: Effect.map(Clock.currentTimeMillis, (now) => sql`${now}`),
  forUpdate: sql.literal(""),
  forUpdateFree: sql.literal(""),
  texts: (subquery) => sql`(SELECT json_group_array(text) FROM (${subquery}))`,
  textsIn: (value) => value === null ? [] : JSON.parse(String(value)),
  least: (a, b) => sql`MIN(${a}, ${b})`,
  greatest: (a, b) => sql`MAX(${a}, ${b})`
})

/** Undefined for a dialect that the store does not know. */
export const dialectOf = (sql: SqlClient): Dialect | undefined =>
  sql.onDialectOrElse({ pg: () => postgres(sql), sqlite: () => sqlite(sql), orElse: () => undefined })

/** What the store's clock says. */
export const nowOf = (sql: SqlClient, dialect: Dialect): Effect.Effect<number, SqlError> =>
  Effect.flatMap(
    dialect.moment,
    (moment) => Effect.map(sql<{ now: number }>`SELECT ${moment} AS now`.withoutTransform, ([row]) => Number(row?.now))
  )
