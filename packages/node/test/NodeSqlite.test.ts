/** The client on databases in memory and in files, alone and with other processes. */
import * as Deadline from "@clawback/core/Deadline"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as NodeSqlite from "@clawback/node/NodeSqlite"
import { assert, describe, it } from "@effect/vitest"
import {
  Config,
  ConfigProvider,
  DateTime,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Schema,
  type Scope,
  Stream
} from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(join(tmpdir(), "clawback-sqlite-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

/** The path of a file that is not there yet. */
const newFile = Effect.map(folder, (path) => join(path, "database"))

const clientOf = (options: NodeSqlite.Options): Effect.Effect<SqlClient.SqlClient, SqlError.SqlError, Scope.Scope> =>
  Effect.flatMap(
    Layer.build(NodeSqlite.layer(options)),
    (context) => Effect.provideContext(SqlClient.SqlClient, context)
  )

const date = DateTime.toDateUtc(DateTime.makeUnsafe(0))

const inMemory = clientOf({ file: ":memory:" })

const notes = (options: NodeSqlite.Options = { file: ":memory:" }) =>
  Effect.tap(
    clientOf(options),
    (sql) =>
      Effect.andThen(
        sql`CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT UNIQUE)`,
        sql`CREATE TABLE IF NOT EXISTS links (note INTEGER REFERENCES notes (id) DEFERRABLE INITIALLY DEFERRED)`
      )
  )

const insert = (sql: SqlClient.SqlClient, text: string) => sql`INSERT INTO notes ${sql.insert({ text })}`

const texts = (sql: SqlClient.SqlClient) =>
  Effect.map(
    sql<{ readonly text: string }>`SELECT text FROM notes ORDER BY id`,
    (rows) => rows.map(({ text }) => text)
  )

const reason = <A, E extends SqlError.SqlError, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

/** Another connection to a file, which does not wait. */
const other = (file: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(file)),
    (database) => Effect.sync(() => database.close())
  )

interface Program {
  readonly child: ChildProcess
  /** The first word that it sends, or how it ends without one. */
  readonly word: Promise<string>
}

/** Runs `SqliteProgram.ts` until it ends, or the scope closes. */
const started = (word: string, file: string): Effect.Effect<Program, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const module = join(import.meta.dirname, "SqliteProgram.ts")
      const child = fork(module, [word, file], { execArgv: ["--conditions=@clawback/source"] })
      const sent = once(child, "message").then(([word]) => `${word}`)
      const ended = once(child, "exit").then(([code]) => `ended with ${code}`)
      return { child, word: Promise.race([sent, ended]) }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

const said = ({ word }: Program) => Effect.promise(() => word)

class Stopped extends Schema.TaggedError<Stopped>("@clawback/node/test/NodeSqlite.test/Stopped")("Stopped", {}) {}

describe("statements of NodeSqlite", () => {
  it.effect("run as those of Effect's client", () =>
    Effect.gen(function*() {
      const sql = yield* notes()
      yield* sql`INSERT INTO notes ${sql.insert([{ text: "a" }, { text: "b" }])}`
      assert.deepStrictEqual(yield* sql`SELECT * FROM notes WHERE ${sql.in("id", [1, 2])} ORDER BY id`, [
        { id: 1, text: "a" },
        { id: 2, text: "b" }
      ])
      assert.deepStrictEqual(yield* sql`SELECT id FROM notes ORDER BY id`.values, [[1], [2]])
      assert.deepStrictEqual(yield* sql`UPDATE notes SET text = 'c' WHERE id = 2 RETURNING text`, [{ text: "c" }])
      assert.deepInclude(yield* sql`DELETE FROM notes`.raw, { changes: 2 })
      assert.deepStrictEqual(yield* sql`SELECT 1 AS one`.raw, [{ one: 1 }])
    }))

  it.effect("change names as told", () =>
    Effect.gen(function*() {
      const sql = yield* clientOf({
        file: ":memory:",
        transformQueryNames: (name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        transformResultNames: (name) => name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
      })
      yield* sql`CREATE TABLE ${sql("someThings")} (${sql("someId")} int)`
      yield* sql`INSERT INTO ${sql("someThings")} ${sql.insert({ someId: 1 })}`
      assert.deepStrictEqual(yield* sql`SELECT * FROM some_things`, [{ someId: 1 }])
      assert.deepStrictEqual(yield* sql`SELECT * FROM some_things`.withoutTransform, [{ some_id: 1 }])
      assert.deepStrictEqual(yield* Stream.runCollect(sql`SELECT * FROM some_things`.stream), [{ someId: 1 }])
    }))

  it.effect("keep bytes, large integers, booleans and dates, and reject what SQLite has no type for", () =>
    Effect.gen(function*() {
      const sql = yield* inMemory
      const bytes = Uint8Array.of(0, 255, 254, 0, 195, 40)
      const [row] = yield* sql<any>`
        SELECT ${bytes} AS bytes, ${true} AS yes, ${false} AS off, ${date} AS date, ${undefined} AS empty`
      assert.deepStrictEqual({ ...row }, { bytes, yes: 1, off: 0, date: "1970-01-01T00:00:00.000Z", empty: null })
      const large = 2n ** 62n
      const read = sql`SELECT ${large} AS large`
      assert.include((yield* reason(read)).message, "Provide `SqlClient.SafeIntegers`")
      assert.deepStrictEqual(yield* Effect.provideService(read, SqlClient.SafeIntegers, true), [{ large }])
      assert.deepStrictEqual(yield* sql`SELECT 1 AS one`, [{ one: 1 }])
      for (const wrong of [{ a: 1 }, [1], Symbol("a"), () => 1]) {
        assert.include((yield* reason(sql.unsafe("SELECT ?", [wrong]))).message, "parameter 1 is of a type")
      }
    }))

  it.effect("may be several in a text without parameters", () =>
    Effect.gen(function*() {
      const sql = yield* inMemory
      yield* sql.unsafe(`
        CREATE TABLE a (id int); -- with a comment; and
        INSERT INTO a VALUES (1);
        /* the last; one */ INSERT INTO a VALUES (2); -- end
      `)
      assert.deepStrictEqual(yield* sql.unsafe("DELETE FROM a WHERE id = 1; SELECT id FROM a;"), [{ id: 2 }])
      const two = yield* reason(sql`DELETE FROM a WHERE id = ${1}; DELETE FROM a`)
      assert.strictEqual(two._tag, "SqlSyntaxError")
      assert.deepStrictEqual(yield* sql`SELECT id FROM a`, [{ id: 2 }])
      assert.include((yield* reason(sql.unsafe("SELECT 1 -- \0"))).message, "zero character")
    }))

  it.effect("are kept prepared, but not more than allowed, and see changes of their tables", () =>
    Effect.gen(function*() {
      const sql = yield* notes({ file: ":memory:", statementCache: 2 })
      yield* Effect.forEach(["a", "b", "c"], (name) => sql.unsafe(`SELECT '${name}'`))
      const all = sql`SELECT * FROM notes`
      yield* insert(sql, "a")
      assert.deepStrictEqual(yield* all, [{ id: 1, text: "a" }])
      yield* sql`ALTER TABLE notes ADD COLUMN size int`
      assert.deepStrictEqual(yield* all, [{ id: 1, text: "a", size: null }])
    }))

  it.effect("have errors with a reason", () =>
    Effect.gen(function*() {
      const sql = yield* notes()
      yield* insert(sql, "a")
      const unique = yield* reason(insert(sql, "a"))
      assert.deepInclude({ ...unique }, { _tag: "UniqueViolation", constraint: "notes.text" })
      assert.strictEqual((yield* reason(sql`INSERT INTO links VALUES (7)`))._tag, "ConstraintError")
      assert.strictEqual((yield* reason(sql`SELEC 1`))._tag, "SqlSyntaxError")
      assert.strictEqual((yield* reason(sql``))._tag, "SqlSyntaxError")
      yield* sql`PRAGMA max_page_count = 8`
      assert.include((yield* reason(insert(sql, "b".repeat(99_999)))).message, "no space left")
    }))

  it.live("can be read as a stream, which keeps the database until it ends", () =>
    Effect.gen(function*() {
      const sql = yield* clientOf({ file: ":memory:", acquireTimeout: "50 millis" })
      const numbers = sql<{ n: number }>`
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000) SELECT n FROM numbers`
      assert.lengthOf(yield* Stream.runCollect(numbers.stream), 1000)
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(numbers.stream, 2)), [{ n: 1 }, { n: 2 }])
      const late = yield* Stream.runForEach(numbers.stream, () => sql`SELECT 1`).pipe(reason)
      assert.include(late.message, "The caller held 1 of them itself")
      assert.deepStrictEqual(yield* sql`SELECT 1 AS one`, [{ one: 1 }])
      const inside = sql.withTransaction(
        Stream.runForEach(Stream.take(numbers.stream, 300), ({ n }) => sql`SELECT ${n}`)
      )
      yield* inside
      assert.strictEqual((yield* reason(Stream.runDrain(sql`SELECT 1; SELECT 2`.stream)))._tag, "SqlSyntaxError")
    }))
})

