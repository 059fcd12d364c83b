/**
 * Leases of three processes in a store that fails, hangs, loses answers and comes back empty. The processes are paused, and their
 * wall clocks are set. Holders are interrupted at any step, other fibers close the scopes of their leases and revoke them.
 *
 * Six callers make four requests each, for at most two places. A write that comes right after a check stands for work that must not
 * be done twice. In the end everything is healed. Then nothing may be held, and as many as there are places must be served at once.
 */
import { Lease, LeaseStore, SessionError, SessionRegistry } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Cause, Clock, Data, Effect, Exit, Fiber, Latch, Scope } from "effect"
import { type Granted, lost, ProcessClock, refused, Server, storeOf } from "../support/simulatedLeases.ts"

const processes = 3
const callersEach = 2
const requestsEach = 4
const ttl = 120
const margin = 12
const stepTimeout = 24
const poll = 20
const key = "key"

class Broken extends Data.TaggedError("Broken") {}

/** A moment that has not come. */
const never = -1

/** One request of a caller. */
interface Call {
  readonly name: string
  readonly askedAt: number
  readonly until: number
  /** When it was told that all places are taken, so that it waits in line. */
  busyAt: number
  isGranted: boolean
  startedAt: number
  endedAt: number
  token: number
}

interface Process {
  readonly clock: ProcessClock
  readonly store: LeaseStore.LeaseStore
  /** Requests that have not ended. */
  readonly calls: Map<string, Call>
}

interface World {
  readonly server: Server
  readonly limit: number
  readonly processes: ReadonlyArray<Process>
  /** The highest token that was written with. */
  written: number
  requests: number
}

const optionsOf = (world: World, wait: number, holder: string): Lease.Options => ({
  key,
  ttl,
  limit: world.limit,
  wait,
  margin,
  stepTimeout,
  poll,
  holder
})

const grantOf = ({ server }: World, token: number): Granted | undefined =>
  server.grants.find((grant) => grant.token === token)

/** A request begins, and is known until it ends. */
const calling = <A, E, R>(
  world: World,
  process: Process,
  wait: number,
  f: (call: Call) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const askedAt = process.clock.now
    const name = `request ${++world.requests}`
    const call = {
      name,
      askedAt,
      until: askedAt + wait,
      busyAt: Infinity,
      isGranted: false,
      startedAt: never,
      endedAt: never,
      token: 0
    }
    process.calls.set(name, call)
    return Effect.onExit(f(call), (exit) => {
      process.calls.delete(name)
      return judge(process, call, exit)
    })
  })

/** Work has begun: nobody who waited before its request did is passed over. */
const begin = (world: World, process: Process, call: Call, lease: Lease.Lease) =>
  Effect.suspend(() => {
    call.startedAt = process.clock.now
    call.token = lease.token
    const passed = [...process.calls.values()].find(({ busyAt, isGranted, name, until }) =>
      name !== call.name && !isGranted && busyAt < call.askedAt && until > process.clock.now
    )
    return Effect.andThen(
      Simulation.check("callers of a process are served in order", passed === undefined, () => passed?.name ?? ""),
      Simulation.check("a lease is one that the store has granted", grantOf(world, lease.token)?.holder === call.name)
    )
  })

/** A write that the check allows. */
const write = Effect.fnUntraced(function*(world: World, process: Process, lease: Lease.Lease) {
  const isAllowed = Exit.isSuccess(Effect.runSyncExit(lease.check))
  if (!isAllowed) return false
  const { now } = process.clock
  const grant = grantOf(world, lease.token)
  yield* Simulation.check(
    "a check passes only while the lease is valid",
    grant !== undefined && now < grant.validUntil,
    () => `${lease.token} at ${now}, valid until ${grant?.validUntil}`
  )
  yield* Simulation.check(
    "no holder writes after a later holder of a lock",
    world.limit > 1 || lease.token >= world.written,
    () => `${lease.token} after ${world.written}`
  )
  world.written = Math.max(world.written, lease.token)
  return true
})

