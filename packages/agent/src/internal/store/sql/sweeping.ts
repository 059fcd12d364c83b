/** The deletion of what has expired. */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Tables } from "./tables.ts"

/** How many conversations one transaction deletes: it is short, and keeps few rows from others. */
const batch = 200

/** Deletes a batch, and returns how many of it were conversations, and whether there may be more. */
const once = Effect.fnUntraced(function*(tables: Tables) {
  const { conversations, dialect, entries, sql } = tables
  const moment = yield* dialect.moment
  const rows = yield* sql<
    { readonly id: string; readonly log_end: number }
  >`SELECT id, log_end FROM ${conversations} WHERE ends_at <= ${moment} ORDER BY ends_at LIMIT ${batch} ${dialect.forUpdateFree}`
    .withoutTransform
  if (rows.length > 0) {
    const ids = rows.map(({ id }) => id)
    yield* sql`DELETE FROM ${entries} WHERE ${sql.in("conversation", ids)}`.withoutTransform
    yield* sql`DELETE FROM ${conversations} WHERE ${sql.in("id", ids)}`.withoutTransform
  }
  return { deleted: rows.filter(({ log_end }) => Number(log_end) >= 0).length, isLast: rows.length < batch }
})

/** Batch after batch. Each runs by itself, so that a limit of time is one for a batch. */
export const sweep = <E>(
  tables: Tables,
  within: <A>(effect: Effect.Effect<A, SqlError>) => Effect.Effect<A, E>,
  sum = 0
): Effect.Effect<number, E> =>
  Effect.flatMap(
    within(tables.sql.withTransaction(once(tables))),
    ({ deleted, isLast }) => isLast ? Effect.succeed(sum + deleted) : sweep(tables, within, sum + deleted)
  )
