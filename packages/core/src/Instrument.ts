/**
 * One metric: what it is called, what it counts, in which unit, and by which labels it is split.
 *
 * Guarantees: a metric has as many series as its labels have values. Labels whose values come from outside are `bounded`,
 * and lose the series of values that are not used any more. A series is recorded in the registry of metrics in force where
 * it is made (Effect's `MetricRegistry`, of which a process has one by default), without the attributes of the fiber that
 * records. So tenants, subjects and conversations do not multiply series; `SessionRegistry.list` knows them.
 *
 * Every exporter of Effect's metrics shows them. The unit travels as the attribute `unit`, which they all know.
 */

import type * as Context from "effect/Context"
import type { Bounded, Instrument, Labels, Read, Series, Use } from "./internal/metrics/model.ts"
import * as Model from "./internal/metrics/model.ts"
import * as Names from "./internal/metrics/names.ts"
import { Observed } from "./internal/metrics/observed.ts"
import * as OptionCheck from "./OptionCheck.ts"

export type { Bounded, Instrument, Kind, Labels, Read, Series, Use } from "./internal/metrics/model.ts"

/** The value of a label beyond those that are shown apart. The name is OpenTelemetry's for this. */
export const other: string = Model.other

/**
 * The series of these labels, to be made once and recorded to often. It is shown from the first record on, for as long as
 * its registry lives: for labels whose values are words of the program. For others, see `use`.
 */
export const series = <Label extends string>(
  instrument: Instrument<"counter" | "histogram", Label>,
  labels: Labels<Label>,
  context: Context.Context<never>
): Series => Names.registryOf(context).root.seriesOf(instrument, labels)

/**
 * Shows `limit` values of a label apart, in each registry of metrics, and every other as `_OTHER`: for origins, and for
 * models that a request names. First come, first served.
 *
 * A value has its place while it is in use. When its last user has released it, its series stay while it is one of the 16
 * that were released last, unless the place is needed. Then they are removed. If the limit is too low, values that matter
 * are lumped together; if it is too high, metrics cost memory here and wherever they are stored.
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
 * All users of a value share its series, which count on. A value that lost its place and is used again begins at zero. The
 * counts of removed series go with them, but for what no exporter has read: that counts as `_OTHER`. So the increase of
 * the sum over all series is that of all that was recorded.
 */
export const use = <Label extends string>(
  bounded: Bounded<Label>,
  values: { readonly [label in Label]: string },
  context: Context.Context<never>
): Use => Names.registryOf(context).use(bounded, values)

/**
 * Reads a series when somebody looks, instead of recording every change: for what is counted somewhere already.
 *
 * Several sources of one series add up, or make what the instrument says. Answers how to take the source away: with its
 * last source a series is gone from the registry.
 */
export const observe = <Label extends string>(
  instrument: Instrument<"counter" | "gauge", Label>,
  labels: Labels<Label>,
  context: Context.Context<never>,
  read: Read
): () => void => {
  const { context: where, observed } = Names.registryOf(context)
  const key = Names.keyOf(instrument, labels)
  let series = observed.get(key)
  if (series === undefined) observed.set(key, series = new Observed(instrument, labels, where))
  return series.add(read, () => observed.delete(key))
}
