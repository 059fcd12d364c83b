/** The servers that tests of PostgreSQL use. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Postgres from "./support/postgres.ts"

const exists = (address: Postgres.Address, name: string) =>
  Effect.map(
    Effect.promise(() => Postgres.query(address, `SELECT 1 FROM pg_database WHERE datname = '${name}'`)),
    (rows) => rows.length === 1
  )

it.live.skipIf(!Postgres.isAvailable)("a database of one's own is there, and then gone", () =>
  Effect.gen(function*() {
    const address = yield* Postgres.available
    const name = yield* Effect.scoped(Effect.gen(function*() {
      const name = yield* Postgres.database(address)
      assert.isTrue(yield* exists(address, name))
      return name
    }))
    assert.isFalse(yield* exists(address, name))
  }))

it.live.skipIf(!Postgres.isAvailable)(
  "a server of one's own has its settings, restarts, freezes and stops",
  () =>
    Effect.gen(function*() {
      const server = yield* Postgres.start({ settings: { max_connections: 7 }, passwords: { ann: "secret" } })
      const ask = (text: string, address: Postgres.Address = server) =>
        Effect.promise(() => Postgres.query(address, text))
      assert.deepStrictEqual(yield* ask("SHOW max_connections"), [{ max_connections: "7" }])
      assert.deepStrictEqual(yield* ask("SELECT 1 AS one", { ...server, user: "ann", password: "secret" }), [{
        one: 1
      }])
      const before = server.pid()
      yield* server.restart
      assert.notStrictEqual(server.pid(), before)
      yield* server.freeze
      assert.strictEqual((yield* Effect.timeoutOption(ask("SELECT 1"), "200 millis"))._tag, "None")
      yield* server.thaw
      assert.deepStrictEqual(yield* ask("SHOW max_connections"), [{ max_connections: "7" }])
      yield* server.stop
      const refused = yield* Effect.promise(() =>
        Postgres.query(server, "SELECT 1").then(() => "", (error) => error.code)
      )
      assert.strictEqual(refused, "ECONNREFUSED")
    })
)
