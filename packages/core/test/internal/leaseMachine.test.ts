import { assert, describe, it } from "vitest"
import * as Machine from "../../src/internal/lease/machine.ts"

const at = (millis: number): Machine.Now => ({ millis, micros: millis * 1000, up: Infinity })
const request = { key: "k", id: "a", limit: 1, ttl: 100, holder: "h" }

describe("The machine of a lease", () => {
  it("shortens a lease that would outlive its time to live because the clock was set back", () => {
    const [held] = Machine.acquire(Machine.empty, request, at(10_000))
    const [after, answer] = Machine.acquire(held, { ...request, id: "b" }, at(5000))
    assert.deepStrictEqual(answer, { _tag: "Busy", retryIn: 100 })
    const [, next] = Machine.acquire(after, { ...request, id: "b" }, at(5100))
    assert.deepStrictEqual(next, { _tag: "Granted", token: 10_000_001 })
  })

  it("never shortens a lease by a renewal", () => {
    const [held, answer] = Machine.acquire(Machine.empty, request, at(0))
    const token = answer._tag === "Granted" ? answer.token : 0
    const [after, isRenewed] = Machine.renew(held, { id: "a", token, ttl: 10 }, at(50))
    assert.isTrue(isRenewed)
    assert.strictEqual(Machine.holders(after, at(50))[0]?.expiresIn, 50)
  })

  it("takes the whole microseconds of a clock for tokens", () => {
    const [, answer] = Machine.acquire(Machine.empty, request, { millis: 1, micros: 12.7, up: Infinity })
    assert.deepStrictEqual(answer, { _tag: "Granted", token: 12 })
  })
})
