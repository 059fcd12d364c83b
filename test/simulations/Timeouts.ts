/**
 * The limits of a stream's first output and of its gaps, under deadlines, over faulty sources.
 *
 * Six readers read four streams each, pull by pull, and measure the time themselves. They are interrupted at any step, and other
 * fibers close the scopes of their streams. Some streams depend on fibers that they fork, as with Effect's toolkits. The
 * transport's scenario has the limits on waiting for a connection and on connecting. The names of the properties say what must
 * hold.
 */
import { Deadline, Timeouts } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Cause, Clock, Data, Duration, Effect, Exit, Fiber, Option, Pull, Scope, Stream } from "effect"
import { inOwnedScope, pace, readForking, saysClosed } from "../support/readings.ts"

const readers = 6
const streams = 4
const firstTokens = [20, 60, 300] as const
const idles = [10, 40, 200] as const
const totals = [15, 100, 1000] as const
/** How long giving back takes at most. */
const releasing = 10

class Broken extends Data.TaggedError("Broken")<{}> {}

/** What a source holds, and for how long it did not listen in this pull. */
class Book {
  held = 0
  deaf = 0
}

/** A source of outputs and pings that is late, silent, deaf or broken now and then. */
const source = (book: Book) => {
  const hold = Effect.acquireRelease(
    Effect.sync(() => book.held++),
    () =>
      Effect.andThen(Simulation.latency(0, releasing), Effect.sync(() => book.held--)).pipe(
        Simulation.phase("giving back")
      )
  )
  const opening = Effect.gen(function*() {
    if (yield* Simulation.fault("opening is slow", 0.2)) yield* Simulation.latency(10, 100)
    if (yield* Simulation.fault("nothing opens", 0.05)) return yield* Effect.never
  })
  const element = Effect.gen(function*() {
    if (yield* Simulation.fault("silence", 0.05)) return yield* Effect.never
    if (yield* Simulation.fault("source does not listen", 0.05)) {
      const deaf = yield* Simulation.choose([5, 50])
      book.deaf += deaf
      yield* Effect.uninterruptible(Effect.sleep(deaf))
      return "output"
    }
    if (yield* Simulation.fault("source breaks", 0.05)) return yield* new Broken()
    yield* Simulation.latency(0, 20)
    return (yield* Simulation.fault("ping", 0.6)) ? "ping" : "output"
  })
  const opened = Stream.unwrap(Effect.gen(function*() {
    yield* hold
    const elements = Stream.take(Stream.forever(Stream.fromEffect(element)), yield* Simulation.choose([0, 1, 5, 20]))
    yield* opening
    return elements
  }))
  // Some streams open in their first pull, and some before it.
  return Stream.transformPull(opened, (pull) => Effect.as(opening, pull))
}

/** What a reader's own watch says: what it waited for since the last output, and since it began. */
interface Watch {
  readonly startedAt: number
  hasOutput: boolean
  waited: number
}

