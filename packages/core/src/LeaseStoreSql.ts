/**
 * Leases in PostgreSQL or SQLite, through Effect's `SqlClient`. Each step locks the row of its key in a short transaction, and goes by
 * the server's clock.
 *
 * Guarantees: those of `LeaseStore`. The layer makes its tables, also if several processes start at once. It refuses tables of a newer
 * release. Rows of keys that nobody holds are deleted after a minute.
 *
 * Limits: a server whose clock is set forward lets leases expire too early. A step costs a transaction of four statements, so it suits
 * some hundred leases a second, not many thousands. A failover to a replica that is not synchronous may lose leases.
 *
 * ```ts no-run
 * import { Lease } from "@clawback/core"
 * import * as LeaseStoreSql from "@clawback/core/LeaseStoreSql"
 * import * as NodePostgres from "@clawback/node/NodePostgres"
 * import { Config, Console, Effect, Layer } from "effect"
 *
 * const Store = LeaseStoreSql.layer().pipe(
 *   Layer.provide(NodePostgres.layerConfig({ url: Config.Redacted("DATABASE_URL") }))
 * )
 *
 * const program = Lease.use({ key: "import", wait: "5 seconds" }, (lease) => Console.log(lease.token))
 *
 * await Effect.runPromise(Effect.provide(program, Store))
 * ```
 *
 * Imported by its own path, `@clawback/core/LeaseStoreSql`.
 *
 * @experimental
 */

import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { LeaseStoreError } from "./internal/lease/errors.ts"
import * as Machine from "./internal/lease/machine.ts"
import { isUnsent } from "./internal/lease/reach.ts"
import { Steps } from "./internal/lease/sqlSteps.ts"
import { LeaseStore } from "./LeaseStore.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as SqlMigrations from "./SqlMigrations.ts"

export interface Options {
  /**
   * The name of the table. Its migrations are recorded in a table of this name with `_migrations` at its end. Default:
   * `"clawback_leases"`. All who share a limit use the same table.
   */
  readonly table?: string | undefined
}

const failedTo = (operation: LeaseStoreError["operation"], key: string) => (cause: SqlError) =>
  new LeaseStoreError({
    store: "sql",
    operation,
    key,
    problem: `${cause.message}. Check that the database can be reached`,
    isUnknown: !isUnsent(cause),
    cause
  })

const migrations = (table: string): ReadonlyArray<SqlMigrations.Migration> => [{
  id: 1,
  name: "leases",
  up: Effect.flatMap(SqlClient, (sql) =>
    Effect.andThen(
      sql`CREATE TABLE ${sql(table)} (
        lease_key TEXT NOT NULL PRIMARY KEY, token BIGINT NOT NULL, held TEXT NOT NULL, expires_at BIGINT NOT NULL
      )`,
      sql`CREATE INDEX ${sql(`${table}_expires_at`)} ON ${sql(table)} (expires_at)`
    ))
}]

const opened = (table: string): Effect.Effect<void, LeaseStoreError, SqlClient> =>
  Effect.mapError(
    SqlMigrations.run({ table: `${table}_migrations`, migrations: migrations(table) }),
    (cause) => new LeaseStoreError({ store: "sql", operation: "open", problem: cause.message, isUnknown: false, cause })
  )

/** Sweeps about once a minute, not all processes at the same moment. */
const sweeping = (steps: Steps): Effect.Effect<never> =>
  Effect.forever(
    Effect.flatMap(Random.nextBetween(30_000, 60_000), (millis) =>
      Effect.andThen(Effect.sleep(millis), Effect.ignore(steps.sweep)))
  )

const make = Effect.fnUntraced(function*({ table = "clawback_leases" }: Options) {
  OptionCheck.text("table", table)
  const sql = yield* SqlClient
  const isKnown = sql.onDialectOrElse({ pg: () => true, sqlite: () => true, orElse: () => false })
  if (!isKnown) {
    return yield* new LeaseStoreError({
      store: "sql",
      operation: "open",
      problem: "its database is neither PostgreSQL nor SQLite. Use one of these, or LeaseStoreRedis",
      isUnknown: false
    })
  }
  yield* opened(table)
  const steps = new Steps(sql, table)
  yield* Effect.forkScoped(sweeping(steps))
  const store: LeaseStore = {
    name: "sql",
    acquire: (request) =>
      Effect.mapError(
        steps.change(request.key, (state, now) => Machine.acquire(state, request, now)),
        failedTo("acquire", request.key)
      ),
    renew: (renewal) =>
      Effect.mapError(
        steps.change(renewal.key, (state, now) => Machine.renew(state, renewal, now)),
        failedTo("renew", renewal.key)
      ),
    release: (released) =>
      Effect.mapError(
        steps.change(released.key, (state, now) => [Machine.release(state, released, now), undefined]),
        failedTo("release", released.key)
      ),
    holders: (key) => Effect.mapError(steps.look(key, Machine.holders), failedTo("holders", key))
  }
  return store
})

/** Makes the tables if they are missing, and keeps leases in them. Fails with `LeaseStoreError` if that is not possible. */
export const layer = (options: Options = {}): Layer.Layer<never, LeaseStoreError, SqlClient> =>
  Layer.effect(LeaseStore, make(options))
