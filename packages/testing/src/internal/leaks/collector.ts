/** What is left in this process's memory once the garbage is collected. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { memoryUsage } from "node:process"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** The garbage collector is out of reach, so that what is garbage cannot be told from what is held. */
export class CollectorUnavailable
  extends Schema.TaggedError<CollectorUnavailable>("@clawback/testing/CollectorUnavailable")("CollectorUnavailable", {
    cause: Schema.Defect()
  })
{
  override get message() {
    return "The garbage collector is out of reach. Run Node with --expose-gc: `node --expose-gc program.ts`, " +
      "or `execArgv: [\"--expose-gc\"]` in the configuration of Vitest."
  }
}

type Collect = () => void

let known: Collect | undefined

const find = (): Collect => {
  const exposed: unknown = globalThis.gc
  if (typeof exposed === "function") return exposed as Collect
  // The flag shows in contexts that are made after it.
  setFlagsFromString("--expose-gc")
  return runInNewContext("gc")
}

const collector = Effect.try({
  try: () => known ??= find(),
  catch: (cause) => new CollectorUnavailable({ cause })
})

const turn = Context.get(Context.empty(), Clock.Clock).sleep(Duration.millis(1))

/** Bytes of the heap, and of what is outside of it and held from there, such as buffers. */
export const bytes: Effect.Effect<number, CollectorUnavailable> = Effect.flatMap(collector, (collect) =>
  // What runs for the last time lets go first.
  Effect.map(turn, () => {
    collect()
    const { external, heapUsed } = memoryUsage()
    return heapUsed + external
  }))
