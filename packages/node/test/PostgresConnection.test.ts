/** One connection to a real server, without the pool. */
import * as Credential from "@clawback/core/Credential"
import * as Deadline from "@clawback/core/Deadline"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import { assert, describe, it, layer } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Redacted, Stream } from "effect"
import type { SqlError } from "effect/sql"
import * as Net from "node:net"
import { inspect } from "node:util"
import * as Postgres from "../../../test/support/postgres.ts"
import * as Cancel from "../src/internal/postgres/cancel.ts"
import { open } from "../src/internal/postgres/open.ts"
import { type Options, settings } from "../src/internal/postgres/options.ts"
import { Statements } from "../src/internal/postgres/statements.ts"
import { selfSigned } from "./certificate.ts"
import * as Servers from "./Servers.ts"

/** The server of these tests. */
class Own extends Context.Service<Own, Postgres.Server>()("@clawback/node/test/PostgresConnection.test/Own") {
  static readonly layer = Layer.effect(
    Own,
    Postgres.start({ passwords: { ann: "s3cret" }, certificate: selfSigned("localhost") })
  )
}

const connect = (options: Options = {}) =>
  Effect.gen(function*() {
    const { host, port, user } = yield* Own
    const checked = yield* settings({ host, port, user, database: "postgres", ...options })
    const connection = yield* open(checked)
    return new Statements(connection, checked.statementTimeout, "postgres")
  })

/** What the server says about a connection, or nothing if it has closed it. */
const activity = ({ connection: { processId } }: Statements) =>
  Effect.flatMap(
    Own,
    (own) =>
      Effect.promise(() =>
        Postgres.query(own, `SELECT state, query, application_name FROM pg_stat_activity WHERE pid = ${processId}`)
      )
  ).pipe(Effect.map(([row]) => row))

const until = <A, R>(look: Effect.Effect<A, never, R>, isExpected: (seen: A) => boolean): Effect.Effect<A, never, R> =>
  Effect.flatMap(
    look,
    (seen) => isExpected(seen) ? Effect.succeed(seen) : Effect.andThen(Effect.sleep(5), until(look, isExpected))
  )

const rows = (statements: Statements, text: string, values: ReadonlyArray<unknown> = []) =>
  statements.execute(text, values, undefined)

const ready = (statements: Statements) =>
  Effect.map(rows(statements, "SELECT pg_backend_pid() AS pid"), ([{ pid }]) => {
    assert.strictEqual(pid, statements.connection.processId)
  })

const reason = <A, R>(effect: Effect.Effect<A, SqlError.SqlError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

const elapsed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([duration, value]) => [Duration.toMillis(duration), value] as const)

const sleeping = (statements: Statements) => until(activity(statements), (row) => row?.["state"] === "active")

/** Why a connection does not open. */
const refusal = (options: Options) => Effect.scoped(reason(connect(options)))

/** The same for a server that answers a request for TLS with these bytes. */
const answering = (bytes: string) =>
  Effect.flatMap(
    Servers.tcp((socket) => socket.once("data", () => socket.write(bytes)).resume()),
    ({ port }) => refusal({ host: "127.0.0.1", port, tls: true })
  )

/** A proxy of the server that holds each request to cancel back, or swallows it. Such a request is the only packet of 16 bytes. */
const delayingCancels = (delay: Duration.Input | "never") =>
  Effect.gen(function*() {
    const own = yield* Own
    const runFork = Effect.runForkWith(yield* Effect.context<never>())
    return yield* Servers.tcp((socket) => {
      const upstream = Net.connect(own.port, own.host).on("error", () => {})
      socket.once("data", (packet) => {
        const isCancel = packet.length === 16
        // Once sent, such a request is not taken back.
        if (!isCancel) socket.on("close", () => upstream.destroy())
        const forward = Effect.sync(() => {
          upstream.write(packet)
          socket.pipe(upstream)
          upstream.pipe(socket)
        })
        if (!isCancel) runFork(forward)
        else if (delay !== "never") runFork(Effect.delay(forward, delay))
      })
    })
  })

const url = (text: string) => ({ url: Redacted.make(text) })

const inTransaction = (statements: Statements) =>
  Effect.andThen(rows(statements, "BEGIN"), rows(statements, "SELECT 1"))

