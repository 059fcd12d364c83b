/**
 * Sessions of every form: nested, streamed, and outliving each other. Workers hold them, and are interrupted at any step. An
 * operator revokes sessions by kind, tenant, subtree and id, and is interrupted too. In some runs, the registry closes while
 * sessions are open. Other fibers close the scopes of streams, and readers are lost without closing anything.
 *
 * Six workers do four pieces of work each. Some ignore interruption, some never end by themselves, some revoke their own
 * session. Acquisitions wait; releases fail, die and get stuck. The names of the properties say what must hold.
 */
import { Caller, Session, SessionError, SessionRegistry } from "@clawback/core"
import * as SessionObserver from "@clawback/core/SessionObserver"
import { Simulation } from "@clawback/testing"
import { Clock, Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Book, Broken, OutOfThings } from "../support/heldThings.ts"
import { holding, reason } from "../support/holders.ts"
import { Observed } from "../support/observedSessions.ts"

const workers = 6
const pieces = 4
const quota = 5
const tenants = ["a", "b", undefined] as const
/** What everyone together needs to let go, where nothing is stuck, in milliseconds. */
const patience = 3000
/** And where something is: five seconds for each that is stuck inside of another. */
const stuckPatience = 100_000

const isExpected = (error: unknown) =>
  error instanceof OutOfThings || error instanceof Broken || error instanceof SessionError.QuotaExceeded ||
  (error instanceof SessionError.SessionRevoked && (error.reason === reason || error.reason.includes("closed")))

const worker = Effect.fnUntraced(function*(book: Book) {
  for (let i = 0; i < pieces; i++) {
    const tenant = yield* Simulation.choose(tenants)
    const exit = yield* Effect.exit(holding(book, tenant)(2).pipe(Caller.provide({ tenant })))
    if (Exit.isSuccess(exit)) continue
    const own = exit.cause.reasons.filter((reason) => reason._tag !== "Interrupt")
    yield* Simulation.check(
      "whoever is not interrupted gets a typed error",
      own.length > 0 && own.every((reason) => isExpected(reason._tag === "Fail" ? reason.error : reason.defect)) &&
        (own.every(({ _tag }) => _tag === "Fail") ||
          own.some((reason) => reason._tag === "Die" && reason.defect instanceof Broken)),
      () => String(exit.cause)
    )
  }
})

/** Revokes, and looks at what came of it. */
const revoke = Effect.fnUntraced(function*(
  book: Book,
  observed: Observed,
  filter: SessionRegistry.Filter,
  deadline: number
) {
  const before = yield* SessionRegistry.list(filter)
  const inside = (yield* Effect.forEach(before, ({ id }) => SessionRegistry.list({ within: id }))).flat()
  const startedAt = yield* Clock.currentTimeMillis
  const { forced, revoked, stuck } = yield* SessionRegistry.revoke(filter, { reason, deadline })
  const took = (yield* Clock.currentTimeMillis) - startedAt
  const left = yield* SessionRegistry.list()
  observed.note(filter, revoked)
  yield* Simulation.note(`revoked ${revoked.length}, forced ${forced.length}, stuck ${stuck.length}`)

  const ids = new Set(revoked.map(({ id }) => id))
  const isStuck = new Set(stuck.map(({ id }) => id))
  const isOpen = new Set(left.map(({ id }) => id))
  const isWhole = book.stuck === 0 && book.lost === 0
  yield* Simulation.check(
    "what was revoked is closed, or said to be stuck",
    [...before, ...revoked].every(({ id, parent = 0 }) =>
      !isOpen.has(id) || isStuck.has(id) || (book.belated.has(id) && isStuck.has(parent))
    )
  )
  yield* Simulation.check(
    "everything inside of what is revoked is taken with it",
    [...book.held].every(({ around, isStuck }) => isStuck || !around.some((id) => ids.has(id)))
  )
  // A release's own sessions end with it.
  yield* Simulation.check(
    "what is open inside of what is revoked is revoked",
    inside.every(({ id, kind, parent = 0 }) =>
      ids.has(id) || !isOpen.has(id) || kind === "farewell" || (book.belated.has(id) && isStuck.has(parent))
    ),
    () => JSON.stringify(inside.filter(({ id }) => !ids.has(id) && isOpen.has(id)))
  )
  yield* Simulation.check("only what is stuck is said to be", isWhole ? stuck.length === 0 : true)
  yield* Simulation.check(
    "who waits to acquire is told of a revocation",
    stuck.every(({ state }) => state !== "acquiring")
  )
  const sufficient = isWhole ? Math.max(0, observed.lastClosed(revoked) - startedAt) : Infinity
  yield* Simulation.check(
    "a revocation ends when everything is closed, or in time",
    took <= Math.min(sufficient, deadline + (isWhole ? patience : stuckPatience)),
    () => `${took} of ${deadline} ms, ${sufficient} would have done`
  )
  yield* Simulation.check(
    "nothing is forced before the deadline",
    forced.length === 0 || took >= deadline,
    () => `${took} of ${deadline} ms`
  )
})

const revoker = Effect.fnUntraced(function*(book: Book, observed: Observed) {
  for (let i = 0; i < 6; i++) {
    yield* Simulation.latency(0, 60)
    // What a release has opened can be revoked by itself, and is a failure of the release.
    const all = (yield* SessionRegistry.list()).filter(({ kind }) => kind !== "farewell")
    const id = all.length === 0 ? 0 : (yield* Simulation.choose(all as [SessionRegistry.Snapshot])).id
    const filter = yield* Simulation.choose<SessionRegistry.Filter>([
      { kind: "used" },
      { kind: "streamed" },
      { kind: "acquired" },
      { tenant: "a" },
      { tenant: undefined },
      { within: id },
      { id }
    ])
    yield* revoke(book, observed, filter, yield* Simulation.choose([20, 200]))
  }
}, Simulation.phase("revoking"))

