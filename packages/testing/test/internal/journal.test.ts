import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Entry, Journal } from "../../src/internal/faulty/journal.ts"

const ends = ["answered", "aborted", "broken"] as const

/** What may happen, in any order: a request comes, one of those that came ends, all that are over are forgotten. */
const happenings = fc.array(
  fc.oneof(
    fc.constant({ _tag: "Come" as const }),
    fc.record({ _tag: fc.constant("End" as const), which: fc.nat(), how: fc.constantFrom(...ends) }),
    fc.constant({ _tag: "Forget" as const })
  ),
  { maxLength: 60 }
)

const received = (journal: Journal) =>
  journal.received({ id: undefined, connection: 1, method: "GET", url: "/", headers: {} })

describe("Journal", () => {
  it("counts every request once, keeps those in flight and the latest ended ones, and notifies of each change", () => {
    fc.assert(fc.property(happenings, fc.nat(4), (all, keep) => {
      let now = 0
      let told = 0
      const journal = new Journal(keep, () => now)
      const entries: Array<Entry> = []
      const over: Array<Entry> = []
      for (const happening of all) {
        now++
        const version = journal.version
        const stop = journal.listen(() => told++)
        const before = told
        if (happening._tag === "Come") entries.push(received(journal))
        else if (happening._tag === "Forget") {
          journal.forget()
          over.length = 0
        } else {
          const entry = entries[happening.which % Math.max(1, entries.length)]
          const isFirst = entry !== undefined && entry.endedAt === undefined
          if (entry !== undefined) assert.strictEqual(journal.ended(entry, happening.how), isFirst)
          if (isFirst) {
            over.push(entry)
            assert.deepStrictEqual([entry.state, entry.endedAt], [happening.how, now])
          }
        }
        assert.strictEqual(told > before, journal.version > version)
        stop()

        const { aborted, answered, broken, inFlight, received: count } = journal.counts(0)
        assert.strictEqual(count, entries.length)
        assert.strictEqual(inFlight, entries.filter(({ endedAt }) => endedAt === undefined).length)
        assert.strictEqual(answered + aborted + broken + inFlight, count)
        for (const end of ends) {
          assert.strictEqual(journal.counts(0)[end], entries.filter(({ state }) => state === end).length)
        }
        const kept = [
          ...entries.filter(({ endedAt }) => endedAt === undefined),
          ...over.slice(Math.max(0, over.length - keep))
        ]
        const expected = kept.map(({ number }) => number).toSorted((a, b) => a - b)
        assert.deepStrictEqual(journal.requests().map(({ number }) => number), expected)
      }
    }))
  })

  it("does not change what it returned", () => {
    const journal = new Journal(1, () => 0)
    const entry = received(journal)
    const [told] = journal.requests()
    journal.ended(entry, "answered")
    assert.strictEqual(told?.state, "reading")
  })
})
