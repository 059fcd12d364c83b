import * as Deadline from "@clawback/core/Deadline"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"

const exceeded = (budget: Duration.Input) =>
  Exit.fail(new Deadline.DeadlineExceeded({ budget: Duration.fromInputUnsafe(budget) }))

const every = (pause: Duration.Input) => Stream.forever(Stream.fromEffect(Effect.as(Effect.sleep(pause), "x")))

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** A deadline that is set so many milliseconds after the one around it. */
const Level = Schema.Struct({ budget: between(1, 100), after: between(0, 30) })

describe("Deadline.within", () => {
  it.effect("work that ends in time is not touched", () =>
    Effect.gen(function*() {
      const work = Effect.as(Effect.sleep("9 seconds"), "done").pipe(Deadline.within("10 seconds"))
      const fiber = yield* Effect.forkChild(work)
      yield* TestClock.adjust("9 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), Exit.succeed("done"))
    }))

  it.effect("work that does not is interrupted when the deadline passes, and not before", () =>
    Effect.gen(function*() {
      let isInterrupted = false
      const work = Effect.onInterrupt(Effect.never, () =>
        Effect.sync(() => {
          isInterrupted = true
        }))
      const fiber = yield* Effect.forkChild(Deadline.within("10 seconds")(work))
      yield* TestClock.adjust("9999 millis")
      assert.deepStrictEqual([fiber.pollUnsafe(), isInterrupted], [undefined, false])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([fiber.pollUnsafe(), isInterrupted], [exceeded("10 seconds"), true])
    }))

  it.effect("the error comes when what the work held has been released", () =>
    Effect.gen(function*() {
      const work = Effect.acquireUseRelease(Effect.void, () => Effect.never, () => Effect.sleep("5 seconds"))
      const fiber = yield* Effect.forkChild(Deadline.within("10 seconds")(work))
      yield* TestClock.adjust("14 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), exceeded("10 seconds"))
    }))

  it.effect("a longer one inside of a shorter one changes nothing: the outer error comes, at the outer time", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(
        Effect.never.pipe(Deadline.within("1 minute"), Deadline.within("10 seconds"))
      )
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), exceeded("10 seconds"))
    }))

  it.effect("a shorter one inside of a longer one ends its own work only", () =>
    Effect.gen(function*() {
      const inner = Effect.exit(Deadline.within("2 seconds")(Effect.never))
      const fiber = yield* Effect.forkChild(
        Deadline.within("10 seconds")(Effect.all([inner, Deadline.remaining]))
      )
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), Exit.succeed([exceeded("2 seconds"), Duration.seconds(8)]))
    }))

  it.effect("one that starts late cannot outlive the one that it is inside of", () =>
    Effect.gen(function*() {
      const late = Effect.andThen(Effect.sleep("8 seconds"), Deadline.within("5 seconds")(Effect.never))
      const fiber = yield* Effect.forkChild(Deadline.within("10 seconds")(late))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), exceeded("10 seconds"))
    }))

  it.effect.prop(
    "of any that are nested, at any times, the earliest ends the work: at its time, with its budget in the error",
    [Schema.NonEmptyArray(Level)],
    ([levels]) =>
      Effect.gen(function*() {
        let start = 0
        const ends = levels.map(({ after, budget }) => {
          start += after
          return { at: start + budget, start, budget }
        })
        // A level that is reached only after the work has ended has no say.
        const first = ends.reduce((first, next) => next.start < first.at && next.at < first.at ? next : first)
        const work = levels.reduceRight(
          (inner: Effect.Effect<unknown, Deadline.DeadlineExceeded>, { after, budget }) =>
            Effect.andThen(Effect.sleep(after), Deadline.within(budget)(inner)),
          Effect.never
        )
        const fiber = yield* Effect.forkChild(work)
        yield* TestClock.adjust(first.at - 1)
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(fiber.pollUnsafe(), exceeded(first.budget))
      })
  )

  it.effect("an inner deadline ends at the outer one's moment, even if its work is not interrupted", () =>
    Effect.gen(function*() {
      let isInterrupted = false
      const work = Effect.onInterrupt(Effect.never, () =>
        Effect.sync(() => {
          isInterrupted = true
        }))
      const detached = Effect.forkDetach(Deadline.within("1 minute")(work))
      const fiber = yield* Deadline.within("10 seconds")(detached)
      yield* TestClock.adjust("9999 millis")
      assert.isFalse(isInterrupted)
      yield* TestClock.adjust("1 millis")
      assert.isTrue(isInterrupted)
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual(fiber.pollUnsafe(), exceeded("10 seconds"))
    }))

  it.effect("one that would be later leaves the error to the one outside, whatever is made of errors in between", () =>
    Effect.gen(function*() {
      const hidden = Effect.mapError(Deadline.within("1 minute")(Effect.never), () => "hidden")
      const fiber = yield* Effect.forkChild(Deadline.within("10 seconds")(hidden))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), exceeded("10 seconds"))
      const stream = Stream.mapError(Deadline.withinStream("1 minute")(every("3 seconds")), () => "hidden")
      for (
        const reading of [
          Deadline.within("10 seconds")(Stream.runDrain(stream)),
          Stream.runDrain(Deadline.withinStream("10 seconds")(stream)),
          Deadline.within("10 seconds")(Stream.runForEach(stream, () => Effect.sleep("2 seconds")))
        ]
      ) {
        const fiber = yield* Effect.forkChild(reading)
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(fiber.pollUnsafe(), exceeded("10 seconds"))
      }
    }))

  it.effect("one that passes while an inner one waits for releases raises its own error, after them", () =>
    Effect.gen(function*() {
      const slow = Effect.acquireUseRelease(Effect.void, () => Effect.never, () => Effect.sleep("20 seconds"))
      const fiber = yield* Effect.forkChild(slow.pipe(Deadline.within("2 seconds"), Deadline.within("10 seconds")))
      yield* TestClock.adjust("21999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(fiber.pollUnsafe(), exceeded("10 seconds"))
    }))

  it.effect("an infinite one changes nothing", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Deadline.within("Infinity")(Deadline.remaining), Duration.infinity)
    }))

  it("one that is no length of time is named where it is set", () => {
    for (const wrong of ["2 minuts", NaN, -1]) {
      assert.throws(() => Deadline.within(wrong as Duration.Input), /`deadline`/)
      assert.throws(() => Deadline.withinStream(wrong as Duration.Input), /`deadline`/)
    }
  })

  it.effect("a zero deadline ends work that waits at once", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Deadline.within(0)(Effect.never))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(fiber.pollUnsafe(), exceeded(0))
    }))
})

