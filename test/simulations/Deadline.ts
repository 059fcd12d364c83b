/**
 * Nested deadlines over effects, streams and detached fibers that hold things. Workers are interrupted at any step, and other
 * fibers close the scopes of their streams.
 *
 * Six workers do four pieces of work each. A piece sets up to three nested deadlines. Some work ignores interruption, some
 * releases are slow, and some readers are away when the deadline passes. The names of the properties say what must hold.
 */
import { Deadline, type SessionError } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Clock, Duration, Effect, Exit, Fiber, Option, Stream } from "effect"
import { forEachIn, inOwnedScope, pace, readForking, saysClosed } from "../support/readings.ts"

const workers = 6
const pieces = 4
const budgets = [5, 20, 50, 200, 1000] as const
/** How long a slow release takes. */
const slow = 30

/** What a model says of the deadline in force. */
interface Line {
  readonly at: number
  readonly budget: number
}

const none: Line = { at: Infinity, budget: Infinity }

class Book {
  held = 0
  readonly detached: Array<Fiber.Fiber<unknown, unknown>> = []
}

interface Thing {
  isHeld: boolean
}

const hold = (book: Book, thing: Thing) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      book.held++
      thing.isHeld = true
    }),
    () =>
      Effect.gen(function*() {
        if (yield* Simulation.fault("release is slow", 0.2)) yield* Effect.sleep(slow)
        book.held--
        thing.isHeld = false
      }).pipe(Simulation.phase("releasing"))
  )

/** Works for a while with a thing. Nobody works past the deadline, but for one who did not listen when it passed. */
const work = (line: Line, thing: Thing) =>
  Effect.gen(function*() {
    for (let i = 0; i < 3; i++) {
      const left = Duration.toMillis(yield* Deadline.remaining)
      const now = yield* Clock.currentTimeMillis
      yield* Simulation.check("what remains is what the earliest deadline leaves", left === Math.max(0, line.at - now))
      if (yield* Simulation.fault("work does not listen", 0.05)) {
        return yield* Effect.uninterruptible(Effect.gen(function*() {
          yield* Simulation.latency(0, 100)
          yield* Simulation.check("nobody loses what he still works with", thing.isHeld)
        }))
      }
      yield* Simulation.latency(0, 40)
      const then = yield* Clock.currentTimeMillis
      yield* Simulation.check("nobody works past the deadline", then <= line.at, () => `${then} of ${line.at}`)
    }
  }).pipe(Simulation.phase("working"))

/** The earlier of the deadline in force and one that is set now. */
const earlier = (line: Line, budget: number) =>
  Effect.map(Clock.currentTimeMillis, (now): Line => line.at <= now + budget ? line : { at: now + budget, budget })

const judge = Effect.fnUntraced(function*(
  outer: Line,
  line: Line,
  exit: Exit.Exit<unknown, Deadline.DeadlineExceeded | SessionError.SessionRevoked>
) {
  const now = yield* Clock.currentTimeMillis
  if (Exit.isSuccess(exit)) return
  const own = exit.cause.reasons.filter((reason) => reason._tag !== "Interrupt")
  yield* Simulation.check("who set the earliest deadline hears of it, and nobody further in", line !== outer)
  yield* Simulation.check("time runs out when the earliest deadline passes, and not before", now >= line.at)
  yield* Simulation.check(
    "the error names the budget of the earliest deadline",
    own.every((reason) =>
      reason._tag === "Fail" && reason.error._tag === "DeadlineExceeded" &&
      Duration.toMillis(reason.error.budget) === line.budget
    ),
    () => `${line.budget}: ${String(exit.cause)}`
  )
})

