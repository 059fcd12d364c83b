/** Owners of simulated pools: what they do while others borrow, and what must hold in the end. */
import { Session, SessionRegistry } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Clock, Effect, Exit, Fiber, Latch, Logger, Schedule } from "effect"
import { borrower, limits, type Owned, revoked, using, type World } from "./borrowers.ts"
import { JumpingClock } from "./jumpingClock.ts"
import { LeakReports } from "./leakReports.ts"

const borrowers = 6
const requestsEach = 4
/** The drain, then a revocation, the release by force, the close, and a connect that ignores its end. */
const longestClose = limits.drainTimeout + 4 * limits.closeTimeout

/** The options that differ between runs. */
export const chooseOptions = Effect.gen(function*() {
  const isChecked = yield* Simulation.choose([true, true, false])
  return {
    options: {
      ...limits,
      max: yield* Simulation.choose([1, 2, 3, 3]),
      maxWaiters: yield* Simulation.choose([0, 2, 100]),
      maxUses: yield* Simulation.choose([3, Infinity]),
      maxLifetime: yield* Simulation.choose([100, 400, 5000]),
      validateBypass: isChecked ? yield* Simulation.choose([0, 20, 5000]) : Infinity,
      keepAlive: isChecked ? yield* Simulation.choose([40, 5000]) : Infinity
    },
    isChecked,
    isReset: yield* Simulation.choose([true, false])
  }
})

/** Closes the pool, and looks at what is left of it. */
export const drain = Effect.fnUntraced(function*(owned: Owned, close: Effect.Effect<unknown>) {
  const { clock, items, shut } = owned
  const isInside = (yield* Session.Current) !== undefined
  const startedAt = clock.awake
  // Nobody is interrupted between the two.
  yield* Effect.uninterruptible(Effect.suspend(() => {
    shut.at = Math.min(shut.at, clock.now)
    shut.awake = Math.min(shut.awake, clock.awake)
    return close
  }))
  const took = clock.awake - startedAt
  yield* Simulation.check("a pool closes in time", took <= longestClose, () => `${took} ms`)
  if (isInside) return
  const left = items.flatMap(({ left }) => left)
  yield* Simulation.check("who closes a pool waits until all is closed", left.length === 0, () => left.join())
  const stats = owned.stats()
  yield* Simulation.check(
    "nothing is left of a closed pool",
    stats.total === 0 && stats.waiting === 0,
    () => JSON.stringify(stats)
  )
}, Simulation.phase("closing"))

/** What the owner does while others borrow. */
const owner = Effect.fnUntraced(function*(worlds: readonly [World, ...ReadonlyArray<World>]) {
  const { owned: { clock } } = worlds[0]
  for (let i = 0; i < 5; i++) {
    yield* Simulation.latency(0, 100)
    if (yield* Simulation.fault("the items are replaced", 0.3)) {
      const { items, lender } = yield* Simulation.choose(worlds)
      const before = [...items.all]
      items.replace()
      yield* lender.refresh
      items.replace()
      for (const item of before) items.giveUp(item)
    }
    if (yield* Simulation.fault("the wall clock jumps", 0.3)) {
      clock.jump(yield* Simulation.choose([-100_000, 100, 100_000]))
    }
    if (yield* Simulation.fault("the machine is suspended", 0.1)) {
      yield* clock.leap(yield* Simulation.choose([30, 170, 600, 300_000]))
    }
  }
})

/** Takes loans back, and sometimes an item from its borrower. */
const revoker = Effect.fnUntraced(function*({ items }: Owned) {
  for (let i = 0; i < 3; i++) {
    yield* Simulation.latency(0, 150)
    const isSeizing = yield* Simulation.fault("an item is seized", 0.05)
    if (isSeizing) { for (const of of items) of.areSeized = true }
    const sessions = yield* SessionRegistry.list(isSeizing ? {} : { kind: "borrow", tenant: undefined })
    const session = sessions[0]
    if (session === undefined) continue
    const { stuck } = yield* SessionRegistry.revoke({ id: session.id }, {
      reason: revoked,
      deadline: yield* Simulation.choose([0, 50]),
      releaseDeadline: 100
    })
    yield* Simulation.check(
      "who waits for an item is told of a revocation",
      !stuck.some(({ kind, state }) => kind === "borrow" && state === "acquiring")
    )
  }
}, Simulation.phase("revoking"))

/** As many as there are items borrow at once, and all of them are served. */
const serve = Effect.fnUntraced(function*(world: World) {
  const all = yield* Latch.make()
  let holding = 0
  const hold = using(world, 0, () =>
    Effect.suspend(() => {
      if (++holding === world.options.max) all.openUnsafe()
      return all.await
    }))
  // It may be full for the moment in which an item that has grown old is closed.
  const patient = Effect.retry(hold, {
    while: ({ _tag }) => _tag === "PoolFull",
    schedule: Schedule.spaced(1),
    times: 50
  })
  const exit = yield* Effect.exit(
    Effect.all(Array.from({ length: world.options.max }, () => patient), { concurrency: "unbounded" })
  )
  yield* Simulation.check("a healed pool serves up to its limit", Exit.isSuccess(exit), () => String(exit))
})

