import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import * as fc from "fast-check"
import { Ledger } from "../../src/internal/session/ledger.ts"
import { SessionRecord } from "../../src/internal/session/record.ts"

/** Opens inside of the n-th open one, or of none; or closes the n-th of all that there ever were. */
type Step = { readonly inside: number | undefined } | { readonly close: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ inside: fc.option(fc.nat(20), { nil: undefined }) }),
  fc.record({ close: fc.nat(40) })
)

const list = (ledger: Ledger, from?: number) => {
  const entries: Array<SessionRecord> = []
  ledger.forEach((entry) => entries.push(entry), from)
  return entries
}

const of = ({ ledger }: SessionRecord) => ledger instanceof Ledger ? ledger : assert.fail("no ledger")

const open = (ledger: Ledger, parent: SessionRecord | undefined) =>
  ledger.open({ kind: "k", name: "n" }, parent, undefined, undefined, 1, undefined, 0)

/** For the compiler only: what it must refuse. */
const change = (record: SessionRecord, ledger: Ledger) => {
  // @ts-expect-error a record opens by `hold`
  record.state = "open"
  // @ts-expect-error a record is released by `beginRelease`
  record.phase = "releasing"
  // @ts-expect-error what it holds is what was acquired
  record.held = undefined
  // @ts-expect-error users come by `addUser`
  record.users.push(() => {})
  // @ts-expect-error only the ledger closes a record
  record.leave()
  // @ts-expect-error only the ledger revokes a record
  record.revoke("why not")
  // @ts-expect-error only the ledger knows its place
  record.slot = 0
  // @ts-expect-error only the ledger counts
  record.tally.opened++
  // @ts-expect-error only the ledger counts
  ledger.size++
}

describe("The ledger", () => {
  it("holds what a map would hold, in the order of opening, whatever is opened and closed", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const ledger = new Ledger()
      const model = new Map<number, SessionRecord>()
      const ever: Array<SessionRecord> = []
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
        assert.sameOrderedMembers(list(ledger), expected)
        assert.strictEqual(ledger.size, model.size)
        assert.isTrue(expected.every((entry) => entry.isOpen))
      }
    }))
  })

  it("never lists a child before a parent that is open", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const ledger = new Ledger()
      const ever: Array<SessionRecord> = []
      for (const step of steps) {
        if ("close" in step) {
          if (ever[step.close] !== undefined) ledger.close(ever[step.close]!)
        } else ever.push(open(ledger, list(ledger)[step.inside ?? Infinity]))
      }
      const seen = new Set<unknown>()
      for (const entry of list(ledger)) {
        seen.add(entry)
        assert.isTrue(entry.parent === undefined || !entry.parent.isOpen || seen.has(entry.parent))
      }
    }))
  })

  it("finds an open session by its id, and what is younger, whatever was closed around it", () => {
    fc.assert(fc.property(fc.array(fc.boolean(), { maxLength: 400, size: "max" }), (stays) => {
      const ledger = new Ledger()
      const entries = stays.map(() => open(ledger, undefined))
      for (const [i, entry] of entries.entries()) if (stays[i] === false) ledger.close(entry)
      const expected = entries.filter(({ isOpen }) => isOpen)
      for (const entry of entries) {
        assert.strictEqual(ledger.find(entry.id), entry.isOpen ? entry : undefined)
        assert.sameOrderedMembers(list(ledger, entry.id), expected.filter(({ id }) => id >= entry.id))
      }
      assert.isUndefined(ledger.find(0))
      assert.isUndefined(ledger.find(entries.length + 1))
    }))
  })

  it("revokes what matches and what is inside of it, and nothing else, whatever was closed between", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 80, size: "max" }), fc.nat(80), (steps, chosen) => {
      const ledger = new Ledger()
      const ever: Array<SessionRecord> = []
      const parents = new Map<SessionRecord, SessionRecord | undefined>()
      for (const step of steps) {
        if ("close" in step) {
          if (ever[step.close] !== undefined) ledger.close(ever[step.close]!)
          continue
        }
        // Work may go on inside of a session that is closed.
        const parent = ever[step.inside ?? Infinity]
        ever.push(open(ledger, parent))
        parents.set(ever.at(-1)!, parent)
      }
      const target = ever[chosen % Math.max(1, ever.length)]
      const isInside = (entry: SessionRecord | undefined): boolean =>
        entry !== undefined && (entry === target || isInside(parents.get(entry)))
      const taken = ledger.revoke((entry) => entry === target, "test", target?.id)
      // What was opened inside of a closed session hangs on the nearest that was open.
      if (target?.isOpen === true) assert.sameOrderedMembers([...taken], list(ledger).filter(isInside))
      else assert.strictEqual(taken.size, 0)
      for (const entry of ever) assert.strictEqual(entry.isRevoked, taken.has(entry))
    }))
  })

  it("knows which sessions around one are revoked, after any revocations and closes", () => {
    const revoking = fc.record({ revoke: fc.nat(40) })
    fc.assert(fc.property(fc.array(fc.oneof(step, revoking), { maxLength: 80, size: "max" }), (steps) => {
      const [here, there] = [new Ledger(), new Ledger()]
      const ever: Array<SessionRecord> = []
      const isRevoked = (entry: SessionRecord | undefined): boolean =>
        entry !== undefined && (entry.isRevoked || isRevoked(entry.parent))
      for (const step of steps) {
        const entry = ever["close" in step ? step.close : "revoke" in step ? step.revoke : step.inside ?? Infinity]
        if ("close" in step) {
          if (entry !== undefined) of(entry).close(entry)
        } else if ("revoke" in step) {
          if (entry !== undefined) of(entry).revoke((one) => one === entry, "test", entry.id)
        } else {
          assert.strictEqual(SessionRecord.revokedAround(entry) !== undefined, isRevoked(entry))
          // What a release opens is opened all the same.
          ever.push(open(ever.length % 3 === 0 ? there : here, entry))
        }
      }
    }))
  })

  it("keeps nothing of what was closed, and no more room than twice what is open", () => {
    const ledger = new Ledger()
    const first = open(ledger, undefined)
    first.hold({ value: {}, release: () => Effect.void, services: Context.empty() })
    const last = Array.from({ length: 1000 }, () => open(ledger, undefined)).at(-1)!
    for (const entry of list(ledger)) if (entry !== last) ledger.close(entry)
    assert.deepStrictEqual([first.held, first.users], [undefined, []])
    assert.isAtMost(last["slot"], 2 + 16)
    assert.strictEqual(ledger.find(last.id), last)
  })

  it("closing an entry of another ledger changes neither", () => {
    const [own, other] = [new Ledger(), new Ledger()]
    const [first, second] = [open(own, undefined), open(own, undefined)]
    const foreign = open(other, undefined)
    assert.isFalse(other.close(first))
    assert.isFalse(other.close(second))
    assert.sameOrderedMembers(list(own), [first, second])
    assert.sameOrderedMembers(list(other), [foreign])
    assert.deepStrictEqual([own.size, other.size], [2, 1])
  })

  it("alone changes a record: the compiler refuses others", () => {
    assert.isFunction(change)
  })
})
