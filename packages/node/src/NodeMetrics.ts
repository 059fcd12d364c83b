/**
 * What this process takes from its machine: memory in and outside of the heap, garbage collections, delays of the event
 * loop, CPU time, file descriptors and sockets. Names are those of OpenTelemetry's runtime conventions.
 *
 * Memory, times and CPU are read when somebody looks. The event loop's delays, descriptors and sockets are looked at
 * every `interval`, and shown as of then. Where the kernel does not tell (anywhere but on Linux), descriptors and
 * sockets are not shown.
 *
 * A process is measured once for each registry of metrics, however many layers ask for it.
 */
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import { collections } from "./internal/collections.ts"
import { eventLoop } from "./internal/eventLoop.ts"
import { kernel } from "./internal/kernel.ts"
import { memory } from "./internal/memory.ts"
import { Observers } from "./internal/observers.ts"

/**
 * How often to look at the event loop, descriptors and sockets. Default: 10 seconds. Too short, and a process with
 * thousands of sockets spends its time looking at them; too long, and short delays and leaks are seen late.
 */
export const interval: Context.Reference<Duration.Input> = Context.Reference<Duration.Input>(
  "@clawback/node/NodeMetrics/interval",
  { defaultValue: () => Duration.seconds(10) }
)

const measure = Effect.fnUntraced(function*(every: Duration.Duration): Effect.fn.Return<void, never, Scope.Scope> {
  const context = yield* Effect.context<never>()
  const observers = yield* Effect.acquireRelease(
    Effect.sync(() => new Observers(context)),
    (observers) => Effect.sync(() => observers.stop())
  )
  memory(observers)
  yield* collections(context)
  const looks = [yield* eventLoop(observers), kernel(observers)]
  yield* Effect.forkScoped(
    Effect.forever(Effect.andThen(Effect.all(looks, { discard: true }), Effect.sleep(every))),
    { startImmediately: true }
  )
})

/** Who measures for a registry of metrics, until the last of its users is gone. */
interface Measuring {
  readonly scope: Scope.Closeable
  users: number
}

const measuring = new WeakMap<Metric.MetricRegistry, Measuring>()

/** Measures for as long as the layer is open. */
export const layer: Layer.Layer<never> = Layer.effectDiscard(Effect.gen(function*() {
  const registry = yield* Metric.MetricRegistry
  const every = OptionCheck.interval("interval", yield* interval)
  yield* Effect.acquireRelease(
    Effect.gen(function*() {
      const running = measuring.get(registry)
      if (running !== undefined) {
        running.users++
        return running
      }
      const started = { scope: yield* Scope.make(), users: 1 }
      measuring.set(registry, started)
      yield* Scope.provide(measure(every), started.scope)
      return started
    }),
    (running) =>
      Effect.suspend(() => {
        if (--running.users > 0) return Effect.void
        measuring.delete(registry)
        return Scope.close(running.scope, Exit.void)
      })
  )
}))
