/** Every store of leases keeps the contract, on real files and servers. */
import { LeaseStore } from "@clawback/core"
import * as LeaseStoreFile from "@clawback/core/LeaseStoreFile"
import * as LeaseStoreRedis from "@clawback/core/LeaseStoreRedis"
import * as LeaseStoreSql from "@clawback/core/LeaseStoreSql"
import * as SqlMigrations from "@clawback/core/SqlMigrations"
import * as NodePostgres from "@clawback/node/NodePostgres"
import * as NodeRedis from "@clawback/node/NodeRedis"
import * as NodeSqlite from "@clawback/node/NodeSqlite"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Logger } from "effect"
import { SqlClient } from "effect/sql"
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs"
import { storeOf, suite } from "./support/leaseStoreSuite.ts"
import * as Postgres from "./support/postgres.ts"
import * as RedisServer from "./support/redis.ts"

describe("In memory", () => suite("memory", Effect.map(storeOf(LeaseStore.layerMemory), (store) => [store, store])))

const inFolder = (folder: string) => storeOf(LeaseStoreFile.layer({ folder }).pipe(Layer.provide(NodeServices.layer)))

const newFolder = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()).pipe(
  Effect.map((folder) => `${folder}/leases`),
  Effect.provide(NodeServices.layer)
)

describe("In files", () => {
  suite("file", Effect.flatMap(newFolder, (folder) => Effect.all([inFolder(folder), inFolder(folder)])))

  const request = { key: "a", id: "1", limit: 1, ttl: 60_000, holder: "" }

  it.live("keeps one small file of a key that was held often, and nothing of what a killed process has left", () =>
    Effect.gen(function*() {
      const folder = yield* newFolder
      const store = yield* inFolder(folder)
      for (let i = 0; i < 20; i++) {
        yield* store.acquire({ ...request, id: String(i) })
        yield* store.release({ key: "a", id: String(i) })
      }
      const [keys = ""] = readdirSync(folder)
      const old = `${folder}/${keys}/next-of-a-killed-process`
      writeFileSync(old, "{}")
      writeFileSync(`${folder}/${keys}/next-of-a-live-process`, "{}")
      utimesSync(old, 0, 0)
      yield* store.acquire(request)
      yield* store.release(request)
      const names = readdirSync(`${folder}/${keys}`)
      assert.lengthOf(names.filter((name) => /^\d+$/.test(name)), 2)
      assert.deepStrictEqual(names.filter((name) => !/^\d+$/.test(name)), ["next-of-a-live-process"])
      const newest = names.map(Number).filter(Number.isInteger).toSorted((a, b) => b - a)[0]
      assert.notInclude(readFileSync(`${folder}/${keys}/${newest}`, "utf8"), "holder")
    }))

  it.live("goes on after a file that the end of the machine cut off, with higher tokens", () =>
    Effect.gen(function*() {
      const folder = yield* newFolder
      const store = yield* inFolder(folder)
      const first = yield* store.acquire(request)
      const [keys = ""] = readdirSync(folder)
      for (const name of readdirSync(`${folder}/${keys}`)) writeFileSync(`${folder}/${keys}/${name}`, "")
      const second = yield* store.acquire({ ...request, id: "2" })
      assert.isTrue(first._tag === "Granted" && second._tag === "Granted" && second.token > first.token)
    }))

  it.live("says which folder it cannot use", () =>
    Effect.gen(function*() {
      const folder = yield* newFolder
      mkdirSync(folder, { recursive: true })
      writeFileSync(`${folder}/file`, "")
      const error = yield* Effect.flip(inFolder(`${folder}/file/below`))
      assert.deepInclude(error, { _tag: "LeaseStoreError", operation: "open", isUnknown: false })
      assert.include(error.message, "file/below")
    }))
})

const newer = (id: number, since?: number) => ({ id, name: `newer${id}`, since, up: Effect.void })

/** A database of its own on a real server. */
const database = Effect.gen(function*() {
  const address = yield* Postgres.available
  const { host, port, user } = address
  return NodePostgres.layer({ host, port, user, database: yield* Postgres.database(address) })
})

const inDatabase = <E>(layer: Layer.Layer<SqlClient.SqlClient, E>) =>
  storeOf(LeaseStoreSql.layer().pipe(Layer.provide(layer)))

const withSql = <A, E>(
  layer: Layer.Layer<SqlClient.SqlClient, E>,
  f: (sql: SqlClient.SqlClient) => Effect.Effect<A, unknown>
) => Effect.provide(Effect.flatMap(SqlClient.SqlClient, f), layer)

