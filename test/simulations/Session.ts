/**
 * Sessions of every form, nested and streamed, held by workers that are interrupted at any step, while somebody revokes
 * them by kind, tenant, subtree and id.
 *
 * Six workers do four pieces of work each. A piece holds things in sessions inside of sessions; some workers do not
 * listen when they are told to let go. What must hold is in the names of the properties.
 */
import { Caller, Session, SessionError, SessionRegistry } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Effect, Exit, Fiber, Stream } from "effect"
import { Book, Inside, OutOfThings, type Thing } from "../support/heldThings.ts"

const workers = 6
const pieces = 4
const quota = 5
const tenants = ["a", "b", undefined] as const

type Failure = OutOfThings | SessionError.SessionError

const isExpected = (error: unknown) =>
  error instanceof OutOfThings || error instanceof SessionError.SessionRevoked ||
  error instanceof SessionError.QuotaExceeded

/** Works with a thing for a while; sometimes deaf to being told to stop. */
const working = (thing: Thing) =>
  Effect.gen(function*() {
    const work = Simulation.latency(0, 60)
    if (yield* Simulation.fault("user does not listen", 0.1)) return yield* Effect.uninterruptible(work)
    yield* work
    yield* Simulation.check("who listens keeps what he uses until he lets go", thing.isHeld, () => `thing ${thing.id}`)
  }).pipe(Simulation.phase("using"))

const inside = (thing: Thing) => Effect.provideService(Inside, thing)

const makePiece = (book: Book, tenant: string | undefined) => {
  const take = book.take(tenant)

  const used = (depth: number): Effect.Effect<void, Failure> =>
    Session.use(
      { kind: "used", name: `at ${depth}` },
      take,
      book.put,
      (thing) => inside(thing)(Effect.andThen(working(thing), depth > 0 ? piece(depth - 1) : Effect.void))
    )

  const grouped = (depth: number): Effect.Effect<void, Failure> =>
    Session.scoped({ kind: "grouped", name: `at ${depth}` })(Effect.gen(function*() {
      const { session, value } = yield* Session.acquire({ kind: "acquired", name: `at ${depth}` }, take, book.put)
      yield* working(value)
      if (!session.isOpen) return
      yield* inside(value)(
        Effect.provideService(depth > 0 ? piece(depth - 1) : working(value), Session.Current, session)
      )
    }))

  const streamed = (depth: number): Effect.Effect<void, Failure> =>
    Stream.unwrap(
      Effect.map(
        Session.acquire({ kind: "acquired", name: `for ${depth}` }, take, book.put),
        ({ value }) => Stream.mapEffect(Stream.make(1, 2, 3), () => working(value))
      )
    ).pipe(
      Session.stream({ kind: "streamed", name: `at ${depth}` }),
      Stream.take(2),
      Stream.runForEach(() => depth > 0 ? piece(depth - 1) : Effect.void)
    )

  const handled = Effect.scoped(Effect.gen(function*() {
    const handle = yield* Session.acquire({ kind: "handled", name: "by hand" }, take, book.put)
    yield* Effect.raceFirst(working(handle.value), handle.awaitRevoked)
    if (yield* Simulation.choose([true, false])) yield* handle.close
  }))

  const piece = (depth: number): Effect.Effect<void, Failure> =>
    Effect.flatMap(Simulation.choose([used(depth), grouped(depth), streamed(depth), handled]), (chosen) => chosen)

  return piece
}

const worker = Effect.fnUntraced(function*(book: Book) {
  for (let i = 0; i < pieces; i++) {
    const tenant = yield* Simulation.choose(tenants)
    const exit = yield* Effect.exit(makePiece(book, tenant)(2).pipe(Caller.provide({ tenant })))
    if (Exit.isSuccess(exit)) continue
    const own = exit.cause.reasons.filter((reason) => reason._tag !== "Interrupt")
    yield* Simulation.check(
      "whoever is not interrupted gets a typed error",
      own.length > 0 && own.every((reason) => reason._tag === "Fail" && isExpected(reason.error)),
      () => String(exit.cause)
    )
  }
})

/** Revokes this and that, and never more than what it was told to. */
const revoker = Effect.gen(function*() {
  for (let i = 0; i < 6; i++) {
    yield* Simulation.latency(0, 60)
    const [any] = yield* SessionRegistry.list()
    const filters: ReadonlyArray<SessionRegistry.Filter> = [
      { kind: "used" },
      { kind: "streamed" },
      { tenant: "a" },
      { within: any?.id ?? 0 },
      { id: any?.id ?? 0 }
    ]
    const filter = yield* Simulation.choose(filters as [SessionRegistry.Filter, ...Array<SessionRegistry.Filter>])
    const deadline = yield* Simulation.choose([20, 200])
    const { revoked, stuck } = yield* SessionRegistry.revoke(filter, { reason: "simulated", deadline })
    yield* Simulation.note(`revoked ${revoked.length}`)
    yield* Simulation.check(
      "what was revoked is closed, or said to be stuck",
      (yield* SessionRegistry.list()).every(({ id }) =>
        revoked.every((session) => session.id !== id) || stuck.some((session) => session.id === id)
      )
    )
  }
}).pipe(Simulation.phase("revoking"))

const program = Effect.gen(function*() {
  const book = new Book()
  yield* Simulation.always(
    "no tenant holds more than its quota",
    () => [...book.heldBy.values()].every((held) => held <= quota),
    () => JSON.stringify([...book.heldBy])
  )
  const fibers = yield* Effect.forEach(
    [...Array.from({ length: workers }, () => worker(book)), revoker, revoker],
    (program, index) => Simulation.fork(program, index < workers ? "worker" : "revoker")
  )
  for (const fiber of fibers) {
    const exit = yield* Fiber.await(fiber)
    yield* Simulation.check(
      "only who was interrupted ends so",
      Exit.isSuccess(exit) || (yield* Simulation.isStruck(fiber)),
      () => String(exit)
    )
  }
  yield* Effect.sleep("10 seconds")
  yield* Simulation.check(
    "what was acquired was released",
    book.taken === book.returned,
    () => `${book.taken} taken, ${book.returned} returned`
  )
  const left = yield* SessionRegistry.list()
  yield* Simulation.check("the registry is empty at the end", left.length === 0, () => JSON.stringify(left))
})

export default {
  name: "Session",
  program: Effect.provide(program, SessionRegistry.layer({ quota: () => quota })),
  phases: ["acquiring", "using", "releasing", "revoking"],
  faults: [
    "nothing to acquire",
    "acquisition is slow",
    "release fails at first",
    "release is slow",
    "user does not listen"
  ]
} satisfies Simulation.Scenario
