/**
 * The tables of a store in PostgreSQL or SQLite, made and changed by Effect's `Migrator`. Use it for stores of your own.
 *
 * Guarantees:
 * - Processes that start at once make the tables once: one of them migrates, and the others wait for it.
 * - All migrations that are missing are made in one transaction, or none of them.
 * - Tables that a newer release has changed are refused, unless that release says that this one may go on to use them. So two
 *   adjacent releases can share a store while the newer one is rolled out.
 *
 * ```ts no-run
 * import * as SqlMigrations from "@clawback/core/SqlMigrations"
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * export const tables = SqlMigrations.run({
 *   table: "notes_migrations",
 *   migrations: [
 *     { id: 1, name: "notes", up: Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE TABLE notes (text TEXT NOT NULL)`) }
 *   ]
 * })
 * ```
 *
 * Imported by its own path, `@clawback/core/SqlMigrations`.
 *
 * @experimental
 */

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as ReadableError from "./ReadableError.ts"

export interface Migration {
  /** Counts up from 1. Never change a migration that was released: add another one. */
  readonly id: number
  /** Letters, digits and underscores. */
  readonly name: string
  /** The oldest version of the tables whose releases may go on to use them after this migration. Default: none but this one. */
  readonly since?: number | undefined
  readonly up: Effect.Effect<unknown, SqlError, SqlClient>
}

export interface Options {
  /** The table that records which migrations were made. Each store has its own. */
  readonly table: string
  /** In ascending order. */
  readonly migrations: ReadonlyArray<Migration>
}

/** A newer release has changed the tables, and this one does not know how to use them. */
export class SchemaTooNew extends ReadableError.tagged<SchemaTooNew>("@clawback/core/SchemaTooNew")("SchemaTooNew", {
  table: Schema.String,
  found: Schema.Int,
  known: Schema.Int
}) {
  override get message() {
    return `The table ${this.table} says that the tables of this store have version ${this.found}, but this release knows ` +
      `only version ${this.known}. Start a newer release, or give this one tables of its own.`
  }
}

/** The tables could not be made or changed. Nothing of it was kept. */
export class MigrationFailed
  extends ReadableError.tagged<MigrationFailed>("@clawback/core/MigrationFailed")("MigrationFailed", {
    table: Schema.String,
    cause: Schema.Defect()
  })
{
  override get message() {
    return `The tables that ${this.table} records could not be made or changed: see the cause. ` +
      "Check that the user of the database may create tables."
  }
}

const recorded = ({ name, since }: Migration): string => since === undefined ? name : `${name}_since_${since}`

/** The oldest version whose releases may use the tables after a migration. */
const sinceOf = (id: number, name: string): number => Number(/_since_(\d+)$/.exec(name)?.[1] ?? id)

/** Waits until no other process migrates the same tables. */
const lock = (sql: SqlClient, table: string): Effect.Effect<unknown, SqlError> =>
  sql.onDialectOrElse({
    pg: () => sql`SELECT pg_advisory_xact_lock(hashtext(${table}))`,
    // The first statement that writes takes the lock of the database.
    orElse: () =>
      sql`CREATE TABLE IF NOT EXISTS ${sql(`${table}_lock`)} (id INTEGER)`.pipe(
        Effect.andThen(sql`DELETE FROM ${sql(`${table}_lock`)}`)
      )
  })

/** Makes or changes the tables, if that is needed. */
export const run = Effect.fnUntraced(
  function*({ migrations, table }: Options) {
    const sql = yield* SqlClient
    const known = Math.max(...migrations.map(({ id }) => id))
    const migrate = Migrator.make({})({
      table,
      loader: Effect.succeed(
        migrations.map((migration) => [migration.id, recorded(migration), Effect.succeed(migration.up)] as const)
      )
    })
    const work = Effect.gen(function*() {
      yield* lock(sql, table)
      yield* migrate
      const rows = yield* sql<{ migration_id: number; name: string }>`SELECT migration_id, name FROM ${sql(table)}`
        .withoutTransform
      for (const { migration_id: id, name } of rows) {
        if (sinceOf(id, name) > known) return yield* new SchemaTooNew({ table, found: id, known })
      }
    })
    yield* sql.withTransaction(work)
  },
  (effect, { table }): Effect.Effect<void, SchemaTooNew | MigrationFailed, SqlClient> =>
    Effect.mapError(
      effect,
      (error) => error instanceof SchemaTooNew ? error : new MigrationFailed({ table, cause: error })
    )
)
