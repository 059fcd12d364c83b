import { Attribute, Metrics } from "@clawback/core/Conventions"
import * as Instrument from "@clawback/core/Instrument"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { constants, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks"

/** OpenTelemetry's names for Node's kinds of garbage collections. */
const types = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, "major"],
  [constants.NODE_PERFORMANCE_GC_MINOR, "minor"],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, "weakcb"]
])

/** Node's types do not describe the detail of these entries. */
const kindOf = (entry: PerformanceEntry): number | undefined => {
  const detail = "detail" in entry ? entry.detail : undefined
  return typeof detail === "object" && detail !== null && "kind" in detail && typeof detail.kind === "number"
    ? detail.kind
    : undefined
}

/** Records how long each garbage collection took. */
export const collections = (context: Context.Context<never>): Effect.Effect<void, never, Scope.Scope> => {
  const make = (type: string) => Instrument.series(Metrics.gcDuration, { [Attribute.gcType]: type }, context)
  const series = new Map([...types].map(([kind, type]) => [kind, make(type)]))
  const rest = make(Instrument.other)
  const record = (entry: PerformanceEntry) => (series.get(kindOf(entry) ?? 0) ?? rest).record(entry.duration / 1000)
  return Effect.asVoid(Effect.acquireRelease(
    Effect.sync(() => {
      const observer = new PerformanceObserver((list) => list.getEntries().forEach(record))
      observer.observe({ entryTypes: ["gc"] })
      return observer
    }),
    (observer) => Effect.sync(() => observer.disconnect())
  ))
}
