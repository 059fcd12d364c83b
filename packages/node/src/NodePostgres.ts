/**
 * Effect's `SqlClient` for PostgreSQL, over the package `pg`, with a pool of connections that comes back from anything.
 *
 * Guarantees:
 *
 * - A statement that is interrupted, or takes too long, is cancelled at the server (`CancelRequest`). The interruption ends
 *   when the server has confirmed that, or when the connection is closed, after at most `cancelTimeout`.
 * - A transaction that is interrupted, fails or takes too long is rolled back, or else its connection is closed.
 * - A connection goes to its next borrower only idle and outside of a transaction.
 * - No more than `max` connections are open. A server that does not answer gets one attempt at a time.
 * - The password appears in no error, log, span or session.
 *
 * ```ts no-run
 * import * as NodePostgres from "@clawback/node/NodePostgres"
 * import { Config, Console, Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * const Database = NodePostgres.layerConfig({ url: Config.Redacted("DATABASE_URL"), max: Config.succeed(20) })
 *
 * const program = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* Console.log(yield* sql`SELECT ${1}::int AS one`)
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Database))
 * ```
 *
 * `docs/postgres.md` has the options, the errors and the limits. Imported by its own path, `@clawback/node/NodePostgres`. It
 * needs the package `pg`, which you install.
 *
 * @experimental
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Pool from "@clawback/core/Pool"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Compiler from "./internal/postgres/compiler.ts"
import * as Errors from "./internal/postgres/errors.ts"
import type { Settings } from "./internal/postgres/model.ts"
import * as ConnectionOptions from "./internal/postgres/options.ts"
import * as Connections from "./internal/postgres/pool.ts"
import * as Transactions from "./internal/postgres/transactions.ts"
import { ofAcquisition } from "./internal/sql/errors.ts"

/** The options of connections (`ConnectionOptions`) and of their pool (`PoolOptions`), and these. */
export interface Options extends ConnectionOptions.Options, ConnectionOptions.PoolOptions {
  /** Changes the names of tables and columns in statements, such as from camel case to snake case. Default: none. */
  readonly transformQueryNames?: ((name: string) => string) | undefined
  /** Changes the names of columns in results, also inside of JSON. Default: none. */
  readonly transformResultNames?: ((name: string) => string) | undefined
  /** Attributes of every span, beside those of OpenTelemetry for databases. */
  readonly spanAttributes?: Readonly<Record<string, unknown>> | undefined
}

/** The pool behind the client. */
export class PostgresPool extends Context.Service<PostgresPool, {
  /** What the pool has at this moment. */
  readonly stats: Effect.Effect<Pool.Stats>
  /** Replaces all connections, such as after the password was changed. Those in use are replaced when they are returned. */
  readonly refresh: Effect.Effect<void>
  /** Closes the pool before its layer closes: it waits for its borrowers, up to `drainTimeout`. */
  readonly drain: Effect.Effect<void>
}>()("@clawback/node/NodePostgres/PostgresPool") {}

const fields: Readonly<Record<keyof Options, true>> = {
  url: true,
  host: true,
  port: true,
  database: true,
  user: true,
  password: true,
  tls: true,
  applicationName: true,
  parameters: true,
  connectTimeout: true,
  statementTimeout: true,
  transactionTimeout: true,
  cancelTimeout: true,
  clientCheckInterval: true,
  closeTimeout: true,
  name: true,
  min: true,
  max: true,
  validateBypass: true,
  idleTimeToLive: true,
  maxLifetime: true,
  maxUses: true,
  keepAlive: true,
  acquireTimeout: true,
  maxWaiters: true,
  leakThreshold: true,
  drainTimeout: true,
  backoff: true,
  reset: true,
  transformQueryNames: true,
  transformResultNames: true,
  spanAttributes: true
}

/** Wrong options come from configuration more often than from code, so that they are errors here, not defects. */
const checked = <A, R>(effect: Effect.Effect<A, SqlError, R>): Effect.Effect<A, SqlError, R> =>
  Effect.catchDefect(
    effect,
    (defect) =>
      defect instanceof RangeError
        ? Effect.fail(Errors.rejected(defect.message, "options", defect))
        : Effect.die(defect)
  )

const attributes = (options: Options, { address, database }: Settings): ReadonlyArray<readonly [string, unknown]> => [
  ...Object.entries(options.spanAttributes ?? {}),
  ["db.system.name", "postgresql"],
  ["db.namespace", database],
  ["server.address", address.host],
  ["server.port", address.port]
]

const makeClient = Effect.fnUntraced(function*(options: Options, settings: Settings, pool: Connections.Connections) {
  const { transformQueryNames, transformResultNames } = options
  const acquirer = Effect.flatMap(Effect.mapError(Pool.get(pool), ofAcquisition), ({ lend }) => lend)
  const spanAttributes = attributes(options, settings)
  const client = yield* SqlClient.make({
    acquirer,
    borrower: (f) => Effect.mapError(Pool.use(pool, f), ofAcquisition),
    compiler: Compiler.make(transformQueryNames),
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
    timeout: settings.transactionTimeout
  })
  return Object.assign(client, { withTransaction })
})

const make = Effect.fnUntraced(function*(options: Options) {
  const { pool, settings } = yield* checked(Effect.gen(function*() {
    const settings = yield* ConnectionOptions.settings(OptionCheck.fields("options", options, fields))
    return { settings, pool: yield* Connections.make(settings, options) }
  }))
  const client = yield* makeClient(options, settings, pool)
  yield* Effect.mapError(Pool.use(pool, () => Effect.void), ofAcquisition)
  return Context.make(SqlClient.SqlClient, client).pipe(
    Context.add(PostgresPool, {
      stats: Pool.stats(pool),
      refresh: Pool.refresh(pool),
      drain: Pool.drain(pool)
    })
  )
})

/**
 * Opens a first connection, so that a wrong address, database, user or password is an error here. Connections close with the
 * layer.
 *
 * Fails with `SqlError`, whose message names the option and says what to do.
 */
export const layer = (options: Options = {}): Layer.Layer<SqlClient.SqlClient | PostgresPool, SqlError> =>
  Layer.effectContext(make(options)).pipe(Layer.provide(Reactivity.layer))

/** The same, with options from the application's configuration, such as `{ url: Config.Redacted("DATABASE_URL") }`. */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<SqlClient.SqlClient | PostgresPool, SqlError | Config.ConfigError> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layer))
