import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Timers from "../../src/internal/time/timers.ts"
import { turn } from "../Moments.ts"

const ofThisFiber = Effect.withFiber((fiber) => Effect.succeed(Timers.of(fiber)))

/** Names timers, and lists the names of those that fired. */
const named = Effect.map(ofThisFiber, (timers) => {
  const fired: Array<string> = []
  const set = (name: string, at: number, also?: () => void) => {
    const timer: Timers.Timer = {
      at,
      slot: Timers.unset,
      fire: () => {
        fired.push(name)
        also?.()
      }
    }
    timers.set(timer)
    return timer
  }
  return { timers, fired, set }
})

const pass = (millis: number) => Effect.andThen(TestClock.adjust(millis), turn(5))

describe("Timers", () => {
  it.effect("fire each at its moment, in whatever order they were set", () =>
    Effect.gen(function*() {
      const { fired, set } = yield* named
      set("late", 300)
      set("early", 100)
      set("middle", 200)
      yield* pass(99)
      assert.deepStrictEqual(fired, [])
      yield* pass(1)
      assert.deepStrictEqual(fired, ["early"])
      yield* pass(500)
      assert.deepStrictEqual(fired, ["early", "middle", "late"])
    }))

  it.effect("do not fire once cleared, even by a timer that fires in the same step", () =>
    Effect.gen(function*() {
      const { timers, fired, set } = yield* named
      timers.clear(set("cleared", 50))
      const second = { current: set("never", 1000) }
      set("first", 100, () => timers.clear(second.current))
      second.current = set("second", 100)
      yield* pass(500)
      assert.deepStrictEqual(fired, ["first"])
    }))

  it.effect("that are set while others fire, fire at once or later", () =>
    Effect.gen(function*() {
      const { fired, set } = yield* named
      set("first", 100, () => {
        set("at once", 0)
        set("later", 200)
      })
      yield* pass(100)
      assert.deepStrictEqual(fired, ["first", "at once"])
      yield* pass(100)
      assert.deepStrictEqual(fired, ["first", "at once", "later"])
    }))

  it.effect("fire if set after all others were cleared or had fired", () =>
    Effect.gen(function*() {
      const { timers, fired, set } = yield* named
      set("first", 10)
      yield* pass(10)
      timers.clear(set("cleared", 20))
      set("last", 1000)
      yield* pass(2000)
      assert.deepStrictEqual(fired, ["first", "last"])
    }))

  it.effect("still fire after one of them throws", () =>
    Effect.gen(function*() {
      const { fired, set } = yield* named
      set("throws", 100, () => {
        throw new Error("an observer that throws")
      })
      set("at the same moment", 100)
      set("later", 200)
      yield* pass(100)
      assert.deepStrictEqual(fired, ["throws", "at the same moment"])
      yield* pass(100)
      assert.deepStrictEqual(fired, ["throws", "at the same moment", "later"])
      set("set afterwards", 300)
      yield* pass(100)
      assert.strictEqual(fired.at(-1), "set afterwards")
    }))

  it.effect("without an end do not delay the others", () =>
    Effect.gen(function*() {
      const { fired, set } = yield* named
      set("never", Infinity)
      set("soon", 5)
      yield* pass(1_000_000)
      assert.deepStrictEqual(fired, ["soon"])
    }))

  it.effect("belong to one clock", () =>
    Effect.gen(function*() {
      const other = yield* TestClock.withLive(ofThisFiber)
      assert.strictEqual(yield* ofThisFiber, yield* ofThisFiber)
      assert.notStrictEqual(yield* ofThisFiber, other)
    }))
})