describe("transactions of NodeSqlite", () => {
  it.effect("commit, and roll back if they fail, die or are interrupted", () =>
    Effect.gen(function*() {
      const sql = yield* notes()
      yield* sql.withTransaction(insert(sql, "a"))
      const error = yield* Effect.flip(sql.withTransaction(Effect.andThen(insert(sql, "b"), new Stopped())))
      assert.strictEqual(error._tag, "Stopped")
      const exit = yield* Effect.exit(sql.withTransaction(Effect.andThen(insert(sql, "c"), Effect.die("defect"))))
      assert(Exit.hasDies(exit))
      const inside = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(
        sql.withTransaction(
          insert(sql, "d").pipe(
            Effect.andThen(Deferred.succeed(inside, undefined)),
            Effect.andThen(Effect.never)
          )
        )
      )
      yield* Deferred.await(inside)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* texts(sql), ["a"])
    }))

  it.effect("roll back to the savepoint of a nested one", () =>
    Effect.gen(function*() {
      const sql = yield* notes()
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* insert(sql, "a")
        yield* Effect.ignore(sql.withTransaction(Effect.andThen(insert(sql, "b"), insert(sql, "a"))))
        yield* sql.withTransaction(insert(sql, "c"))
        const fiber = yield* Effect.forkChild(
          sql.withTransaction(Effect.andThen(insert(sql, "d"), Effect.never)),
          { startImmediately: true }
        )
        yield* Fiber.interrupt(fiber)
      }))
      assert.deepStrictEqual(yield* texts(sql), ["a", "c"])
    }))

  it.live("take turns in order, and let nobody else in between", () =>
    Effect.gen(function*() {
      const sql = yield* notes()
      const work = (name: string) =>
        sql.withTransaction(
          insert(sql, `${name} begins`).pipe(
            Effect.andThen(Effect.sleep("2 millis")),
            Effect.andThen(insert(sql, `${name} ends`))
          )
        )
      const names = Array.from({ length: 20 }, (_, n) => `${n}`)
      yield* Effect.forEach(names, (name) => Number(name) % 4 === 3 ? insert(sql, name) : work(name), {
        concurrency: "unbounded"
      })
      const expected = names.flatMap((name) => Number(name) % 4 === 3 ? [name] : [`${name} begins`, `${name} ends`])
      assert.deepStrictEqual(yield* texts(sql), expected)
    }))

  it.live("end in time, and those who wait for them as well", () =>
    Effect.gen(function*() {
      const sql = yield* notes({ file: ":memory:", transactionTimeout: "200 millis", acquireTimeout: "50 millis" })
      const long = yield* Effect.forkChild(
        reason(sql.withTransaction(Effect.andThen(insert(sql, "a"), Effect.never))),
        { startImmediately: true }
      )
      yield* Effect.sleep("10 millis")
      const late = yield* reason(sql`SELECT 1`)
      assert.include(late.message, "The database was in use for 50ms")
      assert.strictEqual((yield* Fiber.join(long))._tag, "StatementTimeoutError")
      const cut = yield* Effect.flip(Deadline.within(sql.withTransaction(Effect.never), "20 millis"))
      assert.strictEqual(cut._tag, "DeadlineExceeded")
      assert.deepStrictEqual(yield* texts(sql), [])
    }))

  it.effect("that cannot commit are rolled back", () =>
    Effect.gen(function*() {
      const sql = yield* notes()
      const failed = yield* reason(sql.withTransaction(sql`INSERT INTO links VALUES (7)`))
      assert.strictEqual(failed._tag, "ConstraintError")
      yield* sql.withTransaction(insert(sql, "a"))
      assert.deepStrictEqual(yield* sql`SELECT * FROM links`, [])
    }))

  it.effect("that SQLite has ended by itself let no statement run", () =>
    Effect.gen(function*() {
      const sql = yield* notes()
      yield* insert(sql, "a")
      const lost = yield* reason(sql.withTransaction(Effect.gen(function*() {
        yield* insert(sql, "b")
        yield* Effect.ignore(sql`INSERT OR ROLLBACK INTO notes (text) VALUES ('a')`)
        yield* insert(sql, "c")
      })))
      assert.include(lost.message, "The transaction is over")
      const ended = yield* reason(sql.withTransaction(sql`ROLLBACK`))
      assert.include(ended.message, "The transaction is over")
      assert.deepStrictEqual(yield* texts(sql), ["a"])
    }))

  it.effect("let no statement run after them", () =>
    Effect.gen(function*() {
      const sql = yield* notes()
      const over = yield* Deferred.make<void>()
      const late = yield* sql.withTransaction(
        Effect.forkDetach(Effect.andThen(Deferred.await(over), reason(insert(sql, "late"))), { startImmediately: true })
      )
      yield* sql.withTransaction(Effect.andThen(Deferred.succeed(over, undefined), Effect.asVoid(Fiber.await(late))))
      assert.include((yield* Fiber.join(late)).message, "has ended")
      assert.deepStrictEqual(yield* texts(sql), [])
    }))

  it.effect("begin as provided", () =>
    Effect.gen(function*() {
      const file = yield* newFile
      const sql = yield* notes({ file })
      const database = yield* other(file)
      const beside = () => {
        database.exec("INSERT INTO notes (text) VALUES ('other')")
        return Effect.void
      }
      const failed = yield* reason(
        sql.withTransaction(
          texts(sql).pipe(Effect.andThen(Effect.suspend(beside)), Effect.andThen(insert(sql, "own")))
        ).pipe(Effect.provideService(SqlClient.BeginTransaction, "BEGIN"))
      )
      assert.strictEqual(failed._tag, "SerializationError")
      assert.isTrue(failed.isRetryable)
      assert.deepStrictEqual(yield* texts(sql), ["other"])
    }))
})

