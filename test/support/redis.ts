/**
 * Redis for tests: a server that is there, or one of our own.
 *
 * `available` is the server of the variable `TEST_REDIS_URL`, or one that listens at the default port without a password, or
 * else one that is started from the installed program. `start` always starts one of our own, on a free port, in a folder of
 * its own. It ends with its scope, and also with this process.
 */
import { Effect, type Scope } from "effect"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { env, pid as ownPid } from "node:process"
import { createClient } from "redis"
import { folderOf, freePort, signal, untilEnd } from "./installed.ts"

/** Where a server is, and how to get in. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly password?: string | undefined
  /** The certificate of the server, which speaks TLS then. */
  readonly ca?: string | undefined
}

export interface Server extends Address {
  /** The process of the server. It changes with each start. */
  readonly pid: () => number
  /** Suspends the server: its sockets stay open, and nothing is answered. */
  readonly freeze: Effect.Effect<void>
  /** Resumes it. */
  readonly thaw: Effect.Effect<void>
  /** Ends it at once. What it had not written is lost. */
  readonly kill: Effect.Effect<void>
  /** Ends it in order. It writes a dump of its keys. */
  readonly stop: Effect.Effect<void>
  /** Starts it again at its port, after `kill` or `stop`, with what it had written. */
  readonly restart: Effect.Effect<void>
  /** Starts it again at its port without any key or script, and ends it before that if it runs. */
  readonly restartEmpty: Effect.Effect<void>
  /** What it has logged, up to a million characters. */
  readonly log: () => string
}

export interface Options {
  /** Parameters as in `redis.conf`, such as `{ requirepass: "secret" }`. */
  readonly settings?: Readonly<Record<string, string | number>> | undefined
  /** A certificate and its key. With them, the server speaks TLS only. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined
}

const programs = folderOf(["redis-server"])

/** Whether tests can start servers of their own. */
export const isInstalled: boolean = programs !== undefined

/** Whether tests can have a server at all. */
export const isAvailable: boolean = isInstalled || env["TEST_REDIS_URL"] !== undefined

class Running {
  readonly folder: string
  readonly port: number
  private readonly command: ReadonlyArray<string>
  private child: ChildProcess | undefined
  log = ""

  constructor(folder: string, port: number, { certificate, settings }: Options) {
    this.folder = folder
    this.port = port
    const tls = certificate === undefined ? { port } : {
      port: 0,
      "tls-port": port,
      "tls-cert-file": join(folder, "server.crt"),
      "tls-key-file": join(folder, "server.key"),
      "tls-auth-clients": "no"
    }
    const all = {
      ...tls,
      bind: "127.0.0.1",
      dir: folder,
      pidfile: join(folder, "pid"),
      // A dump is written when the server ends in order.
      save: "3600 1",
      ...settings
    }
    this.command = [
      join(programs ?? "", "redis-server"),
      ...Object.entries(all).flatMap(([name, value]) => [`--${name}`, `${value}`])
    ]
  }

  pid(): number {
    return Number(Fs.readFileSync(join(this.folder, "pid"), "utf8"))
  }

  get isRunning(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
  }

  async start(): Promise<void> {
    if (this.isRunning) return
    const child = this.child = untilEnd(this.command, "KILL", { stdio: ["pipe", "pipe", "ignore"] })
    const before = this.log.length
    await new Promise<void>((resolve, reject) => {
      child.once("exit", () => reject(new Error(this.log.slice(before))))
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        if (this.log.length < 1_000_000) this.log += text
        if (this.log.includes("Ready to accept connections", before)) resolve()
      })
    })
  }

  async end(how: "SIGTERM" | "SIGKILL"): Promise<void> {
    const { child } = this
    if (child === undefined || !this.isRunning) return
    // Its pipe to us closes when the server has ended: the shell does not write to it.
    const ended = child.stdout === null || child.stdout.closed ? undefined : once(child.stdout, "end")
    const exited = once(child, "exit")
    signal(this.pid(), how)
    signal(this.pid(), "SIGCONT")
    if (how === "SIGTERM") await this.saved()
    // The shell ends once its input has ended.
    child.stdin?.end()
    await Promise.all([exited, ended])
  }

  /** Waits until the server has written its dump and logged its last line. */
  private saved(): Promise<void> {
    const { child } = this
    const before = this.log.length
    return new Promise((resolve) => {
      child?.stdout?.on("data", () => {
        if (this.log.includes("bye bye", before)) resolve()
      })
    })
  }

  forget(): void {
    for (const name of Fs.readdirSync(this.folder)) {
      if (!name.startsWith("server.")) Fs.rmSync(join(this.folder, name), { recursive: true })
    }
  }
}