const isExpected = (error: unknown): boolean =>
  error instanceof Lease.LeaseBusy || error instanceof Lease.LeaseLost || error instanceof Lease.LeaseStoreError ||
  error instanceof SessionError.SessionRevoked || error instanceof Broken

const isRefusal = (reason: Cause.Reason<unknown>): boolean =>
  Cause.isFailReason(reason) &&
  (reason.error instanceof Lease.LeaseBusy || reason.error instanceof Lease.LeaseStoreError)

const judge = Effect.fnUntraced(
  function*(process: Process, call: Call, exit: Exit.Exit<unknown, unknown>) {
    const { clock } = process
    const slack = clock.paused + 2
    if (call.startedAt === never) {
      const took = clock.now - call.askedAt
      // A lease whose session ended before its work began is released.
      const released = Exit.isSuccess(exit) || !exit.cause.reasons.every(isRefusal) ? stepTimeout : 0
      yield* Simulation.check(
        "a caller gets a lease or an error in time",
        took <= call.until - call.askedAt + stepTimeout + released + slack,
        () => `${call.name} took ${took} ms`
      )
    } else if (call.endedAt !== never) {
      yield* Simulation.check("a release never hangs", clock.now - call.endedAt <= stepTimeout + slack)
    }
    if (Exit.isSuccess(exit)) return
    for (const reason of exit.cause.reasons) {
      yield* Simulation.check(
        "a caller gets a typed error",
        Cause.isInterruptReason(reason) || isExpected(Cause.isDieReason(reason) ? reason.defect : reason.error),
        () => String(exit.cause)
      )
    }
  }
)

/** Works under a lease, and checks that the work ends in time. */
const under = <E>(world: World, process: Process, call: Call, lease: Lease.Lease, work: Effect.Effect<unknown, E>) =>
  begin(world, process, call, lease).pipe(
    Effect.andThen(work),
    Effect.onExit(() =>
      Effect.suspend(() => {
        const now = call.endedAt = process.clock.now
        const grant = grantOf(world, lease.token)
        return Simulation.check(
          "work ends before its lease can be granted again",
          // Timers fire at whole milliseconds.
          grant !== undefined && now <= grant.validUntil + process.clock.paused + 1,
          () => `at ${now}, valid until ${grant?.validUntil}`
        )
      })
    )
  )

const writes = (world: World, process: Process, lease: Lease.Lease, times: number, longest: number) =>
  Effect.gen(function*() {
    for (let i = 0; i < times; i++) {
      yield* Simulation.latency(0, longest)
      yield* write(world, process, lease)
    }
  })

const works: Readonly<
  Record<string, (world: World, process: Process, lease: Lease.Lease) => Effect.Effect<unknown, Broken>>
> = {
  short: (world, process, lease) => writes(world, process, lease, 1, 20),
  writes: (world, process, lease) => writes(world, process, lease, 5, 40),
  long: (world, process, lease) => writes(world, process, lease, 6, 120),
  fails: () => Effect.fail(new Broken()),
  dies: () => Effect.die(new Broken())
}

/** Work that interruption does not end. It must not succeed once its lease is lost. */
const deaf = (world: World, process: Process, wait: number) =>
  calling(world, process, wait, (call) =>
    Effect.gen(function*() {
      let endedAt = never
      const exit = yield* Effect.exit(
        Lease.use(optionsOf(world, wait, call.name), (lease) =>
          Effect.uninterruptible(
            begin(world, process, call, lease).pipe(
              Effect.andThen(Effect.sleep(200)),
              Effect.andThen(Effect.sync(() => endedAt = process.clock.now))
            )
          ))
      )
      call.endedAt = endedAt
      const grant = grantOf(world, call.token)
      yield* Simulation.check(
        "work that outlives its lease does not succeed",
        !Exit.isSuccess(exit) || (grant !== undefined && endedAt <= grant.validUntil)
      )
      return yield* exit
    }))