describe("files of NodeSqlite", () => {
  it.effect("keep what was committed, and have a write-ahead log", () =>
    Effect.gen(function*() {
      const file = yield* newFile
      yield* Effect.scoped(Effect.flatMap(notes({ file }), (sql) => insert(sql, "a")))
      assert.isFalse(Fs.existsSync(`${file}-wal`))
      const sql = yield* clientOf({ file })
      assert.deepStrictEqual(yield* sql`PRAGMA journal_mode`.values, [["wal"]])
      assert.deepStrictEqual(yield* sql`PRAGMA synchronous`.values, [[2]])
      assert.deepStrictEqual(yield* texts(sql), ["a"])
      const readonly = yield* clientOf({ file, readonly: true })
      assert.deepStrictEqual(yield* readonly.withTransaction(texts(readonly)), ["a"])
      const refused = yield* reason(insert(readonly, "b"))
      assert.strictEqual(refused._tag, "AuthorizationError")
      assert.include(refused.message, "Check the option `readonly`")
    }))

  it.live("that are locked are waited for, without blocking, and not for longer than allowed", () =>
    Effect.gen(function*() {
      const file = yield* newFile
      const sql = yield* notes({ file, busyTimeout: "300 millis" })
      const database = yield* other(file)
      database.exec("BEGIN IMMEDIATE")
      let ticks = 0
      const ticking = yield* Effect.forkChild(
        Effect.forever(Effect.andThen(Effect.sleep("5 millis"), Effect.sync(() => void ticks++)))
      )
      const locked = yield* reason(insert(sql, "a"))
      assert.strictEqual(locked._tag, "LockTimeoutError")
      assert.include(locked.message, "locked by another connection for 300ms")
      assert.isAbove(ticks, 5)
      yield* Fiber.interrupt(ticking)

      const transaction = yield* Effect.forkChild(sql.withTransaction(insert(sql, "b")), { startImmediately: true })
      const given = yield* Effect.forkChild(sql.withTransaction(insert(sql, "c")), { startImmediately: true })
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(given)
      database.exec("COMMIT")
      yield* Fiber.join(transaction)
      assert.deepStrictEqual(yield* texts(sql), ["b"])
    }))

  it.live("that are locked when they are opened are waited for as well", () =>
    Effect.gen(function*() {
      const file = yield* newFile
      const database = yield* other(file)
      database.exec("CREATE TABLE a (id int); BEGIN EXCLUSIVE")
      const opened = yield* Effect.forkScoped(clientOf({ file }), { startImmediately: true })
      const failed = yield* reason(Effect.scoped(clientOf({ file, busyTimeout: "50 millis" })))
      assert.strictEqual(failed._tag, "LockTimeoutError")
      database.exec("COMMIT")
      const sql = yield* Fiber.join(opened)
      assert.deepStrictEqual(yield* sql`SELECT * FROM a`, [])
    }))

  it.live("that cannot be used say why", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const opened = (options: Partial<NodeSqlite.Options> & { readonly file: string }) =>
        reason(Effect.scoped(clientOf({ acquireTimeout: "1 second", ...options })))

      const garbage = join(path, "garbage")
      Fs.writeFileSync(garbage, "This is no database. ".repeat(999))
      const noDatabase = yield* opened({ file: garbage })
      assert.include(noDatabase.message, `${garbage} is no SQLite database`)

      assert.include((yield* opened({ file: join(path, "none/database") })).message, "Check that its folder exists")
      assert.include((yield* opened({ file: path })).message, "that it is a file")
      assert.include((yield* opened({ file: join(path, "none"), readonly: true })).message, "cannot be opened")

      const newer = join(path, "newer")
      yield* Effect.scoped(Effect.flatMap(notes({ file: newer }), (sql) => sql`PRAGMA user_version = 4`))
      const message = (yield* opened({ file: newer, userVersion: 3 })).message
      assert.include(message, "has the user_version 4, and this program knows versions up to 3")
      yield* Effect.scoped(clientOf({ file: newer, userVersion: 4 }))

      const bytes = Fs.readFileSync(newer)
      Fs.writeFileSync(newer, bytes.with(18, 3).with(19, 3))
      assert.include((yield* opened({ file: newer })).message, "format of a newer SQLite")

      const corrupt = join(path, "corrupt")
      yield* Effect.scoped(Effect.flatMap(notes({ file: corrupt }), (sql) =>
        Effect.forEach(Array.from({ length: 500 }), (_, n) =>
          insert(sql, `${n}`.repeat(99)))))
      const whole = Fs.readFileSync(corrupt)
      Fs.writeFileSync(corrupt, Buffer.concat([whole.subarray(0, 4096), Buffer.alloc(whole.length - 4096, 0x5a)]))
      const sql = yield* clientOf({ file: corrupt })
      assert.include((yield* reason(texts(sql))).message, `${corrupt} is corrupt`)
    }))

  it.live("are closed with the layer, also in a transaction, which is then rolled back", () =>
    Effect.gen(function*() {
      const file = yield* newFile
      const inside = yield* Deferred.make<void>()
      yield* Effect.scoped(Effect.gen(function*() {
        const sql = yield* notes({ file, drainTimeout: "20 millis" })
        yield* Effect.forkDetach(
          sql.withTransaction(
            insert(sql, "a").pipe(
              Effect.andThen(Deferred.succeed(inside, undefined)),
              Effect.andThen(Effect.never)
            )
          )
        )
        yield* Deferred.await(inside)
        assert.deepStrictEqual(yield* SessionRegistry.counts, { borrow: 1, resource: 1 })
      }))
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
      const open = Fs.readdirSync("/proc/self/fd").filter((name) => {
        try {
          return Fs.readlinkSync(`/proc/self/fd/${name}`).startsWith(file)
        } catch {
          return false
        }
      })
      assert.deepStrictEqual(open, [])
      assert.deepStrictEqual(yield* Effect.scoped(Effect.flatMap(clientOf({ file }), texts)), [])
    }).pipe(Effect.provide(SessionRegistry.layer())))

  it.live("are written by several processes at once", () =>
    Effect.gen(function*() {
      const file = yield* newFile
      const sql = yield* clientOf({ file, busyTimeout: "20 seconds" })
      yield* sql.unsafe(`
        CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);
        CREATE TABLE counter (value INTEGER NOT NULL);
        INSERT INTO counter VALUES (0)`)
      const children = [yield* started("write", file), yield* started("write", file)]
      const own = sql.withTransaction(sql`UPDATE counter SET value = value + 1`)
      yield* Effect.forEach(Array.from({ length: 150 }), () => Effect.andThen(own, Effect.sleep("1 millis")))
      assert.deepStrictEqual(yield* Effect.forEach(children, said, { concurrency: 2 }), ["done", "done"])
      assert.deepStrictEqual(yield* sql`SELECT value FROM counter`.values, [[450]])
      assert.deepStrictEqual(yield* sql`SELECT count(*) FROM notes`.values, [[300]])
    }))

  it.live("are rolled back after the process in a transaction was killed", () =>
    Effect.gen(function*() {
      const file = yield* newFile
      const sql = yield* notes({ file, busyTimeout: "100 millis" })
      yield* insert(sql, "a")
      const holder = yield* started("hold", file)
      assert.strictEqual(yield* said(holder), "held")
      assert.strictEqual((yield* reason(insert(sql, "b")))._tag, "LockTimeoutError")
      const exited = once(holder.child, "exit")
      holder.child.kill("SIGKILL")
      yield* Effect.promise(() => exited)
      yield* insert(sql, "c")
      assert.deepStrictEqual(yield* texts(sql), ["a", "c"])
      assert.deepStrictEqual(yield* sql`PRAGMA integrity_check`.values, [["ok"]])
    }))

  it.live("are migrated once by processes that start together", () =>
    Effect.gen(function*() {
      const file = yield* newFile
      const children = yield* Effect.forEach(["a", "b", "c"], () => started("migrate", file))
      const ends = yield* Effect.forEach(children, said, { concurrency: 3 })
      assert.deepStrictEqual(ends, ["done", "done", "done"])
      const sql = yield* clientOf({ file })
      assert.deepStrictEqual(yield* sql`SELECT migration_id FROM effect_sql_migrations`.values, [[1], [2]])
      assert.deepStrictEqual(yield* sql`SELECT count(*) FROM first`.values, [[1]])
    }))
})

