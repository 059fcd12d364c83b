import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Waiting } from "../../src/internal/effect/waiting.ts"

/** What may happen, in any order: a batch of these requests begins, or one of them is abandoned. */
const steps = fc.array(
  fc.oneof(
    fc.record({ abandon: fc.nat(7) }),
    fc.record({ begin: fc.nat(3) })
  ),
  { maxLength: 40 }
)

/** The two requests of a batch. */
const partsOf = (batch: number) => [batch * 2, batch * 2 + 1]

describe("a batch that fibers wait for", () => {
  it("is returned once, by the abandonment of its last request", () => {
    fc.assert(
      fc.property(steps, (steps) => {
        const requests = Array.from({ length: 8 }, (_, name) => ({ name }))
        const waiting = new Waiting<object, number>()
        const abandoned = new Set<number>()
        const begun = new Set<number>()
        const told: Array<number> = []
        const isLeft = (batch: number) => partsOf(batch).some((name) => !abandoned.has(name))
        for (const step of steps) {
          if ("begin" in step) {
            if (begun.has(step.begin)) continue
            begun.add(step.begin)
            const members = partsOf(step.begin).flatMap((name) => requests[name] ?? [])
            assert.strictEqual(waiting.begin(members, step.begin), isLeft(step.begin))
          } else {
            const batch = Math.floor(step.abandon / 2)
            const wasLeft = isLeft(batch)
            abandoned.add(step.abandon)
            const ended = waiting.abandon(requests[step.abandon] ?? {})
            const isOver = begun.has(batch) && wasLeft && !isLeft(batch)
            assert.strictEqual(ended, isOver ? batch : undefined)
            if (ended !== undefined) told.push(ended)
          }
        }
        assert.strictEqual(new Set(told).size, told.length)
      }),
      { numRuns: 2000, seed: 0x5eed }
    )
  })
})
