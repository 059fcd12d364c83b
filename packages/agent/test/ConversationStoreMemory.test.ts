/** What is particular to conversations in memory: their bounds, compression, and a second store. */
import { ConversationStore } from "@clawback/agent"
import * as Shutdown from "@clawback/core/Shutdown"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib"
import { append, appended, entriesOf, forever, load, nothing, remove, scanAll } from "./support/changes.ts"
import { suite } from "./support/ConversationStoreSuite.ts"

const zstd = {
  compress: (bytes: Uint8Array) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } }),
  decompress: (bytes: Uint8Array) => zstdDecompressSync(bytes)
}

const compressed = Layer.succeed(ConversationStore.Compression, zstd)

const maxBytes = 4000
const place = { pass: TestClock.adjust, moment: 10_000, maxBytes, tombstone: 6 }

layer(
  ConversationStore.layerMemory({ maxBytes, tombstone: "1 minute", compressAfter: 0 }).pipe(Layer.provide(compressed))
)(
  "ConversationStore.layerMemory that compresses at once",
  (it) => suite(it, place)
)

/** A store in memory that keeps only one conversation itself. */
const before = (options: ConversationStore.MemoryOptions = {}) =>
  Layer.unwrap(Effect.map(
    ConversationStore.ConversationStore,
    (second) => ConversationStore.layerMemory({ maxConversations: 1, ...options, second })
  ))

layer(
  before({ maxBytes, tombstone: "1 minute" }).pipe(
    Layer.provide(ConversationStore.layerMemory({ maxBytes, tombstone: "1 minute" }))
  )
)("ConversationStore.layerMemory with a second store", (it) => suite(it, place))

const withSecond = <A, E>(
  f: (second: ConversationStore.ConversationStore) => Effect.Effect<A, E, Scope.Scope>
) => Effect.flatMap(ConversationStore.ConversationStore, f).pipe(Effect.provide(ConversationStore.layerMemory()))

