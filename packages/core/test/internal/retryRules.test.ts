import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Rules } from "../../src/internal/retry/model.ts"
import { decide, type Failed, hasTime } from "../../src/internal/retry/rules.ts"
import type { Advice } from "../../src/Retry.ts"

// Far below a nanosecond, doubles lose digits.
const millis = fc.oneof(fc.nat(100), fc.nat(1_000_000), fc.double({ min: 1e-9, max: 10_000, noNaN: true }))
const orInfinity = fc.oneof({ weight: 4, arbitrary: millis }, { weight: 1, arbitrary: fc.constant(Infinity) })

const rules: fc.Arbitrary<Rules> = fc.record({
  attempts: fc.integer({ min: 1, max: 5 }),
  base: millis,
  max: millis,
  maxRetryAfter: orInfinity,
  minimum: millis,
  resend: fc.constantFrom("idempotent", "always", "never")
})

const advice: fc.Arbitrary<Advice> = fc.record({
  reach: fc.constantFrom("unsent", "unanswered", "answered", "delivered"),
  isTransient: fc.boolean()
})

const failed: fc.Arbitrary<Failed> = fc.record({
  attempts: fc.integer({ min: 1, max: 6 }),
  advice: fc.option(advice, { nil: undefined }),
  retryAfter: fc.oneof(fc.constant(0), millis),
  isIdempotent: fc.boolean(),
  remaining: orInfinity,
  draw: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
})

const property = (holds: (rules: Rules, failed: Failed, wait: number) => void) =>
  fc.assert(
    fc.property(rules, failed, (rules, failed) => {
      const decision = decide(rules, failed)
      if (decision._tag === "Wait") holds(rules, failed, decision.millis)
    }),
    { numRuns: 2000 }
  )

describe("The rules of a retry", () => {
  it("repeat nothing but what is transient, and neither what was delivered nor what may be done twice", () =>
    property((rules, { advice, isIdempotent }) => {
      assert.isTrue(advice?.isTransient)
      assert.notStrictEqual(advice?.reach, "delivered")
      if (advice?.reach === "unanswered") {
        assert.isTrue(rules.resend === "always" || (rules.resend === "idempotent" && isIdempotent))
      }
    }))

  it("never allow more attempts than the policy does", () =>
    property(({ attempts }, failed) => assert.isBelow(failed.attempts, attempts)))

  it("never wait less than Retry-After, nor more than that plus the limit of the attempt", () =>
    property(({ base, max, maxRetryAfter }, { attempts, retryAfter }, wait) => {
      assert.isAtLeast(wait, retryAfter)
      assert.isAtMost(wait, retryAfter + Math.min(max, base * 2 ** (attempts - 1)) + 1)
      assert.isAtMost(retryAfter, maxRetryAfter)
    }))

  it("never wait for so long that the next attempt could not begin", () =>
    property((rules, { remaining }, wait) => {
      // Up to the rounding of the last digits.
      assert.isTrue(hasTime(rules, remaining - wait + 1e-6), `${remaining} left, ${wait} waited`)
      assert.isTrue(remaining > wait || rules.minimum > 0, `${remaining} left, ${wait} waited`)
    }))

  it("give the reason when they end", () => {
    const transient: Failed = {
      attempts: 1,
      advice: { reach: "answered", isTransient: true },
      retryAfter: 0,
      isIdempotent: false,
      remaining: 1000,
      draw: 0.5
    }
    const rules: Rules = { attempts: 2, base: 100, max: 100, maxRetryAfter: 500, minimum: 600, resend: "idempotent" }
    assert.deepStrictEqual(decide(rules, transient), { _tag: "Wait", millis: 50 })
    const whys = [
      { advice: undefined },
      { advice: { reach: "answered", isTransient: false } },
      { advice: { reach: "delivered", isTransient: true } },
      { advice: { reach: "unanswered", isTransient: true } },
      { attempts: 2 },
      { retryAfter: 501 },
      { retryAfter: 401 }
    ].map((change) => {
      const decision = decide(rules, { ...transient, ...change } as Failed)
      return decision._tag === "End" ? decision.why : "waits"
    })
    assert.deepStrictEqual(whys, [
      "permanent",
      "permanent",
      "delivered",
      "unanswered",
      "attempts",
      "retryAfter",
      "deadline"
    ])
  })
})
