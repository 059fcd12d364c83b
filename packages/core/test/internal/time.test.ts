import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { format } from "../../src/internal/time/format.ts"

describe("a length of time for a reader", () => {
  it.each([
    [0, "0ms"],
    [0.6, "<1ms"],
    [1.2, "1ms"],
    [812.345678, "812ms"],
    [999.7, "1s"],
    [1234.567891, "1s 235ms"],
    [59_999.6, "1m"],
    [63_000.2, "1m 3s"],
    [60_400, "1m"],
    [3_599_600, "1h"],
    [3_725_000, "1h 2m"],
    [86_400_000 * 2 + 5_000_000, "2d 1h"],
    [Infinity, "Infinity"]
  ])("%d milliseconds are %s", (millis, text) => {
    assert.strictEqual(format(Duration.millis(millis)), text)
  })
})
