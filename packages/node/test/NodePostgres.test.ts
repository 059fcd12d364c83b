/** The client over its pool, on a real server. */
import type * as Credential from "@clawback/core/Credential"
import * as Deadline from "@clawback/core/Deadline"
import * as Session from "@clawback/core/Session"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as NodePostgres from "@clawback/node/NodePostgres"
import { assert, describe, layer } from "@effect/vitest"
import {
  Cause,
  Config,
  ConfigProvider,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Latch,
  Layer,
  Metric,
  Option,
  Redacted,
  Schema,
  Stream,
  Tracer
} from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { inspect } from "node:util"
import * as Postgres from "../../../test/support/postgres.ts"

/** A server, and a database of these tests on it. */
class Place extends Context.Service<Place, Postgres.Address & { readonly database: string }>()(
  "@clawback/node/test/NodePostgres.test/Place"
) {
  static readonly layer = Layer.effect(
    Place,
    Effect.gen(function*() {
      const address = yield* Postgres.available
      return { ...address, database: yield* Postgres.database(address) }
    })
  )
}

const addressOf = ({ host, password, port, user }: Postgres.Address) => ({
  host,
  port,
  user,
  password: password === undefined ? undefined : Redacted.make(password)
})

/** Runs an effect on a client with these options. */
const connected = (options: NodePostgres.Options = {}) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    Place,
    (place) => Effect.provide(effect, NodePostgres.layer({ ...addressOf(place), database: place.database, ...options }))
  )

const sql = Effect.serviceOption(SqlClient.SqlClient).pipe(Effect.map((client) => {
  assert(client._tag === "Some")
  return client.value
}))

/** Asks the server from outside of the client. */
const ask = (text: string) =>
  Effect.flatMap(Place, (place) => Effect.promise(() => Postgres.query(place, text, place.database)))

const stats = NodePostgres.PostgresPool.use((pool) => pool.stats)

const until = <A, E, R>(look: Effect.Effect<A, E, R>, isExpected: (seen: A) => boolean): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    look,
    (seen) => isExpected(seen) ? Effect.succeed(seen) : Effect.andThen(Effect.sleep(5), until(look, isExpected))
  )

/** What is left of a client when its work is done: connections that are neither in use nor in a transaction. */
const idle = until(stats, ({ busy, resetting }) => busy + resetting === 0)

const reason = <A, E extends SqlError.SqlError, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

const table = (name: string) =>
  Effect.acquireRelease(
    ask(`CREATE TABLE ${name} (id int PRIMARY KEY, name text)`),
    () => ask(`DROP TABLE ${name}`)
  )

/** A commit of a row takes as many seconds as its name says. */
const slowCommits = (name: string) =>
  ask(`
    CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_sleep(NEW.name::float); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON ${name} DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION slow()`)

class Stopped extends Schema.TaggedError<Stopped>("@clawback/node/test/NodePostgres.test/Stopped")("Stopped", {}) {}

