/**
 * Metrics of this process: memory in and outside of the heap, garbage collections, delays of the event loop, CPU time,
 * file descriptors and sockets. The names are those of OpenTelemetry's runtime conventions.
 *
 * Memory, times and CPU are read when an exporter reads the metrics. The event loop, descriptors and sockets are sampled
 * every `interval`. Descriptors and sockets are counted on Linux only.
 *
 * A process is measured once for each registry of metrics, for all layers together.
 *
 * @stable
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
 * How often the event loop, descriptors and sockets are sampled. Default: 10 seconds. Too low, and a process with
 * thousands of sockets spends its time on counting them; too high, and short delays and leaks are seen late.
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

/** The measuring for one registry of metrics, until its last layer closes. */
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
