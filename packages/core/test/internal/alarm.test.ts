import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Alarm from "../../src/internal/time/timers.ts"
import { turn } from "../Moments.ts"

const alarm = Effect.withFiber((fiber) => Effect.succeed(Alarm.of(fiber)))

/** What has rung, by the names that timers were given. */
const ringing = Effect.map(alarm, (alarm) => {
  const rung: Array<string> = []
  const set = (name: string, at: number, also?: () => void) => {
    const timer: Alarm.Timer = {
      at,
      ring: () => {
        rung.push(name)
        also?.()
      }
    }
    alarm.set(timer)
    return timer
  }
  return { alarm, rung, set }
})

const pass = (millis: number) => Effect.andThen(TestClock.adjust(millis), turn(5))

describe("The alarm", () => {
  it.effect("rings for each at its moment, whatever the order in which they were set", () =>
    Effect.gen(function*() {
      const { rung, set } = yield* ringing
      set("late", 300)
      set("early", 100)
      set("middle", 200)
      yield* pass(99)
      assert.deepStrictEqual(rung, [])
      yield* pass(1)
      assert.deepStrictEqual(rung, ["early"])
      yield* pass(500)
      assert.deepStrictEqual(rung, ["early", "middle", "late"])
    }))

  it.effect("does not ring for who was cleared, also where the one before it clears it", () =>
    Effect.gen(function*() {
      const { alarm, rung, set } = yield* ringing
      alarm.clear(set("cleared", 50))
      const second = { current: set("never", 1000) }
      set("first", 100, () => alarm.clear(second.current))
      second.current = set("second", 100)
      yield* pass(500)
      assert.deepStrictEqual(rung, ["first"])
    }))

  it.effect("rings for who is set while it rings, at once or later", () =>
    Effect.gen(function*() {
      const { rung, set } = yield* ringing
      set("first", 100, () => {
        set("at once", 0)
        set("later", 200)
      })
      yield* pass(100)
      assert.deepStrictEqual(rung, ["first", "at once"])
      yield* pass(100)
      assert.deepStrictEqual(rung, ["first", "at once", "later"])
    }))

  it.effect("rings for who is set after all others were cleared, or had rung", () =>
    Effect.gen(function*() {
      const { alarm, rung, set } = yield* ringing
      set("first", 10)
      yield* pass(10)
      alarm.clear(set("cleared", 20))
      set("last", 1000)
      yield* pass(2000)
      assert.deepStrictEqual(rung, ["first", "last"])
    }))

  it.effect("goes on ringing for the others where one throws", () =>
    Effect.gen(function*() {
      const { rung, set } = yield* ringing
      set("throws", 100, () => {
        throw new Error("an observer that throws")
      })
      set("at the same moment", 100)
      set("later", 200)
      yield* pass(100)
      assert.deepStrictEqual(rung, ["throws", "at the same moment"])
      yield* pass(100)
      assert.deepStrictEqual(rung, ["throws", "at the same moment", "later"])
      set("set afterwards", 300)
      yield* pass(100)
      assert.strictEqual(rung.at(-1), "set afterwards")
    }))

  it.effect("one that is never due waits for ever, and disturbs nobody", () =>
    Effect.gen(function*() {
      const { rung, set } = yield* ringing
      set("never", Infinity)
      set("soon", 5)
      yield* pass(1_000_000)
      assert.deepStrictEqual(rung, ["soon"])
    }))

  it.effect("is one for all who go by one clock, and another for another clock", () =>
    Effect.gen(function*() {
      const other = yield* TestClock.withLive(alarm)
      assert.strictEqual(yield* alarm, yield* alarm)
      assert.notStrictEqual(yield* alarm, other)
    }))
})
