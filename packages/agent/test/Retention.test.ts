import * as ConversationStore from "@clawback/agent/ConversationStore"
import * as Retention from "@clawback/agent/Retention"
import * as Erasure from "@clawback/core/Erasure"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"

const day = 24 * 60 * 60_000
const isolated = Effect.provide(Layer.merge(ConversationStore.layerMemory({ sweepInterval: "1 hour" }), Erasure.layer))

/** Appends one entry more. */
const append = Effect.fnUntraced(function*(conversation: string, subject?: string) {
  const store = yield* ConversationStore.ConversationStore
  const loaded = yield* store.load(conversation)
  const expected = loaded?.cursor ?? { incarnation: 0, position: 0 }
  return yield* store.append({
    conversation,
    operation: `${conversation}-${expected.position}`,
    digest: "",
    expected,
    entries: [`entry ${expected.position}`],
    expiry: { idle: undefined, absolute: undefined },
    subject
  })
})

const names = Effect.gen(function*() {
  const store = yield* ConversationStore.ConversationStore
  return (yield* store.scan({ limit: 100 })).heads.map(({ conversation }) => conversation).toSorted()
})

describe("Retention", () => {
  it.effect("removes conversations that nobody has used, and such as are old; a preview reports the same and removes none", () =>
    Effect.gen(function*() {
      yield* append("old")
      yield* append("idle")
      yield* TestClock.adjust(5 * day)
      yield* append("old")
      yield* append("new")
      yield* TestClock.adjust(3 * day)
      const policy = Retention.policy({ idle: "4 days", maxAge: "7 days" })
      const foreseen = yield* Retention.preview(policy)
      assert.deepStrictEqual(yield* names, ["idle", "new", "old"])
      assert.deepInclude(foreseen, { examined: 3, removed: 2, trimmed: 0 })
      assert.isAbove(foreseen.removedBytes, 0)
      assert.deepStrictEqual(yield* Retention.apply(policy), foreseen)
      assert.deepStrictEqual(yield* names, ["new"])
      assert.deepInclude(yield* Retention.apply(policy), { examined: 1, removed: 0 })
    }).pipe(isolated))

  it.effect("drops entries beyond the newest only where a view stands for them", () =>
    Effect.gen(function*() {
      const store = yield* ConversationStore.ConversationStore
      for (let n = 0; n < 10; n++) {
        yield* append("viewed")
        yield* append("whole")
      }
      const { cursor: { incarnation } } = yield* append("viewed")
      yield* store.setView({ conversation: "viewed", incarnation, version: 0, upTo: 6, text: "summary" })
      const policy = Retention.policy({ keepLast: 3 })
      assert.deepInclude(yield* Retention.apply(policy), { examined: 2, removed: 0, trimmed: 1, trimmedEntries: 6 })
      const viewed = yield* store.load("viewed", { from: 0 })
      assert.deepInclude(viewed, { trimmed: 6, from: 6 })
      assert.strictEqual(viewed?.entries.length, 5)
      assert.strictEqual((yield* store.load("whole", { from: 0 }))?.entries.length, 10)
    }).pipe(isolated))

  it.effect("does not remove a conversation that is used while it is judged", () =>
    Effect.gen(function*() {
      yield* append("used")
      yield* TestClock.adjust(5 * day)
      const store = yield* ConversationStore.ConversationStore
      const late: ConversationStore.ConversationStore = {
        ...store,
        scan: (options) => Effect.tap(store.scan(options), () => Effect.orDie(append("used")))
      }
      const report = yield* Effect.provideService(
        Retention.apply(Retention.policy({ idle: "4 days" })),
        ConversationStore.ConversationStore,
        late
      )
      assert.deepInclude(report, { examined: 1, removed: 0 })
      assert.deepStrictEqual(yield* names, ["used"])
    }).pipe(isolated))

  it.effect("erases all pages of a subject, and leaves tombstones that refuse late changes", () =>
    Effect.gen(function*() {
      const store = yield* ConversationStore.ConversationStore
      for (let n = 0; n < 250; n++) yield* append(`ann-${n}`, "ann")
      yield* append("bob-1", "bob")
      const late = yield* store.load("ann-7")
      yield* Retention.register
      const { erased } = yield* Erasure.erase("ann")
      assert.deepStrictEqual(erased, [{ name: "conversations in memory", count: 250 }])
      assert.deepStrictEqual(yield* names, ["bob-1"])
      const error = yield* Effect.flip(store.append({
        conversation: "ann-7",
        operation: "late",
        digest: "",
        expected: late?.cursor ?? { incarnation: 0, position: 0 },
        entries: ["what Ann wrote"],
        expiry: { idle: undefined, absolute: undefined }
      }))
      assert.deepInclude(error, { _tag: "Conflict", what: "removed" })
    }).pipe(Effect.scoped, isolated))

  it("names a wrong option", () => {
    assert.throws(() => Retention.policy({ keepLast: 0 }), /keepLast/)
    assert.throws(() => Retention.policy({ idle: "-1 days" }), /idle/)
    assert.throws(() => Retention.policy({ keepTurns: 3 } as Retention.Options), /keepTurns/)
  })
})
