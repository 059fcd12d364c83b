/**
 * What belongs to a subject is gone from every store once it was erased: not only from answers, but from the bytes.
 *
 * `npm run prove -- erasure [--scale small|full]`, with servers of our own. Two subjects have conversations in memory, Redis,
 * SQLite and PostgreSQL, with texts that stand nowhere else. One is erased. Then its texts are searched in the dump of Redis, in the
 * file of SQLite, in the table files of PostgreSQL after `VACUUM FULL` and a checkpoint, and in a heap snapshot of this process.
 * - Before the erasure, the texts of both are found in each of these, so that the search can find.
 * - After it, none of the erased subject's is, and all of the other's are.
 */
import { Conversation, ConversationStore } from "@clawback/agent"
import * as ConversationStoreRedis from "@clawback/agent/ConversationStoreRedis"
import * as ConversationStoreSql from "@clawback/agent/ConversationStoreSql"
import { Caller, Erasure } from "@clawback/core"
import * as NodePostgres from "@clawback/node/NodePostgres"
import * as NodeRedis from "@clawback/node/NodeRedis"
import * as NodeSqlite from "@clawback/node/NodeSqlite"
import { Effect, Layer, type Scope } from "effect"
import { globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { text } from "node:stream/consumers"
import { getHeapSnapshot } from "node:v8"
import * as Postgres from "../support/postgres.ts"
import * as Proof from "../support/proof.ts"
import * as Redis from "../support/redis.ts"
import { scale } from "../support/scale.ts"

const conversations = scale() === "small" ? 20 : 500
const messages = 4
const subjects = ["ann", "bob"] as const
type Subject = (typeof subjects)[number]

/** A text of a subject that stands nowhere else. Made at its use, so that no constant of the program has it. */
const mark = (subject: Subject): string => ["the", "words", "of", subject, String(6 * 7)].join("~")

const isIn = (bytes: Buffer | string, subject: Subject): boolean => bytes.includes(mark(subject))

/** The latin1 reading keeps every byte, and so every mark. */
const files = (pattern: string): ReadonlyArray<Buffer> =>
  globSync(pattern).filter((path) => statSync(path).isFile()).map((path) => readFileSync(path))

interface Place {
  readonly name: string
  readonly layer: Layer.Layer<never, unknown>
  /** Which subjects' texts are in the bytes of it. */
  readonly search: Effect.Effect<ReadonlyArray<Subject>>
}

const among = (bytes: () => ReadonlyArray<Buffer | string>) => () => {
  const all = bytes()
  return subjects.filter((subject) => all.some((part) => isIn(part, subject)))
}

const memory: Place = {
  name: "heap snapshot",
  layer: ConversationStore.layerMemory(),
  search: Effect.promise(async () => {
    const snapshot = await text(getHeapSnapshot())
    return among(() => [snapshot])()
  })
}

const redis: Effect.Effect<Place, never, Scope.Scope> = Effect.gen(function*() {
  const server = yield* Redis.start()
  const command = (name: string, ...words: ReadonlyArray<string>) =>
    Effect.promise(() => Redis.command(server, name, ...words))
  // The dump compresses texts otherwise, and nothing would be found.
  yield* command("CONFIG", "SET", "rdbcompression", "no")
  const { dir: folder } = yield* command("CONFIG", "GET", "dir")
  return {
    name: "dump of Redis",
    layer: ConversationStoreRedis.layer().pipe(
      Layer.provide(NodeRedis.layer({ host: server.host, port: server.port }))
    ),
    search: Effect.andThen(command("SAVE"), Effect.sync(among(() => files(`${folder}/*.rdb`))))
  }
})

const sqlite: Effect.Effect<Place, never, Scope.Scope> = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "clawback-erasure-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )
  const file = join(folder, "store.db")
  return {
    name: "files of SQLite",
    layer: ConversationStoreSql.layer().pipe(Layer.provide(NodeSqlite.layer({ file }))),
    search: Effect.sync(() => {
      const database = new DatabaseSync(file)
      database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
      database.close()
      return among(() => files(`${folder}/*`))()
    })
  }
})

const postgres: Effect.Effect<Place, never, Scope.Scope> = Effect.gen(function*() {
  const server = yield* Postgres.start()
  const query = (text: string) => Effect.promise(() => Postgres.query(server, text))
  const [row] = yield* query("SHOW data_directory")
  const folder = row?.["data_directory"]
  return {
    name: "table files of PostgreSQL",
    layer: ConversationStoreSql.layer().pipe(
      Layer.provide(
        NodePostgres.layer({ host: server.host, port: server.port, user: server.user, database: "postgres" })
      )
    ),
    search: query("VACUUM FULL").pipe(
      Effect.andThen(query("CHECKPOINT")),
      Effect.andThen(Effect.sync(among(() => files(`${folder}/base/**/*`))))
    )
  }
})

/** Writes what both subjects said, erases one of them, and searches before and after. */
const proven = ({ layer, name, search }: Place) =>
  Effect.gen(function*() {
    yield* Effect.forEach(subjects, (subject) =>
      Effect.forEach(
        Array.from({ length: conversations }, (_, n) => n),
        (n) =>
          Conversation.use(`${n}-${subject.length}-${subject[0]}`, (conversation) =>
            Effect.forEach(Array.from({ length: messages }), () => conversation.append(`${mark(subject)} and more`)))
            .pipe(Caller.provide({ subject })),
        { concurrency: 8, discard: true }
      ))
    const before = yield* search
    const { erased } = yield* Erasure.erase("ann")
    const after = yield* search
    const counts = erased.map(({ count }) => count)
    const met = before.join() === "ann,bob" && after.join() === "bob" && counts.join() === String(conversations)
    return { name, met, before, after, erased: counts }
  }).pipe(
    Effect.provide(Conversation.layer({ idle: "1 hour" }).pipe(Layer.provide(layer), Layer.provideMerge(Erasure.layer)))
  )

const program = Effect.gen(function*() {
  const places = [memory, yield* redis, yield* sqlite, yield* postgres]
  const results = yield* Effect.forEach(places, proven)
  return { met: results.every(({ met }) => met), conversations, results }
})

Proof.run("erasure", 300, program)