const readIn = Effect.fnUntraced(function*(book: Book, scope: Scope.Scope) {
  const firstToken = yield* Simulation.choose(firstTokens)
  const idle = yield* Simulation.choose(idles)
  const total = yield* Simulation.choose(totals)
  const limited = source(book).pipe(
    Timeouts.applyStream<string>({ timeouts: { firstToken, idle }, isOutput: (element) => element === "output" }),
    Deadline.withinStream(total)
  )
  const pull = yield* Scope.provide(Stream.toPull(limited), scope)
  const watch: Watch = { startedAt: yield* Clock.currentTimeMillis, hasOutput: false, waited: 0 }
  while (true) {
    const pulledAt = yield* Clock.currentTimeMillis
    book.deaf = 0
    const exit = yield* Effect.exit(pull.pipe(Simulation.phase(watch.hasOutput ? "gap" : "first output")))
    const now = yield* Clock.currentTimeMillis
    watch.waited += now - pulledAt
    const since = now - watch.startedAt
    const late = book.deaf + (Exit.isFailure(exit) ? releasing : 0)
    // Where no time is left when the reader comes, it still gets what has come already.
    const limit = watch.hasOutput ? idle : Math.max(firstToken, pulledAt - watch.startedAt)
    const passed = watch.hasOutput ? watch.waited : since
    yield* Simulation.check(
      "nobody waits for longer than the limit that runs, or the deadline",
      passed <= limit + late && (since <= total + late || pulledAt - watch.startedAt > total),
      () => `${passed} of ${limit}, ${since} of ${total}`
    )
    if (Exit.isFailure(exit)) {
      if (Pull.isDoneCause(exit.cause)) return
      const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
      if (error === undefined || Cause.isDone(error)) {
        return yield* Simulation.check("a reader gets a typed error", false, String(exit.cause))
      }
      yield* Simulation.note(error._tag)
      switch (error._tag) {
        case "FirstTokenTimeout":
          yield* Simulation.check("the first limit is that of the first output", !watch.hasOutput)
          yield* Simulation.check("the first limit does not pass early", since >= firstToken)
          break
        case "IdleTimeout":
          yield* Simulation.check("the idle limit is that of what comes after an output", watch.hasOutput)
          yield* Simulation.check(
            "the idle limit passes once the reader has waited for so long since the last output, and not before",
            watch.waited >= idle,
            () => `${watch.waited} of ${idle}`
          )
          break
        case "DeadlineExceeded":
          yield* Simulation.check("the deadline does not pass early", since >= total)
          yield* Simulation.check("the deadline's error names its budget", Duration.toMillis(error.budget) === total)
          break
        case "SessionRevoked":
          yield* Simulation.check(
            "a reader is told that its scope was closed where it was",
            saysClosed(error) && scope.state._tag === "Closed"
          )
      }
      return
    }
    if (exit.value.includes("output")) {
      watch.hasOutput = true
      watch.waited = 0
    }
    if (yield* Simulation.fault("reader is slow", 0.1)) yield* Simulation.latency(0, 300)
  }
})

const read = (book: Book) =>
  Effect.gen(function*() {
    const { exit } = yield* inOwnedScope((scope) => readIn(book, scope))
    yield* Simulation.check("a stream whose scope has closed holds nothing", book.held === 0, () => `${book.held} held`)
    return yield* exit
  })

/** What forks is never slower than its limits, so that they pass for what was lost of it. */
const readForked = Effect.gen(function*() {
  const idle = yield* Simulation.choose([2 * pace, 10 * pace])
  const limited = Timeouts.applyStream<string>({ timeouts: { firstToken: idle, idle } })
  const exit = yield* readForking(limited)
  const isLimit = Option.isSome(Exit.findErrorOption(exit))
  yield* Simulation.check("what a stream forks lives as long as the stream", !isLimit, () => String(exit))
  return yield* Effect.catchTags(exit, { FirstTokenTimeout: () => Effect.void, IdleTimeout: () => Effect.void })
}).pipe(Simulation.phase("reading what is forked"))

const reader = Effect.fnUntraced(function*(book: Book) {
  for (let i = 0; i < streams; i++) yield* (yield* Simulation.choose([true, true, false])) ? read(book) : readForked
})

const program = Effect.gen(function*() {
  const books = Array.from({ length: readers }, () => new Book())
  const fibers = yield* Effect.forEach(books, (book) => Simulation.fork(reader(book), "reader"))
  for (const [i, fiber] of fibers.entries()) {
    const exit = yield* Fiber.await(fiber)
    yield* Simulation.check(
      "only who was interrupted ends so",
      Exit.isSuccess(exit) || (Exit.hasInterrupts(exit) && (yield* Simulation.isStruck(fiber))),
      () => String(exit)
    )
    yield* Simulation.check("a source is given back before its reader is done", books[i]?.held === 0)
  }
})

export default {
  name: "Timeouts",
  program,
  phases: ["first output", "gap", "giving back", "reading what is forked"],
  faults: [
    "the scope has an owner elsewhere",
    "a scope closes under its reader",
    "opening is slow",
    "nothing opens",
    "silence",
    "source does not listen",
    "source breaks",
    "ping",
    "reader is slow"
  ]
} satisfies Simulation.Scenario
