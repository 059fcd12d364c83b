/**
 * A pool of items that fail, hang, break and are late. Its borrowers are interrupted at any step, other fibers close the scopes of
 * their loans and revoke them, and the owner replaces the items and closes the pool, and the wall clock jumps.
 *
 * Six borrowers make four requests each, for at most three items. In the end everything is healed. Then as many borrowers as
 * items must be served at once. The names of the properties say what must hold.
 */
import { Caller, Deadline, Pool, Session, SessionError, SessionRegistry } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Clock, Effect, Exit, Fiber, Latch, Option, Schedule, Schema, Scope } from "effect"
import { JumpingClock } from "../support/jumpingClock.ts"
import { Broken, inSession, type Item, Items, type Limits, Refused, type Request } from "../support/pooledItems.ts"

const borrowers = 6
const requestsEach = 4
const limits = {
  acquireTimeout: 300,
  connectTimeout: 200,
  validateTimeout: 60,
  resetTimeout: 60,
  closeTimeout: 100,
  drainTimeout: 200,
  idleTimeToLive: 150,
  leakThreshold: 100
}
/** The drain, then a revocation, the release by force, the close, and a connect that ignores its end. */
const longestClose = limits.drainTimeout + 4 * limits.closeTimeout
const revoked = "simulated"
const drained = "its pool was closed"

const isExpected = Schema.is(Schema.Union([
  Pool.AcquireTimeout,
  Pool.PoolFull,
  Pool.PoolClosed,
  Pool.PoolConnectTimeout,
  Deadline.DeadlineExceeded,
  SessionError.SessionRevoked
]))

interface World {
  readonly clock: JumpingClock
  readonly items: Items
  readonly pool: Pool.Pool<Item, Refused>
  readonly options: Limits & { readonly maxWaiters: number }
  /** When the pool began to close. */
  shutAt: number
}

type Failure = Pool.PoolError | Refused | Deadline.DeadlineExceeded

/** How a request has ended, in time and with the error that says why. `held` counts the items that its caller had already. */
const judge = Effect.fnUntraced(
  function*(world: World, request: Request, held: number, exit: Exit.Exit<unknown, unknown>) {
    const { clock, items, options, shutAt } = world
    yield* items.end(request)
    yield* Simulation.check(
      "nothing is lent to those who ask a pool that closes",
      request.askedAt <= shutAt || request.startedAt === undefined
    )
    if (Exit.isSuccess(exit)) return
    for (const reason of exit.cause.reasons) {
      yield* Simulation.check(
        "a borrower gets a typed error",
        reason._tag === "Interrupt" || (reason._tag === "Die" ? reason.defect : reason.error) instanceof Broken ||
          (reason._tag === "Fail" && (isExpected(reason.error) || reason.error instanceof Refused)),
        () => String(exit.cause)
      )
    }
    const error = Exit.findErrorOption(exit).pipe(Option.filter(isExpected), Option.getOrUndefined)
    if (error === undefined) return
    if (error._tag === "PoolClosed") {
      yield* Simulation.check("a pool says that it is closed only if it is", clock.now >= shutAt)
    }
    if (error._tag === "PoolFull") {
      yield* Simulation.check("nobody is rejected while more may wait", error.waiting >= options.maxWaiters)
    }
    if (error._tag === "AcquireTimeout" && request.startedAt === undefined) {
      yield* Simulation.check(
        "an error counts what its caller holds",
        error.held === held,
        () => `${error.held} of ${held}`
      )
    }
    if (error._tag === "SessionRevoked") {
      yield* Simulation.check("a borrower hears why it must stop", error.reason === revoked || error.reason === drained)
      yield* Simulation.check(
        "borrowers have the whole drain to end",
        error.reason !== drained || clock.now >= shutAt + limits.drainTimeout
      )
    }
  }
)

type Work<E> = (item: Item, request: Request, held: number) => Effect.Effect<unknown, E, Scope.Scope>

