/** The stores of the proof of writers, by name, as each of its processes opens them. */
import type { ConversationStore } from "@clawback/agent"
import * as ConversationStoreRedis from "@clawback/agent/ConversationStoreRedis"
import * as ConversationStoreSql from "@clawback/agent/ConversationStoreSql"
import * as NodePostgres from "@clawback/node/NodePostgres"
import * as NodeRedis from "@clawback/node/NodeRedis"
import * as NodeSqlite from "@clawback/node/NodeSqlite"
import { Effect, Layer, Redacted, type Scope } from "effect"

export type Place =
  | { readonly _tag: "redis"; readonly host: string; readonly port: number; readonly prefix: string }
  | {
    readonly _tag: "postgres"
    readonly host: string
    readonly port: number
    readonly user: string
    readonly password?: string | undefined
    readonly database: string
  }
  | { readonly _tag: "sqlite"; readonly file: string }

const sqlOf = (place: Exclude<Place, { readonly _tag: "redis" }>) =>
  place._tag === "sqlite"
    ? NodeSqlite.layer({ file: place.file, maxWaiters: 1000, acquireTimeout: "20 seconds", busyTimeout: "10 seconds" })
    : NodePostgres.layer({
      host: place.host,
      port: place.port,
      user: place.user,
      database: place.database,
      password: place.password === undefined ? undefined : Redacted.make(place.password),
      max: 10,
      maxWaiters: 1000,
      acquireTimeout: "20 seconds"
    })

const timeout = "20 seconds"

export const open = (place: Place): Effect.Effect<ConversationStore.ConversationStore, unknown, Scope.Scope> =>
  place._tag === "redis"
    ? Effect.flatMap(
      Layer.build(NodeRedis.layer({ host: place.host, port: place.port })),
      (context) => Effect.provideContext(ConversationStoreRedis.make({ prefix: place.prefix, timeout }), context)
    )
    : Effect.flatMap(
      Layer.build(sqlOf(place)),
      (context) => Effect.provide(ConversationStoreSql.make({ timeout, sweepInterval: "Infinity" }), context)
    )
