/** What the heap has, with buffers outside it, after garbage collections. Run Node with `--expose-gc`. */
import { Effect } from "effect"
import { memoryUsage } from "node:process"

export const collected = Effect.gen(function*() {
  if (globalThis.gc === undefined) throw new Error("The garbage collector is not available: run Node with --expose-gc")
  for (let times = 0; times < 3; times++) {
    globalThis.gc()
    yield* Effect.sleep("5 millis")
  }
  const { external, heapUsed, rss } = memoryUsage()
  return { bytes: heapUsed + external, rss }
})