describe("ConversationStore.layerMemory", () => {
  it.effect("forgets what was not used for longest when there are too many", () =>
    Effect.gen(function*() {
      yield* append("a", nothing, ["a"])
      yield* append("b", nothing, ["b"])
      yield* load("a")
      yield* append("c", nothing, ["c"])
      assert.deepStrictEqual(yield* Effect.all([entriesOf("a"), entriesOf("b"), entriesOf("c")]), [["a"], undefined, [
        "c"
      ]])
    }).pipe(Effect.provide(ConversationStore.layerMemory({ maxConversations: 2 }))))

  it.effect("stays within its bytes", () =>
    Effect.gen(function*() {
      const text = "x".repeat(1000)
      for (let i = 0; i < 50; i++) yield* append(`c${i}`, nothing, [text])
      const heads = yield* scanAll({ limit: 10 })
      assert.isBelow(heads.reduce((sum, { bytes }) => sum + bytes, 0), 20_000)
      assert.isAbove(heads.length, 10)
      assert.deepStrictEqual(yield* entriesOf("c49"), [text])
    }).pipe(Effect.provide(ConversationStore.layerMemory({ maxTotalBytes: 20_000 }))))

  it.effect("deletes what has expired by itself, in the background", () =>
    Effect.gen(function*() {
      const store = yield* ConversationStore.ConversationStore
      for (let i = 0; i < 1000; i++) {
        yield* append(`c${i}`, nothing, ["x"], { expiry: { idle: 1000, absolute: undefined } })
      }
      yield* remove("c999")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* store.sweep, 0)
    }).pipe(Effect.provide(ConversationStore.layerMemory({ tombstone: "1 second" }))))

  it.effect("compresses what is idle, and loads it as it was", () =>
    Effect.gen(function*() {
      const text = "what is idle is compressed ".repeat(100)
      for (let i = 0; i < 20; i++) yield* append(`c${i}`, nothing, [text], { operation: "one", digest: "d" })
      yield* TestClock.adjust("3 minutes")
      // There would be room for five of them as they were.
      yield* append("more", nothing, ["y".repeat(10_000)])
      assert.deepStrictEqual(yield* entriesOf("c1"), [text])
      assert.isTrue((yield* append("c2", nothing, [text], { operation: "one", digest: "d" })).duplicate)
    }).pipe(
      Effect.provide(ConversationStore.layerMemory({ maxTotalBytes: 70_000 }).pipe(Layer.provide(compressed)))
    ))

  it.effect("moves what it has no room for to a second store, and back", () =>
    withSecond((second) =>
      Effect.gen(function*() {
        const first = yield* appended("a", nothing, ["a"], { subject: "ann" })
        yield* append("b", nothing, ["b"], { subject: "ann" })
        assert.deepStrictEqual((yield* second.load("a"))?.entries, ["a"])
        assert.isUndefined(yield* second.load("b"))
        yield* append("a", first, ["c"])
        assert.deepStrictEqual((yield* second.load("b"))?.entries, ["b"])
        assert.deepStrictEqual(yield* entriesOf("a"), ["a", "c"])
        const heads = yield* scanAll({ subject: "ann", limit: 1 })
        assert.deepStrictEqual(new Set(heads.map(({ conversation }) => conversation)), new Set(["a", "b"]))
        assert.strictEqual(heads.find(({ conversation }) => conversation === "a")?.cursor.position, 2)
        yield* remove("a")
        assert.isTrue((yield* second.load("a"))?.isRemoved)
      }).pipe(Effect.provide(ConversationStore.layerMemory({ maxConversations: 1, second })))
    ))

  it.effect("refuses what it has no room for while the second store is away", () =>
    withSecond((second) =>
      Effect.gen(function*() {
        yield* append("a", nothing, ["a"])
        const error = yield* Effect.flip(append("b", nothing, ["b"]))
        assert.strictEqual(error._tag, "StoreUnavailable")
        assert.deepStrictEqual(yield* entriesOf("a"), ["a"])
      }).pipe(Effect.provide(ConversationStore.layerMemory({
        maxConversations: 1,
        second: {
          ...second,
          adopt: () =>
            Effect.fail(new ConversationStore.StoreUnavailable({ store: "second", outcome: "none", reason: "away" }))
        }
      })))
    ))

  it.effect("saves everything in the phase persist of a shutdown", () =>
    withSecond((second) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const built = yield* Layer.buildWithScope(ConversationStore.layerMemory({ second }), scope)
        yield* Effect.forEach(["a", "b", "c"], (name) => append(name, nothing, [name])).pipe(
          Effect.provideContext(built)
        )
        const report = yield* Shutdown.shutdown("a test")
        assert.strictEqual(report.exitCode, 0, Shutdown.format(report))
        for (const name of ["a", "b", "c"]) assert.deepStrictEqual((yield* second.load(name))?.entries, [name])
        yield* Scope.close(scope, Exit.void)
      })
    ).pipe(Effect.provide(Shutdown.layer())))

  it.effect("saves everything when the layer closes", () =>
    withSecond((second) =>
      Effect.gen(function*() {
        yield* append("a", nothing, ["a"]).pipe(Effect.provide(ConversationStore.layerMemory({ second })))
        assert.deepStrictEqual((yield* second.load("a"))?.entries, ["a"])
      })
    ))

  it.effect("appends at the end wherever that is, once", () =>
    Effect.gen(function*() {
      const store = yield* ConversationStore.ConversationStore
      const change = { conversation: "end", expected: nothing, digest: "", expiry: forever }
      yield* Effect.forEach(
        Array.from({ length: 50 }, (_, i) => `${i}`),
        (entry) => ConversationStore.appendAtEnd(store, { ...change, operation: entry, entries: [entry] }),
        { concurrency: "unbounded" }
      )
      const again = yield* ConversationStore.appendAtEnd(
        store,
        { ...change, operation: "7", entries: ["7"] },
        { isRepeated: true }
      )
      assert.isTrue(again.duplicate)
      assert.strictEqual(new Set(yield* entriesOf("end")).size, 50)
    }).pipe(Effect.provide(ConversationStore.layerMemory())))
})
