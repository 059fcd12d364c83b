import * as Deadline from "@clawback/core/Deadline"
import * as Timeouts from "@clawback/core/Timeouts"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"

const limits = { firstToken: "10 seconds", idle: "3 seconds" } as const
const firstToken = Exit.fail(new Timeouts.FirstTokenTimeout({ limit: Duration.seconds(10) }))
const idle = Exit.fail(new Timeouts.IdleTimeout({ limit: Duration.seconds(3) }))

/** Elements that come so many seconds after the one before was pulled; then silence. */
const after = <A>(...elements: ReadonlyArray<readonly [seconds: number, element: A]>) =>
  Stream.fromIterable(elements).pipe(
    Stream.rechunk(1),
    Stream.mapEffect(([seconds, element]) => Effect.as(Effect.sleep(Duration.seconds(seconds)), element))
  )

const forever = <A>(seconds: number, element: A) => Stream.forever(after([seconds, element]))

/** Reads a stream on a fiber of its own and keeps what came. */
const read = <A, E>(stream: Stream.Stream<A, E>, pause: Duration.Input = 0) =>
  Effect.gen(function*() {
    const seen: Array<A> = []
    const fiber = yield* Effect.forkChild(
      Stream.runForEach(stream, (element) => {
        seen.push(element)
        return Effect.sleep(pause)
      })
    )
    return { seen, fiber }
  })

describe("Timeouts.applyStream: firstToken", () => {
  it.effect("ends a stream that gives nothing, at its limit and not before", () =>
    Effect.gen(function*() {
      const { fiber } = yield* read(Timeouts.applyStream({ timeouts: limits })(Stream.never))
      yield* TestClock.adjust("9999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(fiber.pollUnsafe(), firstToken)
    }))

  it.effect("allows more time than idle does before the first output", () =>
    Effect.gen(function*() {
      const { fiber, seen } = yield* read(Timeouts.applyStream({ timeouts: limits })(after([9, "a"], [1, "b"])))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([fiber.pollUnsafe(), seen], [Exit.void, ["a", "b"]])
    }))

  it.effect("is not put off by elements that are no output", () =>
    Effect.gen(function*() {
      const { fiber, seen } = yield* read(
        Timeouts.applyStream({ timeouts: limits, isOutput: (element) => element !== "ping" })(forever(4, "ping"))
      )
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([fiber.pollUnsafe(), seen], [firstToken, ["ping", "ping"]])
    }))

  it.effect("counts from when the request was sent, where that is known", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const startedAt = Number(clock.monotonicTimeNanosUnsafe()) / 1e6
      yield* TestClock.adjust("7 seconds")
      const { fiber } = yield* read(Timeouts.applyStream({ timeouts: limits, startedAt })(Stream.never))
      yield* TestClock.adjust("2999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(fiber.pollUnsafe(), firstToken)
    }))

  it.effect("counts anew each time that the stream is run", () =>
    Effect.gen(function*() {
      const stream = Timeouts.applyStream({ timeouts: limits })(after([6, "a"]))
      const { fiber, seen } = yield* read(Stream.concat(stream, stream))
      yield* TestClock.adjust("12 seconds")
      assert.deepStrictEqual([fiber.pollUnsafe(), seen], [Exit.void, ["a", "a"]])
    }))
})

describe("Timeouts.applyStream: idle", () => {
  it.effect("ends a stream that has begun and falls silent, and keeps what came", () =>
    Effect.gen(function*() {
      const stream = Stream.concat(after([1, "a"], [2, "b"]), Stream.never)
      const { fiber, seen } = yield* read(Timeouts.applyStream({ timeouts: limits })(stream))
      yield* TestClock.adjust("5999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([fiber.pollUnsafe(), seen], [idle, ["a", "b"]])
    }))

  it.effect("starts again with each output, so that a lively stream may last", () =>
    Effect.gen(function*() {
      const { fiber, seen } = yield* read(Timeouts.applyStream({ timeouts: limits })(Stream.take(forever(2, "x"), 50)))
      yield* TestClock.adjust("100 seconds")
      assert.deepStrictEqual([fiber.pollUnsafe(), seen.length], [Exit.void, 50])
    }))

  it.effect("is not put off by elements that are no output", () =>
    Effect.gen(function*() {
      const stream = Stream.concat(after([1, "a"]), forever(1, "ping"))
      const { fiber, seen } = yield* read(
        Timeouts.applyStream({ timeouts: limits, isOutput: (element) => element !== "ping" })(stream)
      )
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), idle)
      assert.strictEqual(seen[0], "a")
      assert.isAtMost(seen.length, 4)
    }))

  it.effect("counts from the last output, not from the first", () =>
    Effect.gen(function*() {
      const stream = after([1, "a"], [2, "ping"], [0, "b"], [2, "ping"], [0, "c"])
      const { fiber, seen } = yield* read(
        Timeouts.applyStream({ timeouts: limits, isOutput: (element: string) => element !== "ping" })(stream)
      )
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual([fiber.pollUnsafe(), seen.length], [Exit.void, 5])
    }))

  it.effect("does not take a first output that has come for one that has not, however slow its reader", () =>
    Effect.gen(function*() {
      const fiber = yield* Stream.make("announcement", "output").pipe(
        Stream.rechunk(1),
        Timeouts.applyStream<string>({
          timeouts: { firstToken: "1 second" },
          isOutput: (element) => element === "output"
        }),
        Stream.runForEach(() => Effect.sleep("5 seconds")),
        Effect.forkChild
      )
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
    }))

  it.effect("does not punish a slow reader", () =>
    Effect.gen(function*() {
      const stream = Timeouts.applyStream({ timeouts: limits })(after([1, "a"], [1, "b"], [1, "c"]))
      const { fiber, seen } = yield* read(stream, "1 minute")
      yield* TestClock.adjust("3 minutes")
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual([fiber.pollUnsafe(), seen], [Exit.void, ["a", "b", "c"]])
    }))

  it.effect("does not punish a slow reader for what came between that was no output either", () =>
    Effect.gen(function*() {
      const stream = after([1, "a"], [1, "ping"], [1, "ping"], [0, "b"])
      const { fiber, seen } = yield* read(
        Timeouts.applyStream({ timeouts: limits, isOutput: (element: string) => element !== "ping" })(stream),
        "1 minute"
      )
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual([fiber.pollUnsafe(), seen], [Exit.void, ["a", "ping", "ping", "b"]])
    }))

  it.effect("ends the stream's own work before its error comes", () =>
    Effect.gen(function*() {
      let isReleased = false
      const release = Effect.sync(() => {
        isReleased = true
      })
      const stream = Stream.concat(Stream.make("a"), Stream.never).pipe(Stream.ensuring(release))
      const { fiber } = yield* read(Timeouts.applyStream({ timeouts: limits })(stream))
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual([fiber.pollUnsafe(), isReleased], [idle, true])
    }))

  it.effect("passes the stream's own end and failure on", () =>
    Effect.gen(function*() {
      const guard = Timeouts.applyStream({ timeouts: limits })
      assert.deepStrictEqual(yield* Stream.runCollect(guard(Stream.make(1, 2))), [1, 2])
      assert.deepStrictEqual(yield* Stream.runCollect(guard(Stream.empty)), [])
      assert.deepStrictEqual(yield* Effect.exit(Stream.runDrain(guard(Stream.fail("no")))), Exit.fail("no"))
    }))
})

