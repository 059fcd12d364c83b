import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Entry, Ledger } from "../../src/internal/ledger.ts"

/** Opens inside of the n-th open one, or of none; or closes the n-th of all that there ever were. */
type Step = { readonly inside: number | undefined } | { readonly close: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ inside: fc.option(fc.nat(20), { nil: undefined }) }),
  fc.record({ close: fc.nat(40) })
)

const forwards = (ledger: Ledger) => {
  const entries: Array<Entry> = []
  for (let at = ledger.first; at !== undefined; at = at.next) entries.push(at)
  return entries
}

const backwards = (ledger: Ledger) => {
  const entries: Array<Entry> = []
  for (let at = ledger.last; at !== undefined; at = at.previous) entries.push(at)
  return entries
}

const open = (ledger: Ledger, parent: Entry | undefined) =>
  ledger.open({ kind: "k", name: "n" }, parent, undefined, 1, undefined, 0)

describe("The ledger (B1)", () => {
  it("holds what a map would hold, in the order of opening, whatever is opened and closed", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const ledger = new Ledger()
      const model = new Map<number, Entry>()
      const ever: Array<Entry> = []
      for (const step of steps) {
        if ("close" in step) {
          const entry = ever[step.close]
          if (entry === undefined) continue
          assert.strictEqual(ledger.close(entry), model.delete(entry.id))
          assert.isFalse(entry.isOpen)
        } else {
          const parent = step.inside === undefined ? undefined : Array.from(model.values())[step.inside]
          const entry = open(ledger, parent)
          assert.isFalse(model.has(entry.id))
          model.set(entry.id, entry)
          ever.push(entry)
          assert.strictEqual(entry.id, ever.length)
        }
        const expected = Array.from(model.values())
        assert.sameOrderedMembers(forwards(ledger), expected)
        assert.sameOrderedMembers(backwards(ledger), expected.toReversed())
        assert.strictEqual(ledger.size, model.size)
        assert.isTrue(expected.every((entry) => entry.isOpen))
      }
    }))
  })

  it("never lists a child before a parent that is open", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const ledger = new Ledger()
      const ever: Array<Entry> = []
      for (const step of steps) {
        if ("close" in step) {
          if (ever[step.close] !== undefined) ledger.close(ever[step.close]!)
        } else ever.push(open(ledger, forwards(ledger)[step.inside ?? Infinity]))
      }
      const seen = new Set<unknown>()
      for (const entry of forwards(ledger)) {
        seen.add(entry)
        assert.isTrue(entry.parent === undefined || !entry.parent.isOpen || seen.has(entry.parent))
      }
    }))
  })

  it("a closed entry leads to no other, so that it keeps none of them in memory", () => {
    const ledger = new Ledger()
    const entries = [1, 2, 3].map(() => open(ledger, undefined))
    ledger.close(entries[1]!)
    assert.deepStrictEqual([entries[1]!.previous, entries[1]!.next], [undefined, undefined])
  })

  it("closing an entry of another ledger changes neither", () => {
    const [own, other] = [new Ledger(), new Ledger()]
    const [first, second] = [open(own, undefined), open(own, undefined)]
    const foreign = open(other, undefined)
    assert.isFalse(other.close(first))
    assert.isFalse(other.close(second))
    assert.sameOrderedMembers(forwards(own), [first, second])
    assert.sameOrderedMembers(backwards(other), [foreign])
    assert.deepStrictEqual([own.size, other.size], [2, 1])
  })
})
