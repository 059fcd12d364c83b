import { Effect, Metric } from "effect"

/** A registry of metrics of its own. */
export const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

const valueOf = (snapshot: Metric.Metric.Snapshot): number => {
  switch (snapshot.type) {
    case "Counter":
      return Number(snapshot.state.count)
    case "Gauge":
      return Number(snapshot.state.value)
    case "Histogram":
      return snapshot.state.count
    default:
      return NaN
  }
}

/** Every series by its name and the values of its labels: counts, values, and how often histograms were recorded. */
export const seen: Effect.Effect<Readonly<Record<string, number>>> = Effect.map(
  Metric.snapshot,
  (all) =>
    Object.fromEntries(all.map((snapshot) => {
      const { unit: _, ...labels } = snapshot.attributes ?? {}
      return [[snapshot.id, ...Object.values(labels)].join(" "), valueOf(snapshot)]
    }))
)