const using = (world: World, process: Process, wait: number, kind: string) =>
  calling(
    world,
    process,
    wait,
    (call) =>
      Lease.use(
        optionsOf(world, wait, call.name),
        (lease) => under(world, process, call, lease, works[kind]?.(world, process, lease) ?? Effect.void)
      ).pipe(
        Effect.tap(() =>
          Simulation.check(
            "work that outlives its lease does not succeed",
            call.endedAt < (grantOf(world, call.token)?.validUntil ?? 0)
          )
        )
      )
  )

/** Holds a lease in a scope that another fiber may close. */
const scoped = (world: World, process: Process, wait: number) =>
  calling(world, process, wait, (call) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const scope = Scope.makeUnsafe()
        let held: Lease.Acquired | undefined
        const hold = Effect.gen(function*() {
          const lease = held = yield* Lease.acquire(optionsOf(world, wait, call.name))
          yield* begin(world, process, call, lease)
          for (let i = 0; i < 4; i++) {
            yield* Simulation.latency(0, 50)
            if (!(yield* write(world, process, lease))) return
          }
          if (yield* Simulation.choose([true, false])) yield* lease.close
        })
        const settle = yield* Simulation.closeAtAnyStep(scope, { fault: "a scope closes under its holder" })
        const exit = yield* Effect.exit(restore(Scope.provide(hold, scope)))
        yield* settle
        call.endedAt = process.clock.now
        yield* Scope.close(scope, exit)
        yield* Simulation.check(
          "a lease that was released is not valid",
          held === undefined || Exit.isFailure(Effect.runSyncExit(held.check))
        )
        return yield* exit
      })
    )).pipe(Simulation.phase("holding in a scope"))

const request = Effect.fnUntraced(function*(world: World, process: Process) {
  const wait = yield* Simulation.choose([0, 60, 250])
  const kind = yield* Simulation.choose(["short", "writes", "writes", "long", "fails", "dies", "scoped", "deaf"])
  if (kind === "scoped") return yield* scoped(world, process, wait)
  if (kind === "deaf") {
    return (yield* Simulation.fault("work ignores interruption", 0.3)) ? yield* deaf(world, process, wait) : undefined
  }
  return yield* Simulation.phase("using")(using(world, process, wait, kind))
})