/** The open sessions of readers that have gone. */
const abandonedIn = ({ abandoned }: Book) =>
  Effect.map(
    SessionRegistry.list({ kind: "streamed" }),
    (open) => new Set(open.flatMap(({ id, name }) => abandoned.has(name) ? [id] : []))
  )

/** Takes back what lost readers have left. */
const reclaim = Effect.fnUntraced(function*(book: Book) {
  const leaks = yield* SessionRegistry.leaks
  const found = new Set(leaks.map(({ session }) => session.id))
  const abandoned = yield* abandonedIn(book)
  yield* Simulation.check(
    "a reader that is lost is noticed, and no other",
    found.size === abandoned.size && [...abandoned].every((id) => found.has(id)),
    () => `${[...found].join()} of ${[...abandoned].join()}`
  )
  for (const { session } of leaks) yield* SessionRegistry.revoke({ id: session.id }, { reason, deadline: 0 })
})

const program = Effect.gen(function*() {
  const book = new Book()
  const scope = yield* Scope.make()
  const registry = yield* Layer.buildWithScope(SessionRegistry.layer({ quota: () => quota, sampleAll: true }), scope)
  const observed = new Observed()
  SessionObserver.onChange(Context.get(registry, SessionRegistry.SessionRegistry), (change) => book.hear(change))
  yield* Simulation.always(
    "no tenant holds more than its quota",
    () => {
      // This is called after each step.
      book.beingRevoked.clear()
      return [...book.heldBy.values()].every((held) => held <= quota)
    },
    () => JSON.stringify([...book.heldBy])
  )

  yield* Effect.gen(function*() {
    yield* Effect.forkChild(observed.listen)
    // By the time that anything waits for the clock, it listens.
    yield* Effect.sleep("1 millis")
    const fibers = yield* Effect.forEach(
      [...Array.from({ length: workers }, () => worker(book)), revoker(book, observed), revoker(book, observed)],
      (program, index) => Simulation.fork(program, index < workers ? "worker" : "revoker")
    )
    const isCutShort = yield* Simulation.fault("registry closes under its users", 0.2)
    if (isCutShort) {
      yield* Simulation.latency(0, yield* Simulation.choose([0, 20, 400]))
      book.isSeized = true
      yield* Scope.close(scope, Exit.void)
      yield* Simulation.note("the registry is closed")
      const { taken } = book
      yield* Simulation.always("nothing is taken once the registry is closed", () => book.taken === taken)
      yield* Simulation.check(
        "closing a registry takes everything back",
        [...book.held].every(({ isStuck }) => isStuck),
        () => `${book.held.size}`
      )
    }

    // Some have nothing to end by, but that they are told. Whoever was told before has ended by then.
    let rounds = 0
    while (fibers.some((fiber) => fiber.pollUnsafe() === undefined) && rounds++ < 400) {
      yield* Effect.sleep("10 seconds")
      // What lost readers have left is for others to find.
      const abandoned = yield* abandonedIn(book)
      const all = yield* SessionRegistry.list()
      const ids = all.flatMap(({ id, parent = 0 }) => abandoned.has(id) || abandoned.has(parent) ? [] : [id])
      yield* revoke(book, observed, { ids: new Set(ids) }, 20)
    }
    for (const fiber of fibers) {
      const exit = fiber.pollUnsafe()
      yield* Simulation.check("who holds something is told of a revocation", exit !== undefined)
      if (exit === undefined) yield* Fiber.interrupt(fiber)
      else {
        yield* Simulation.check(
          "only who was interrupted ends so",
          Exit.isSuccess(exit) || (yield* Simulation.isStruck(fiber)),
          () => String(exit)
        )
      }
    }

    yield* Simulation.heal
    yield* Effect.sleep("10 minutes")
    yield* reclaim(book)
    yield* Effect.sleep("1 second")
    yield* Simulation.check(
      "what was acquired was released",
      book.taken === book.returned + book.lost,
      () => `${book.taken} taken, ${book.returned} returned, ${book.lost} lost`
    )
    const left = yield* SessionRegistry.list()
    yield* Simulation.check("the registry is empty at the end", left.length === 0, () => JSON.stringify(left))
    yield* observed.judge(book.stuck === 0 ? 200 + patience : Infinity)
    if (isCutShort) return
    const open = Effect.forEach(
      Array.from({ length: quota }),
      () => Session.acquire({ kind: "last", name: "last" }, Effect.void, () => Effect.void)
    )
    for (const tenant of tenants) {
      const exit = yield* Effect.exit(Effect.scoped(open).pipe(Caller.provide({ tenant })))
      yield* Simulation.check("a tenant that holds nothing is admitted", Exit.isSuccess(exit), () => String(exit))
    }
  }).pipe(Effect.provideContext(registry))
})

export default {
  name: "Session",
  program,
  phases: ["acquiring", "using", "releasing", "revoking", "reading what is forked"],
  faults: [
    "the scope has an owner elsewhere",
    "a scope closes under its reader",
    "a reader is collected",
    "nothing to acquire",
    "acquisition waits its turn",
    "the turn never comes",
    "acquisition is slow",
    "release fails at first",
    "release is slow",
    "release is stuck",
    "release dies",
    "user does not listen",
    "user never ends by himself",
    "user revokes what he works in",
    "user takes more when told to stop",
    "handle's user does not ask",
    "registry closes under its users"
  ]
} satisfies Simulation.Scenario
