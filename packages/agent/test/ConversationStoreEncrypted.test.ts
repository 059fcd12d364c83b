/** Encryption of what a store keeps. */
import { ConversationStore } from "@clawback/agent"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { append, appended, entriesOf, load, nothing, setView } from "./support/changes.ts"
import { suite } from "./support/ConversationStoreSuite.ts"
import { CannotOpen, makeCipher, newKey } from "./support/testCipher.ts"

/** Wide enough for what encryption adds. */
const maxBytes = 4000

const encryptedLayer = (keys: ReadonlyArray<Uint8Array>, options: ConversationStore.MemoryOptions = {}) =>
  Layer.effect(
    ConversationStore.ConversationStore,
    Effect.map(
      ConversationStore.ConversationStore,
      (store) => ConversationStore.encrypted(store, makeCipher(keys))
    )
  ).pipe(Layer.provide(ConversationStore.layerMemory(options)))

layer(encryptedLayer([newKey()], { maxBytes: 100_000, tombstone: "1 minute" }))(
  "ConversationStore.encrypted",
  (it) => suite(it, { pass: TestClock.adjust, moment: 10_000, maxBytes, tombstone: 6, isSealed: true })
)

const within = <A, E>(store: ConversationStore.ConversationStore, effect: Effect.Effect<A, E>) =>
  Effect.provideService(effect, ConversationStore.ConversationStore, store)
const plainStore = ConversationStore.ConversationStore.pipe(Effect.provide(ConversationStore.layerMemory()))

describe("ConversationStore.encrypted", () => {
  it.effect("keeps no text, and no digest from which one could be confirmed", () =>
    Effect.gen(function*() {
      const store = yield* plainStore
      const sealed = ConversationStore.encrypted(store, makeCipher([newKey()]))
      yield* within(
        sealed,
        Effect.gen(function*() {
          const { incarnation } = yield* appended("c", nothing, ["a secret"], { digest: "digest of a secret" })
          yield* setView({ conversation: "c", incarnation, version: 0, upTo: 0, text: "secret summary" })
        })
      )
      const kept = JSON.stringify(yield* store.export("c"))
      assert.notInclude(kept, "secret")
      assert.notInclude(kept, Buffer.from("a secret").toString("base64").slice(0, 8))
      assert.match(kept, /"digest":"~[0-9a-f]{4}"/)
    }))

  it.effect("opens what an older key has sealed, and fails with a typed error once that is gone", () =>
    Effect.gen(function*() {
      const store = yield* plainStore
      const [first, second] = [newKey(), newKey()]
      const end = yield* within(
        ConversationStore.encrypted(store, makeCipher([first])),
        appended("c", nothing, ["one"])
      )
      const both = ConversationStore.encrypted(store, makeCipher([first, second]))
      yield* within(both, append("c", end, ["two"]))
      assert.deepStrictEqual(yield* within(both, entriesOf("c")), ["one", "two"])
      const gone = ConversationStore.encrypted(store, makeCipher([newKey(), second]))
      const error = yield* Effect.flip(within(gone, load("c")))
      assert.deepInclude(error, { _tag: "StoreUnavailable", outcome: "none" })
      assert.instanceOf(error.cause, CannotOpen)
      assert.include(error.message, "could not be decrypted")
    }))

  it.effect("does not open a text at another place", () =>
    Effect.gen(function*() {
      const store = yield* plainStore
      const sealed = ConversationStore.encrypted(store, makeCipher([newKey()]))
      yield* within(sealed, append("c", nothing, ["one", "two"]))
      const stored = yield* store.export("c")
      assert(stored !== undefined)
      const [one = "", two = ""] = stored.entries
      for (const moved of [{ conversation: "d" }, { conversation: "e", entries: [two, one] }]) {
        yield* store.adopt({ ...stored, ...moved })
        const error = yield* Effect.flip(within(sealed, load(moved.conversation)))
        assert.instanceOf(error.cause, CannotOpen)
      }
    }))
})