/** Borrows while it works. */
const using = <E>(world: World, held: number, work: Work<E>) =>
  Effect.suspend(() => {
    const { items, pool } = world
    const request = items.ask()
    const loan = Pool.use(pool, (item) => {
      request.startedAt = world.clock.now
      return Effect.flatMap(Session.Current, (session) =>
        items.take(item, inSession(request, session)).pipe(
          Effect.andThen(Effect.scoped(work(item, request, held + 1))),
          Effect.onExit(() =>
            Effect.sync(() => {
              if (session?.revoked !== undefined) items.giveUp(item)
              items.put(item, request)
            })
          )
        ))
    })
    return Effect.onExit(loan, (exit) => judge(world, request, held, exit))
  }).pipe(Simulation.phase("using"))

/** Borrows in a scope that another fiber may close. */
const scoped = (world: World) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const { clock, items, pool } = world
      const request = items.ask()
      const scope = Scope.makeUnsafe()
      let lent: Item | undefined
      // Registered before the loan, so that it runs after the return.
      yield* Scope.addFinalizer(scope, Effect.sync(() => lent !== undefined && items.put(lent, request)))
      const isOver = () => scope.state._tag === "Closed"
      const borrow = Effect.gen(function*() {
        const item = yield* Pool.get(pool)
        if (isOver()) return
        request.startedAt = clock.now
        lent = item
        const mayBeForced = () => items.areSeized || clock.now >= world.shutAt + limits.drainTimeout
        yield* items.take(item, { request, isOver, mayBeForced })
        yield* Simulation.latency(0, 40)
      })
      const settle = yield* Simulation.closeAtAnyStep(scope, { fault: "a scope closes under its borrower" })
      const exit = yield* Effect.exit(restore(Scope.provide(borrow, scope)))
      yield* settle
      yield* Scope.close(scope, exit)
      yield* judge(world, request, 0, exit)
      return yield* exit
    })
  ).pipe(Caller.provide({ tenant: "scoped" }), Simulation.phase("holding in a scope"))

const invalidate = Effect.fnUntraced(function*({ items, pool }: World, item: Item) {
  yield* Pool.invalidate(pool, item)
  items.giveUp(item)
  if (yield* Simulation.choose([true, false])) yield* Pool.invalidate(pool, item)
})

/** What a borrower does with its item. */
const works: Readonly<Record<string, (world: World) => Work<Failure>>> = {
  short: () => () => Simulation.latency(0, 30),
  long: () => () => Simulation.latency(50, 200),
  fails: () => () => Effect.fail(new Refused()),
  dies: () => () => Effect.die(new Broken()),
  nests: (world) => (_, __, held) => using(world, held, () => Simulation.latency(0, 30)),
  forks: (world) => (_, __, held) =>
    Effect.andThen(
      Effect.forkChild(Effect.exit(using(world, held, () => Simulation.latency(0, 30)))),
      Simulation.latency(0, 30)
    ),
  invalidates: (world) => (item) => Effect.andThen(invalidate(world, item), Simulation.latency(0, 10)),
  interferes: (world) => () =>
    Effect.gen(function*() {
      const [first, ...others] = world.items.known
      if (first !== undefined) yield* invalidate(world, yield* Simulation.choose([first, ...others]))
      yield* Pool.invalidate(world.pool, { ...first } as Item)
      yield* Simulation.latency(0, 10)
    }),
  drains: (world) => () =>
    Effect.flatMap(Simulation.fault("a borrower closes the pool", 0.1), (isHit) => isHit ? drain(world) : Effect.void)
}