describe("Deadline.remaining", () => {
  it.effect("is not made longer by a longer deadline inside", () =>
    Effect.gen(function*() {
      const left = yield* Deadline.remaining.pipe(Deadline.within("1 minute"), Deadline.within("10 seconds"))
      assert.deepStrictEqual(left, Duration.seconds(10))
    }))

  it.effect("is infinite without a deadline, shrinks with time, and stays at zero", () =>
    Effect.gen(function*() {
      const seen: Array<Duration.Duration> = [yield* Deadline.remaining]
      const look = Effect.map(Deadline.remaining, (left) => {
        seen.push(left)
      })
      const work = Effect.andThen(look, Effect.andThen(Effect.sleep("4 seconds"), look)).pipe(
        Effect.andThen(Effect.never),
        Effect.ensuring(Effect.andThen(Effect.sleep("3 seconds"), look)),
        Deadline.within("10 seconds")
      )
      const fiber = yield* Effect.forkChild(Effect.exit(work))
      yield* TestClock.adjust("13 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(seen, [Duration.infinity, Duration.seconds(10), Duration.seconds(6), Duration.zero])
    }))

  it.effect("is inherited by forked work", () =>
    Effect.gen(function*() {
      const left = yield* Deadline.within("10 seconds")(
        Effect.flatMap(Effect.forkChild(Deadline.remaining), Fiber.join)
      )
      assert.deepStrictEqual(left, Duration.seconds(10))
    }))
})

describe("Deadline.withinStream", () => {
  it.effect("bounds the whole stream, however lively it is", () =>
    Effect.gen(function*() {
      let count = 0
      const fiber = yield* Effect.forkChild(
        Stream.runForEach(Deadline.withinStream("10 seconds")(every("3 seconds")), () =>
          Effect.sync(() => {
            count++
          }))
      )
      yield* TestClock.adjust("9 seconds")
      assert.deepStrictEqual([fiber.pollUnsafe(), count], [undefined, 3])
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual([fiber.pollUnsafe(), count], [exceeded("10 seconds"), 3])
    }))

  it.effect("counts from the first pull, not from when the stream was described", () =>
    Effect.gen(function*() {
      const stream = Deadline.withinStream("10 seconds")(Stream.take(every("6 seconds"), 1))
      yield* TestClock.adjust("8 seconds")
      const fiber = yield* Effect.forkChild(Stream.runCollect(stream))
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), Exit.succeed(["x"]))
    }))

  it.effect("counts the time that its reader takes, and fails at the next pull", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(
        Stream.runForEach(Deadline.withinStream("10 seconds")(every("1 seconds")), () => Effect.sleep("30 seconds"))
      )
      yield* TestClock.adjust("30 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), exceeded("10 seconds"))
    }))

  it.effect("ends a stream that always has something ready as well", () =>
    Effect.gen(function*() {
      const ready = Stream.forever(Stream.make("x"))
      const fiber = yield* Effect.forkChild(
        Stream.runForEach(Deadline.withinStream("10 seconds")(ready), () => Effect.sleep("4 seconds"))
      )
      yield* TestClock.adjust("12 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), exceeded("10 seconds"))
    }))

  it.effect("releases what the stream holds when it passes, though its reader is away", () =>
    Effect.gen(function*() {
      let held = 0
      const hold = Effect.acquireRelease(Effect.sync(() => held++), () => Effect.sync(() => held--))
      const stream = Stream.unwrap(Effect.as(hold, every("1 seconds")))
      const fiber = yield* Effect.forkChild(
        Stream.runForEach(Deadline.withinStream("10 seconds")(stream), () => Effect.sleep("30 seconds"))
      )
      yield* TestClock.adjust("9999 millis")
      assert.strictEqual(held, 1)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([fiber.pollUnsafe(), held], [undefined, 0])
      yield* TestClock.adjust("21 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), exceeded("10 seconds"))
    }))

  it.effect("takes nothing away from a pull that does not listen, until that has ended", () =>
    Effect.gen(function*() {
      const thing = { isHeld: false }
      const set = (isHeld: boolean) =>
        Effect.sync(() => {
          thing.isHeld = isHeld
        })
      const seen: Array<boolean> = []
      const deaf = Effect.uninterruptible(
        Effect.andThen(Effect.sleep("15 seconds"), Effect.sync(() => seen.push(thing.isHeld)))
      )
      const stream = Stream.unwrap(
        Effect.as(Effect.acquireRelease(set(true), () => set(false)), Stream.fromEffect(deaf))
      )
      const fiber = yield* Effect.forkChild(Stream.runDrain(Deadline.withinStream("10 seconds")(stream)))
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), exceeded("10 seconds"))
      assert.deepStrictEqual([seen, thing.isHeld], [[true], false])
    }))

  it.effect("bounds how long the stream takes to open", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(
        Stream.runDrain(
          Deadline.withinStream("10 seconds")(Stream.fromPull<never, never, never, never, never>(Effect.never))
        )
      )
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), exceeded("10 seconds"))
    }))

  it.effect("leaves nothing behind once the stream has ended", () =>
    Effect.gen(function*() {
      const stream = Deadline.withinStream("10 seconds")(Stream.make(1, 2))
      const both = yield* Stream.runCollect(Stream.concat(stream, every("20 seconds")).pipe(Stream.take(3))).pipe(
        Effect.forkChild
      )
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(both.pollUnsafe(), Exit.succeed([1, 2, "x"]))
    }))

  it.effect("is in force for what runs in the stream, and not for its reader", () =>
    Effect.gen(function*() {
      const inside = Stream.fromEffect(Deadline.remaining)
      const seen = yield* Deadline.withinStream("10 seconds")(inside).pipe(
        Stream.mapEffect((left) => Effect.map(Deadline.remaining, (own) => [left, own])),
        Stream.runCollect
      )
      assert.deepStrictEqual(seen, [[Duration.seconds(10), Duration.infinity]])
    }))

  it.effect("inside of a shorter deadline it changes nothing", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(
        Stream.runDrain(Deadline.withinStream("1 minute")(every("1 seconds"))).pipe(Deadline.within("10 seconds"))
      )
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(fiber.pollUnsafe(), exceeded("10 seconds"))
    }))
})
