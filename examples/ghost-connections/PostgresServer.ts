/** A PostgreSQL server of one's own, in a new directory and on a free port. It ends with its scope. */
import { Effect, Schedule, Schema } from "effect"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, globSync } from "node:fs"
import { chown, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { env, getuid } from "node:process"
import { promisify } from "node:util"
import { Client } from "pg"
import { freePort } from "./freePort.ts"

/** The folder of PostgreSQL's programs: the first of `PATH` that has `initdb`, else the newest where Debian puts them. */
export const programs: string | undefined = [
  ...(env["PATH"] ?? "").split(delimiter),
  ...globSync("/usr/lib/postgresql/*/bin").toSorted((a, b) => b.localeCompare(a, "en", { numeric: true }))
].find((folder) => existsSync(join(folder, "initdb")))

class PostgresFailed extends Schema.TaggedError<PostgresFailed>()("PostgresFailed", {
  message: Schema.String,
  cause: Schema.optional(Schema.Defect())
}) {}

const attempt = <A>(message: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new PostgresFailed({ message, cause }) })

/** PostgreSQL refuses to run as root. So root runs it as Debian's `nobody`. */
const identity = getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

const directory = Effect.acquireRelease(
  attempt("No directory could be made", async () => {
    const path = await mkdtemp(join(tmpdir(), "ghost-connections-"))
    if (identity.uid !== undefined) await chown(path, identity.uid, identity.gid)
    return path
  }),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

/** Starts the server. Its release kills it: its data are thrown away with it. */
const start = (data: string, port: number, maxConnections: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const settings = {
        listen_addresses: "127.0.0.1",
        unix_socket_directories: "",
        max_connections: maxConnections,
        fsync: "off",
        autovacuum: "off",
        logging_collector: "off"
      }
      const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
      return spawn(join(programs ?? "", "postgres"), ["-D", data, "-p", String(port), ...flags], {
        ...identity,
        stdio: "ignore"
      })
    }),
    (child) =>
      Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        // Immediate shutdown: all its processes end without waiting for clients.
        child.kill("SIGQUIT")
        await once(child, "exit")
      })
  )

const prepare = async (url: string) => {
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query("CREATE ROLE app LOGIN")
  await client.query("CREATE TABLE messages (id serial, role text NOT NULL, text text NOT NULL)")
  await client.query("GRANT ALL ON messages, messages_id_seq TO app")
  await client.end()
}

interface PostgresServer {
  /** For an application: of the server's places, it may use all but the three that are reserved for superusers. */
  readonly url: string
  /** For a superuser, who can look at the server also when it is full. */
  readonly adminUrl: string
}

/** Starts a server with an empty table `messages`. */
export const make = Effect.fnUntraced(function*(maxConnections: number) {
  if (programs === undefined) {
    return yield* new PostgresFailed({
      message: "There is no PostgreSQL on this machine. Debian: apt install postgresql"
    })
  }
  const folder = yield* directory
  const data = join(folder, "data")
  yield* attempt("initdb failed", () =>
    promisify(execFile)(
      join(programs ?? "", "initdb"),
      ["-D", data, "-U", "postgres", "-A", "trust", "-N", "--locale=C", "-E", "UTF8"],
      identity
    ))
  const port = yield* attempt("There is no free port", freePort)
  yield* start(data, port, maxConnections)
  const urlOf = (user: string) => `postgres://${user}@127.0.0.1:${port}/postgres`
  yield* attempt("The server does not start", () => prepare(urlOf("postgres"))).pipe(
    Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 100 })
  )
  return { url: urlOf("app"), adminUrl: urlOf("postgres") } satisfies PostgresServer
})
