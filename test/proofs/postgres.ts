/**
 * `NodePostgres` keeps its limits and comes back, whatever its users and its server do.
 *
 * `npm run prove -- postgres [--scale small|full]`, with a server of our own that allows 20 connections, and a pool of 12. 200
 * users call it with deadlines and interruptions at random moments: statements, streams, and transactions that move money
 * between accounts. Meanwhile the server is restarted, and all of its processes are suspended and resumed. An observer on a
 * connection that is reserved for superusers counts what the server has. Full does both five times.
 * - Every call ends with a result or a typed error by its deadline, plus the time that a cancellation may take.
 * - The server never has more connections of the pool than 12, but for those that the pool had to give up while the server
 *   was suspended. A second after it is resumed, there are at most 12 again. It never rejects a connection as one too many.
 * - Calls succeed as before within five seconds after a restart and after a suspension.
 * - In the end, no connection is in a transaction, no money is lost, and the pool's connections close.
 */
import { SessionRegistry } from "@clawback/core"
import * as NodePostgres from "@clawback/node/NodePostgres"
import { Console, Effect, Fiber, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { Client } from "pg"
import * as Users from "../support/databaseUsers.ts"
import { now } from "../support/monotonic.ts"
import * as Postgres from "../support/postgres.ts"
import * as Proof from "../support/proof.ts"
import { seeded } from "../support/random.ts"
import { scale } from "../support/scale.ts"
import { median } from "../support/slope.ts"

const isSmall = scale() === "small"
const users = 200
const max = 12
const rounds = isSmall ? 1 : 5
const suspension = isSmall ? 1500 : 4000
const cancelTimeout = 300
/** How late a call may end beyond that, on a machine that keeps time. */
const tolerance = 150
/** How often calls are counted, and how many must succeed in that time for a recovery: a half of what did before. */
const window = 250

/** Counts the connections of a user at the server, on a connection of its own that is opened again if it is lost. */
const observe = (server: Postgres.Server, onCount: (connections: number, at: number) => void) => {
  const connect = Effect.acquireRelease(
    Effect.sync(() => new Client({ host: server.host, port: server.port, user: "postgres", database: "postgres" })),
    (client) => Effect.promise(() => client.end().catch(() => {}))
  )
  const count = (client: Client) =>
    Effect.map(
      Effect.tryPromise(() =>
        client.query("SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename = 'app'")
      ),
      ({ rows: [{ count }] }) => onCount(count, now())
    )
  const counting = Effect.scoped(Effect.gen(function*() {
    const client = yield* connect
    client.on("error", () => {})
    yield* Effect.tryPromise(() => client.connect())
    return yield* Effect.forever(Effect.andThen(count(client), Effect.sleep(10)))
  }))
  return Effect.forever(Effect.andThen(Effect.exit(counting), Effect.sleep(20)))
}

/** The longest time that the process did not come back to its timers. */
const pauses = () => {
  let worst = 0
  const watch = Effect.suspend(() => {
    const since = now()
    return Effect.map(Effect.sleep(10), () => void (worst = Math.max(worst, now() - since - 10)))
  })
  return { watch: Effect.forever(watch), worst: () => worst }
}

const program = Effect.gen(function*() {
  const server = yield* Postgres.start({ settings: { max_connections: 20, superuser_reserved_connections: 3 } })
  const query = (text: string) => Effect.promise(() => Postgres.query(server, text))
  yield* query(
    `CREATE ROLE app LOGIN; CREATE TABLE accounts (id int PRIMARY KEY, money int NOT NULL);
     INSERT INTO accounts SELECT id, 100 FROM generate_series(1, ${Users.accounts}) AS id; GRANT ALL ON accounts TO app`
  )

  const counts: Array<{ readonly connections: number; readonly at: number }> = []
  yield* Effect.forkScoped(observe(server, (connections, at) => counts.push({ connections, at })))
  const { watch, worst } = pauses()
  yield* Effect.forkScoped(watch)

  /** When connections, and attempts at one, have ended. */
  const ended: Array<number> = []
  yield* SessionRegistry.changes.pipe(
    Stream.runForEach((change) =>
      Effect.sync(() => {
        if (change._tag === "Closed" && change.session.kind === "resource") ended.push(now())
      })
    ),
    Effect.forkScoped
  )

  const results: Array<Users.Result> = []
  const database = NodePostgres.layer({
    host: server.host,
    port: server.port,
    user: "app",
    database: "postgres",
    max,
    cancelTimeout,
    connectTimeout: "500 millis",
    acquireTimeout: "2 seconds",
    transactionTimeout: "5 seconds",
    validateBypass: "100 millis"
  })

  /** Successful calls in each window from a moment on. */
  const successes = (from: number, to: number) => {
    const windows = Array.from({ length: Math.floor((to - from) / window) }, () => 0)
    for (const { at, kind } of results) {
      const index = Math.floor((at - from) / window)
      if (kind === "ok" && index >= 0 && index < windows.length) windows[index] = (windows[index] ?? 0) + 1
    }
    return windows
  }

  const observed = yield* Effect.gen(function*() {
    const client = yield* SqlClient.SqlClient
    const random = seeded(0x9057)
    let isOver = false
    const all = yield* Effect.forkChild(
      Effect.forEach(
        Array.from({ length: users }),
        () => Users.user(client, random, () => isOver, (result) => results.push(result)),
        { concurrency: "unbounded", discard: true }
      )
    )
    yield* Effect.sleep(500)
    const begun = now()
    yield* Effect.sleep(1500)
    const usual = median(successes(begun, now()))
    /** How long it takes from now until as many calls succeed as before. */
    const recovery = Effect.gen(function*() {
      const since = now()
      for (;;) {
        yield* Effect.sleep(window)
        const at = now()
        const [recent = 0] = successes(at - window, at + 1)
        if (recent >= usual / 2) return at - since
        if (at - since > 10_000) return Infinity
      }
    })
    const parts = []
    for (let round = 0; round < rounds; round++) {
      yield* server.restart
      const afterRestart = yield* recovery
      yield* Effect.sleep(500)

      const suspended = now()
      yield* server.freeze
      yield* Effect.sleep(suspension)
      const resumed = now()
      yield* server.thaw
      const afterSuspension = yield* recovery
      yield* Effect.sleep(1000)
      const during = counts.filter(({ at }) => at > suspended)
      const above = Math.max(0, Math.max(...during.map(({ connections }) => connections)) - max)
      /** How often the observer has counted in the second after. */
      const looks = during.filter(({ at }) => at > resumed && at < resumed + 1000).length
      const last = during.findLast(({ connections }) => connections > max)
      const givenUp = ended.filter((at) => at > suspended && at <= resumed + cancelTimeout).length
      const part = {
        afterRestart: Math.round(afterRestart),
        afterSuspension: Math.round(afterSuspension),
        above,
        looks,
        givenUp,
        backAfter: last === undefined ? 0 : Math.round(last.at - resumed)
      }
      yield* Console.log(JSON.stringify(part))
      parts.push(part)
    }
    const most = Math.max(...counts.map(({ connections }) => connections))
    isOver = true
    yield* Fiber.join(all)
    yield* Effect.sleep(200)
    const open = yield* query(
      "SELECT count(*) FILTER (WHERE state LIKE 'idle in%')::int AS open, count(*)::int AS count FROM pg_stat_activity WHERE usename = 'app'"
    )
    return { parts, usual, most, open: open[0], stats: yield* NodePostgres.PostgresPool.use(({ stats }) => stats) }
  }).pipe(Effect.provide(database))

  const [{ sum } = { sum: undefined }] = yield* query("SELECT sum(money)::int AS sum FROM accounts")
  yield* Effect.sleep(100)
  const [left] = yield* query("SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename = 'app'")
  const tooMany = /too many clients|remaining connection slots/
  const kinds = Object.fromEntries(
    Array.from(Map.groupBy(results, ({ kind }) => kind), ([kind, all]) => [kind, all.length])
  )
  const defects = results.filter(({ kind }) => kind === "defect").map(({ cause }) => cause)
  for (const defect of defects.slice(0, 3)) yield* Console.log(defect)
  return {
    observed,
    sum,
    left: left?.["count"],
    rejected: results.filter(({ cause = "" }) => tooMany.test(cause)).length,
    rejectedInLog: server.log().split("\n").filter((line) => tooMany.test(line)).length,
    late: Math.round(Math.max(...results.map(({ late }) => late))),
    pause: Math.round(worst()),
    kinds,
    defects: defects.length
  }
})

Proof.run(
  "postgres",
  isSmall ? 55 : 300,
  Effect.map(program, ({ observed: { most, open, parts, stats, usual }, ...figures }) => ({
    met: figures.defects === 0 && figures.rejected === 0 && figures.rejectedInLog === 0 &&
      figures.sum === Users.accounts * 100 && figures.left === 0 && open?.["open"] === 0 &&
      figures.late <= cancelTimeout + tolerance + figures.pause && (figures.kinds["ok"] ?? 0) > 100 &&
      stats.busy === 0 && stats.total <= max &&
      most >= max &&
      parts.every(({ above, afterRestart, afterSuspension, backAfter, givenUp, looks }) =>
        looks > 5 && above <= givenUp && backAfter <= 1000 && afterRestart <= 5000 && afterSuspension <= 5000
      ),
    users,
    max,
    usual,
    parts,
    most,
    open,
    stats,
    ...figures
  })).pipe(Effect.provide(SessionRegistry.layer()))
)