describe.skipIf(!Postgres.isInstalled)("one connection to PostgreSQL", () => {
  layer(Own.layer, { excludeTestServices: true, timeout: 20_000 })((it) => {
    it.effect("cancels an interrupted statement at the server, and goes on", () =>
      Effect.gen(function*() {
        const statements = yield* connect()
        const fiber = yield* Effect.forkChild(rows(statements, "SELECT pg_sleep(60)"))
        yield* sleeping(statements)
        const [millis] = yield* elapsed(Fiber.interrupt(fiber))
        assert.isBelow(millis, 1500)
        assert.isTrue(statements.connection.isReusable)
        assert.strictEqual((yield* activity(statements))?.["state"], "idle")
        yield* ready(statements)
      }))

    it.effect("cancels a statement that takes too long, and says so", () =>
      Effect.gen(function*() {
        const statements = yield* connect({ statementTimeout: "100 millis" })
        const error = yield* reason(rows(statements, "SELECT pg_sleep(60)"))
        assert.strictEqual(error._tag, "StatementTimeoutError")
        assert.include(error.message, "did not end within 100ms")
        assert.isTrue(statements.connection.isReusable)
        yield* ready(statements)
      }))

    it.effect("gives the server the same limits, a little later", () =>
      Effect.gen(function*() {
        const statements = yield* connect({ statementTimeout: "3 seconds", transactionTimeout: "1 minute" })
        const limits = rows(
          statements,
          "SELECT name, setting FROM pg_settings WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout') ORDER BY name"
        )
        assert.deepStrictEqual(
          (yield* limits).map(({ setting }) => setting),
          ["62000", "5000"]
        )
        const free = yield* connect({ statementTimeout: "Infinity", transactionTimeout: "Infinity" })
        assert.deepStrictEqual(yield* rows(free, "SHOW statement_timeout"), [{ statement_timeout: "0" }])
      }))

    it.effect("ends with the deadline around it", () =>
      Effect.gen(function*() {
        const statements = yield* connect()
        const error = yield* Effect.flip(Deadline.within(rows(statements, "SELECT pg_sleep(60)"), "100 millis"))
        assert.strictEqual(error._tag, "DeadlineExceeded")
        assert.isTrue(statements.connection.isReusable)
        yield* ready(statements)
      }))

    it.effect("knows the state of its transaction, and rolls it back after an interruption", () =>
      Effect.gen(function*() {
        const statements = yield* connect()
        yield* inTransaction(statements)
        assert.isTrue(statements.connection.isInTransaction)
        assert.isFalse(statements.connection.isReusable)
        const fiber = yield* Effect.forkChild(rows(statements, "SELECT pg_sleep(60)"))
        yield* sleeping(statements)
        yield* Fiber.interrupt(fiber)
        assert.isTrue(statements.connection.isInTransaction)
        yield* statements.rollback
        assert.isTrue(statements.connection.isReusable)
        yield* ready(statements)
      }))

    it.effect("never lets a late cancellation hit the next statement", () =>
      Effect.gen(function*() {
        const statements = yield* connect()
        for (let i = 0; i < 60; i++) {
          const fiber = yield* Effect.forkChild(rows(statements, `SELECT pg_sleep(${(i % 12) / 4000})`))
          yield* Effect.sleep((i % 7) / 2)
          yield* Fiber.interrupt(fiber)
          yield* ready(statements)
        }
      }))

    it.effect("waits for a request to cancel that arrives after its statement has ended", () =>
      Effect.gen(function*() {
        const { port } = yield* delayingCancels("300 millis")
        const statements = yield* connect({ port })
        const fiber = yield* Effect.forkChild(rows(statements, "SELECT pg_sleep(0.1)"))
        yield* sleeping(statements)
        yield* Fiber.interrupt(fiber)
        yield* rows(statements, "SELECT pg_sleep(0.5)")
        yield* ready(statements)
      }))

    it.effect("has a session for the connection that cancels, which ends in time although the server never answers", () =>
      Effect.gen(function*() {
        const proxy = yield* delayingCancels("never")
        const statements = yield* connect({ port: proxy.port, cancelTimeout: "400 millis" })
        const fiber = yield* Effect.forkChild(rows(statements, "SELECT pg_sleep(60)"))
        yield* sleeping(statements)
        const interruption = yield* Effect.forkChild(elapsed(Fiber.interrupt(fiber)))
        const [session] = yield* until(SessionRegistry.list({ kind: "connection" }), ({ length }) => length === 1)
        assert.deepInclude(session, { name: `127.0.0.1:${proxy.port}`, attributes: { request: "cancel" } })
        yield* until(Effect.sync(() => proxy.sockets.size), (size) => size === 2)
        const [millis] = yield* Fiber.join(interruption)
        assert.isBelow(millis, 1500)
        assert.isFalse(statements.connection.isOpen)
        assert.deepStrictEqual(yield* SessionRegistry.counts, {})
        yield* until(Effect.sync(() => proxy.sockets.size), (size) => size === 0)
      }).pipe(Effect.provide(SessionRegistry.layer())))

    it.effect("runs one statement at a time, and an interrupted one that waits is never sent", () =>
      Effect.gen(function*() {
        const statements = yield* connect()
        yield* rows(statements, "CREATE TEMP TABLE marks (mark int)")
        const slow = yield* Effect.forkChild(rows(statements, "SELECT pg_sleep(0.2)"))
        const waiting = yield* Effect.forkChild(rows(statements, "INSERT INTO marks VALUES (1)"))
        const other = yield* Effect.forkChild(rows(statements, "INSERT INTO marks VALUES (2)"))
        yield* sleeping(statements)
        yield* Fiber.interrupt(waiting)
        yield* Fiber.join(slow)
        yield* Fiber.join(other)
        assert.deepStrictEqual(yield* rows(statements, "SELECT mark FROM marks"), [{ mark: 2 }])
      }))

    it.effect("is destroyed if a frozen server does not confirm a cancellation in time", () =>
      Effect.gen(function*() {
        const { freeze, thaw } = yield* Own
        const statements = yield* connect({ cancelTimeout: "200 millis", closeTimeout: "100 millis" })
        const fiber = yield* Effect.forkChild(rows(statements, "SELECT pg_sleep(60)"))
        yield* sleeping(statements)
        yield* Effect.acquireRelease(freeze, () => thaw)
        const [millis] = yield* elapsed(Fiber.interrupt(fiber))
        assert.isBelow(millis, 1500)
        assert.isFalse(statements.connection.isOpen)
        const error = yield* reason(rows(statements, "SELECT 1"))
        assert.strictEqual(error._tag, "ConnectionError")
        assert.include(error.message, "did not end an interrupted statement within 200ms")
        yield* thaw
        yield* until(activity(statements), (row) => row === undefined)
      }).pipe(Effect.scoped))

    it.effect("is destroyed if a frozen server does not roll back in time", () =>
      Effect.gen(function*() {
        const { freeze, thaw } = yield* Own
        const statements = yield* connect({ cancelTimeout: "200 millis", closeTimeout: "100 millis" })
        yield* inTransaction(statements)
        yield* Effect.acquireRelease(freeze, () => thaw)
        yield* statements.rollback
        assert.isFalse(statements.connection.isOpen)
        assert.isFalse(statements.connection.isInTransaction)
        yield* thaw
        yield* until(activity(statements), (row) => row === undefined)
      }).pipe(Effect.scoped))

    it.effect("notices between statements that the server has closed it", () =>
      Effect.gen(function*() {
        const own = yield* Own
        const statements = yield* connect()
        const lost = Effect.callback<void>((resume) => statements.connection.whenLost(() => resume(Effect.void)))
        const fiber = yield* Effect.forkChild(lost)
        yield* Effect.promise(() =>
          Postgres.query(own, `SELECT pg_terminate_backend(${statements.connection.processId})`)
        )
        yield* Fiber.join(fiber)
        yield* lost
        const error = yield* reason(rows(statements, "SELECT 1"))
        assert.strictEqual(error._tag, "ConnectionError")
        assert.include(error.message, "terminating connection due to administrator command")
      }))

    it.effect("fails a statement whose connection the server closes", () =>
      Effect.gen(function*() {
        const own = yield* Own
        const statements = yield* connect()
        const fiber = yield* Effect.forkChild(reason(rows(statements, "SELECT pg_sleep(60)")))
        yield* sleeping(statements)
        yield* Effect.promise(() =>
          Postgres.query(own, `SELECT pg_terminate_backend(${statements.connection.processId})`)
        )
        const error = yield* Fiber.join(fiber)
        assert.strictEqual(error._tag, "ConnectionError")
        assert.include(error.message, "57P01")
      }))

    it.effect("closes with its scope, and the server sees it", () =>
      Effect.gen(function*() {
        const statements = yield* Effect.scoped(Effect.tap(connect(), ready))
        assert.isFalse(statements.connection.isOpen)
        assert.isUndefined(yield* activity(statements))
      }))

    it.effect("has the reason of an error by its SQLSTATE", () =>
      Effect.gen(function*() {
        const statements = yield* connect()
        yield* rows(
          statements,
          "CREATE TEMP TABLE things (id int PRIMARY KEY, size int CHECK (size > 0), other int REFERENCES things)"
        )
        yield* rows(statements, "INSERT INTO things VALUES (1, 1, NULL)")
        const seen = yield* Effect.forEach([
          "SELEC 1",
          "SELECT nothing",
          "INSERT INTO things VALUES (1, 1, NULL)",
          "INSERT INTO things VALUES (2, 0, NULL)",
          "SELECT 1 / 0",
          "DO $$ BEGIN RAISE SQLSTATE '40001'; END $$",
          "DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$",
          "DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$",
          "DO $$ BEGIN RAISE SQLSTATE '42501'; END $$"
        ], (text) => Effect.map(reason(rows(statements, text)), ({ _tag }) => _tag))
        assert.deepStrictEqual(seen, [
          "SqlSyntaxError",
          "SqlSyntaxError",
          "UniqueViolation",
          "ConstraintError",
          "UnknownError",
          "SerializationError",
          "DeadlockError",
          "LockTimeoutError",
          "AuthorizationError"
        ])
        const unique = yield* reason(rows(statements, "INSERT INTO things VALUES (1, 1, NULL)"))
        assert.deepInclude(unique, { constraint: "things_pkey" })
        assert.include(unique.message, "(23505)")
        yield* ready(statements)
      }))

    it.effect("fails a statement with a parameter that cannot be written, and goes on", () =>
      Effect.gen(function*() {
        const statements = yield* connect()
        const circular: Record<string, unknown> = {}
        circular["self"] = circular
        const error = yield* reason(rows(statements, "SELECT $1::text", [circular]))
        assert.include(error.message, "circular")
        yield* ready(statements)
        const streamed = Stream.runDrain(statements.executeStream("SELECT $1::text", [circular], undefined))
        assert.include((yield* reason(streamed)).message, "circular")
        yield* ready(statements)
      }))

    it.effect("streams rows in batches, in a transaction of their own", () =>
      Effect.gen(function*() {
        const statements = yield* connect()
        const sizes: Array<number> = []
        const states: Array<unknown> = []
        const numbers = statements.executeStream("SELECT n FROM generate_series(1, $1::int) AS n", [1000], undefined)
        yield* Stream.runForEachArray(numbers, (batch) =>
          Effect.gen(function*() {
            sizes.push(batch.length)
            states.push((yield* activity(statements))?.["state"])
          }))
        assert.strictEqual(sizes.reduce((sum, size) => sum + size), 1000)
        assert.isAtMost(Math.max(...sizes), 128)
        assert.isTrue(states.slice(0, -1).every((state) => state === "idle in transaction"), states.join())
        assert.isTrue(statements.connection.isReusable)
        assert.deepStrictEqual(
          yield* Stream.runCollect(statements.executeStream("SELECT 1 AS n LIMIT 0", [], undefined)),
          []
        )
        yield* ready(statements)
      }))

    it.effect("reads no further than a stream's reader, and leaves nothing when that stops", () =>
      Effect.gen(function*() {
        const statements = yield* connect()
        yield* rows(statements, "CREATE TEMP SEQUENCE seen")
        const endless = statements.executeStream(
          "SELECT nextval('seen') AS n FROM generate_series(1, 1000000)",
          [],
          undefined
        )
        assert.strictEqual((yield* Stream.runCollect(Stream.take(endless, 3))).length, 3)
        assert.isTrue(statements.connection.isReusable)
        assert.deepStrictEqual(yield* rows(statements, "SELECT last_value FROM seen"), [{ last_value: "128" }])
      }))

    it.effect("cancels a stream that is interrupted while it waits for rows", () =>
      Effect.gen(function*() {
        const statements = yield* connect()
        const fiber = yield* Effect.forkChild(
          Stream.runDrain(statements.executeStream("SELECT pg_sleep(60)", [], undefined))
        )
        yield* sleeping(statements)
        yield* Fiber.interrupt(fiber)
        assert.isTrue(statements.connection.isReusable)
        yield* ready(statements)
      }))

    it.effect("limits the time of each batch", () =>
      Effect.gen(function*() {
        const statements = yield* connect({ statementTimeout: "100 millis" })
        const slow = statements.executeStream("SELECT pg_sleep(60)", [], undefined)
        assert.strictEqual((yield* reason(Stream.runDrain(slow)))._tag, "StatementTimeoutError")
        assert.isTrue(statements.connection.isReusable)
      }))

    it.effect("fails a stream at its failing row, after those before it", () =>
      Effect.gen(function*() {
        const statements = yield* connect()
        let seen = 0
        const failing = statements.executeStream(
          "SELECT 1 / (300 - n) FROM generate_series(1, 1000) AS n",
          [],
          undefined
        )
        const error = yield* reason(Stream.runForEach(failing, () => Effect.sync(() => seen++)))
        assert.include(error.message, "(22012)")
        assert.strictEqual(seen, 256)
        yield* ready(statements)
        const wrong = statements.executeStream("COPY pg_class FROM STDIN", [], undefined)
        assert.include((yield* reason(Stream.runDrain(wrong))).message, "no rows to copy")
        yield* ready(statements)
      }))

    it.effect("runs other statements of a transaction between the batches of its stream", () =>
      Effect.gen(function*() {
        const statements = yield* connect()
        yield* inTransaction(statements)
        const numbers = statements.executeStream("SELECT n FROM generate_series(1, 300) AS n", [], undefined)
        const doubled = Stream.mapEffect(numbers, ({ n }) => rows(statements, "SELECT $1::int * 2 AS n", [n]))
        const all = yield* Stream.runCollect(doubled)
        assert.deepStrictEqual(all.at(-1), [{ n: 600 }])
        // A stream that is not read to its end leaves its transaction as it was.
        yield* Stream.runDrain(Stream.take(numbers, 1))
        assert.deepStrictEqual(
          yield* rows(statements, "SELECT count(*)::int AS open FROM pg_cursors WHERE name <> ''"),
          [{ open: 0 }]
        )
        yield* statements.commit
        assert.isTrue(statements.connection.isReusable)
      }))

    it.effect("says so if a commit rolls back", () =>
      Effect.gen(function*() {
        const statements = yield* connect()
        yield* inTransaction(statements)
        yield* Effect.flip(rows(statements, "SELECT 1 / 0"))
        assert.include((yield* reason(statements.commit)).message, "rolled back instead of committed")
        yield* ready(statements)
      }))
  })
})

