/**
 * A million conversations in memory: what each takes while it is idle, and that nothing is left of them.
 *
 * `npm run prove -- conversations [--scale small|full]`. Each has 20 messages of 400 characters of τ-bench, appended ten at a time,
 * and is compressed by zstd (level 6) when it is idle. Small has 3,000 of them.
 * - Idle, each takes at most 2.5 KB of this process, by the heap after a collection. Small may take 3.4 KB: the few texts of the
 *   repository are parts of several conversations each.
 * - The appends of the last tenth take as long as those of the first, by their medians, within 10 %. Small does not time them.
 * - After their time to live, the heap is as before, within 16 bytes for each and 256 KB. So it is after a second generation.
 */
import { ConversationStore } from "@clawback/agent"
import { Clock, Console, Effect, Layer } from "effect"
import { memoryUsage } from "node:process"
import { setImmediate } from "node:timers/promises"
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib"
import { JumpingClock } from "../support/jumpingClock.ts"
import * as Proof from "../support/proof.ts"
import { scale } from "../support/scale.ts"
import { median } from "../support/slope.ts"
import { windows } from "../support/windows.ts"

const isSmall = scale() === "small"
const count = isSmall ? 3000 : 1_000_000
/** How many appends are compared: those of the first and of the last tenth of the conversations. */
const compared = count / 10
const warmUp = isSmall ? 300 : 20_000
const hour = 3_600_000
const expiry = { idle: hour, absolute: undefined }
const nothing = { incarnation: 0, position: 0 }

const collect = Effect.promise(async () => {
  // A buffer is freed some turns after its owner.
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.()
    await setImmediate()
  }
  const { arrayBuffers, external, heapUsed } = memoryUsage()
  return heapUsed + external + arrayBuffers
})

const zstd = Layer.succeed(ConversationStore.Compression, {
  compress: (bytes: Uint8Array) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 6 } }),
  decompress: (bytes: Uint8Array) => zstdDecompressSync(bytes)
})

/** Appends a conversation in two steps. Other fibers run after each hundredth. */
const fill = Effect.fnUntraced(function*(
  store: ConversationStore.ConversationStore,
  name: string,
  next: () => Array<string>,
  conversations: number,
  onAppend: (index: number, micros: number) => void
) {
  for (let i = 0; i < conversations; i++) {
    const conversation = `${name}${i}`
    const entries = next()
    const change = { conversation, digest: "0123456789abcdef", expiry }
    const [first, second] = [entries.slice(0, 10), entries.slice(10)]
    const since = performance.now()
    const { cursor } = yield* store.append({ ...change, operation: `${i}a`, expected: nothing, entries: first })
    yield* store.append({ ...change, operation: `${i}b`, expected: cursor, entries: second })
    onAppend(i, (performance.now() - since) * 1000)
    if (i % 100 === 0) yield* Effect.yieldNow
  }
})

const program = Effect.gen(function*() {
  const clock = new JumpingClock(yield* Clock.Clock)
  return yield* Effect.gen(function*() {
    const store = yield* ConversationStore.ConversationStore
    const generation = Effect.fnUntraced(function*(name: string, conversations: number) {
      const first: Array<number> = []
      const last: Array<number> = []
      yield* fill(store, name, windows(1), conversations, (i, micros) => {
        if (i < compared) first.push(micros)
        else if (i >= conversations - compared) last.push(micros)
      })
      // All are idle, and the walk over them compresses them.
      clock.jump(120_000)
      yield* store.sweep
      const idle = yield* collect
      clock.jump(hour)
      const expired = yield* store.sweep
      return { idle, expired, left: yield* collect, first: median(first), last: median(last) }
    })
    yield* generation("warm", warmUp)
    const before = yield* collect
    const { expired, first, idle, last, left } = yield* generation("c", count)
    yield* Console.log(`${count} conversations: ${((idle - before) / count).toFixed(0)} bytes each while idle`)
    const again = yield* generation("d", Math.floor(count / 10))
    const each = (idle - before) / count
    const most = 16 * count + 256 * 1024
    const ratio = last / first
    const met = each <= (isSmall ? 3400 : 2500) && expired === count && left - before <= most &&
      again.left - before <= most &&
      (isSmall || Math.abs(ratio - 1) <= 0.1)
    return {
      met,
      conversations: count,
      bytesEach: Math.round(each),
      bytesLeft: left - before,
      bytesLeftAfterSecondGeneration: again.left - before,
      firstMicros: Number(first.toFixed(1)),
      lastMicros: Number(last.toFixed(1)),
      ratio: Number(ratio.toFixed(3))
    }
  }).pipe(
    Effect.provide(
      ConversationStore.layerMemory({ maxConversations: 2 * count, maxTotalBytes: 20 * 1024 ** 3 }).pipe(
        Layer.provide(zstd)
      )
    ),
    Effect.provideService(Clock.Clock, clock)
  )
})

Proof.run("conversations", isSmall ? 50 : 3600, program)
