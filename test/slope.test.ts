/** The slope by which the proof of growth judges a heap. */
import { assert, describe, it } from "vitest"
import { seeded } from "./support/random.ts"
import { slope } from "./support/slope.ts"

const random = seeded(0x510e)
const points = (rise: number, noise: number, step: (sample: number) => number = () => 0) =>
  Array.from({ length: 30 }, (_, i) => ({ x: i * 1000, y: rise * i * 1000 + noise * (random() - 0.5) + step(i) }))

describe("the slope of a heap", () => {
  it("is found in noise, and only if it exists", () => {
    const rising = slope(points(40, 100_000))
    assert.isAbove(rising.lower, 16)
    assert.isBelow(Math.abs(rising.slope - 40), 5)
    const flat = slope(points(0, 100_000))
    assert.isBelow(flat.upper, 16)
    assert.isBelow(flat.lower, 0)
    assert.isAbove(flat.upper, 0)
  })

  it("is not hidden by one step down, and not simulated by one step up", () => {
    assert.isAbove(slope(points(40, 50_000, (i) => i > 5 ? -5_000_000 : 0)).lower, 16)
    assert.isBelow(slope(points(0, 50_000, (i) => i > 2 ? 5_000_000 : 0)).upper, 16)
  })
})