describe.skipIf(!Postgres.isAvailable)("NodePostgres", () => {
  layer(Place.layer, { excludeTestServices: true, timeout: 20_000 })((it) => {
    it.effect("runs the statements of Effect's client", () =>
      Effect.gen(function*() {
        yield* table("people")
        const client = yield* sql
        yield* client`INSERT INTO people ${client.insert([{ id: 1, name: "Ann" }, { id: 2, name: "Bob" }])}`
        yield* client`UPDATE people SET name = data.name FROM ${
          client.updateValues([{ id: 2, name: "Ben" }], "data")
        } WHERE people.id = data.id::int`
        assert.deepStrictEqual(yield* client`SELECT * FROM people WHERE ${client.in("id", [1, 2])} ORDER BY id`, [
          { id: 1, name: "Ann" },
          { id: 2, name: "Ben" }
        ])
        assert.deepStrictEqual(yield* client`SELECT id FROM people ORDER BY id`.values, [[1], [2]])
        assert.deepInclude(yield* client`DELETE FROM people`.raw, { command: "DELETE", rowCount: 2 })
      }).pipe(connected(), Effect.scoped))

    it.effect("changes names as told", () =>
      Effect.gen(function*() {
        const client = yield* sql
        yield* client`CREATE TEMP TABLE ${client("someThings")} (${client("someId")} int)`
        yield* client`INSERT INTO ${client("someThings")} ${client.insert({ someId: 1 })}`
        assert.deepStrictEqual(yield* client`SELECT * FROM some_things`, [{ someId: 1 }])
        assert.deepStrictEqual(yield* client`SELECT * FROM some_things`.withoutTransform, [{ some_id: 1 }])
        const streamed = yield* Stream.runCollect(client`SELECT * FROM some_things`.stream)
        assert.deepStrictEqual(streamed, [{ someId: 1 }])
      }).pipe(connected({
        max: 1,
        transformQueryNames: (name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        transformResultNames: (name) => name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
      })))

    it.effect("commits a transaction, and rolls it back if it fails", () =>
      Effect.gen(function*() {
        yield* table("kept")
        const client = yield* sql
        const insert = (id: number) => client`INSERT INTO kept (id) VALUES (${id})`
        yield* client.withTransaction(insert(1))
        const error = yield* Effect.flip(client.withTransaction(Effect.andThen(insert(2), new Stopped())))
        assert.strictEqual(error._tag, "Stopped")
        const exit = yield* Effect.exit(client.withTransaction(Effect.andThen(insert(3), Effect.die("defect"))))
        assert(Exit.hasDies(exit))
        const unique = yield* reason(client.withTransaction(Effect.andThen(insert(4), insert(1))))
        assert.strictEqual(unique._tag, "UniqueViolation")
        assert.deepStrictEqual(yield* ask("SELECT id FROM kept"), [{ id: 1 }])
      }).pipe(connected(), Effect.scoped))

    it.effect("rolls a nested transaction back by itself", () =>
      Effect.gen(function*() {
        yield* table("nested")
        const client = yield* sql
        const insert = (id: number) => client`INSERT INTO nested (id) VALUES (${id})`
        yield* client.withTransaction(Effect.gen(function*() {
          yield* insert(1)
          yield* Effect.ignore(client.withTransaction(Effect.andThen(insert(2), insert(1))))
          yield* client.withTransaction(insert(3))
          const fiber = yield* Effect.forkChild(
            client.withTransaction(Effect.andThen(insert(4), client`SELECT pg_sleep(60)`)),
            { startImmediately: true }
          )
          yield* Effect.sleep("50 millis")
          yield* Fiber.interrupt(fiber)
          yield* insert(5)
        }))
        assert.deepStrictEqual(yield* ask("SELECT id FROM nested ORDER BY id"), [{ id: 1 }, { id: 3 }, { id: 5 }])
      }).pipe(connected(), Effect.scoped))

    it.effect("rolls an interrupted transaction back, and uses its connection again", () =>
      Effect.gen(function*() {
        yield* table("interrupted")
        const client = yield* sql
        const work = Effect.andThen(client`INSERT INTO interrupted (id) VALUES (1)`, client`SELECT pg_sleep(60)`)
        const fiber = yield* Effect.forkChild(client.withTransaction(work))
        yield* until(ask("SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"), ({ length }) =>
          length === 1)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* ask("SELECT id FROM interrupted"), [])
        assert.deepStrictEqual(yield* client`SELECT count(*)::int AS count FROM interrupted`, [{ count: 0 }])
        assert.deepInclude(yield* idle, { total: 1, opened: 1 })
      }).pipe(connected({ max: 1 }), Effect.scoped))

    it.effect("limits the time of a transaction, and leaves the deadlines inside of it alone", () =>
      Effect.gen(function*() {
        yield* table("late")
        const client = yield* sql
        const insert = client`INSERT INTO late (id) VALUES (1)`
        const late = yield* reason(client.withTransaction(Effect.andThen(insert, Effect.sleep("1 minute"))))
        assert.strictEqual(late._tag, "StatementTimeoutError")
        assert.include(late.message, "The transaction was rolled back, since it did not end within 1s")
        const own = client.withTransaction(Effect.andThen(insert, Deadline.within(Effect.never, "20 millis")))
        const error = yield* Effect.flip(own)
        assert.deepInclude(error, { _tag: "DeadlineExceeded" })
        assert.deepStrictEqual(yield* ask("SELECT id FROM late"), [])
        assert.deepInclude(yield* idle, { total: 1, opened: 1 })
      }).pipe(connected({ max: 1, transactionTimeout: "1 second" }), Effect.scoped))

    it.effect("fails a transaction whose connection is lost, and does not die in its rollback", () =>
      Effect.gen(function*() {
        const client = yield* sql
        const exit = yield* Effect.exit(client.withTransaction(Effect.gen(function*() {
          const [row] = yield* client<{ pid: number }>`SELECT pg_backend_pid() AS pid`
          yield* ask(`SELECT pg_terminate_backend(${row?.pid})`)
          yield* client`SELECT 1`
        })))
        assert(Exit.isFailure(exit))
        assert.isFalse(Exit.hasDies(exit))
        const error = Cause.squash(exit.cause) as SqlError.SqlError
        assert.strictEqual(error.reason._tag, "ConnectionError")
        assert.deepStrictEqual(yield* client`SELECT 1 AS one`, [{ one: 1 }])
      }).pipe(connected({ max: 1 })))

    it.effect("does not lend a connection again that was lost in a statement, not even to the same fiber at once", () =>
      Effect.gen(function*() {
        const client = yield* sql
        const work = Effect.andThen(Effect.flip(client`SELECT pg_sleep(60)`), client`SELECT 1 AS one`)
        const fiber = yield* Effect.forkChild(work)
        yield* until(
          ask(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = 'lost' AND query LIKE 'SELECT pg_sleep%' AND state = 'active'`),
          ({ length }) => length === 1
        )
        assert.deepStrictEqual(yield* Fiber.join(fiber), [{ one: 1 }])
      }).pipe(connected({ max: 1, applicationName: "lost" })))

    it.effect("ends an interrupted commit if that takes no longer than a cancellation", () =>
      Effect.gen(function*() {
        yield* table("committed")
        yield* slowCommits("committed")
        const client = yield* sql
        let isAfter = false
        const commit = (id: number, seconds: number) =>
          client.withTransaction(Effect.andThen(
            client`INSERT INTO committed VALUES (${id}, ${seconds})`,
            client.afterCommit(Effect.sync(() => {
              isAfter = true
            }))
          ))
        const committing = until(
          ask("SELECT 1 FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'"),
          ({ length }) => length === 1
        )
        const short = yield* Effect.forkChild(commit(1, 0.3))
        yield* committing
        yield* Fiber.interrupt(short)
        assert.deepStrictEqual(yield* ask("SELECT id FROM committed"), [{ id: 1 }])
        assert.isTrue(isAfter)
        assert.deepInclude(yield* idle, { total: 1, opened: 1 })

        isAfter = false
        const long = yield* Effect.forkChild(commit(2, 60))
        yield* committing
        const [duration] = yield* Effect.timed(Fiber.interrupt(long))
        assert.isBelow(Duration.toMillis(duration), 10_000)
        assert.isFalse(isAfter)
        yield* until(ask("SELECT 1 FROM pg_stat_activity WHERE query = 'COMMIT'"), ({ length }) => length === 0)
        assert.deepStrictEqual(yield* client`SELECT id FROM committed`, [{ id: 1 }])
        assert.strictEqual((yield* stats).opened, 2)
      }).pipe(connected({ max: 1, cancelTimeout: "2 seconds" }), Effect.scoped))

    it.effect("runs what is to follow the commit, once it is done", () =>
      Effect.gen(function*() {
        const client = yield* sql
        const seen: Array<string> = []
        const mark = (what: string) => Effect.sync(() => void seen.push(what))
        const work = Effect.andThen(client.afterCommit(mark("after")), mark("work"))
        yield* client.withTransaction(work)
        yield* Effect.exit(client.withTransaction(Effect.andThen(work, Effect.fail("no"))))
        assert.deepStrictEqual(seen, ["work", "after", "work"])
      }).pipe(connected()))

    it.effect("streams in a transaction, beside its other statements", () =>
      Effect.gen(function*() {
        const client = yield* sql
        const sum = yield* client.withTransaction(
          client<{ n: number }>`SELECT n FROM generate_series(1, 500) AS n`.stream.pipe(
            Stream.mapEffect(({ n }) => client<{ n: number }>`SELECT ${n}::int * 2 AS n`),
            Stream.runFold(() => 0, (sum, [row]) => sum + (row?.n ?? NaN))
          )
        )
        assert.strictEqual(sum, 250_500)
        const three = yield* Stream.runCollect(Stream.take(client`SELECT * FROM generate_series(1, 1000000)`.stream, 3))
        assert.strictEqual(three.length, 3)
        assert.deepInclude(yield* idle, { total: 1, opened: 1 })
      }).pipe(connected({ max: 1 })))

    it.effect("lends a connection that was returned in a transaction only after a rollback", () =>
      Effect.gen(function*() {
        const client = yield* sql
        yield* Effect.scoped(
          Effect.flatMap(client.reserve, (connection) => connection.executeUnprepared("BEGIN", [], undefined))
        )
        assert.deepStrictEqual(yield* client`SELECT now() = statement_timestamp() AS alone`, [{ alone: true }])
        assert.deepInclude(yield* idle, { total: 1, opened: 1 })
      }).pipe(connected({ max: 1 })))

    it.effect("runs no statement of a fiber that outlives its transaction or its loan", () =>
      Effect.gen(function*() {
        yield* table("outlived")
        const client = yield* sql
        const late = (id: number) => Effect.exit(client`INSERT INTO outlived (id) VALUES (${id})`)
        const gate = yield* Latch.make()
        const fiber = yield* client.withTransaction(Effect.forkDetach(Effect.andThen(gate.await, late(1))))
        const reserved = yield* Effect.scoped(client.reserve)
        // Another caller has the connection now.
        yield* client.withTransaction(Effect.gen(function*() {
          yield* gate.open
          const exits = [
            yield* Fiber.join(fiber),
            yield* Effect.exit(reserved.execute("INSERT INTO outlived (id) VALUES (2)", [], undefined)),
            yield* Effect.exit(Stream.runDrain(reserved.executeStream("SELECT 1", [], undefined)))
          ]
          for (const exit of exits) {
            const error = Exit.findErrorOption(exit as Exit.Exit<unknown, SqlError.SqlError>)
            assert(Option.isSome(error))
            assert.include(error.value.message, "was returned before")
          }
        }))
        assert.deepStrictEqual(yield* client`SELECT id FROM outlived`, [])
        assert.deepInclude(yield* idle, { total: 1, opened: 1 })
      }).pipe(connected({ max: 1 }), Effect.scoped))

    it.effect("does not lend a connection that is still in use", () =>
      Effect.gen(function*() {
        const client = yield* sql
        const fiber = yield* Effect.scoped(Effect.flatMap(client.reserve, (connection) =>
          Effect.tap(
            Effect.forkDetach(Effect.exit(connection.execute("SELECT pg_sleep(60)", [], undefined)), {
              startImmediately: true
            }),
            Effect.sleep("50 millis")
          )))
        assert.deepStrictEqual(yield* client`SELECT 1 AS one`, [{ one: 1 }])
        assert(Exit.isFailure(yield* Fiber.join(fiber)))
        assert.deepInclude(yield* idle, { total: 1, opened: 2 })
      }).pipe(connected({ max: 1 })))

    it.effect("replaces connections that the server has closed, before anyone gets one", () =>
      Effect.gen(function*() {
        const client = yield* sql
        yield* Effect.all([1, 2, 3].map(() => client`SELECT pg_sleep(0.05)`), { concurrency: "unbounded" })
        yield* until(stats, ({ idle }) => idle === 3)
        yield* ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'replaced'")
        yield* until(stats, ({ total }) => total === 0)
        const all = yield* Effect.forEach([1, 2, 3], (n) => client`SELECT ${n}::int AS n`, { concurrency: "unbounded" })
        assert.deepStrictEqual(all, [[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]])
        assert.strictEqual((yield* stats).closed.invalidated, 3)
      }).pipe(connected({ applicationName: "replaced" })))

    it.effect("checks a connection that was idle for a while, by an empty query", () =>
      Effect.gen(function*() {
        const client = yield* sql
        const [before] = yield* client<{ pid: number }>`SELECT pg_backend_pid() AS pid`
        const [after] = yield* client<{ pid: number }>`SELECT pg_backend_pid() AS pid`
        assert.deepStrictEqual(before, after)
      }).pipe(connected({ max: 1, validateBypass: 0 })))

    it.effect("resets sessions by the statement that it is given", () =>
      Effect.gen(function*() {
        const zone = Effect.gen(function*() {
          const client = yield* sql
          yield* client`SET TIME ZONE 'Asia/Tokyo'`
          yield* idle
          return yield* client`SHOW TimeZone`
        })
        assert.deepStrictEqual(yield* connected({ max: 1 })(zone), [{ TimeZone: "Asia/Tokyo" }])
        const options = { max: 1, reset: "DISCARD ALL", parameters: { timezone: "UTC" } }
        assert.deepStrictEqual(yield* connected(options)(zone), [{ TimeZone: "UTC" }])
      }))

    it.effect("says in its errors what the pool says", () =>
      Effect.gen(function*() {
        const client = yield* sql
        const held = yield* Effect.forkChild(client`SELECT pg_sleep(60)`, { startImmediately: true })
        const late = yield* reason(client`SELECT 1`)
        assert.strictEqual(late._tag, "ConnectionError")
        assert.deepInclude(late.cause, { _tag: "AcquireTimeout" })
        assert.include(late.message, "The pool reports had no item within 500ms")
        yield* Fiber.interrupt(held)
        yield* NodePostgres.PostgresPool.use((pool) => pool.drain)
        const closed = yield* Effect.flip(client`SELECT 1`)
        assert.isFalse(closed.isRetryable)
        assert.deepInclude(closed.reason.cause, { _tag: "PoolClosed" })
      }).pipe(connected({ max: 1, acquireTimeout: "500 millis", name: "reports" })))

    it.effect("names its spans and their attributes as OpenTelemetry does", () =>
      Effect.gen(function*() {
        const { database, host, port } = yield* Place
        const spans: Array<Tracer.NativeSpan> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            spans.push(span)
            return span
          }
        })
        yield* Effect.flatMap(sql, (client) => client`SELECT 1`).pipe(
          connected({ spanAttributes: { team: "reports" } }),
          Effect.withTracer(tracer)
        )
        const span = spans.find(({ kind }) => kind === "client")
        assert.strictEqual(span?.name, database)
        const all = Object.fromEntries(span?.attributes ?? [])
        assert.deepInclude(all, {
          "db.system.name": "postgresql",
          "db.namespace": database,
          "db.query.text": "SELECT 1",
          "server.address": host,
          "server.port": port,
          team: "reports"
        })
      }))

    it.effect("cancels the statement of a borrower that is revoked, and uses its connection again", () =>
      Effect.gen(function*() {
        const client = yield* sql
        const fiber = yield* Effect.forkChild(reason(client`SELECT pg_sleep(60)`))
        yield* until(
          ask("SELECT 1 FROM pg_stat_activity WHERE application_name = 'revoked' AND state = 'active'"),
          ({ length }) => length === 1
        )
        yield* SessionRegistry.revoke({ kind: "borrow" }, { reason: "by a test" })
        assert.deepInclude((yield* Fiber.join(fiber)).cause, { _tag: "SessionRevoked" })
        const after = yield* ask("SELECT state FROM pg_stat_activity WHERE application_name = 'revoked'")
        assert.isEmpty(after.filter(({ state }) => state === "active"))
      }).pipe(
        connected({ max: 1, applicationName: "revoked", clientCheckInterval: "Infinity" }),
        Effect.provide(SessionRegistry.layer())
      ))

    it.effect("shows a transaction as a session, with how long it has been idle", () =>
      Effect.gen(function*() {
        const client = yield* sql
        const seen = yield* client.withTransaction(Effect.gen(function*() {
          const [row] = yield* client<{ pid: number }>`SELECT pg_backend_pid() AS pid`
          yield* Effect.sleep("30 millis")
          const [idle, ...others] = yield* SessionRegistry.list({ kind: "transaction" })
          const sleeping = yield* Effect.forkChild(client`SELECT pg_sleep(0.05)`, { startImmediately: true })
          const [active] = yield* SessionRegistry.list({ kind: "transaction" })
          yield* Fiber.join(sleeping)
          // A savepoint is no transaction of its own.
          const inner = yield* client.withTransaction(SessionRegistry.list({ kind: "transaction" }))
          const child = yield* Session.use({ kind: "call", name: "model" }, Effect.void, () =>
            Effect.void, () =>
            SessionRegistry.list({ kind: "call" }))
          return { pid: row?.pid, idle, others, active, inner, child }
        }))
        assert.deepInclude(seen.idle, { kind: "transaction", name: "reports" })
        assert.deepInclude(seen.idle?.attributes, { backend: seen.pid, state: "idle" })
        assert.isAtLeast(Number(seen.idle?.attributes["idleMillis"]), 29)
        assert.deepInclude(seen.active?.attributes, { state: "active", idleMillis: 0 })
        assert.deepStrictEqual([seen.others.length, seen.inner.length], [0, 1])
        assert.strictEqual(seen.child[0]?.parent, seen.idle?.id)
        assert.isEmpty(yield* SessionRegistry.list({ kind: "transaction" }))
      }).pipe(connected({ max: 1, name: "reports" }), Effect.provide(SessionRegistry.layer())))

    it.effect("rolls back a transaction that is revoked, and uses its connection again", () =>
      Effect.gen(function*() {
        yield* table("revocations")
        const client = yield* sql
        const work = client.withTransaction(
          Effect.andThen(client`INSERT INTO revocations (id) VALUES (1)`, Effect.never)
        )
        const fiber = yield* Effect.forkChild(reason(work))
        yield* until(
          SessionRegistry.list({ kind: "transaction" }),
          ([session]) => session?.attributes["state"] === "idle" && Number(session.attributes["idleMillis"]) > 5
        )
        yield* SessionRegistry.revoke({ kind: "transaction" }, { reason: "by a test" })
        assert.deepInclude((yield* Fiber.join(fiber)).cause, { _tag: "SessionRevoked", reason: "by a test" })
        assert.deepStrictEqual(yield* client`SELECT id FROM revocations`, [])
        assert.deepInclude(yield* idle, { total: 1, opened: 1 })
      }).pipe(connected({ max: 1 }), Effect.scoped, Effect.provide(SessionRegistry.layer())))

    it.effect("ends a stream whose transaction is revoked, with an error", () =>
      Effect.gen(function*() {
        const client = yield* sql
        let seen = 0
        const error = yield* reason(Stream.runForEach(client`SELECT * FROM generate_series(1, 100000)`.stream, () =>
          ++seen === 200
            ? SessionRegistry.revoke({ kind: "transaction" }, { reason: "by a test", deadline: 0 })
            : Effect.void))
        assert.deepInclude(error.cause, { _tag: "SessionRevoked", reason: "by a test" })
        assert.isBelow(seen, 400)
        assert.deepInclude(yield* idle, { total: 1, opened: 1 })
        assert.isEmpty(yield* SessionRegistry.list({ kind: "transaction" }))
      }).pipe(connected({ max: 1 }), Effect.provide(SessionRegistry.layer())))

    it.effect("counts the connections that are idle in a transaction, and for how long", () =>
      Effect.gen(function*() {
        const client = yield* sql
        const figures = Effect.map(Metric.snapshot, (all) =>
          all.flatMap((one) =>
            one.type === "Gauge" && one.id.startsWith("clawback.postgres.idle_in_transaction") &&
              one.attributes?.["clawback.pool.name"] === "figures"
              ? [Number(one.state.value)]
              : []
          ))
        assert.deepStrictEqual(yield* figures, [0, 0])
        const [count, time = 0] = yield* client.withTransaction(
          client.withTransaction(Effect.andThen(client`SELECT 1`, Effect.andThen(Effect.sleep("30 millis"), figures)))
        )
        assert.strictEqual(count, 1)
        assert.isAtLeast(time, 0.029)
        assert.isBelow(time, 10)
        assert.deepStrictEqual(yield* figures, [0, 0])
      }).pipe(connected({ max: 2, name: "figures" }), Effect.provideService(Metric.MetricRegistry, new Map())))

    it.effect("is in the registry while it borrows, and leaves nothing", () =>
      Effect.gen(function*() {
        const counts = Effect.gen(function*() {
          const client = yield* sql
          const fiber = yield* Effect.forkChild(client`SELECT pg_sleep(60)`, { startImmediately: true })
          const counts = yield* SessionRegistry.counts
          yield* Fiber.interrupt(fiber)
          return counts
        })
        assert.deepStrictEqual(yield* connected()(counts), { borrow: 1, resource: 1 })
        assert.deepStrictEqual(yield* SessionRegistry.counts, {})
      }).pipe(Effect.provide(SessionRegistry.layer())))
  })
})

/** A server with a user that needs a password. */
class Own extends Context.Service<Own, Postgres.Server>()("@clawback/node/test/NodePostgres.test/Own") {
  static readonly layer = Layer.effect(Own, Postgres.start({ passwords: { ann: "s3cret" } }))
}

const built = (options: NodePostgres.Options) =>
  Effect.flatMap(
    Own,
    ({ host, port, user }) =>
      Effect.scoped(Layer.build(NodePostgres.layer({ host, port, user, database: "postgres", ...options })))
  )

const fromConfig = NodePostgres.layerConfig({
  url: Config.Redacted("DATABASE_URL"),
  max: Config.Int("DATABASE_MAX")
})

/** The user of a client that is configured so. */
const configured = (value: unknown) =>
  Effect.flatMap(sql, (client) => client`SELECT current_user AS who`).pipe(
    Effect.provide(Layer.provide(fromConfig, ConfigProvider.layer(ConfigProvider.fromUnknown(value))))
  )

describe.skipIf(!Postgres.isInstalled)("a layer of NodePostgres", () => {
  layer(Own.layer, { excludeTestServices: true, timeout: 20_000 })((it) => {
    it.effect("fails to build if no connection opens, and says what to do", () =>
      Effect.gen(function*() {
        const seen = yield* Effect.forEach([
          { user: "ann", password: Redacted.make("wr0ng") },
          { database: "nowhere" },
          { host: "nowhere.invalid" }
        ], (options) => reason(built(options)))
        assert.deepStrictEqual(seen.map(({ _tag }) => _tag), ["AuthenticationError", "UnknownError", "ConnectionError"])
        assert.include(seen[0]?.message, "Check the options `user` and `password`")
        assert.include(seen[1]?.message, "Create it, or correct the option `database`")
        assert.include(seen[2]?.message, "Check the option `host`")
        assert.notInclude(inspect(seen, { depth: 9, showHidden: true }), "wr0ng")
      }))

    it.effect.each<[string, any]>([
      ["url", { url: Redacted.make("mysql://ann:s3cret@host/db") }],
      ["port", { port: 0 }],
      ["max", { max: 0 }],
      ["min", { min: -1 }],
      ["acquireTimeout", { acquireTimeout: "soon" }],
      ["keepAlive", { keepAlive: 0 }],
      ["backoff.max", { backoff: { max: 0 } }],
      ["reset", { reset: 1 }],
      ["options", { maxConnections: 3 }]
    ])("fails with a typed error that names the wrong option `%s`", ([name, options]) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(built(options))
        assert.strictEqual(error.reason._tag, "UnknownError")
        assert.isFalse(error.isRetryable)
        assert.include(error.message, `\`${name}\``)
        assert.notInclude(inspect(error, { depth: 9 }), "s3cret")
      }))

    it.effect("takes its options from configuration", () =>
      Effect.gen(function*() {
        const { port } = yield* Own
        const url = `postgresql://ann:s3cret@127.0.0.1:${port}/postgres`
        assert.deepStrictEqual(yield* configured({ DATABASE_URL: url, DATABASE_MAX: 2 }), [{ who: "ann" }])
        assert.strictEqual((yield* Effect.flip(configured({ DATABASE_MAX: 2 })))._tag, "ConfigError")
        assert.strictEqual((yield* Effect.flip(configured({ DATABASE_URL: url, DATABASE_MAX: 0 })))._tag, "SqlError")
      }))

    it.effect("goes on with another password after a refresh", () =>
      Effect.gen(function*() {
        const own = yield* Own
        let current = "s3cret"
        const password: Credential.Credential = {
          name: "database",
          open: Effect.succeed({
            identity: Effect.succeed({
              name: "database",
              group: "database",
              lease: Effect.sync(() => Redacted.make(current))
            })
          })
        }
        const { host, port } = own
        yield* Effect.gen(function*() {
          const client = yield* sql
          const pid = Effect.map(client<{ pid: number }>`SELECT pg_backend_pid() AS pid`, ([row]) => row?.pid)
          const first = yield* pid
          yield* Effect.promise(() => Postgres.query(own, "ALTER ROLE ann PASSWORD 'n3w'"))
          current = "n3w"
          assert.strictEqual(yield* pid, first)
          yield* NodePostgres.PostgresPool.use(({ refresh }) => refresh)
          assert.notStrictEqual(yield* pid, first)
        }).pipe(Effect.provide(NodePostgres.layer({ host, port, user: "ann", database: "postgres", password, max: 1 })))
        yield* Effect.promise(() => Postgres.query(own, "ALTER ROLE ann PASSWORD 's3cret'"))
      }))

    it.effect("closes while its server is frozen, in time", () =>
      Effect.gen(function*() {
        const { freeze, host, port, thaw, user } = yield* Own
        const options = {
          host,
          port,
          user,
          database: "postgres",
          closeTimeout: "200 millis",
          cancelTimeout: "200 millis"
        } as const
        const [duration] = yield* Effect.timed(
          Effect.flatMap(sql, (client) =>
            Effect.gen(function*() {
              yield* client.withTransaction(client`SELECT 1`)
              yield* freeze
              const error = yield* Effect.flip(Deadline.within(client`SELECT 1`, "100 millis"))
              assert.strictEqual(error._tag, "DeadlineExceeded")
            })).pipe(Effect.provide(NodePostgres.layer({ ...options, max: 2 })), Effect.ensuring(thaw))
        )
        assert.isBelow(Duration.toMillis(duration), 8000)
      }))
  })
})