const total = (budget: Duration.Input) =>
  Exit.fail(new Deadline.DeadlineExceeded({ budget: Duration.fromInputUnsafe(budget) }))

describe("Timeouts.applyStream: with a deadline", () => {
  const begun = Stream.concat(after([1, "a"]), Stream.never)

  it.effect("whichever of them passes first raises its own error, at its own time", () =>
    Effect.gen(function*() {
      for (
        const [stream, budget, at, error] of [
          [Stream.never, "9 seconds", 9000, total("9 seconds")],
          [Stream.never, "11 seconds", 10_000, firstToken],
          [begun, "3 seconds", 3000, total("3 seconds")],
          [begun, "5 seconds", 4000, idle]
        ] as const
      ) {
        const timed = Timeouts.applyStream<string>({ timeouts: limits })(stream)
        for (
          const call of [
            Stream.runDrain(Deadline.withinStream(budget)(timed)),
            Deadline.within(budget)(Stream.runDrain(timed)),
            Stream.runDrain(Timeouts.applyStream<string>({ timeouts: limits })(Deadline.withinStream(budget)(stream)))
          ]
        ) {
          const fiber = yield* Effect.forkChild(call)
          yield* TestClock.adjust(at - 1)
          assert.isUndefined(fiber.pollUnsafe())
          yield* TestClock.adjust(1)
          assert.deepStrictEqual(fiber.pollUnsafe(), error)
        }
      }
    }))
})

describe("Timeouts.applyStream: opening", () => {
  it.effect("a stream that does not open runs into the first limit", () =>
    Effect.gen(function*() {
      const { fiber } = yield* read(Timeouts.applyStream({ timeouts: limits })(Stream.fromPull(Effect.never)))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), firstToken)
    }))
})

describe("Timeouts.defaults", () => {
  it.effect("hold where nothing is set", () =>
    Effect.gen(function*() {
      const { fiber: silent } = yield* read(Timeouts.applyStream({ timeouts: {} })(Stream.never))
      const { fiber: stalled } = yield* read(
        Timeouts.applyStream({ timeouts: {} })(Stream.concat(Stream.make("a"), Stream.never))
      )
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(silent.pollUnsafe())
      yield* TestClock.adjust("1 minute")
      const failures = yield* Effect.all([Effect.flip(Fiber.join(silent)), Effect.flip(Fiber.join(stalled))])
      assert.deepStrictEqual(failures, [
        new Timeouts.FirstTokenTimeout({ limit: Timeouts.defaults.firstToken }),
        new Timeouts.IdleTimeout({ limit: Timeouts.defaults.idle })
      ])
    }))
})

describe("Timeouts.check", () => {
  it("names the limit that is no length of time", () => {
    for (const wrong of ["2 minuts", NaN, -1]) {
      assert.throws(() => Timeouts.check({ queue: "1 second", idle: wrong as Duration.Input }), /timeouts\.idle/)
    }
    assert.deepStrictEqual(Timeouts.check({ idle: "Infinity", total: 0 }), { idle: "Infinity", total: 0 })
  })
})

describe("a limit of zero", () => {
  it("is named as the reason, not as a time that passed", () => {
    const origin = "https://a.test"
    const connect = (limit: Duration.Input) =>
      new Timeouts.ConnectTimeout({ origin, limit: Duration.fromInputUnsafe(limit) }).message
    assert.include(connect(0), "the limit `connect` is zero")
    assert.notInclude(connect(0), "within")
    assert.include(connect("300 micros"), "within <1ms")
    assert.include(connect("5 seconds"), "within 5s")
    const queue = new Timeouts.QueueTimeout({ origin, limit: Duration.zero, connections: 1, waiting: 0 }).message
    assert.include(queue, "No connection to https://a.test was free: all 1 were busy")
  })
})