const sendCancel = (port: number) =>
  Cancel.send({
    address: { host: "127.0.0.1", port, tls: undefined },
    key: { processId: 1, secret: 1 },
    isWanted: () => true,
    onSend: () => {}
  })

describe("a request to cancel", () => {
  it.live.each<[string, (fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<unknown>]>([
    ["interrupted", Fiber.interrupt],
    ["revoked", () => SessionRegistry.revoke({ kind: "connection" }, { reason: "by a test" })]
  ])("leaves neither socket nor session when it is %s", ([, end]) =>
    Effect.gen(function*() {
      const mute = yield* Servers.tcp((socket) => socket.resume())
      const fiber = yield* Effect.forkChild(Effect.exit(sendCancel(mute.port)))
      yield* until(Effect.sync(() => mute.sockets.size), (size) => size === 1)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 1 })
      yield* end(fiber)
      yield* Fiber.await(fiber)
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
      yield* until(Effect.sync(() => mute.sockets.size), (size) => size === 0)
    }).pipe(Effect.provide(SessionRegistry.layer()), Effect.scoped))
})

describe.skipIf(!Postgres.isInstalled)("opening a connection to PostgreSQL", () => {
  layer(Own.layer, { excludeTestServices: true, timeout: 20_000 })((it) => {
    it.effect("says what to do if it fails", () =>
      Effect.gen(function*() {
        const { port } = yield* Own
        const free = yield* Effect.scoped(Effect.map(Servers.tcp(() => {}), ({ port }) => port))
        const seen = yield* Effect.forEach([
          { user: "ann", password: Redacted.make("wr0ng") },
          { user: "ann" },
          { user: "bob" },
          { database: "nowhere" },
          { port: free },
          { host: "nowhere.invalid" },
          { host: "/nowhere" },
          { parameters: { nothing_such: "1" } }
        ], (options) => Effect.map(refusal(options), ({ _tag, message }) => `${_tag}: ${message}`))
        assert.deepStrictEqual(seen, [
          `AuthenticationError: 127.0.0.1:${port} rejected the password of the user "ann". Check the options \`user\` and ` +
          "`password`. The server's words: password authentication failed for user \"ann\" (28P01)",
          `AuthenticationError: 127.0.0.1:${port} asks for a password of the user "ann". Give the option \`password\`.`,
          `AuthenticationError: 127.0.0.1:${port} does not admit the user "bob". Check the option \`user\`, and pg_hba.conf of ` +
          "the server. The server's words: role \"bob\" does not exist (28000)",
          `UnknownError: 127.0.0.1:${port} has no database "nowhere". Create it, or correct the option \`database\`. ` +
          "The server's words: database \"nowhere\" does not exist (3D000)",
          `ConnectionError: Nothing listens at 127.0.0.1:${free}. Check the options \`host\` and \`port\`, and whether PostgreSQL runs.`,
          "ConnectionError: The host name nowhere.invalid has no address. Check the option `host`.",
          `ConnectionError: There is no socket at /nowhere/.s.PGSQL.${port}. Check the options \`host\` and \`port\`, and whether ` +
          "PostgreSQL runs.",
          `SqlSyntaxError: No connection to 127.0.0.1:${port}: unrecognized configuration parameter "nothing_such" (42704)`
        ])
      }))

    it.effect("looks its password up each time, and keeps it nowhere", () =>
      Effect.gen(function*() {
        const passwords = ["wr0ng", "s3cret"]
        const lease = Effect.sync(() => Redacted.make(passwords.shift() ?? ""))
        const password: Credential.Credential = {
          name: "database",
          open: Effect.succeed({ identity: Effect.succeed({ name: "database", group: "database", lease }) })
        }
        const options = { user: "ann", password }
        const error = yield* refusal(options)
        assert.strictEqual(error._tag, "AuthenticationError")
        const statements = yield* connect(options)
        yield* ready(statements)
        for (
          const shown of [
            inspect(error, { depth: 9, showHidden: true }),
            JSON.stringify(error),
            inspect(statements, { depth: 9, showHidden: true })
          ]
        ) {
          assert.notInclude(shown, "wr0ng")
          assert.notInclude(shown, "s3cret")
        }
      }))

    it.effect("fails if the password cannot be looked up", () =>
      Effect.gen(function*() {
        const error = yield* refusal({ password: Credential.config("NO_SUCH_PASSWORD") })
        assert.strictEqual(error._tag, "AuthenticationError")
        assert.include(error.message, "NO_SUCH_PASSWORD")
      }))

    it.effect("takes a URL, whose parts the other options replace", () =>
      Effect.gen(function*() {
        const { port } = yield* Own
        const url = Redacted.make(`postgresql://ann:s3cret@127.0.0.1:${port}/nowhere?application_name=reports`)
        const checked = yield* settings({ url, database: "postgres" })
        const statements = new Statements(yield* open(checked), checked.statementTimeout, "postgres")
        const [row] = yield* rows(statements, "SELECT current_user AS who, current_setting('application_name') AS what")
        assert.deepStrictEqual(row, { who: "ann", what: "reports" })
      }))

    it.effect("encrypts the connection and its cancellation, and verifies the server", () =>
      Effect.gen(function*() {
        const own = yield* Own
        const [{ certificate }] = yield* Effect.promise(() =>
          Postgres.query(own, "SELECT pg_read_file(current_setting('ssl_cert_file')) AS certificate")
        ) as Effect.Effect<[{ certificate: string }]>
        const tls = { ca: certificate, servername: "localhost" }
        const statements = yield* connect({ tls })
        const encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert.deepStrictEqual(yield* rows(statements, encrypted), [{ ssl: true }])
        assert.deepStrictEqual(yield* rows(yield* connect(), encrypted), [{ ssl: false }])
        const fiber = yield* Effect.forkChild(rows(statements, "SELECT pg_sleep(60)"))
        yield* sleeping(statements)
        yield* Fiber.interrupt(fiber)
        assert.isTrue(statements.connection.isReusable)
        yield* ready(statements)
        const untrusted = yield* refusal({ tls: true })
        assert.strictEqual(untrusted._tag, "ConnectionError")
        assert.include(untrusted.message, "self-signed")
      }))

    it.effect("uses the socket of a folder", () =>
      Effect.gen(function*() {
        const own = yield* Own
        const [row] = yield* Effect.promise(() => Postgres.query(own, "SHOW unix_socket_directories"))
        yield* ready(yield* connect({ host: row?.["unix_socket_directories"] }))
      }))

    it.effect("gives up in time, and leaves no socket, whatever the server does", () =>
      Effect.gen(function*() {
        const mute = yield* Servers.tcp((socket) => socket.resume())
        const sslOnly = yield* Servers.tcp((socket) => socket.once("data", () => socket.write("S")).resume())
        for (const [options, server] of [[{}, mute], [{ tls: true }, mute], [{ tls: true }, sslOnly]] as const) {
          const [millis, error] = yield* elapsed(
            refusal({ ...options, host: "127.0.0.1", port: server.port, connectTimeout: "100 millis" })
          )
          assert.strictEqual(error._tag, "ConnectionError")
          assert.include(error.message, "did not open a connection within 100ms")
          assert.isBelow(millis, 1000)
          yield* until(Effect.sync(() => server.sockets.size), (size) => size === 0)
        }
      }))

    it.effect("leaves no socket when it is interrupted, at any moment", () =>
      Effect.gen(function*() {
        const own = yield* Own
        for (let i = 0; i < 40; i++) {
          const fiber = yield* Effect.forkChild(Effect.scoped(connect({ applicationName: "short" })))
          yield* Effect.sleep(i / 8)
          yield* Fiber.interrupt(fiber)
        }
        const left = Effect.promise(() =>
          Postgres.query(own, "SELECT pid FROM pg_stat_activity WHERE application_name = 'short'")
        )
        yield* until(left, (rows) => rows.length === 0)
      }))

    it.effect("refuses a server without TLS, or with another answer than PostgreSQL's", () =>
      Effect.gen(function*() {
        assert.include((yield* answering("N")).message, "does not offer TLS")
        assert.include((yield* answering("Sx")).message, "is not PostgreSQL's")
        assert.include((yield* answering("HTTP/1.1 400 Bad Request")).message, "is not PostgreSQL's")
      }))
  })
})

