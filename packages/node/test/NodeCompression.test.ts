import { Compression } from "@clawback/core/Compression"
import * as NodeCompression from "@clawback/node/NodeCompression"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { randomBytes } from "node:crypto"

const repeated = (length: number) => new Uint8Array(length).fill(7)

describe("NodeCompression", () => {
  it.live.each([0, 1, 1000, 64 * 1024, 64 * 1024 + 1, 3_000_000])(
    "gives %i bytes back",
    (length) =>
      Effect.gen(function*() {
        for (const bytes of [repeated(length), new Uint8Array(randomBytes(length))]) {
          const small = yield* NodeCompression.compress(bytes)
          assert.deepStrictEqual(yield* NodeCompression.decompress(small), bytes)
          assert.isAtMost(small.length, bytes.length + 1000)
          const codec = NodeCompression.make({ level: 1 })
          assert.deepStrictEqual(codec.decompress(codec.compress(bytes)), bytes)
          assert.deepStrictEqual(codec.decompress(small), bytes)
        }
        assert.isBelow((yield* NodeCompression.compress(repeated(100_000))).length, 1000)
      })
  )

  it.live("leaves the thread free for large inputs", () =>
    Effect.gen(function*() {
      const bytes = new Uint8Array(randomBytes(8_000_000))
      const order: Array<string> = []
      const work = Effect.andThen(NodeCompression.compress(bytes, { level: 9 }), Effect.sync(() => order.push("work")))
      const timer = Effect.andThen(Effect.sleep("1 millis"), Effect.sync(() => order.push("timer")))
      yield* Effect.all([work, timer], { concurrency: 2 })
      assert.deepStrictEqual(order, ["timer", "work"])
    }))

  it.effect("decompresses nothing else, and no more than allowed", () =>
    Effect.gen(function*() {
      const garbage = new TextEncoder().encode("no Zstandard")
      assert.deepInclude(yield* Effect.flip(NodeCompression.decompress(garbage)), {
        _tag: "DecompressFailed",
        bytes: 12
      })
      const bomb = yield* NodeCompression.compress(repeated(1_000_000))
      const error = yield* Effect.flip(NodeCompression.decompress(bomb, { maxBytes: 999_999 }))
      assert.include(error.message, "raise `maxBytes`")
      assert.throws(() => NodeCompression.make({ maxBytes: 10 }).decompress(bomb), NodeCompression.DecompressFailed)
    }))

  it.effect("is what core uses, if its layer is provided", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Compression, undefined)
      const codec = yield* Effect.provide(Compression, NodeCompression.layer())
      assert.strictEqual(codec?.name, "zstd")
    }))

  it.effect.each<[string, any]>([["level", { level: 0 }], ["level", { level: 20 }], ["maxBytes", { maxBytes: 0 }], [
    "options",
    { size: 1 }
  ]])("a wrong `%s` is a RangeError that names it", ([name, options]) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(NodeCompression.compress(repeated(1), options))
      assert(Exit.isFailure(exit))
      assert.include(String(Cause.squash(exit.cause)), `The option \`${name}\``)
    }))
})
