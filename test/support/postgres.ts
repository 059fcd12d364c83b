/**
 * PostgreSQL for tests: a server that is there, or one of our own.
 *
 * `available` is the server of the variable `TEST_POSTGRES_URL`, or one that listens at the default port and trusts us, or
 * else one that is started from the installed programs. `start` always starts one of our own, on a free port, as a user
 * without privileges, which PostgreSQL demands. It ends with its scope, and also with this process.
 */
import { Effect, type Scope } from "effect"
import { type ChildProcess, execFile } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { env, geteuid } from "node:process"
import { setTimeout } from "node:timers/promises"
import { promisify } from "node:util"
import { Client } from "pg"
import { folderOf, freePort, signal, untilEnd } from "./installed.ts"

/** Where a server is, and a user who may do everything there without a password. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password?: string | undefined
}

export interface Server extends Address {
  /** The main process. It changes with `restart`. */
  readonly pid: () => number
  /** Stops the server as `pg_ctl stop -m fast` does, and starts it again. */
  readonly restart: Effect.Effect<void>
  /** Suspends every process of the server. */
  readonly freeze: Effect.Effect<void>
  /** Resumes them. */
  readonly thaw: Effect.Effect<void>
  readonly stop: Effect.Effect<void>
  /** What it has logged, up to a million characters. */
  readonly log: () => string
}

export interface Options {
  /** Parameters as in `postgresql.conf`. */
  readonly settings?: Readonly<Record<string, string | number>> | undefined
  /** Users beside `postgres`, with their passwords. Only they need one. */
  readonly passwords?: Readonly<Record<string, string>> | undefined
  /** A certificate and its key, for TLS. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined
}

/** The folder of PostgreSQL's programs: in the path, or where Debian has the latest version. */
const programs: string | undefined = folderOf(
  ["initdb", "postgres"],
  Fs.globSync("/usr/lib/postgresql/*/bin").toSorted((a, b) => b.localeCompare(a, "en", { numeric: true }))
)

/** PostgreSQL refuses to run as root. */
const owner: { readonly uid: number; readonly gid: number } | undefined = (() => {
  if (geteuid?.() !== 0) return undefined
  const users = Fs.readFileSync("/etc/passwd", "utf8").split("\n").map((line) => line.split(":"))
  const [, , uid, gid] = users.find(([name]) => name === "postgres") ?? users.find(([name]) => name === "nobody") ?? []
  return { uid: Number(uid), gid: Number(gid) }
})()

/** The processes whose parent a process is. */
const childrenOf = (parent: number): ReadonlyArray<number> =>
  Fs.globSync("/proc/[0-9]*/stat").flatMap((file) => {
    try {
      const stat = Fs.readFileSync(file, "latin1")
      const [, ppid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
      return Number(ppid) === parent ? [Number(file.split("/")[2])] : []
    } catch {
      // It has ended.
      return []
    }
  })

class Running {
  readonly folder: string
  readonly port: number
  private readonly arguments: ReadonlyArray<string>
  private child: ChildProcess | undefined
  log = ""

  constructor(folder: string, port: number, options: Options) {
    this.folder = folder
    this.port = port
    const settings = {
      port,
      listen_addresses: "127.0.0.1",
      unix_socket_directories: folder,
      // What is in here is not worth waiting for the disk.
      fsync: "off",
      ssl: options.certificate === undefined ? "off" : "on",
      ...options.settings
    }
    this.arguments = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  }

  pid(): number {
    return Number(Fs.readFileSync(join(this.folder, "data/postmaster.pid"), "utf8").split("\n")[0])
  }

  async start(): Promise<void> {
    const command = [join(programs ?? "", "postgres"), "-D", join(this.folder, "data"), ...this.arguments]
    const child = this.child = untilEnd(command, "QUIT", { ...owner, stdio: ["pipe", "ignore", "pipe"] })
    const { stderr } = child
    const before = this.log.length
    await new Promise<void>((resolve, reject) => {
      child.once("exit", () => reject(new Error(this.log.slice(before))))
      stderr?.setEncoding("utf8").on("data", (text: string) => {
        if (this.log.length < 1_000_000) this.log += text
        if (text.includes("ready to accept connections")) resolve()
      })
    })
  }

  async stop(how: NodeJS.Signals): Promise<void> {
    const { child } = this
    if (child?.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, "exit")
    const pid = this.pid()
    signal(pid, how)
    this.each("SIGCONT", pid)
    await this.ended(pid)
    // The shell ends once its input has ended.
    child.stdin?.end()
    await exited
  }

  /** Polls: the server is a child of the shell, not ours. */
  private async ended(pid: number): Promise<void> {
    if (!Fs.existsSync(`/proc/${pid}`) || !Fs.existsSync(join(this.folder, "data/postmaster.pid"))) return
    await setTimeout(5)
    return this.ended(pid)
  }

  /** Signals the main process first, so that no others begin after they were listed. */
  each(name: NodeJS.Signals, pid = this.pid()): void {
    signal(pid, name)
    for (const child of childrenOf(pid)) signal(child, name)
  }
}

/** Starts a server of our own. Fails with a defect if PostgreSQL is not installed. */
export const start = (options: Options = {}): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      if (programs === undefined) throw new Error("PostgreSQL is not installed")
      const folder = Fs.mkdtempSync(join(tmpdir(), "clawback-postgres-"))
      if (owner !== undefined) Fs.chownSync(folder, owner.uid, owner.gid)
      const data = join(folder, "data")
      await promisify(execFile)(
        join(programs, "initdb"),
        ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C", "--no-instructions"],
        { ...owner, cwd: folder }
      )
      const passwords = Object.entries(options.passwords ?? {})
      const lines = [
        ...passwords.map(([user]) => `host all ${user} 127.0.0.1/32 scram-sha-256`),
        "host all all 127.0.0.1/32 trust",
        "local all all trust"
      ]
      Fs.writeFileSync(join(data, "pg_hba.conf"), `${lines.join("\n")}\n`)
      for (const [name, text] of [["crt", options.certificate?.cert], ["key", options.certificate?.key]] as const) {
        if (text === undefined) continue
        const file = join(data, `server.${name}`)
        Fs.writeFileSync(file, text, { mode: 0o600 })
        if (owner !== undefined) Fs.chownSync(file, owner.uid, owner.gid)
      }
      const running = new Running(folder, await freePort(), options)
      await running.start()
      const server: Address = { host: "127.0.0.1", port: running.port, user: "postgres" }
      const roles = passwords.map(([user, password]) => `CREATE ROLE "${user}" LOGIN PASSWORD '${password}'`)
      await query(server, roles.join(";"))
      return running
    }),
    (running) =>
      Effect.promise(async () => {
        await running.stop("SIGQUIT")
        Fs.rmSync(running.folder, { recursive: true, force: true })
      })
  ).pipe(Effect.map((running) => ({
    host: "127.0.0.1",
    port: running.port,
    user: "postgres",
    pid: () => running.pid(),
    restart: Effect.promise(async () => {
      await running.stop("SIGINT")
      await running.start()
    }),
    freeze: Effect.sync(() => running.each("SIGSTOP")),
    thaw: Effect.sync(() => running.each("SIGCONT")),
    stop: Effect.promise(() => running.stop("SIGINT")),
    log: () => running.log
  })))

