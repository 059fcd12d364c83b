import * as Instrument from "@clawback/core/Instrument"
import type * as Context from "effect/Context"

/** Series that an exporter reads, and that end together. */
export class Observers {
  private readonly context: Context.Context<never>
  private readonly stops: Array<() => void> = []

  constructor(context: Context.Context<never>) {
    this.context = context
  }

  add<Label extends string>(
    instrument: Instrument.Instrument<"counter" | "gauge", Label>,
    labels: Instrument.Labels<Label>,
    read: () => number
  ): void {
    this.stops.push(Instrument.observe(instrument, labels, this.context, read))
  }

  /**
   * Shows counts by a label whose values are not known beforehand. A value that appeared once is shown from then on, with
   * zero if there are none.
   */
  byLabel<Label extends string>(
    instrument: Instrument.Instrument<"gauge", Label>,
    bounded: Instrument.Bounded<Label>,
    labelled: (value: string) => { readonly [label in Label]: string }
  ): (counts: ReadonlyMap<string, number>) => void {
    const shown = new Map<string, number>()
    return (counts) => {
      for (const value of shown.keys()) shown.set(value, 0)
      for (const [value, count] of counts) {
        const { labels, release } = Instrument.use(bounded, labelled(value), this.context)
        const name = labels[bounded.label] ?? Instrument.other
        if (shown.has(name)) release()
        else {
          this.stops.push(release)
          this.add(instrument, labelled(name), () => shown.get(name) ?? 0)
        }
        shown.set(name, (shown.get(name) ?? 0) + count)
      }
    }
  }

  stop(): void {
    for (const stop of this.stops) stop()
  }
}
