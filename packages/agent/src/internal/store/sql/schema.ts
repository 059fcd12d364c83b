/**
 * The tables of a store, and how they change.
 *
 * While a release replaces another one, both use the store. So a migration only adds: tables, columns with a default, indexes.
 * What the older release does not know, it leaves alone. A migration after which that is not so raises `oldest`. A release whose
 * newest version is below it refuses the store.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError } from "effect/sql/SqlError"
import { SchemaTooNew, StoreUnavailable } from "../errors.ts"
import type { Dialect } from "./dialect.ts"

interface Migration {
  readonly name: string
  /** The oldest version that a release must know to use the tables after it. */
  readonly oldest: number
  readonly statements: (prefix: string) => ReadonlyArray<string>
}

const first: Migration = {
  name: "conversations",
  oldest: 1,
  statements: (prefix) => [
    `CREATE TABLE ${prefix}s (
      id TEXT PRIMARY KEY,
      incarnation BIGINT NOT NULL,
      log_end BIGINT NOT NULL,
      trimmed BIGINT NOT NULL,
      appends BIGINT NOT NULL,
      view_version BIGINT NOT NULL,
      view_up_to BIGINT NOT NULL,
      view_bytes BIGINT NOT NULL,
      fence BIGINT NOT NULL,
      created_at BIGINT NOT NULL,
      touched_at BIGINT NOT NULL,
      bytes BIGINT NOT NULL,
      idle BIGINT,
      absolute BIGINT,
      ends_at BIGINT NOT NULL,
      subject TEXT,
      operations TEXT NOT NULL,
      view_text TEXT NOT NULL
    )`,
    `CREATE INDEX ${prefix}s_ends_at ON ${prefix}s (ends_at)`,
    `CREATE INDEX ${prefix}s_subject ON ${prefix}s (subject, id)`,
    `CREATE TABLE ${prefix}_entries (
      conversation TEXT NOT NULL,
      number BIGINT NOT NULL,
      text TEXT NOT NULL,
      PRIMARY KEY (conversation, number)
    )`,
    `CREATE TABLE ${prefix}_schema (version INTEGER NOT NULL, oldest INTEGER NOT NULL)`,
    `INSERT INTO ${prefix}_schema (version, oldest) VALUES (0, 0)`
  ]
}

const migrations: ReadonlyArray<Migration> = [first]

/** The newest version that this release knows. */
const known = migrations.length

const loaderOf = (prefix: string): Migrator.Loader =>
  Effect.succeed(migrations.map(({ name, oldest, statements }, i) => {
    const run = Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      for (const statement of statements(prefix)) yield* sql.unsafe(statement).withoutTransform
      yield* sql.unsafe(`UPDATE ${prefix}_schema SET version = ${i + 1}, oldest = ${oldest}`).withoutTransform
    })
    return [i + 1, name, Effect.succeed(run)] as const
  }))

/** The version is below ours: another process is migrating. */
class Migrating extends Data.TaggedError("Migrating")<{ readonly message: string }> {}

const versionOf = Effect.fnUntraced(function*(prefix: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<
    { readonly version: number; readonly oldest: number }
  >`SELECT version, oldest FROM ${sql.literal(`${prefix}_schema`)}`.withoutTransform
  return { version: Number(row?.version ?? 0), oldest: Number(row?.oldest ?? 0) }
})

const migrateOnce = Effect.fnUntraced(function*(prefix: string) {
  yield* Migrator.make({})({ loader: loaderOf(prefix), table: `${prefix}_migrations` })
  const found = yield* versionOf(prefix)
  if (found.version < known) return yield* new Migrating({ message: "another process is changing them" })
  return found
})

const isTransient = (error: Error): boolean => error instanceof Migrating || (isSqlError(error) && error.isRetryable)

const unavailable = (store: string) => (cause: Error) =>
  new StoreUnavailable({ store, outcome: "none", reason: `its tables could not be prepared: ${cause.message}`, cause })

/** Creates and changes the tables, if that is needed. Processes that do that at the same time wait for each other. */
export const migrate = (
  store: string,
  prefix: string,
  dialect: Dialect
): Effect.Effect<void, SchemaTooNew | StoreUnavailable, SqlClient.SqlClient> =>
  Effect.andThen(dialect.overwriteDeleted, migrateOnce(prefix)).pipe(
    Effect.retry({ schedule: Schedule.spaced("200 millis"), times: 25, while: isTransient }),
    Effect.mapError(unavailable(store)),
    Effect.flatMap(({ oldest, version }) =>
      oldest > known ? Effect.fail(new SchemaTooNew({ store, version, oldest, known })) : Effect.void
    )
  )
