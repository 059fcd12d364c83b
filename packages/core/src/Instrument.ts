/**
 * One metric: what it is called, what it counts, in which unit, and by which labels it is split.
 *
 * Its law: a metric has as many series as its labels have values, whoever the program works for. A series is recorded in
 * the registry of metrics in force where it is made (Effect's `MetricRegistry`, of which a process has one by default),
 * and never takes on the attributes of those who happen to cause it. So tenants, subjects and conversations do not
 * multiply series; whoever wants them asks the sessions. Label values that come from outside go through `bounded`.
 *
 * Every exporter of Effect's metrics shows them. The unit travels as the attribute `unit`, which they all know.
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import * as OptionCheck from "./OptionCheck.ts"

export type Kind = "counter" | "gauge" | "histogram"

export interface Instrument<out K extends Kind = Kind, out Label extends string = string> {
  readonly kind: K
  /** As OpenTelemetry writes it, with dots. Prometheus gets underscores, the unit and `_total`. */
  readonly name: string
  /** In UCUM: `s`, `By`, `1`, or what is counted in braces: `{session}`. */
  readonly unit: string
  readonly description: string
  readonly labels: ReadonlyArray<Label>
  /** Upper bounds of a histogram's buckets, in the unit. */
  readonly boundaries?: ReadonlyArray<number> | undefined
  /** What several sources of one series make together. Default: their sum. */
  readonly combine?: ((one: number, other: number) => number) | undefined
}

/** A value for each label; one that is left out is not shown. */
export type Labels<Label extends string> = { readonly [name in Label]?: string | undefined }

/** What becomes of label values beyond those that are counted apart. The name is OpenTelemetry's for this. */
export const other = "_OTHER"

/**
 * Lets `limit` different values through, first come, first served, and makes `_OTHER` of every other.
 *
 * For labels whose values come from outside: origins, models that a request names. Too low, and what matters is lumped
 * together; too high, and whoever stores the metrics pays for each. It remembers those it let through for good.
 */
export const bounded = (limit: number): (value: string) => string => {
  OptionCheck.count("limit", limit, 0)
  const known = new Set<string>()
  return (value) => {
    if (known.has(value)) return value
    if (known.size >= limit) return other
    known.add(value)
    return value
  }
}

const attributesOf = (instrument: Instrument, labels: Labels<string>): Record<string, string> => {
  const attributes: Record<string, string> = { unit: instrument.unit }
  for (const name of instrument.labels) {
    const value = labels[name]
    if (value !== undefined) attributes[name] = value
  }
  return attributes
}

/** Only the registry of a context: without the attributes of whoever it belongs to. */
const registryOf = (context: Context.Context<never>): Context.Context<never> =>
  Context.make(Metric.MetricRegistry, Context.get(context, Metric.MetricRegistry))

/** Where one series is counted. Recording is a synchronous step, so that nothing can interrupt it. */
export interface Series {
  readonly record: (value: number) => void
}

class Recorded implements Series {
  private readonly metric: Metric.Metric<number, unknown>
  private readonly context: Context.Context<never>

  constructor(metric: Metric.Metric<number, unknown>, context: Context.Context<never>) {
    this.metric = metric
    this.context = context
  }

  record(value: number): void {
    this.metric.updateUnsafe(value, this.context)
  }
}

/** The series of these labels, to be made once and recorded to often. It is shown from the first record on. */
export const series = <Label extends string>(
  instrument: Instrument<"counter" | "histogram", Label>,
  labels: Labels<Label>,
  context: Context.Context<never>
): Series => {
  const { boundaries = [], description, kind, name } = instrument
  const attributes = attributesOf(instrument, labels)
  return new Recorded(
    kind === "counter"
      ? Metric.counter(name, { description, attributes, incremental: true })
      : Metric.histogram(name, { description, attributes, boundaries }),
    registryOf(context)
  )
}

/** What a series is at this moment; the context is that of whoever looks. */
type Read = (context: Context.Context<never>) => number

/** The sources that one observed series is read from. */
class Observed {
  private readonly sources = new Set<{ readonly read: Read }>()
  private readonly combine: (one: number, other: number) => number
  private readonly isCounter: boolean
  private readonly forget: () => void
  private readonly where: Context.Context<never>
  /** What sources that are gone had counted. */
  private past = 0

  constructor(instrument: Instrument<"counter" | "gauge">, labels: Labels<string>, where: Context.Context<never>) {
    const { combine, description, kind, name } = instrument
    const options = { description, attributes: attributesOf(instrument, labels), incremental: true }
    const ignored = { update: () => {}, modify: () => {} }
    this.combine = combine ?? ((one, other) => one + other)
    this.where = where
    this.isCounter = kind === "counter"
    this.forget = (
      kind === "counter"
        ? Metric.registerUnsafe(Metric.counter(name, options), where, {
          get: (context) => ({ count: this.value(context), incremental: true }),
          ...ignored
        })
        : Metric.registerUnsafe(Metric.gauge(name, options), where, {
          get: (context) => ({ value: this.value(context) }),
          ...ignored
        })
    ).remove
  }

  private value(context: Context.Context<never>): number {
    let value: number | undefined
    for (const { read } of this.sources) {
      value = value === undefined
        ? read(context)
        : this.combine(value, read(context))
    }
    return this.past + (value ?? 0)
  }

  add(read: Read, onLast: () => void): () => void {
    const source = { read }
    this.sources.add(source)
    return () => {
      if (!this.sources.delete(source)) return
      if (this.isCounter) this.past += read(this.where)
      if (this.sources.size > 0) return
      this.forget()
      onLast()
    }
  }
}

const observed = new WeakMap<Metric.MetricRegistry, Map<string, Observed>>()

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
  const where = registryOf(context)
  const registry = Context.get(where, Metric.MetricRegistry)
  let all = observed.get(registry)
  if (all === undefined) observed.set(registry, all = new Map())
  const key = JSON.stringify([instrument.name, ...Object.entries(attributesOf(instrument, labels))])
  let series = all.get(key)
  if (series === undefined) all.set(key, series = new Observed(instrument, labels, where))
  const mine = all
  return series.add(read, () => mine.delete(key))
}