/** What must hold at every moment, for at most so many items. */
const laws = Effect.fnUntraced(function*({ clock, items, shut, stats }: Owned, max: number) {
  yield* Simulation.always(
    "connects, open and closing items never exceed the limit",
    // At the moment of a leap, a close may have been given up that had no turn yet.
    () => clock.hasJustLeapt || items.every(({ places }) => places <= max),
    () => JSON.stringify(items.map(({ present }) => [...present]))
  )
  yield* Simulation.always(
    "a pool that closes breaks off its connects at once",
    () => clock.awake <= shut.awake || items.every(({ isConnecting }) => !isConnecting),
    () => JSON.stringify(items.map(({ left }) => left))
  )
  yield* Simulation.always(
    "each place is counted once",
    () => {
      const { busy, closing, idle, opening, resetting, total, validating, waiting } = stats()
      const least = Math.min(busy, closing, idle, opening, resetting, validating, waiting)
      return least >= 0 && busy + closing + idle + opening + resetting + validating === total &&
        total <= max * items.length
    },
    () => JSON.stringify(stats())
  )
})

const sumOf = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, count) => sum + count, 0)

/** Borrows, owns, heals, looks and closes. `whenQuiet` runs when nobody has borrowed for a while, and nothing is amiss. */
export const simulate = Effect.fnUntraced(function*(
  owned: Owned,
  worlds: readonly [World, ...ReadonlyArray<World>],
  close: Effect.Effect<unknown>,
  whenQuiet: Effect.Effect<void> = Effect.void
) {
  yield* laws(owned, worlds[0].options.max)
  const fibers = yield* Effect.forEach(
    [...Array.from({ length: borrowers }, () => borrower(worlds, requestsEach)), owner(worlds), revoker(owned)],
    (program, index) =>
      Simulation.fork(program, index < borrowers ? "borrower" : index > borrowers ? "revoker" : "owner")
  )
  const isCutShort = yield* Simulation.fault("the pool closes under its borrowers", 0.3)
  if (isCutShort) {
    yield* Simulation.latency(0, yield* Simulation.choose([0, 20, 400]))
    const other = yield* Simulation.fork(Effect.andThen(Simulation.latency(0, 100), owned.drain), "closer")
    yield* drain(owned, close)
    yield* Fiber.await(other)
  }
  for (const fiber of fibers) {
    const exit = yield* Fiber.await(fiber)
    yield* Simulation.check(
      "only who was interrupted ends so",
      Exit.isSuccess(exit) || (Exit.hasInterrupts(exit) && (yield* Simulation.isStruck(fiber))),
      () => String(exit)
    )
  }
  for (const [reason, count] of Object.entries(owned.stats().closed)) {
    if (count > 0) yield* Simulation.fault(`an item is closed: ${reason}`, 1)
  }

  yield* Simulation.heal
  yield* Effect.sleep("2 seconds")
  const loans = yield* SessionRegistry.list({ kind: "borrow" })
  yield* Simulation.check("no loan outlives its borrower", loans.length === 0, () => JSON.stringify(loans))
  const quiet = owned.stats()
  yield* Simulation.check(
    "nobody holds or waits in the end",
    quiet.busy === 0 && quiet.waiting === 0,
    () => JSON.stringify(quiet)
  )
  yield* whenQuiet
  if (owned.shut.at === Infinity) yield* Effect.forEach(worlds, serve, { concurrency: "unbounded", discard: true })
  yield* drain(owned, close)

  const left = yield* SessionRegistry.list()
  yield* Simulation.check("the registry is empty when all is closed", left.length === 0, () => JSON.stringify(left))
  const { closed, opened } = owned.stats()
  yield* Simulation.check(
    "each item that was opened is closed for one reason",
    opened === sumOf(closed),
    () => JSON.stringify(owned.stats())
  )
  const all = owned.items.flatMap(({ all }) => all)
  yield* Simulation.check(
    "each item is closed once",
    all.every(({ closings, state }) => closings === 1 && state === "closed"),
    () => JSON.stringify(all.filter(({ closings }) => closings !== 1))
  )
  yield* Simulation.check(
    "an item is lent only if it was used or checked shortly before",
    owned.items.every(({ hasLentStale }) => !hasLentStale)
  )
  yield* owned.reports.check
})

/** Runs a program with a clock that jumps, and notes the leaks that its pools report. */
export const withClock = <E>(program: (clock: JumpingClock, reports: LeakReports) => Effect.Effect<unknown, E>) =>
  Effect.flatMap(Clock.Clock, (base) => {
    const clock = new JumpingClock(base)
    const reports = new LeakReports(clock, limits.leakThreshold, "borrowers.ts")
    return Effect.provide(program(clock, reports), SessionRegistry.layer()).pipe(
      Effect.updateService(Logger.CurrentLoggers, (loggers) => new Set([...loggers, reports.logger])),
      Effect.provideService(Clock.Clock, clock)
    )
  })

export const phases = ["using", "holding in a scope", "revoking", "closing"]

export const faults = [
  "connect is slow",
  "connect never ends",
  "connect ignores interruption",
  "connect fails",
  "connect dies",
  "an item is broken",
  "a check throws",
  "a check hangs",
  "a check ignores interruption",
  "a reset fails",
  "a reset hangs",
  "a reset ignores interruption",
  "close is slow",
  "close never ends",
  "close dies",
  "a scope closes under its borrower",
  "a borrower ignores interruption",
  "a borrower never ends",
  "a borrower closes the pool",
  "the items are replaced",
  "the wall clock jumps",
  "the machine is suspended",
  "an item is seized",
  "the pool closes under its borrowers"
]