describe("options of NodeSqlite", () => {
  it.effect.each<[string, any]>([
    ["file", { file: "" }],
    ["file", { file: "a\0b" }],
    ["readonly", { readonly: "yes" }],
    ["wal", { wal: true }],
    ["synchronous", { synchronous: "never" }],
    ["busyTimeout", { busyTimeout: "Infinity" }],
    ["statementCache", { statementCache: -1 }],
    ["userVersion", { userVersion: 1.5 }],
    ["transactionTimeout", { transactionTimeout: 0 }],
    ["acquireTimeout", { acquireTimeout: "soon" }],
    ["options", { path: "database" }]
  ])("a wrong `%s` is an error that names it: %o", ([name, options]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(clientOf({ file: ":memory:", ...options })))
      assert.include(error.message, `The option \`${name}\``)
    }))

  it.effect("can come from the configuration", () =>
    Effect.gen(function*() {
      const file = yield* newFile
      const layer = NodeSqlite.layerConfig({ file: Config.String("DATABASE"), name: Config.succeed("app") })
      const provider = ConfigProvider.layer(ConfigProvider.fromUnknown({ DATABASE: file }))
      yield* Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE TABLE a (id int)`).pipe(
        Effect.provide(Layer.provide(layer, provider))
      )
      assert.isTrue(Fs.existsSync(file))
    }))
})