describe("a wrong option of a connection to PostgreSQL", () => {
  it.effect.each<[string, any]>([
    ["url", url("mysql://user:s3cret@host/db")],
    ["url", url("postgres://user:%s3cret@host/db")],
    ["url", url("s3cret")],
    ["url", url("postgres://user:s3cret@host/db?sslmode=prefer")],
    ["url", url("postgres://user:s3cret@host/db?schema=public")],
    ["url", { url: "postgres://user:s3cret@host/db" }],
    ["host", { host: "" }],
    ["port", { port: 70_000 }],
    ["user", { user: "a\0b" }],
    ["database", { database: "" }],
    ["password", { password: "s3cret" }],
    ["tls", { tls: { cert: "s3cret" } }],
    ["applicationName", { applicationName: 1 }],
    ["parameters", { parameters: { "no name": "1" } }],
    ["parameters.work_mem", { parameters: { work_mem: 1 } }],
    ["connectTimeout", { connectTimeout: 0 }],
    ["statementTimeout", { statementTimeout: -1 }],
    ["transactionTimeout", { transactionTimeout: "soon" }],
    ["clientCheckInterval", { clientCheckInterval: 0 }],
    ["cancelTimeout", { cancelTimeout: "Infinity" }],
    ["closeTimeout", { closeTimeout: NaN }]
  ])("`%s` is a RangeError that names it and quotes no secret", ([name, options]) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(settings(options)))
      assert(Exit.isFailure(exit))
      const error = Cause.squash(exit.cause)
      assert.instanceOf(error, RangeError)
      assert.include(error.message, `\`${name}\``)
      assert.notInclude(inspect(error), "s3cret")
    }))
})
