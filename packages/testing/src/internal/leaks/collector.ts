/** Measures this process's memory after garbage collections. */
import * as ReadableError from "@clawback/core/ReadableError"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { memoryUsage } from "node:process"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** The garbage collector is not available, so garbage cannot be distinguished from what is held. */
export class CollectorUnavailable
  extends ReadableError.tagged<CollectorUnavailable>("@clawback/testing/CollectorUnavailable")("CollectorUnavailable", {
    cause: Schema.Defect()
  })
{
  override get message() {
    return "The garbage collector is not available. Run Node with --expose-gc: `node --expose-gc program.ts`, " +
      "or `execArgv: [\"--expose-gc\"]` in the configuration of Vitest."
  }
}

type Collect = () => void

let known: Collect | undefined

const find = (): Collect => {
  const exposed: unknown = globalThis.gc
  if (typeof exposed === "function") return exposed as Collect
  // The flag has an effect only in contexts that are made after it.
  setFlagsFromString("--expose-gc")
  return runInNewContext("gc")
}

const collector = Effect.try({
  try: () => known ??= find(),
  catch: (cause) => new CollectorUnavailable({ cause })
})

const turn = Context.get(Context.empty(), Clock.Clock).sleep(Duration.millis(1))

/** Bytes of the heap, and of the memory outside it that the heap refers to, such as buffers. */
export const bytes: Effect.Effect<number, CollectorUnavailable> = Effect.flatMap(collector, (collect) =>
  // Pending callbacks release their objects first.
  Effect.map(turn, () => {
    collect()
    const { external, heapUsed } = memoryUsage()
    return heapUsed + external
  }))
