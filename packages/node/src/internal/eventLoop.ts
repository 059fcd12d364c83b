import { Attribute, Metrics } from "@clawback/core/Conventions"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { monitorEventLoopDelay, performance } from "node:perf_hooks"
import type { Observers } from "./observers.ts"

/** How often Node schedules a turn of the event loop, in milliseconds. The time beyond that is delay. */
const resolution = 10

/** The histogram has nanoseconds between turns. */
const delays = (histogram: ReturnType<typeof monitorEventLoopDelay>) => {
  const delay = (nanos: number) => histogram.count === 0 ? 0 : Math.max(0, nanos / 1e9 - resolution / 1000)
  return {
    min: delay(histogram.min),
    max: delay(histogram.max),
    mean: delay(histogram.mean),
    stddev: histogram.count === 0 ? 0 : histogram.stddev / 1e9,
    p50: delay(histogram.percentile(50)),
    p90: delay(histogram.percentile(90)),
    p99: delay(histogram.percentile(99))
  }
}

const time = (state: "active" | "idle"): number => performance.eventLoopUtilization()[state] / 1000

/** Measures the event loop. Each run of the effect that it returns ends one interval and begins the next. */
export const eventLoop = Effect.fnUntraced(
  function*(observers: Observers): Effect.fn.Return<Effect.Effect<void>, never, Scope.Scope> {
    const histogram = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const histogram = monitorEventLoopDelay({ resolution })
        histogram.enable()
        return histogram
      }),
      (histogram) => Effect.sync(() => histogram.disable())
    )
    let last = performance.eventLoopUtilization()
    let utilization = last.utilization
    let shown = delays(histogram)
    observers.add(Metrics.eventLoopDelayMin, {}, () => shown.min)
    observers.add(Metrics.eventLoopDelayMax, {}, () => shown.max)
    observers.add(Metrics.eventLoopDelayMean, {}, () => shown.mean)
    observers.add(Metrics.eventLoopDelayStddev, {}, () => shown.stddev)
    observers.add(Metrics.eventLoopDelayP50, {}, () => shown.p50)
    observers.add(Metrics.eventLoopDelayP90, {}, () => shown.p90)
    observers.add(Metrics.eventLoopDelayP99, {}, () => shown.p99)
    observers.add(Metrics.eventLoopUtilization, {}, () => utilization)
    observers.add(Metrics.eventLoopTime, { [Attribute.eventLoopState]: "active" }, () => time("active"))
    observers.add(Metrics.eventLoopTime, { [Attribute.eventLoopState]: "idle" }, () => time("idle"))
    return Effect.sync(() => {
      const now = performance.eventLoopUtilization()
      utilization = performance.eventLoopUtilization(now, last).utilization
      last = now
      shown = delays(histogram)
      histogram.reset()
    })
  }
)
