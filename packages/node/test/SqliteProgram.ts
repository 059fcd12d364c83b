/** A process that uses a file. What it does is its first argument, and the file its second one. */
import * as NodeSqlite from "@clawback/node/NodeSqlite"
import { Effect } from "effect"
import { Migrator, SqlClient } from "effect/sql"
import { argv } from "node:process"

const report = (word: string) =>
  Effect.callback<void>((resume) => {
    process.send?.(word, () => resume(Effect.void))
  })

const insert = (sql: SqlClient.SqlClient, by: string) => sql`INSERT INTO notes (text) VALUES (${by})`

const works: Readonly<
  Record<string, (sql: SqlClient.SqlClient) => Effect.Effect<unknown, unknown, SqlClient.SqlClient>>
> = {
  /** Reads and writes in 150 transactions, and writes as often without one. */
  write: (sql) =>
    Effect.forEach(Array.from({ length: 150 }), () =>
      Effect.andThen(
        sql.withTransaction(Effect.gen(function*() {
          const [row] = yield* sql<{ readonly value: number }>`SELECT value FROM counter`
          yield* Effect.yieldNow
          yield* sql`UPDATE counter SET value = ${(row?.value ?? 0) + 1}`
        })),
        insert(sql, "writer")
      )),
  /** Stays in a transaction that has written. */
  hold: (sql) =>
    sql.withTransaction(insert(sql, "holder").pipe(Effect.andThen(report("held")), Effect.andThen(Effect.never))),
  migrate: () =>
    Migrator.make({})({
      loader: Migrator.fromRecord({
        "1_first": SqlClient.SqlClient.use((sql) => sql`CREATE TABLE first (id INTEGER PRIMARY KEY)`),
        "2_second": Effect.andThen(
          Effect.sleep("50 millis"),
          SqlClient.SqlClient.use((sql) => sql`INSERT INTO first DEFAULT VALUES`)
        )
      })
    })
}

const [, , word = "", file = ""] = argv

const program = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* works[word]?.(sql) ?? Effect.die(`There is no work ${word}`)
  yield* report("done")
})

// The parent's pipe keeps the process alive while it holds.
process.on("message", () => {})
await Effect.runPromise(Effect.provide(program, NodeSqlite.layer({ file, busyTimeout: "20 seconds" })))
process.disconnect?.()