/** Runs a query on a connection of its own. */
export const query = async (
  { host, password, port, user }: Address,
  text: string,
  database = "postgres"
): Promise<ReadonlyArray<Record<string, any>>> => {
  const client = new Client({ host, port, user, password, database })
  client.on("error", () => {})
  await client.connect()
  try {
    const { rows } = await client.query(text)
    return rows
  } finally {
    await client.end()
  }
}

const existing: ReadonlyArray<Address> = (() => {
  const url = env["TEST_POSTGRES_URL"]
  if (url === undefined) {
    return ["postgres", env["USER"] ?? "root"].map((user) => ({ host: "127.0.0.1", port: 5432, user }))
  }
  const { hostname, password, port, username } = new URL(url)
  return [{ host: hostname, port: Number(port) || 5432, user: username, password: password || undefined }]
})()

/** Whether tests can start servers of their own. */
export const isInstalled: boolean = programs !== undefined

/** Whether tests can have a server at all. */
export const isAvailable: boolean = isInstalled || env["TEST_POSTGRES_URL"] !== undefined

/** A server that is there, or else one of our own. */
export const available: Effect.Effect<Address, never, Scope.Scope> = Effect.gen(function*() {
  for (const address of existing) {
    const answers = yield* Effect.promise(() => query(address, "SELECT 1").then(() => true, () => false))
    if (answers) return address
  }
  return yield* start()
})

let databases = 0

/** A database of our own on a server, for as long as the scope is open. */
export const database = (address: Address): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const name = `clawback_${process.pid}_${++databases}`
      await query(address, `CREATE DATABASE ${name}`)
      return name
    }),
    (name) => Effect.promise(() => query(address, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
  )