const makePiece = (book: Book) => {
  const bounded = Effect.fnUntraced(function*(depth: number, outer: Line) {
    const budget = yield* Simulation.choose(budgets)
    const line = yield* earlier(outer, budget)
    const thing = { isHeld: false }
    const inner = Effect.gen(function*() {
      yield* hold(book, thing)
      yield* work(line, thing)
      if (depth > 0) yield* piece(depth - 1, line)
    })
    const exit = yield* Effect.exit(Deadline.within(budget)(Effect.scoped(inner)))
    yield* Simulation.check("the error comes once everything was given back", !thing.isHeld)
    yield* judge(outer, line, exit)
  })

  const streamed = Effect.fnUntraced(function*(depth: number, outer: Line) {
    const budget = yield* Simulation.choose(budgets)
    let line = none
    const thing = { isHeld: false }
    const source = Stream.unwrap(Effect.gen(function*() {
      yield* hold(book, thing)
      return Stream.mapEffect(
        Stream.rechunk(Stream.make(1, 2, 3), 1),
        () => Effect.andThen(work(line, thing), depth > 0 ? piece(depth - 1, line) : Effect.void)
      )
    }))
    const reading = Stream.unwrap(Effect.map(earlier(outer, budget), (set) => {
      line = set
      return Deadline.withinStream(budget)(source)
    }))
    const { exit, isClosed } = yield* inOwnedScope((scope) =>
      forEachIn(scope, reading, () =>
        Effect.gen(function*() {
          if (!(yield* Simulation.fault("reader is away", 0.3))) return
          yield* Simulation.latency(0, 400)
          const now = yield* Clock.currentTimeMillis
          yield* Simulation.check(
            "a stream holds nothing past its deadline, though its reader is away",
            now <= line.at + slow || !thing.isHeld,
            () => `${now} of ${line.at}`
          )
        }).pipe(Simulation.phase("reading")))
    )
    yield* Simulation.check("a stream whose scope has closed holds nothing", !thing.isHeld)
    if (saysClosed(Option.getOrUndefined(Exit.findErrorOption(exit)))) {
      return yield* Simulation.check("a reader is told that its scope was closed where it was", isClosed)
    }
    yield* judge(outer, line, exit)
  })

  /** What forks is never slower than its deadline, so that this passes for what was lost of it. */
  const forked = Effect.fnUntraced(function*(_depth: number, outer: Line) {
    const exit = yield* readForking(Deadline.withinStream(10 * pace))
    const now = yield* Clock.currentTimeMillis
    yield* Simulation.check(
      "what a stream forks lives as long as the stream",
      Exit.isSuccess(exit) || now >= outer.at,
      () => String(exit)
    )
  }, Simulation.phase("reading what is forked"))

  const detached = Effect.fnUntraced(function*(_depth: number, outer: Line) {
    const budget = yield* Simulation.choose(budgets)
    const line = yield* earlier(outer, budget)
    const thing = { isHeld: false }
    const alone = Effect.scoped(
      Effect.andThen(hold(book, thing), Effect.andThen(work(line, thing), work(line, thing)))
    )
    yield* Effect.uninterruptible(
      Effect.map(Effect.forkDetach(Deadline.within(budget)(alone)), (fiber) => book.detached.push(fiber))
    )
  })

  const piece = (depth: number, line: Line): Effect.Effect<void> =>
    Effect.flatMap(Simulation.choose([bounded, bounded, streamed, detached, forked]), (chosen) => chosen(depth, line))

  return piece
}

const worker = Effect.fnUntraced(function*(book: Book) {
  const piece = makePiece(book)
  for (let i = 0; i < pieces; i++) yield* piece(2, none)
})

const program = Effect.gen(function*() {
  const book = new Book()
  const fibers = yield* Effect.forEach(
    Array.from({ length: workers }, () => worker(book)),
    (program) => Simulation.fork(program, "worker")
  )
  for (const fiber of fibers) {
    const exit = yield* Fiber.await(fiber)
    yield* Simulation.check(
      "only who was interrupted ends so",
      Exit.isSuccess(exit) || (Exit.hasInterrupts(exit) && (yield* Simulation.isStruck(fiber))),
      () => String(exit)
    )
  }
  for (const fiber of book.detached) yield* Fiber.await(fiber)
  yield* Simulation.check("what was held is released", book.held === 0, () => `${book.held} held`)
})

export default {
  name: "Deadline",
  program,
  phases: ["working", "releasing", "reading", "reading what is forked"],
  faults: [
    "work does not listen",
    "release is slow",
    "reader is away",
    "the scope has an owner elsewhere",
    "a scope closes under its reader"
  ]
} satisfies Simulation.Scenario
