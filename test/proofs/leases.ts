/**
 * Leases of four processes on real stores, while holders are killed and paused, and servers are suspended and restarted.
 *
 * `npm run prove -- leases [--scale small|full]`. Small takes Redis, or PostgreSQL where Redis is not installed; full takes Redis,
 * PostgreSQL and files, and does everything more often. The fibers of each process want a lock and one of three slots, one after
 * the other. Each process writes what it does with the time of a clock that all share.
 * - Never are more leases held than the limit, from the first to the last step of the work under each.
 * - What a killed process held is held by others within the time to live and a second. So it is after a suspension of the server,
 *   and after a restart, from which Redis comes back empty.
 * - Tokens of the lock rise, and no write of a paused holder comes after one of a later holder.
 * - A renewal that arrives late returns false.
 * - While the server is away, callers get typed errors in time. Nothing hangs, and each process ends by itself.
 */
import { LeaseStore } from "@clawback/core"
import { Console, Context, Effect, Exit, Fiber, Layer, Option, Schedule, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Backend, storeLayer } from "../support/leaseBackends.ts"
import * as History from "../support/leaseHistory.ts"
import type { Orders } from "../support/leaseHolders.ts"
import { now } from "../support/monotonic.ts"
import * as Postgres from "../support/postgres.ts"
import * as Proof from "../support/proof.ts"
import { seeded } from "../support/random.ts"
import * as Redis from "../support/redis.ts"
import { scale } from "../support/scale.ts"

const isSmall = scale() === "small"
const processes = 4
const ttl = isSmall ? 500 : 2000
const wait = isSmall ? 300 : 1000
const stepTimeout = isSmall ? 150 : 400
const longest = isSmall ? 150 : 400
const keys = { lock: { limit: 1, fibers: 2 }, slots: { limit: 3, fibers: 3 } }
const kills = isSmall ? 1 : 12
const pauses = isSmall ? 1 : 3
const outages = isSmall ? 1 : 3
/** How late something may be on a machine that keeps time. */
const tolerance = 400
const back = ttl + 1000

/** Suspends a server for the time that the effect takes. */
type Suspend = (during: Effect.Effect<void>) => Effect.Effect<void>

interface Target {
  readonly backend: Backend
  /** What can be done to the servers: one, or none. */
  readonly servers: ReadonlyArray<{ readonly suspend: Suspend; readonly restart: Effect.Effect<void> }>
}

const suspending = ({ freeze, thaw }: Pick<Redis.Server, "freeze" | "thaw">): Suspend => (during) =>
  Effect.andThen(freeze, Effect.ensuring(during, thaw))

const targets: ReadonlyArray<Effect.Effect<Target, never, Scope.Scope>> = [
  ...Redis.isInstalled
    ? [Effect.map(Redis.start(), (server): Target => ({
      backend: { name: "redis", port: server.port },
      servers: [{ suspend: suspending(server), restart: server.restartEmpty }]
    }))]
    : [],
  ...Postgres.isInstalled && (!isSmall || !Redis.isInstalled)
    ? [Effect.map(Postgres.start({ settings: { max_connections: 60 } }), (server): Target => ({
      backend: { name: "postgres", port: server.port },
      servers: [{ suspend: suspending(server), restart: server.restart }]
    }))]
    : [],
  ...isSmall ? [] : [
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "clawback-leases-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
      ),
      (folder): Target => ({ backend: { name: "file", folder }, servers: [] })
    )
  ]
]

/** One process that holds leases, with what was done to it. */
interface Worker {
  readonly child: ChildProcess
  readonly file: string
  readonly pausedAt: Array<number>
  endedAt: number | undefined
}

