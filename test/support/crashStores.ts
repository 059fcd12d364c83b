/** The stores that processes share while they are killed: where each is, its layers, and what is left in it. */
import * as ConversationStoreRedis from "@clawback/agent/ConversationStoreRedis"
import * as ConversationStoreSql from "@clawback/agent/ConversationStoreSql"
import * as LeaseStoreRedis from "@clawback/core/LeaseStoreRedis"
import * as LeaseStoreSql from "@clawback/core/LeaseStoreSql"
import * as NodePostgres from "@clawback/node/NodePostgres"
import * as NodeRedis from "@clawback/node/NodeRedis"
import * as NodeSqlite from "@clawback/node/NodeSqlite"
import { Effect, Layer, Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Postgres from "./postgres.ts"
import * as Redis from "./redis.ts"

/** Where a store is, as another process gets it. */
export type Place =
  | { readonly kind: "sqlite"; readonly file: string }
  | { readonly kind: "postgres"; readonly address: Postgres.Address; readonly database: string }
  | { readonly kind: "redis"; readonly address: Redis.Address; readonly prefix: string }

export type Kind = Place["kind"]

export const isAvailable: Readonly<Record<Kind, boolean>> = {
  sqlite: true,
  postgres: Postgres.isAvailable,
  redis: Redis.isAvailable
}

/** A place of our own, for as long as the scope is open. */
export const place = (kind: Kind): Effect.Effect<Place, never, Scope.Scope> => {
  switch (kind) {
    case "sqlite":
      return Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "clawback-crash-"))),
          (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
        ),
        (folder) => ({ kind, file: join(folder, "conversations.db") })
      )
    case "postgres":
      return Effect.flatMap(
        Postgres.available,
        (address) => Effect.map(Postgres.database(address), (database) => ({ kind, address, database }))
      )
    case "redis":
      return Effect.flatMap(
        Redis.available,
        (address) => Effect.map(Redis.keyPrefix(address), (prefix) => ({ kind, address, prefix }))
      )
  }
}

const client = (place: Exclude<Place, { readonly kind: "redis" }>) =>
  place.kind === "sqlite"
    ? NodeSqlite.layer({ file: place.file })
    : NodePostgres.layer({
      host: place.address.host,
      port: place.address.port,
      user: place.address.user,
      database: place.database,
      max: 4,
      ...place.address.password !== undefined && { password: Redacted.make(place.address.password) }
    })

const redis = ({ address: { host, password, port } }: Extract<Place, { readonly kind: "redis" }>) =>
  NodeRedis.layer({ host, port, ...password !== undefined && { password: Redacted.make(password) } })

/** The stores of conversations and of leases. */
export const layer = (place: Place): Layer.Layer<never, unknown> =>
  place.kind === "redis"
    ? Layer.mergeAll(
      ConversationStoreRedis.layer({ prefix: `${place.prefix}c:` }),
      LeaseStoreRedis.layer({ prefix: `${place.prefix}l:` })
    ).pipe(Layer.provide(redis(place)))
    : Layer.mergeAll(ConversationStoreSql.layer({ sweepInterval: "Infinity" }), LeaseStoreSql.layer()).pipe(
      Layer.provide(client(place))
    )

/** Rows and keys of conversations that are left. */
export const left = (place: Place): Effect.Effect<Readonly<Record<string, number>>, unknown> => {
  if (place.kind === "redis") {
    const { address, prefix } = place
    return Effect.promise(async () => {
      const keys = await Redis.command(address, "KEYS", `${prefix}c:*`) as ReadonlyArray<string>
      return { keys: keys.length }
    })
  }
  return Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const tables = place.kind === "sqlite"
      ? yield* sql<{ name: string }>`SELECT name FROM sqlite_master WHERE type = 'table'`
      : yield* sql<{ name: string }>`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`
    const counts: Record<string, number> = {}
    for (const { name } of tables) {
      if (/schema|migrations|sqlite_|leases/.test(name)) continue
      const [row] = yield* sql<{ count: number | string }>`SELECT COUNT(*) AS count FROM ${sql(name)}`
      counts[name] = Number(row?.count)
    }
    return counts
  }).pipe(Effect.provide(client(place)))
}