describe.skipIf(!Postgres.isAvailable)("In PostgreSQL", () => {
  // Both make the tables at once.
  suite(
    "sql",
    Effect.flatMap(
      database,
      (layer) => Effect.all([inDatabase(layer), inDatabase(layer)], { concurrency: "unbounded" })
    )
  )

  it.live("makes its tables once, however many processes start at once", () =>
    Effect.gen(function*() {
      const layer = yield* database
      yield* Effect.all(Array.from({ length: 6 }, () => inDatabase(layer)), { concurrency: "unbounded" })
      const rows = yield* withSql(layer, (sql) => sql`SELECT name FROM clawback_leases_migrations`)
      assert.deepStrictEqual(rows, [{ name: "leases" }])
    }))

  it.live("refuses tables of a newer release, unless that lets this one use them", () =>
    Effect.gen(function*() {
      const layer = yield* database
      yield* inDatabase(layer)
      const migrate = (migrations: ReadonlyArray<SqlMigrations.Migration>) =>
        Effect.provide(SqlMigrations.run({ table: "clawback_leases_migrations", migrations }), layer)
      yield* migrate([newer(2, 1)])
      yield* inDatabase(layer)
      yield* migrate([newer(3)])
      const error = yield* Effect.flip(inDatabase(layer))
      assert.deepInclude(error, { _tag: "LeaseStoreError", operation: "open" })
      assert.deepInclude(error.cause, { _tag: "SchemaTooNew", found: 3, known: 1 })
    }))

  it.live("deletes rows of keys that nobody holds", () =>
    Effect.gen(function*() {
      const layer = yield* database
      const store = yield* inDatabase(layer)
      const request = { key: "a", id: "1", limit: 1, ttl: 60_000, holder: "" }
      yield* store.acquire(request)
      yield* store.acquire({ ...request, key: "b" })
      yield* store.release({ key: "a", id: "1" })
      const sweep = yield* Effect.promise(() => import("../packages/core/src/internal/lease/sqlSteps.ts"))
      const left = withSql(layer, (sql) =>
        Effect.andThen(
          new sweep.Steps(sql, "clawback_leases").sweep,
          sql`SELECT lease_key FROM clawback_leases ORDER BY 1`
        ))
      assert.lengthOf(yield* left, 2)
      yield* withSql(layer, (sql) => sql`UPDATE clawback_leases SET expires_at = expires_at - 60001`)
      assert.deepStrictEqual(yield* left, [{ lease_key: "b" }])
    }))
})

describe("In SQLite", () => {
  suite(
    "sqlite",
    Effect.flatMap(newFolder, (folder) => {
      const file = NodeSqlite.layer({ file: `${folder}.db` })
      // Both make the tables at once, on connections of their own.
      return Effect.all([inDatabase(Layer.fresh(file)), inDatabase(Layer.fresh(file))], { concurrency: "unbounded" })
    })
  )
})

const inRedis = ({ host, port }: RedisServer.Address, prefix: string) =>
  storeOf(LeaseStoreRedis.layer({ prefix }).pipe(Layer.provide(NodeRedis.layer({ host, port }))))

describe.skipIf(!RedisServer.isAvailable)("In Redis", () => {
  suite(
    "redis",
    Effect.gen(function*() {
      const address = yield* RedisServer.available
      const prefix = yield* RedisServer.keyPrefix(address)
      return [yield* inRedis(address, prefix), yield* inRedis(address, prefix)] as const
    })
  )

  it.live.skipIf(!RedisServer.isInstalled)(
    "grants nothing new after a restart until old leases have expired",
    () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.start()
        const store = yield* inRedis(server, "")
        const request = { key: "a", id: "1", limit: 1, ttl: 1000, holder: "" }
        yield* Effect.sleep(2100)
        assert.strictEqual((yield* store.acquire(request))._tag, "Granted")
        yield* server.restartEmpty
        const after = yield* inRedis(server, "")
        const busy = yield* after.acquire({ ...request, id: "2" })
        assert.isTrue(busy._tag === "Busy" && busy.retryIn > 0 && busy.retryIn <= 1000, JSON.stringify(busy))
        yield* Effect.sleep(2100)
        assert.strictEqual((yield* after.acquire({ ...request, id: "2" }))._tag, "Granted")
      })
  )

  it.live.skipIf(!RedisServer.isInstalled)("warns of a server that evicts leases", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.start({ settings: { maxmemory: "100mb", "maxmemory-policy": "allkeys-lru" } })
      const lines: Array<string> = []
      const logger = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
      yield* Effect.provide(inRedis(server, ""), logger)
      for (let i = 0; i < 100 && lines.length === 0; i++) yield* Effect.sleep(10)
      assert.include(lines.join(), "maxmemory-policy")
    }))
})