/** Starts a server of our own. Fails with a defect if Redis is not installed. */
export const start = (options: Options = {}): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      if (programs === undefined) throw new Error("Redis is not installed")
      const folder = Fs.mkdtempSync(join(tmpdir(), "clawback-redis-"))
      for (const [name, text] of [["crt", options.certificate?.cert], ["key", options.certificate?.key]] as const) {
        if (text !== undefined) Fs.writeFileSync(join(folder, `server.${name}`), text, { mode: 0o600 })
      }
      const running = new Running(folder, await freePort(), options)
      await running.start()
      return running
    }),
    (running) =>
      Effect.promise(async () => {
        await running.end("SIGKILL")
        Fs.rmSync(running.folder, { recursive: true, force: true })
      })
  ).pipe(Effect.map((running) => {
    const password = options.settings?.["requirepass"]
    return {
      host: "127.0.0.1",
      port: running.port,
      password: password === undefined ? undefined : `${password}`,
      ca: options.certificate?.cert,
      pid: () => running.pid(),
      freeze: Effect.sync(() => signal(running.pid(), "SIGSTOP")),
      thaw: Effect.sync(() => signal(running.pid(), "SIGCONT")),
      kill: Effect.promise(() => running.end("SIGKILL")),
      stop: Effect.promise(() => running.end("SIGTERM")),
      restart: Effect.promise(() => running.start()),
      restartEmpty: Effect.promise(async () => {
        await running.end("SIGKILL")
        running.forget()
        await running.start()
      }),
      log: () => running.log
    }
  }))

/** Runs a command on a connection of its own. */
export const command = async (
  { ca, host, password, port }: Address,
  name: string,
  ...args: ReadonlyArray<string | Buffer>
): Promise<any> => {
  const client = createClient({
    ...password === undefined ? {} : { password },
    socket: { host, port, reconnectStrategy: false, ...ca === undefined ? {} : { tls: true, ca } }
  })
  client.on("error", () => {})
  await client.connect()
  try {
    return await client.sendCommand([name, ...args])
  } finally {
    client.destroy()
  }
}

const existing: Address = (() => {
  const { hostname, password, port } = new URL(env["TEST_REDIS_URL"] ?? "redis://127.0.0.1:6379")
  return { host: hostname, port: Number(port) || 6379, password: decodeURIComponent(password) || undefined }
})()

/** A server that is there, or else one of our own. */
export const available: Effect.Effect<Address, never, Scope.Scope> = Effect.gen(function*() {
  const answers = yield* Effect.promise(() => command(existing, "PING").then(() => true, () => false))
  return answers ? existing : yield* start()
})

let prefixes = 0

const remove = async (address: Address, prefix: string, cursor = "0"): Promise<void> => {
  const [next, keys] = await command(address, "SCAN", cursor, "MATCH", `${prefix}*`, "COUNT", "10000") as [
    string,
    ReadonlyArray<string>
  ]
  if (keys.length > 0) await command(address, "UNLINK", ...keys)
  if (next !== "0") await remove(address, prefix, next)
}

/** What our keys on a server begin with. They are removed when the scope closes. */
export const keyPrefix = (address: Address): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => `clawback:${ownPid}:${++prefixes}:`),
    (prefix) => Effect.promise(() => remove(address, prefix).catch(() => {}))
  )
