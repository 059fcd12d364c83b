/** Conversations in real databases. */
import * as ConversationStoreSql from "@clawback/agent/ConversationStoreSql"
import * as NodePostgres from "@clawback/node/NodePostgres"
import * as NodeSqlite from "@clawback/node/NodeSqlite"
import { describe, layer } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { agrees } from "../packages/agent/test/support/agrees.ts"
import { suite } from "../packages/agent/test/support/ConversationStoreSuite.ts"
import * as Postgres from "./support/postgres.ts"

const maxBytes = 4000

const postgres = Layer.unwrap(Effect.gen(function*() {
  const address = yield* Postgres.available
  const database = yield* Postgres.database(address)
  const { host, password, port, user } = address
  return NodePostgres.layer({
    host,
    port,
    user,
    database,
    password: password === undefined ? undefined : Redacted.make(password)
  })
}))

describe.skipIf(!Postgres.isAvailable)("ConversationStoreSql with PostgreSQL", () => {
  layer(ConversationStoreSql.layer({ maxBytes, tombstone: 1200 }).pipe(Layer.provideMerge(postgres)), {
    excludeTestServices: true,
    timeout: 20_000
  })((it) => suite(it, { pass: Effect.sleep, moment: 200, maxBytes, tombstone: 6 }))

  layer(ConversationStoreSql.layer({ maxBytes: 200, prefix: "other" }).pipe(Layer.provideMerge(postgres)), {
    excludeTestServices: true,
    timeout: 20_000
  })((it) => agrees(it, 200, 100))
})

const sqlite = NodeSqlite.layer({ file: ":memory:" })

layer(ConversationStoreSql.layer({ maxBytes, tombstone: 1200 }).pipe(Layer.provideMerge(sqlite)), {
  excludeTestServices: true
})("ConversationStoreSql with SQLite", (it) => suite(it, { pass: Effect.sleep, moment: 200, maxBytes, tombstone: 6 }))

layer(ConversationStoreSql.layer({ maxBytes: 200 }).pipe(Layer.provideMerge(Layer.fresh(sqlite))), {
  excludeTestServices: true
})("ConversationStoreSql with SQLite and random changes", (it) => agrees(it, 200, 100))
