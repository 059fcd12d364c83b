/**
 * One metric: what it is called, what it counts, in which unit, and by which labels it is split.
 *
 * Guarantees: a metric has as many series as its labels have values. Labels whose values come from outside are `bounded`,
 * and lose the series of values that are not used any more. A series belongs to the metric registry of the context that made
 * it (Effect's `MetricRegistry`; a process has one by default). It ignores the recording fiber's attributes. So tenants,
 * subjects and conversations do not multiply series; `SessionRegistry.list` knows them.
 *
 * Every exporter of Effect's metrics shows them. The unit travels as the attribute `unit`, which they all know.
 *
 * @experimental
 */

import type * as Context from "effect/Context"
import type { Bounded, Instrument, Labels, Read, Series, Use } from "./internal/metrics/model.ts"
import * as Model from "./internal/metrics/model.ts"
import { Observed } from "./internal/metrics/observed.ts"
import * as SeriesLimits from "./internal/metrics/seriesLimits.ts"
import * as OptionCheck from "./OptionCheck.ts"

export type { Bounded, Instrument, Kind, Labels, Read, Series, Use } from "./internal/metrics/model.ts"

/** The value of a label beyond those that are shown apart. The name is OpenTelemetry's for this. */
export const other: string = Model.other

/**
 * The series of these labels, to be made once and recorded to often. It appears with its first record, and stays as long as
 * its registry. Use it for labels with a fixed set of values; otherwise see `use`.
 */
export const series = <Label extends string>(
  instrument: Instrument<"counter" | "histogram", Label>,
  labels: Labels<Label>,
  context: Context.Context<never>
): Series => SeriesLimits.registryOf(context).root.seriesOf(instrument, labels)

/**
 * Gives the first `limit` values of a label their own series per registry. All others count as `_OTHER`. Use it for origins,
 * and for models that a request names.
 *
 * A value has its place while it is in use. After its last user has released it, it is unused. The 16 values released last
 * keep their series, until another value needs the place. If the limit is too low, values that matter are lumped together;
 * if it is too high, metrics cost memory here and wherever they are stored.
 */
export const bounded = <Label extends string, Outer extends string = never>(
  label: Label,
  limit: number,
  within?: Bounded<Outer>
): Bounded<Label | Outer> => {
  OptionCheck.count("limit", limit, 0)
  return { label, limit, within }
}

/**
 * Uses a value of a bounded label, until it is released.
 *
 * All users of a value share its series, which count on. A value that lost its place and is used again begins at zero. A
 * removed series loses its exported counts. Counts that no exporter has read move to `_OTHER`. So the sum over all series
 * increases by exactly what was recorded.
 */
export const use = <Label extends string>(
  bounded: Bounded<Label>,
  values: { readonly [label in Label]: string },
  context: Context.Context<never>
): Use => SeriesLimits.registryOf(context).use(bounded, values)

/**
 * Reads a value when an exporter asks, for values that are already counted elsewhere.
 *
 * Several sources of one series are summed, or combined as the instrument says. Returns a function that removes the source.
 * Removing the last source removes the series.
 */
export const observe = <Label extends string>(
  instrument: Instrument<"counter" | "gauge", Label>,
  labels: Labels<Label>,
  context: Context.Context<never>,
  read: Read
): () => void => {
  const { context: where, observed } = SeriesLimits.registryOf(context)
  const key = SeriesLimits.keyOf(instrument, labels)
  let series = observed.get(key)
  if (series === undefined) observed.set(key, series = new Observed(instrument, labels, where))
  return series.add(read, () => observed.delete(key))
}
