/**
 * Effect's `SqlClient` for SQLite, over `node:sqlite`: a part of Node.js, so that nothing is installed or compiled.
 *
 * Guarantees:
 *
 * - The database has one connection. Callers get it in order, each by its `acquireTimeout`. A transaction or a stream keeps it
 *   until it ends.
 * - A transaction that is interrupted, fails or takes too long is rolled back. If the process is killed, SQLite rolls it back
 *   when the file is opened again.
 * - A lock of another process is waited for without blocking this one, up to `busyTimeout`.
 * - A statement never runs outside of the transaction that it belongs to: neither after its end, nor if SQLite has rolled that
 *   back by itself.
 *
 * Limits: each statement blocks the thread of the process until it ends. Nothing else runs meanwhile: no fiber, no timer, no
 * request. It cannot be interrupted or timed out. Keep statements short: use indexes, and read large results as a stream, which
 * blocks for 128 rows at a time. For work that takes long, use another process or PostgreSQL.
 *
 * ```ts
 * import * as NodeSqlite from "@clawback/node/NodeSqlite"
 * import { Console, Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * const program = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)`
 *   yield* sql.withTransaction(sql`INSERT INTO notes ${sql.insert({ text: "hello" })}`)
 *   yield* Console.log(yield* sql`SELECT text FROM notes`)
 * })
 *
 * await Effect.runPromise(Effect.provide(program, NodeSqlite.layer({ file: ":memory:" })))
 * ```
 *
 * `docs/sqlite.md` has the options, the errors and the limits. Imported by its own path, `@clawback/node/NodeSqlite`.
 *
 * @experimental
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Pool from "@clawback/core/Pool"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Errors from "./internal/sqlite/errors.ts"
import { type Settings } from "./internal/sqlite/model.ts"
import { open } from "./internal/sqlite/open.ts"
import * as DatabaseOptions from "./internal/sqlite/options.ts"
import { Statements } from "./internal/sqlite/statements.ts"
import * as Transactions from "./internal/sqlite/transactions.ts"

/** The options of the database (`DatabaseOptions`), and these. */
export interface Options extends DatabaseOptions.Options {
  /** Changes the names of tables and columns in statements, such as from camel case to snake case. Default: none. */
  readonly transformQueryNames?: ((name: string) => string) | undefined
  /** Changes the names of columns in results. Default: none. */
  readonly transformResultNames?: ((name: string) => string) | undefined
  /** Attributes of every span, beside those of OpenTelemetry for databases. */
  readonly spanAttributes?: Readonly<Record<string, unknown>> | undefined
}

const fields: Readonly<Record<keyof Options, true>> = {
  file: true,
  readonly: true,
  busyTimeout: true,
  wal: true,
  synchronous: true,
  statementCache: true,
  userVersion: true,
  transactionTimeout: true,
  name: true,
  acquireTimeout: true,
  maxWaiters: true,
  leakThreshold: true,
  drainTimeout: true,
  transformQueryNames: true,
  transformResultNames: true,
  spanAttributes: true
}

/** Wrong options come from configuration more often than from code, so that they are errors here, not defects. */
const checked = <A, R>(effect: Effect.Effect<A, SqlError, R>): Effect.Effect<A, SqlError, R> =>
  Effect.catchDefect(
    effect,
    (defect) => defect instanceof RangeError ? Effect.fail(Errors.unusable(defect.message, defect)) : Effect.die(defect)
  )

/** A pool of one: its callers wait in order, with a limit of time. The connection stays open until the pool closes. */
const makePool = (settings: Settings, options: Options) =>
  Pool.make({
    name: options.name ?? "sqlite",
    max: 1,
    min: 1,
    acquire: Effect.map(open(settings), (database) => new Statements(database)),
    reset: ({ database }: Statements) => database.rollback,
    idleTimeToLive: "Infinity",
    maxLifetime: "Infinity",
    acquireTimeout: options.acquireTimeout,
    maxWaiters: options.maxWaiters,
    leakThreshold: options.leakThreshold,
    drainTimeout: options.drainTimeout,
    // A statement cannot be cut off, and closing takes no time.
    closeTimeout: "1 second",
    // It may wait for the lock of another process twice.
    connectTimeout: Duration.sum(Duration.times(settings.busyTimeout, 2), Duration.seconds(5))
  })

const attributes = (options: Options, { file }: Settings): ReadonlyArray<readonly [string, unknown]> => [
  ...Object.entries(options.spanAttributes ?? {}),
  ["db.system.name", "sqlite"],
  ["db.namespace", file]
]

const make = Effect.fnUntraced(function*(options: Options) {
  const { pool, settings } = yield* checked(Effect.gen(function*() {
    const settings = DatabaseOptions.settings(OptionCheck.fields("options", options, fields))
    return { settings, pool: yield* makePool(settings, options) }
  }))
  const { transformQueryNames, transformResultNames } = options
  const acquirer = Effect.mapError(Pool.get(pool), Errors.ofAcquisition)
  const spanAttributes = attributes(options, settings)
  const client = yield* SqlClient.make({
    acquirer,
    borrower: (f) => Effect.mapError(Pool.use(pool, f), Errors.ofAcquisition),
    compiler: Statement.makeCompilerSqlite(transformQueryNames),
    driver: "clawback",
    spanAttributes,
    ...transformResultNames === undefined
      ? {}
      : { transformRows: Statement.defaultTransforms(transformResultNames).array }
  })
  const withTransaction = Transactions.make({
    transactionService: client.transactionService,
    acquirer,
    spanAttributes,
    timeout: settings.transactionTimeout,
    begin: settings.readonly ? "BEGIN" : "BEGIN IMMEDIATE"
  })
  yield* Effect.mapError(Pool.use(pool, () => Effect.void), Errors.ofAcquisition)
  return Object.assign(client, { withTransaction })
})

/**
 * Opens the database, so that a wrong path, a corrupt file or one of a newer program is an error here. It closes with the layer.
 *
 * Fails with `SqlError`, whose message names the file or the option and says what to do.
 */
export const layer = (options: Options): Layer.Layer<SqlClient.SqlClient, SqlError> =>
  Layer.effect(SqlClient.SqlClient, make(options)).pipe(Layer.provide(Reactivity.layer))

/** The same, with options from the application's configuration, such as `{ file: Config.String("DATABASE") }`. */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<SqlClient.SqlClient, SqlError | Config.ConfigError> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layer))
