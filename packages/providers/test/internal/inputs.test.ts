import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { split } from "../../src/internal/effect/inputs.ts"

const bytes = (texts: ReadonlyArray<string>) => new TextEncoder().encode(texts.join("")).length

describe("texts split into parts", () => {
  it("keep their order, and no part exceeds its limits or could hold the next text", () => {
    const texts = fc.array(fc.string({ unit: "grapheme", maxLength: 12 }), { maxLength: 40 })
    const most = fc.record({ inputs: fc.integer({ min: 1, max: 6 }), tokens: fc.integer({ min: 1, max: 60 }) })
    fc.assert(
      fc.property(texts, most, (texts, most) => {
        const parts = split(texts, most)
        assert.deepStrictEqual(parts.flat(), texts)
        for (const [at, part] of parts.entries()) {
          assert.isNotEmpty(part)
          assert.isAtMost(part.length, most.inputs)
          if (part.length > 1) assert.isAtMost(bytes(part), most.tokens)
          const [next] = parts[at + 1] ?? []
          if (next === undefined) continue
          assert.isTrue(part.length === most.inputs || bytes([...part, next]) > most.tokens)
        }
      }),
      { numRuns: 500, seed: 0x5eed }
    )
  })
})