/** Borrows in one of many ways. */
const piece = Effect.fnUntraced(function*(world: World): Effect.fn.Return<unknown, Failure> {
  const kind = yield* Simulation.choose([
    "plain",
    "plain",
    "plain",
    "scoped",
    "throws",
    "limited",
    "uninterruptible",
    "deaf"
  ])
  const work = works[yield* Simulation.choose(Object.keys(works) as [string])]?.(world) ?? (() => Effect.void)
  switch (kind) {
    case "scoped":
      return yield* scoped(world)
    case "throws":
      return yield* Pool.use(world.pool, (item): Effect.Effect<void> => {
        item.knownAt = world.clock.now
        throw new Broken()
      })
    case "limited":
      return yield* using(world, 0, work).pipe(Deadline.within(yield* Simulation.choose([0, 20, 100])))
    case "uninterruptible":
      return yield* Effect.uninterruptible(using(world, 0, work))
    case "deaf":
      if (yield* Simulation.fault("a borrower ignores interruption", 0.3)) {
        return yield* using(world, 0, () => Effect.uninterruptible(Effect.sleep(500)))
      }
      if (yield* Simulation.fault("a borrower never ends", 0.3)) {
        return yield* using(world, 0, () => Effect.never).pipe(Deadline.within(900))
      }
      return
    default:
      return yield* using(world, 0, work)
  }
})

const borrower = Effect.fnUntraced(function*(world: World) {
  for (let i = 0; i < requestsEach; i++) {
    yield* Effect.exit(piece(world))
    yield* Simulation.latency(0, yield* Simulation.choose([0, 20, 20, 300]))
  }
})

/** Closes the pool, and looks at what is left of it. */
const drain = Effect.fnUntraced(function*(world: World, close: Effect.Effect<unknown> = Pool.drain(world.pool)) {
  const { clock, items, pool } = world
  const isInside = (yield* Session.Current) !== undefined
  const startedAt = clock.now
  // Nobody is interrupted between the two.
  yield* Effect.uninterruptible(Effect.suspend(() => {
    world.shutAt = Math.min(world.shutAt, clock.now)
    return close
  }))
  const took = clock.now - startedAt
  yield* Simulation.check("a pool closes in time", took <= longestClose, () => `${took} ms`)
  if (isInside) return
  const { left } = items
  yield* Simulation.check("who closes a pool waits until all is closed", left.length === 0, () => left.join())
  const stats = yield* Pool.stats(pool)
  yield* Simulation.check(
    "nothing is left of a closed pool",
    stats.total === 0 && stats.waiting === 0,
    () => JSON.stringify(stats)
  )
}, Simulation.phase("closing"))

/** What the owner does while others borrow. */
const owner = Effect.fnUntraced(function*(world: World) {
  const { clock, items, pool } = world
  for (let i = 0; i < 5; i++) {
    yield* Simulation.latency(0, 100)
    if (yield* Simulation.fault("the items are replaced", 0.3)) {
      const before = [...items.all]
      yield* Pool.refresh(pool)
      for (const item of before) items.giveUp(item)
    }
    if (yield* Simulation.fault("the wall clock jumps", 0.3)) {
      clock.jump(yield* Simulation.choose([-100_000, 100, 100_000]))
    }
  }
})

