import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { TimerHeap, unset } from "../../src/internal/time/timerHeap.ts"

interface Timer {
  readonly name: number
  at: number
  slot: number
}

const make = (name: number, at = 0): Timer => ({ name, at, slot: unset })

const Step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("set" as const), timer: fc.nat(30), at: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), timer: fc.nat(30), at: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("due" as const), timer: fc.constant(0), at: fc.nat(20) }) }
)

describe("A heap of timers", () => {
  it("agrees with a list that is searched, after every step", () => {
    fc.assert(fc.property(fc.array(Step, { maxLength: 200 }), (steps) => {
      const timers = Array.from({ length: 31 }, (_, name) => make(name))
      const heap = new TimerHeap<Timer>()
      let model: Array<{ readonly name: number; readonly at: number }> = []
      for (const step of steps) {
        const timer = timers[step.timer]!
        if (step.do === "due") {
          const due = model.filter(({ at }) => at <= step.at).map(({ name }) => name)
          assert.deepStrictEqual(heap.due(step.at).map(({ name }) => name), due)
          continue
        }
        const isKnown = model.some(({ name }) => name === timer.name)
        assert.strictEqual(heap.has(timer), isKnown)
        model = model.filter(({ name }) => name !== timer.name)
        if (step.do === "set") {
          timer.at = step.at
          heap.set(timer)
          model.push({ name: timer.name, at: step.at })
        } else {
          assert.strictEqual(heap.remove(timer), isKnown)
          assert.strictEqual(timer.slot, unset)
        }
        assert.strictEqual(heap.size, model.length)
        assert.strictEqual(heap.earliest, Math.min(...model.map(({ at }) => at)))
      }
    }))
  })

  it("does not remove a timer of another heap", () => {
    const [one, other] = [new TimerHeap<Timer>(), new TimerHeap<Timer>()]
    const timer = make(1, 5)
    one.set(timer)
    other.set(make(2, 7))
    assert.isFalse(other.remove(timer))
    assert.strictEqual(one.earliest, 5)
    assert.strictEqual(other.size, 1)
  })

  it("holds 100,000 timers with distinct moments", () => {
    const heap = new TimerHeap<Timer>()
    const count = 100_000
    const timers = Array.from({ length: count }, (_, name) => make(name, (name * 7919) % count))
    for (const timer of timers) heap.set(timer)
    for (const timer of timers) if (timer.at >= 3) assert.isTrue(heap.remove(timer))
    assert.deepStrictEqual(heap.due(1).map(({ at }) => at).toSorted(), [0, 1])
    assert.strictEqual(heap.size, 3)
  })
})