const startWorker = (folder: string, backend: Backend, number: number) =>
  Effect.promise(async (): Promise<Worker> => {
    const file = join(folder, `events-${number}.jsonl`)
    writeFileSync(file, "")
    const orders: Orders = { backend, file, ttl, wait, stepTimeout, longest, keys }
    const child = fork(join(import.meta.dirname, "../support/leaseHolders.ts"), [JSON.stringify(orders)], {
      execArgv: ["--conditions=@clawback/source"],
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    await once(child, "message")
    return { child, file, pausedAt: [], endedAt: undefined }
  })

/** Ends a process in order. Returns 1 if it did not end by itself. */
const endOne = (worker: Worker) =>
  Effect.gen(function*() {
    const { child } = worker
    const exited = Effect.promise(async () => (await once(child, "exit"))[0])
    const ended = yield* Effect.forkChild(exited, { startImmediately: true })
    child.disconnect()
    const code = yield* Effect.timeoutOption(Fiber.join(ended), 2 * stepTimeout + 3000)
    if (Option.isNone(code)) child.kill("SIGKILL")
    worker.endedAt = now()
    return Option.isSome(code) && code.value === 0 ? 0 : 1
  })

/** The processes, of which a killed one is replaced. */
class Workers {
  readonly all: Array<Worker> = []
  private started = 0
  private readonly folder: string
  private readonly backend: Backend

  constructor(folder: string, backend: Backend) {
    this.folder = folder
    this.backend = backend
  }

  get live(): ReadonlyArray<Worker> {
    return this.all.filter(({ endedAt }) => endedAt === undefined)
  }

  get start(): Effect.Effect<void> {
    return Effect.map(startWorker(this.folder, this.backend, ++this.started), (worker) => void this.all.push(worker))
  }

  get history(): History.History {
    const sources = this.all.map(({ child, ...source }) => ({ ...source, pid: child.pid ?? 0 }))
    return History.read(sources, now())
  }

  /** Who has the lock at this moment, or anybody. */
  get holder(): Worker | undefined {
    const at = now()
    const span = this.history.spans.findLast(({ key, to }) => key === "lock" && to >= at - 1)
    return this.live.find(({ child }) => child.pid === span?.pid) ?? this.live[0]
  }

  kill(worker: Worker): void {
    worker.endedAt = now()
    worker.child.kill("SIGKILL")
  }

  /** Ends all of them in order. Returns how many did not end by themselves. */
  get end(): Effect.Effect<number> {
    return Effect.map(
      Effect.forEach(this.live, endOne, { concurrency: "unbounded" }),
      (faults) => faults.reduce((sum: number, fault) => sum + fault, 0)
    )
  }
}

/** When lock and slots were all held after something, in milliseconds from it. After an outage, only new leases count. */
const recovery = (workers: Workers, from: number, isNew: boolean): number => {
  const { spans, ...others } = workers.history
  const history = { ...others, spans: isNew ? spans.filter((span) => span.from > from) : spans }
  const [lock, slots] = Object.entries(keys).map(([key, { limit }]) => History.fullAt(history, key, limit, from))
  return Math.round(Math.max(lock ?? Infinity, slots ?? Infinity) - from)
}

/** Waits until they are, or until it is too late. */
const untilBack = (workers: Workers, from: number, isNew: boolean) =>
  Effect.gen(function*() {
    for (;;) {
      yield* Effect.sleep(isSmall ? 50 : 200)
      const after = recovery(workers, from, isNew)
      if (after < Infinity || now() > from + back + 2 * tolerance) return after
    }
  })

/** A grant expires while its renewal is on the way to a suspended server. Returns whether the renewal revived it. */
const isRevived = Effect.fnUntraced(function*(store: LeaseStore.LeaseStore, suspend: Suspend) {
  const id = String(now())
  const answer = yield* store.acquire({ key: "late", id, limit: 1, ttl: 300, holder: "" })
  if (answer._tag === "Busy") return true
  const renewal = store.renew({ key: "late", id, token: answer.token, ttl: 300 })
  const late = yield* Effect.forkChild(Effect.exit(Effect.delay(renewal, 50)))
  yield* suspend(Effect.sleep(600))
  const exit = yield* Effect.timeoutOption(Fiber.join(late), "5 seconds")
  const after = yield* Effect.retry(renewal, { schedule: Schedule.spaced(100), times: 50 })
  return after || (Option.isSome(exit) && Exit.isSuccess(exit.value) && exit.value.value)
})

/** What the holders do while the server is away, and after that. */
const outage = Effect.fnUntraced(function*(workers: Workers, suspend: Suspend) {
  const from = now()
  yield* suspend(Effect.sleep(ttl + 400))
  const to = now()
  const backAfter = yield* untilBack(workers, to, true)
  const { history } = workers
  const longestHold = Math.max(0, ...history.spans.filter((span) => span.from < from).map((span) => span.to - from))
  return {
    stoppedAfter: Math.round(longestHold),
    errors: history.attempts.filter(({ at, error }) => at > from && at < to && error !== undefined).length,
    backAfter
  }
})

const prove = Effect.fnUntraced(function*(target: Target) {
  const { backend, servers } = target
  const random = seeded(0x1ea5e)
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "clawback-holders-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const store = Context.get(yield* Layer.build(storeLayer(backend)), LeaseStore.LeaseStore)
  // A server that has just been started grants nothing at first.
  yield* Effect.sleep(1000)
  const workers = new Workers(folder, backend)
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const { child } of workers.live) child.kill("SIGKILL")
    })
  )
  yield* Effect.all(Array.from({ length: processes }, () => workers.start), { concurrency: "unbounded" })
  yield* Effect.sleep(ttl)

  const afterKill: Array<number> = []
  for (let i = 0; i < kills; i++) {
    yield* Effect.sleep(random() * 300)
    const victim = workers.holder
    if (victim === undefined) break
    workers.kill(victim)
    const killedAt = now()
    afterKill.push(yield* untilBack(workers, killedAt, false))
    yield* workers.start
  }

  for (let i = 0; i < pauses; i++) {
    const victim = workers.holder
    if (victim === undefined) break
    victim.pausedAt.push(now())
    victim.child.kill("SIGSTOP")
    yield* Effect.sleep(ttl + random() * ttl)
    victim.child.kill("SIGCONT")
    yield* Effect.sleep(isSmall ? 100 : 500)
  }

  const suspensions = []
  const afterRestart: Array<number> = []
  let revived = 0
  for (const { restart, suspend } of servers.flatMap((server) => Array.from({ length: outages }, () => server))) {
    suspensions.push(yield* outage(workers, suspend))
    if (yield* Effect.orDie(isRevived(store, suspend))) revived++
    yield* restart
    const restartedAt = now()
    afterRestart.push(yield* untilBack(workers, restartedAt, true))
  }

  const hung = yield* workers.end
  const { history } = workers
  const errors: Record<string, number> = {}
  for (const { error } of history.attempts) if (error !== undefined) errors[error] = (errors[error] ?? 0) + 1
  const typed = new Set(["LeaseBusy", "LeaseLost", "LeaseStoreError"])
  // It waits, asks once more, and releases. A paused process is late by its pause.
  const paused = workers.all.filter(({ pausedAt }) => pausedAt.length > 0).length > 0 ? 2 * ttl : 0
  const longestAttempt = Math.max(0, ...history.attempts.map(({ took }) => took))
  const mostLocks = History.most(history, "lock")
  const mostSlots = History.most(history, "slots")
  const disorders = History.disorders(history, "lock")
  const duplicates = History.duplicates(history)
  const met = mostLocks === keys.lock.limit && mostSlots === keys.slots.limit && disorders === 0 && duplicates === 0 &&
    revived === 0 && hung === 0 &&
    Object.keys(errors).every((error) => typed.has(error) || error.includes("Interrupt")) &&
    afterKill.length === kills && [...afterKill, ...afterRestart].every((after) => after <= back + tolerance) &&
    suspensions.every(({ backAfter, errors, stoppedAfter }) =>
      backAfter <= back + tolerance && stoppedAfter <= ttl && errors > 0
    ) &&
    longestAttempt <= wait + 2 * stepTimeout + paused + tolerance
  const figures = {
    met,
    leases: history.spans.length,
    writes: history.writes.length,
    mostLocks,
    mostSlots,
    disorders,
    duplicates,
    revived,
    afterKill,
    suspensions,
    afterRestart,
    errors,
    longestAttempt: Math.round(longestAttempt),
    hung
  }
  yield* Console.log(`${backend.name}: ${JSON.stringify(figures)}`)
  return { store: backend.name, ...figures }
}, Effect.scoped)

const program = Effect.gen(function*() {
  const stores = []
  for (const target of targets) stores.push(yield* Effect.scoped(Effect.flatMap(target, prove)))
  return { met: stores.length > 0 && stores.every(({ met }) => met), ttl, stores }
})

Proof.run("leases", isSmall ? 50 : 900, program)
