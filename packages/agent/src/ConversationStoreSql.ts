/**
 * Conversations in PostgreSQL or SQLite, for several processes, over Effect's `SqlClient`.
 *
 * The tables are created and changed by Effect's `Migrator` when the layer is built, by as many processes at once as there are.
 * A newer release only adds to them, so that it shares them with the one that it replaces. If that is not possible one day, the
 * older release refuses the store with `SchemaTooNew`.
 *
 * Each change is one transaction, which keeps the row of its conversation. So changes of one conversation wait for each other,
 * and those of others do not. In SQLite, all changes wait for each other. Times are those of PostgreSQL's server, and of the
 * process for SQLite.
 *
 * Guarantees: those of `ConversationStore`. What was acknowledged survives as the database's commits do. Entries must not
 * have NUL characters, which PostgreSQL refuses; JSON has none.
 *
 * @experimental
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import * as ConversationStore from "./ConversationStore.ts"
import { type NetworkedOptions, settingsOf } from "./internal/store/networked.ts"
import { makeStore } from "./internal/store/sql/conversations.ts"
import { dialectOf } from "./internal/store/sql/dialect.ts"
import { migrate } from "./internal/store/sql/schema.ts"
import { Tables } from "./internal/store/sql/tables.ts"
import * as Sweeper from "./internal/store/sweeper.ts"

export interface Options extends NetworkedOptions {
  /**
   * What the names of all tables begin with: letters, digits and `_`. Default: `"clawback_conversation"`. Apps with the same
   * prefix in one database share conversations.
   */
  readonly prefix?: string | undefined
  /**
   * How often expired conversations are deleted, 200 in a transaction. Default: 1 minute. They are not seen before that either.
   * Too low, and the database is busy with it; too high, and expired texts stay on disk longer. `"Infinity"`: call `sweep`.
   */
  readonly sweepInterval?: Duration.Input | undefined
}

const prefixOf = ({ prefix = "clawback_conversation" }: Options): string => {
  if (/^[a-z_][a-z0-9_]{0,39}$/.test(prefix)) return prefix
  throw OptionCheck.wrong("prefix", prefix, "up to 40 lower-case letters, digits and underscores, and no digit first")
}

/** Makes the store, and creates or changes its tables. Throws a `RangeError` that names an invalid option. */
export const make = (
  options: Options = {}
): Effect.Effect<
  ConversationStore.ConversationStore,
  ConversationStore.SchemaTooNew | ConversationStore.StoreUnavailable,
  SqlClient.SqlClient | Scope.Scope
> =>
  Effect.gen(function*() {
    const prefix = prefixOf(options)
    const settings = settingsOf(options)
    const interval = OptionCheck.interval("sweepInterval", options.sweepInterval ?? "1 minute")
    const sql = yield* SqlClient.SqlClient
    const dialect = dialectOf(sql)
    const name = sql.onDialectOrElse({ pg: () => "postgres", orElse: () => "sqlite" })
    if (dialect === undefined) {
      const reason = "the SQL client is neither for PostgreSQL nor for SQLite"
      return yield* new ConversationStore.StoreUnavailable({ store: "sql", outcome: "none", reason })
    }
    yield* migrate(name, prefix, dialect)
    const store = makeStore(name, new Tables(sql, dialect, prefix), settings)
    yield* Sweeper.ofStore(store, interval)
    return store
  })

/** Keeps conversations in a database. */
export const layer = (
  options: Options = {}
): Layer.Layer<
  never,
  ConversationStore.SchemaTooNew | ConversationStore.StoreUnavailable,
  SqlClient.SqlClient
> => Layer.effect(ConversationStore.ConversationStore, make(options))