const inProcess = <A, E, R>({ clock, store }: Process, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  self.pipe(Effect.provideService(LeaseStore.LeaseStore, store), Effect.provideService(Clock.Clock, clock))

const caller = (world: World, process: Process) =>
  inProcess(
    process,
    Effect.gen(function*() {
      for (let i = 0; i < requestsEach; i++) {
        yield* Effect.exit(request(world, process))
        yield* Simulation.latency(0, yield* Simulation.choose([0, 20, 100]))
      }
    })
  )

/** What happens to the server and to the processes. */
const disturb = Effect.fnUntraced(function*({ processes: [first, ...others], server }: World) {
  if (first === undefined) return
  for (let i = 0; i < 8; i++) {
    yield* Simulation.latency(0, 120)
    if (yield* Simulation.fault("the store restarts empty", 0.2)) server.restartEmpty()
    if (yield* Simulation.fault("the store hangs for a while", 0.2)) {
      server.freeze(yield* Simulation.choose([30, 90, 300]))
    }
    const { clock } = yield* Simulation.choose([first, ...others])
    if (yield* Simulation.fault("a process is paused", 0.3)) clock.pause(yield* Simulation.choose([10, 60, 300]))
    if (yield* Simulation.fault("a wall clock is set", 0.3)) clock.jump(yield* Simulation.choose([-100_000, 100_000]))
  }
})

const revoker = Effect.fnUntraced(function*() {
  for (let i = 0; i < 3; i++) {
    yield* Simulation.latency(0, 250)
    const [session] = yield* SessionRegistry.list({ kind: "lease" })
    if (session === undefined) continue
    const deadline = yield* Simulation.choose([0, 50])
    yield* SessionRegistry.revoke({ id: session.id }, { reason: "simulated", deadline, releaseDeadline: 100 })
  }
}, Simulation.phase("revoking"))

type Use = (process: Process, wait: number) => Lease.Options

/** As many as there are places hold a lease at once, from different processes. */
const serve = Effect.fnUntraced(function*(world: World, options: Use) {
  const all = yield* Latch.make()
  let holding = 0
  const hold = (process: Process) =>
    inProcess(
      process,
      Lease.use(options(process, ttl), () =>
        Effect.suspend(() => {
          if (++holding === world.limit) all.openUnsafe()
          return all.await
        }))
    )
  const exit = yield* Effect.exit(
    Effect.forEach(world.processes.slice(0, world.limit), hold, { concurrency: "unbounded" })
  )
  yield* Simulation.check("a healed store serves up to the limit", Exit.isSuccess(exit), () => String(exit))
})

/** Holds a lease for longer than it lives without renewals, of which one fails. */
const outlive = Effect.fnUntraced(function*({ server }: World, process: Process, options: Use) {
  const work = Effect.sleep(3 * ttl)
  server.forced.push({ operation: "renew", way: refused })
  const used = yield* Effect.exit(inProcess(process, Lease.use(options(process, 0), () => work)))
  server.forced.push({ operation: "renew", way: lost })
  const held = yield* Effect.exit(inProcess(
    process,
    Effect.scoped(Effect.gen(function*() {
      const lease = yield* Lease.acquire(options(process, 0))
      yield* work
      yield* lease.check
    }))
  ))
  yield* Simulation.check(
    "a lease that is held outlives a renewal that fails",
    Exit.isSuccess(used) && Exit.isSuccess(held),
    () => `${used} ${held}`
  )
})

/** Answers get lost. What was granted or not released by that is back long before it expires. */
const loseAnswers = Effect.fnUntraced(function*({ server }: World, process: Process, options: Use) {
  server.forced.push({ operation: "acquire", way: lost })
  yield* Effect.exit(inProcess(process, Lease.use(options(process, 0), () => Effect.void)))
  yield* Effect.sleep(20)
  yield* Simulation.check("what was granted unseen is released", server.holders === 0)
  server.forced.push({ operation: "release", way: refused })
  yield* Effect.exit(inProcess(process, Lease.use(options(process, 0), () => Effect.void)))
  yield* Effect.sleep(20)
  yield* Simulation.check("a release that failed is tried again", server.holders === 0)
})

/** While all places are taken, one waits too short, and the next gets the place that another process releases. */
const queue = Effect.fnUntraced(function*(world: World, process: Process, other: Process, options: Use) {
  const { limit } = world
  const holders = yield* Effect.all(
    Array.from(
      { length: limit },
      () => Effect.forkChild(inProcess(other, Lease.use(options(other, 0), () => Effect.sleep(60))))
    )
  )
  yield* Effect.sleep(20)
  const askedAt = process.clock.now
  const waiting = [20, 200].map((wait) =>
    Effect.exit(inProcess(process, Lease.use(options(process, wait), () => Effect.sync(() => process.clock.now))))
  )
  const [short, long] = yield* Effect.all(waiting, { concurrency: "unbounded" })
  yield* Effect.forEach(holders, Fiber.join)
  yield* Simulation.check(
    "if the first of a line leaves, it is the turn of the next",
    short !== undefined && Exit.isFailure(short) && long !== undefined && Exit.isSuccess(long) &&
      long.value - askedAt < 120,
    () => `asked at ${askedAt}: ${short} ${long}`
  )
})

/** A place that is released in this process is handed on without a poll. */
const handOver = Effect.fnUntraced(function*({ limit }: World, process: Process, options: Use) {
  const { clock } = process
  const hold = Lease.use(options(process, 0), () => Effect.sleep(30))
  const holders = yield* Effect.all(
    Array.from({ length: limit }, () => Effect.forkChild(inProcess(process, hold)))
  )
  yield* Effect.sleep(15)
  const patient = { ...options(process, ttl), poll: "1 hour" } as const
  const next = yield* Effect.forkChild(inProcess(process, Lease.use(patient, () => Effect.sync(() => clock.now))))
  yield* Effect.forEach(holders, Fiber.join)
  const releasedAt = clock.now
  const startedAt = yield* Fiber.join(next)
  yield* Simulation.check(
    "a place is handed on at once in its process",
    startedAt <= releasedAt + 20,
    () => `released at ${releasedAt}, taken at ${startedAt}`
  )
})

/** What must work once everything is healed. */
const finish = Effect.fnUntraced(function*(world: World) {
  const [first, second] = world.processes
  if (first === undefined || second === undefined) return
  const options: Use = (_, wait) => optionsOf(world, wait, "in the end")
  yield* serve(world, options)
  yield* outlive(world, first, options)
  yield* loseAnswers(world, first, options)
  yield* queue(world, first, second, options)
  yield* handOver(world, first, options)
  yield* Effect.sleep(ttl)
  yield* Simulation.check("all leases are back", world.server.holders === 0)
})

const program = Effect.fnUntraced(function*(base: Clock.Clock) {
  const server = new Server(base, { ttl, margin })
  const limit = yield* Simulation.choose([1, 1, 2])
  const world: World = {
    server,
    limit,
    written: 0,
    requests: 0,
    processes: Array.from({ length: processes }, () => {
      const clock = new ProcessClock(base)
      const calls = new Map<string, Call>()
      const change = (f: (call: Call) => void) => (name: string) => {
        const call = calls.get(name)
        if (call !== undefined) f(call)
      }
      const onBusy = change((call) => call.busyAt = Math.min(call.busyAt, clock.now))
      const onGranted = change((call) => call.isGranted = true)
      return { clock, calls, store: storeOf(server, clock, { onBusy, onGranted }) }
    })
  }
  yield* Simulation.always(
    "no more holders than the limit have a valid lease",
    () => server.valid.length <= limit && server.live.length <= limit,
    () => JSON.stringify({ valid: server.valid, live: server.live })
  )
  const callers = world.processes.flatMap((process) =>
    Array.from({ length: callersEach }, () => Simulation.fork(caller(world, process), "caller"))
  )
  const fibers = yield* Effect.all([
    ...callers,
    Simulation.fork(disturb(world), "disturber"),
    Simulation.fork(revoker(), "revoker")
  ])
  yield* Effect.forEach(fibers, Fiber.await)
  yield* Simulation.heal
  server.freeze(0)
  yield* Effect.forEach(world.processes, ({ clock }) => clock.resumed)
  // The last pause, the tries of a release in the background, and then what no release has reached expires.
  yield* Effect.sleep(300 + ttl + 4 * stepTimeout)
  yield* Simulation.check("nothing is held when nobody holds anything", server.holders === 0)
  yield* Simulation.check("no session is left", Object.keys(yield* SessionRegistry.counts).length === 0)
  yield* finish(world)
})

export default {
  name: "Lease",
  program: Effect.flatMap(Clock.Clock, (base) => Effect.provide(program(base), SessionRegistry.layer())),
  phases: ["using", "holding in a scope", "revoking"],
  faults: [
    "a step is slow",
    "a step is refused",
    "a step gets lost",
    "an answer gets lost",
    "a step fails though it was made",
    "the store restarts empty",
    "the store hangs for a while",
    "a process is paused",
    "a wall clock is set",
    "a scope closes under its holder",
    "work ignores interruption"
  ]
} satisfies Simulation.Scenario
