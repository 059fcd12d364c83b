/**
 * Keeps the keys of subjects in a table of PostgreSQL or SQLite, by Effect's `SqlClient`.
 *
 * Guarantees: processes that create the key of a subject at once get the same key. A destroyed key is deleted in one statement.
 *
 * Limits: the subject's name is readable in the table. A deleted row stays in the database's files, logs and backups for some time:
 * until `VACUUM` and the end of the backups in PostgreSQL; in SQLite, `PRAGMA secure_delete = on` overwrites it at once.
 *
 * @experimental
 */

import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as OptionCheck from "./OptionCheck.ts"
import { SubjectKeys, SubjectKeysUnavailable } from "./SubjectKeys.ts"

export interface Options {
  /** The name of the table, which is created if it is not there. Default: `clawback_subject_keys`. */
  readonly table?: string | undefined
}

interface Row {
  readonly sealed: string
}

const guarded = <A>(effect: Effect.Effect<A, SqlError>): Effect.Effect<A, SubjectKeysUnavailable> =>
  Effect.mapError(effect, (cause) => new SubjectKeysUnavailable({ store: "SQL", cause }))

const make = Effect.fnUntraced(function*(options: Options) {
  const sql = yield* SqlClient.SqlClient
  const table = sql(OptionCheck.text("table", options.table ?? "clawback_subject_keys"))
  yield* guarded(sql`CREATE TABLE IF NOT EXISTS ${table} (subject TEXT PRIMARY KEY, sealed TEXT NOT NULL)`)

  const find = (subject: string) =>
    Effect.map(sql<Row>`SELECT sealed FROM ${table} WHERE subject = ${subject}`, ([row]) => row?.sealed)
  const insert = (subject: string, fresh: string) =>
    sql`INSERT INTO ${table} (subject, sealed) VALUES (${subject}, ${fresh}) ON CONFLICT (subject) DO NOTHING`
  // The key may be destroyed between the two statements.
  const create = (subject: string, fresh: string): Effect.Effect<string, SqlError> =>
    Effect.flatMap(
      Effect.andThen(insert(subject, fresh), find(subject)),
      (sealed) => sealed === undefined ? create(subject, fresh) : Effect.succeed(sealed)
    )
  return SubjectKeys.of({
    name: "SQL",
    get: (subject) => guarded(find(subject)),
    getOrCreate: (subject, fresh) =>
      guarded(
        Effect.flatMap(
          find(subject),
          (sealed) => sealed === undefined ? create(subject, fresh) : Effect.succeed(sealed)
        )
      ),
    destroy: (subject) =>
      guarded(Effect.map(
        sql<Row>`DELETE FROM ${table} WHERE subject = ${subject} RETURNING sealed`,
        (rows) => rows.length > 0
      ))
  })
})

/** Creates its table if it is not there. A wrong option is a defect that names it. */
export const layer = (options: Options = {}): Layer.Layer<SubjectKeys, SubjectKeysUnavailable, SqlClient.SqlClient> =>
  Layer.effect(SubjectKeys, make(options))
