/** What a metric and its series are, below everything that uses them. */
import type * as Context from "effect/Context"

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
  /** How to combine several sources of one series. Default: their sum. */
  readonly combine?: ((one: number, other: number) => number) | undefined
}

/** Infers the kind and the labels of an instrument. */
export const define = <K extends Kind, const Label extends string>(instrument: Instrument<K, Label>) => instrument

/** A value for each label; one that is left out is not shown. */
export type Labels<Label extends string> = { readonly [name in Label]?: string | undefined }

/** The value of a label beyond those that are shown apart. The name is OpenTelemetry's for this. */
export const other = "_OTHER"

/** Where one series is counted. Recording is a synchronous step, so that nothing can interrupt it. */
export interface Series {
  readonly record: (value: number) => void
}

/** A label whose values come from outside. Make one for each label, in a module. */
export interface Bounded<out Label extends string = string> {
  readonly label: Label
  /** How many values one registry shows apart at a time. */
  readonly limit: number
  /** The label that this one's values belong to: a model has a provider. */
  readonly within?: Bounded | undefined
}

/** One use of a value of a bounded label. */
export interface Use {
  /** The label as it is shown, and those it is within: a value, or `_OTHER`. */
  readonly labels: { readonly [label: string]: string }
  /**
   * The series of this value and of the other labels. After the value has lost its place, what is recorded to it counts
   * as `_OTHER`.
   */
  readonly series: <Label extends string>(
    instrument: Instrument<"counter" | "histogram", Label>,
    others?: Labels<Label>
  ) => Series
  /** Ends the use. A second call changes nothing. */
  readonly release: () => void
}

/** The value of a series at this moment, in the context of the reader. */
export type Read = (context: Context.Context<never>) => number
