import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { RetryBudget } from "../../src/internal/retry/budget.ts"

const step = fc.constantFrom("deposit" as const, "withdraw", "refund")

describe("The retry budget", () => {
  it("never allows more retries than its reserve and its part of the successes, and never saves more than its reserve", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1000 }),
        fc.nat(10),
        fc.array(step, { maxLength: 200, size: "max" }),
        (thousandths, reserve, steps) => {
          const ratio = thousandths / 1000
          const budget = new RetryBudget(ratio, reserve)
          let deposits = 0
          let retries = 0
          for (const step of steps) {
            const { left } = budget
            if (step === "deposit") {
              budget.deposit()
              deposits++
            } else if (step === "withdraw") {
              assert.strictEqual(budget.withdraw(), left > 0)
              if (left > 0) retries++
            } else if (retries > 0) {
              budget.refund()
              retries--
            }
            assert.isAtMost(retries, reserve + ratio * deposits + 1e-6)
            assert.isAtLeast(budget.left, 0)
            assert.isAtMost(budget.left, reserve)
          }
        }
      )
    )
  })

  it("counts ten tenths as one", () => {
    const budget = new RetryBudget(0.1, 1)
    budget.withdraw()
    for (let i = 0; i < 9; i++) budget.deposit()
    assert.isFalse(budget.withdraw())
    budget.deposit()
    assert.isTrue(budget.withdraw())
  })

  it("takes back in full what was not used", () => {
    const budget = new RetryBudget(0, 3)
    budget.withdraw()
    budget.withdraw()
    budget.refund()
    assert.strictEqual(budget.left, 2)
  })
})
