/** Series that are recorded to. A registry of metrics reads them when an exporter looks. */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { Instrument } from "./model.ts"

/** The attributes of a series in its registry: its labels with a value, and the unit. */
export const attributesOf = (
  instrument: Instrument,
  labels: { readonly [name: string]: string | undefined }
): Record<string, string> => {
  const attributes: Record<string, string> = { unit: instrument.unit }
  for (const name of instrument.labels) {
    const value = labels[name]
    if (value !== undefined) attributes[name] = value
  }
  return attributes
}

/** What a series has counted. A counter uses the sum only. */
class Amounts {
  count = 0
  sum = 0
  min = Number.MAX_VALUE
  max = -Number.MAX_VALUE
  /** How many values are in each bucket; the last bucket has no upper bound. */
  readonly buckets: Array<number>

  constructor(boundaries: ReadonlyArray<number>) {
    this.buckets = Array.from({ length: boundaries.length + 1 }, () => 0)
  }

  record(value: number, bucket: number): void {
    this.count++
    this.sum += value
    this.min = Math.min(this.min, value)
    this.max = Math.max(this.max, value)
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1
  }

  add(other: Amounts): void {
    this.count += other.count
    this.sum += other.sum
    this.min = Math.min(this.min, other.min)
    this.max = Math.max(this.max, other.max)
    for (const [bucket, count] of other.buckets.entries()) this.buckets[bucket] = (this.buckets[bucket] ?? 0) + count
  }
}

/**
 * One series. It is in the registry from its first record on, until it is moved.
 *
 * It keeps apart what an exporter has read already and what none has: only the second may be counted by another series
 * once this one is gone, or else a sum over all series would count it twice.
 */
export class Recorded {
  readonly instrument: Instrument<"counter" | "histogram">
  readonly labels: { readonly [name: string]: string | undefined }
  private readonly context: Context.Context<never>
  private readonly boundaries: ReadonlyArray<number>
  private readonly read: Amounts
  private unread: Amounts
  private registration: Metric.Registration | undefined = undefined
  private successor: Recorded | undefined = undefined

  constructor(
    instrument: Instrument<"counter" | "histogram">,
    labels: { readonly [name: string]: string | undefined },
    context: Context.Context<never>
  ) {
    this.instrument = instrument
    this.labels = labels
    this.context = context
    this.boundaries = instrument.boundaries?.toSorted((one, other) => one - other) ?? []
    this.read = new Amounts(this.boundaries)
    this.unread = new Amounts(this.boundaries)
  }

  /** What is no number changes nothing, nor does what a counter would have to count down for. */
  record(value: number): void {
    if (this.successor !== undefined) return this.successor.record(value)
    if (!Number.isFinite(value) || (this.instrument.kind === "counter" && value < 0)) return
    this.registration ??= this.register()
    const { boundaries } = this
    let bucket = 0
    while (bucket < boundaries.length && value > (boundaries[bucket] ?? Infinity)) bucket++
    this.unread.record(value, bucket)
  }

  /** Removes the series. Its successor counts what no exporter has read, and what is recorded from now on. */
  moveTo(successor: Recorded): void {
    this.registration?.remove()
    this.successor = successor
    if (this.unread.count > 0) successor.add(this.unread)
  }

  private add(amounts: Amounts): void {
    if (this.successor !== undefined) return this.successor.add(amounts)
    this.registration ??= this.register()
    this.unread.add(amounts)
  }

  private look(): Amounts {
    if (this.unread.count > 0) {
      this.read.add(this.unread)
      this.unread = new Amounts(this.boundaries)
    }
    return this.read
  }

  private register(): Metric.Registration {
    const { boundaries, context, instrument, labels } = this
    const { description, kind, name } = instrument
    const attributes = attributesOf(instrument, labels)
    const ignored = { update: () => {}, modify: () => {} }
    if (kind === "counter") {
      return Metric.registerUnsafe(Metric.counter(name, { description, attributes, incremental: true }), context, {
        get: () => ({ count: this.look().sum, incremental: true }),
        ...ignored
      })
    }
    return Metric.registerUnsafe(Metric.histogram(name, { description, attributes, boundaries }), context, {
      get: () => {
        const { buckets, count, max, min, sum } = this.look()
        let below = 0
        const atMost = boundaries.map((bound, at): [number, number] => [bound, below += buckets[at] ?? 0])
        return { count, sum, min, max, buckets: atMost }
      },
      ...ignored
    })
  }
}
