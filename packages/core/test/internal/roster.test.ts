import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Place, Roster } from "../../src/internal/tasks/machine.ts"

const step = fc.oneof(
  fc.constant({ _tag: "Enter" as const }),
  fc.record({ _tag: fc.constant("Leave" as const), nth: fc.nat(30) }),
  fc.constant({ _tag: "Close" as const })
)

describe("The machine of tasks", () => {
  it("runs the first `concurrency` tasks that are present, queues `capacity` more in order, and rejects the rest", () => {
    const limits = fc.record({ concurrency: fc.integer({ min: 1, max: 4 }), capacity: fc.nat(3) })
    fc.assert(fc.property(limits, fc.array(step, { maxLength: 80, size: "max" }), (limits, steps) => {
      const { capacity, concurrency } = limits
      const roster = new Roster<number>(concurrency, capacity)
      const ever: Array<Place<number>> = []
      let present: Array<Place<number>> = []
      let isClosed = false
      for (const step of steps) {
        if (step._tag === "Close") {
          roster.close()
          isClosed = true
        } else if (step._tag === "Enter") {
          const place = roster.enter(ever.length)
          const isFull = present.length >= concurrency + capacity
          if (isClosed) assert.strictEqual(place, "closed")
          else if (isFull) assert.strictEqual(place, "full")
          else {
            assert.isObject(place)
            if (typeof place === "string") continue
            ever.push(place)
            present.push(place)
          }
        } else {
          const place = ever[step.nth]
          if (place === undefined) continue
          const at = present.indexOf(place)
          const next = at >= 0 && at < concurrency ? present[concurrency]?.occupant : undefined
          assert.strictEqual(roster.leave(place), next)
          present = present.filter((other) => other !== place)
        }
        assert.deepStrictEqual(roster.all, present.map(({ occupant }) => occupant))
        assert.deepStrictEqual(
          present.map(({ state }) => state),
          present.map((_, i) => i < concurrency ? "running" : "waiting")
        )
      }
    }))
  })
})
