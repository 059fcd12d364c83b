/** Borrowers of simulated pools, and what must hold for each of their requests. */
import { Caller, Deadline, Pool, Session, SessionError } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Effect, Exit, Option, Schema, Scope } from "effect"
import type { JumpingClock } from "./jumpingClock.ts"
import type { LeakReports } from "./leakReports.ts"
import { Broken, inSession, type Item, type Items, type Limits, Refused, type Request } from "./pooledItems.ts"

/** The limits that every simulated pool has. */
export const limits = {
  acquireTimeout: 300,
  connectTimeout: 200,
  validateTimeout: 60,
  resetTimeout: 60,
  closeTimeout: 100,
  drainTimeout: 200,
  idleTimeToLive: 150,
  leakThreshold: 100,
  backoff: { base: 5, max: 40 }
}
/** Why loans are revoked. */
export const revoked = "simulated"
const drained = "its pool was closed"

const isExpected = Schema.is(Schema.Union([
  Pool.AcquireTimeout,
  Pool.PoolFull,
  Pool.PoolClosed,
  Pool.PoolConnectTimeout,
  Deadline.DeadlineExceeded,
  SessionError.SessionRevoked
]))

/** A pool, or the pool of one key. */
interface Lender {
  readonly use: <A, E, R>(
    f: (item: Item) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | Pool.PoolError | Refused, R>
  readonly get: () => Effect.Effect<Item, Pool.PoolError | Refused, Scope.Scope>
  readonly invalidate: (item: Item) => Effect.Effect<void>
  readonly refresh: Effect.Effect<void>
}

/** What the owner of a pool sees. */
export interface Owned {
  readonly clock: JumpingClock
  /** When the pool began to close: with the leaps of the clock, and without them. */
  readonly shut: { at: number; awake: number }
  /** What its server has, of each key. */
  readonly items: ReadonlyArray<Items>
  readonly reports: LeakReports
  readonly stats: () => Pool.Stats
  readonly drain: Effect.Effect<void>
}

/** What a borrower sees: one pool, and all that belongs to it. */
export interface World {
  readonly owned: Owned
  readonly items: Items
  readonly lender: Lender
  readonly options: Limits & { readonly maxWaiters: number }
}

type Failure = Pool.PoolError | Refused | Deadline.DeadlineExceeded

/** How a request has ended, in time and with the error that says why. `held` counts the items that its caller had already. */
const judge = Effect.fnUntraced(
  function*(world: World, request: Request, held: number, exit: Exit.Exit<unknown, unknown>) {
    const { items, options, owned: { clock, shut } } = world
    yield* items.end(request)
    yield* Simulation.check(
      "nothing is lent to those who ask a pool that closes",
      request.askedAt <= shut.awake || request.startedAt === undefined
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
      yield* Simulation.check("a pool says that it is closed only if it is", clock.awake >= shut.awake)
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
        error.reason !== drained || clock.now >= shut.at + limits.drainTimeout
      )
    }
  }
)

type Work<E> = (item: Item, request: Request, held: number) => Effect.Effect<unknown, E, Scope.Scope>

/** Borrows while it works. `patience` is how long the caller waits with what it will run. */
export const using = <E>(world: World, held: number, work: Work<E>, patience: Effect.Effect<void> = Effect.void) =>
  Effect.suspend(() => {
    const { items, lender, owned: { clock, reports, shut } } = world
    let request: Request | undefined
    const loan = lender.use((item) => {
      const own = request ?? items.ask()
      own.startedAt = clock.awake
      return Effect.flatMap(Session.Current, (session) => {
        const id = session?.id ?? 0
        reports.begin(id)
        return items.take(item, inSession(own, session)).pipe(
          Effect.andThen(Effect.scoped(work(item, own, held + 1))),
          Effect.onExit(() =>
            Effect.sync(() => {
              const isRevoked = session?.revoked !== undefined
              reports.end(id, shut.awake, isRevoked)
              if (isRevoked) items.giveUp(item)
              items.put(item, own)
            })
          )
        )
      })
    })
    return Effect.andThen(
      patience,
      Effect.suspend(() => {
        const own = request = items.ask()
        return Effect.onExit(loan, (exit) => judge(world, own, held, exit))
      })
    )
  }).pipe(Simulation.phase("using"))

/** Borrows in a scope that another fiber may close. */
const scoped = (world: World) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const { items, lender, owned: { clock, shut } } = world
      const request = items.ask()
      const scope = Scope.makeUnsafe()
      let lent: Item | undefined
      // Registered before the loan, so that it runs after the return.
      yield* Scope.addFinalizer(scope, Effect.sync(() => lent !== undefined && items.put(lent, request)))
      const isOver = () => scope.state._tag === "Closed"
      const borrow = Effect.gen(function*() {
        const item = yield* lender.get()
        if (isOver()) return items.skip()
        request.startedAt = clock.awake
        lent = item
        const mayBeForced = () => items.areSeized || clock.now >= shut.at + limits.drainTimeout
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

const invalidate = Effect.fnUntraced(function*({ items, lender }: World, item: Item) {
  yield* lender.invalidate(item)
  items.giveUp(item)
  if (yield* Simulation.choose([true, false])) yield* lender.invalidate(item)
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
      yield* world.lender.invalidate({ ...first } as Item)
      yield* Simulation.latency(0, 10)
    }),
  drains: (world) => () =>
    Effect.flatMap(
      Simulation.fault("a borrower closes the pool", 0.1),
      (isHit) => isHit ? world.owned.drain : Effect.void
    )
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
    "prepared",
    "uninterruptible",
    "deaf"
  ])
  const work = works[yield* Simulation.choose(Object.keys(works) as [string])]?.(world) ?? (() => Effect.void)
  switch (kind) {
    case "scoped":
      return yield* scoped(world)
    case "throws":
      return yield* world.lender.use((item): Effect.Effect<void> => {
        item.knownAt = world.owned.clock.now
        throw new Broken()
      })
    case "limited":
      return yield* using(world, 0, work).pipe(Deadline.within(yield* Simulation.choose([0, 20, 100])))
    case "prepared":
      return yield* using(world, 0, work, Simulation.latency(0, 400))
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

/** Borrows from one of several pools in turn. */
export const borrower = Effect.fnUntraced(
  function*(worlds: readonly [World, ...ReadonlyArray<World>], requests: number) {
    for (let i = 0; i < requests; i++) {
      yield* Effect.exit(piece(yield* Simulation.choose(worlds)))
      yield* Simulation.latency(0, yield* Simulation.choose([0, 20, 20, 300]))
    }
  }
)
