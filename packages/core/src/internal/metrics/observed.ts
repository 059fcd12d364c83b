/** Series that are read from their sources when an exporter looks. */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { Instrument, Labels, Read } from "./model.ts"
import { attributesOf } from "./recorded.ts"

/** The sources that one observed series is read from. */
export class Observed {
  private readonly sources = new Set<{ readonly read: Read }>()
  private readonly combine: (one: number, other: number) => number
  private readonly isCounter: boolean
  private readonly registration: Metric.Registration
  private readonly context: Context.Context<never>
  /** What sources that are gone had counted. */
  private past = 0

  constructor(instrument: Instrument<"counter" | "gauge">, labels: Labels<string>, context: Context.Context<never>) {
    const { combine, description, kind, name } = instrument
    const options = { description, attributes: attributesOf(instrument, labels), incremental: true }
    const ignored = { update: () => {}, modify: () => {} }
    this.combine = combine ?? ((one, other) => one + other)
    this.context = context
    this.isCounter = kind === "counter"
    this.registration = kind === "counter"
      ? Metric.registerUnsafe(Metric.counter(name, options), context, {
        get: (context) => ({ count: this.value(context), incremental: true }),
        ...ignored
      })
      : Metric.registerUnsafe(Metric.gauge(name, options), context, {
        get: (context) => ({ value: this.value(context) }),
        ...ignored
      })
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

  /** Adds a source. Returns how to take it away; with the last source, the series is gone. */
  add(read: Read, onLast: () => void): () => void {
    const source = { read }
    this.sources.add(source)
    return () => {
      if (!this.sources.delete(source)) return
      try {
        if (this.isCounter) this.past += read(this.context)
      } finally {
        // Also where reading it throws, as the code of the user's may.
        if (this.sources.size === 0) {
          this.registration.remove()
          onLast()
        }
      }
    }
  }
}