/** Takes loans back, and sometimes an item from its borrower. */
const revoker = Effect.fnUntraced(function*({ items }: World) {
  for (let i = 0; i < 3; i++) {
    yield* Simulation.latency(0, 150)
    const isSeizing = yield* Simulation.fault("an item is seized", 0.05)
    if (isSeizing) items.areSeized = true
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

const sumOf = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, count) => sum + count, 0)

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

const program = Effect.fnUntraced(function*(clock: JumpingClock) {
  const isChecked = yield* Simulation.choose([true, true, false])
  const options = {
    ...limits,
    max: yield* Simulation.choose([1, 2, 3, 3]),
    maxWaiters: yield* Simulation.choose([0, 2, 100]),
    maxUses: yield* Simulation.choose([3, Infinity]),
    maxLifetime: yield* Simulation.choose([100, 400, 5000]),
    validateBypass: isChecked ? yield* Simulation.choose([0, 20, 5000]) : Infinity,
    keepAlive: isChecked ? yield* Simulation.choose([40, 5000]) : Infinity
  }
  const isReset = yield* Simulation.choose([true, false])
  const items = new Items(clock, options)
  const scope = yield* Scope.make()
  const pool = yield* Pool.make({
    ...options,
    validate: isChecked ? items.validate : undefined,
    reset: isReset ? items.reset : undefined,
    acquire: items.connect,
    min: yield* Simulation.choose([0, 0, 1]),
    backoff: { base: 5, max: 40 }
  }).pipe(Scope.provide(scope))
  const world: World = { clock, items, pool, options, shutAt: Infinity }

  const stats = () => Effect.runSync(Pool.stats(pool))
  yield* Simulation.always(
    "connects, open and closing items never exceed the limit",
    () => items.places <= options.max,
    () => JSON.stringify([...items.present])
  )
  yield* Simulation.always(
    "a pool that closes breaks off its connects at once",
    () => clock.now <= world.shutAt || !items.isConnecting,
    () => JSON.stringify(items.left)
  )
  yield* Simulation.always(
    "each place is counted once, and nobody waits while an item is idle and none is on its way",
    () => {
      const { busy, closing, idle, opening, resetting, total, validating, waiting } = stats()
      const least = Math.min(busy, closing, idle, opening, resetting, validating, waiting)
      return least >= 0 && busy + closing + idle + opening + resetting + validating === total && total <= options.max &&
        (waiting === 0 || idle === 0 || opening + resetting + validating > 0)
    },
    () => JSON.stringify(stats())
  )

  const fibers = yield* Effect.forEach(
    [...Array.from({ length: borrowers }, () => borrower(world)), owner(world), revoker(world)],
    (program, index) =>
      Simulation.fork(program, index < borrowers ? "borrower" : index > borrowers ? "revoker" : "owner")
  )
  const isCutShort = yield* Simulation.fault("the pool closes under its borrowers", 0.3)
  if (isCutShort) {
    yield* Simulation.latency(0, yield* Simulation.choose([0, 20, 400]))
    const other = yield* Effect.forkChild(Effect.andThen(Simulation.latency(0, 100), drain(world)))
    yield* drain(world, Scope.close(scope, Exit.void))
    yield* Fiber.join(other)
  }
  for (const fiber of fibers) {
    const exit = yield* Fiber.await(fiber)
    yield* Simulation.check(
      "only who was interrupted ends so",
      Exit.isSuccess(exit) || (Exit.hasInterrupts(exit) && (yield* Simulation.isStruck(fiber))),
      () => String(exit)
    )
  }
  for (const [reason, count] of Object.entries(stats().closed)) {
    if (count > 0) yield* Simulation.fault(`an item is closed: ${reason}`, 1)
  }

  yield* Simulation.heal
  yield* Effect.sleep("2 seconds")
  const loans = yield* SessionRegistry.list({ kind: "borrow" })
  yield* Simulation.check("no loan outlives its borrower", loans.length === 0, () => JSON.stringify(loans))
  const quiet = stats()
  yield* Simulation.check(
    "nobody holds or waits in the end",
    quiet.busy === 0 && quiet.waiting === 0,
    () => JSON.stringify(quiet)
  )
  if (world.shutAt === Infinity) yield* serve(world)
  yield* drain(world, Scope.close(scope, Exit.void))

  const left = yield* SessionRegistry.list()
  yield* Simulation.check("the registry is empty when all is closed", left.length === 0, () => JSON.stringify(left))
  const { closed, opened } = stats()
  yield* Simulation.check(
    "each item that was opened is closed for one reason",
    opened === sumOf(closed),
    () => JSON.stringify(stats())
  )
  yield* Simulation.check(
    "each item is closed once",
    items.all.every(({ closings, state }) => closings === 1 && state === "closed"),
    () => JSON.stringify(items.all.filter(({ closings }) => closings !== 1))
  )
})

export default {
  name: "Pool",
  program: Effect.flatMap(Clock.Clock, (base) => {
    const clock = new JumpingClock(base)
    return Effect.provideService(Effect.provide(program(clock), SessionRegistry.layer()), Clock.Clock, clock)
  }),
  phases: ["using", "holding in a scope", "revoking", "closing"],
  faults: [
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
    "an item is seized",
    "the pool closes under its borrowers"
  ]
} satisfies Simulation.Scenario
