import { Attribute, Metrics } from "@clawback/core/Conventions"
import * as Instrument from "@clawback/core/Instrument"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The label of interrupted calls. No error has this tag. */
export const interrupted = "Interrupted"

/** The limits of a call, by the error that each raises. */
const limits: ReadonlyMap<string, string> = new Map([
  ["QueueTimeout", "queue"],
  ["ConnectTimeout", "connect"],
  ["FirstTokenTimeout", "first_token"],
  ["IdleTimeout", "idle"],
  ["DeadlineExceeded", "total"]
])

type Counted = Instrument.Instrument<"counter" | "histogram", string>

const providers = Instrument.bounded(Attribute.provider, 16)
const models = Instrument.bounded(Attribute.requestModel, 64, providers)
/** Tags of errors: a program has few. */
const errors = Instrument.bounded(Attribute.errorType, 32)

/** The metric series of one model's calls. A series is made at its first record, and kept as long as this object. */
export class CallMetrics {
  private readonly operation: string
  private readonly model: Instrument.Use
  private readonly context: Context.Context<never>
  private readonly ends = new Map<Counted, Map<string, Instrument.Series>>()
  private readonly ttft: Instrument.Series
  private readonly rate: Instrument.Series
  private readonly input: Instrument.Series
  private readonly output: Instrument.Series

  constructor(operation: string, model: Instrument.Use, context: Context.Context<never>) {
    this.operation = operation
    this.model = model
    this.context = context
    this.ttft = this.series(Metrics.timeToFirstChunk)
    this.rate = this.series(Metrics.outputRate)
    this.input = this.series(Metrics.tokenUsage, { [Attribute.tokenType]: "input" })
    this.output = this.series(Metrics.tokenUsage, { [Attribute.tokenType]: "output" })
  }

  private series(instrument: Counted, labels: Instrument.Labels<string> = {}): Instrument.Series {
    return this.model.series(instrument, { ...labels, [Attribute.operation]: this.operation })
  }

  private by(instrument: Counted, label: string, value: string | undefined): Instrument.Series {
    let all = this.ends.get(instrument)
    if (all === undefined) this.ends.set(instrument, all = new Map())
    let one = all.get(value ?? "")
    if (one === undefined) all.set(value ?? "", one = this.series(instrument, { [label]: value }))
    return one
  }

  private byError(instrument: Counted, error: string | undefined): Instrument.Series {
    const known = this.ends.get(instrument)?.get(error ?? "")
    if (known !== undefined || error === undefined) return known ?? this.by(instrument, Attribute.errorType, undefined)
    // Not released: the same error may come again at any time.
    const { labels } = Instrument.use(errors, { [Attribute.errorType]: error }, this.context)
    return this.by(instrument, Attribute.errorType, labels[Attribute.errorType])
  }

  retried(previous: string | undefined): void {
    this.byError(Metrics.retries, previous).record(1)
  }

  attempted(error: string | undefined): void {
    this.byError(Metrics.attempts, error).record(1)
    // The limit of the whole call passes once, not once per attempt.
    if (error !== "DeadlineExceeded") this.timedOut(error)
  }

  began(seconds: number): void {
    this.ttft.record(seconds)
  }

  used(input: number | undefined, output: number | undefined): void {
    if (input !== undefined) this.input.record(input)
    if (output !== undefined) this.output.record(output)
  }

  streamed(tokensPerSecond: number): void {
    this.rate.record(tokensPerSecond)
  }

  ended(seconds: number, error: string | undefined): void {
    this.byError(Metrics.callDuration, error).record(seconds)
    if (error === "DeadlineExceeded") this.timedOut(error)
  }

  private timedOut(error: string | undefined): void {
    const limit = error === undefined ? undefined : limits.get(error)
    if (limit !== undefined) this.by(Metrics.timeouts, Attribute.timeoutKind, limit).record(1)
  }
}

/** The metrics of one model's calls. They keep their series for as long as the scope is open. */
export const open = (
  operation: string,
  provider: string,
  model: string
): Effect.Effect<CallMetrics, never, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() =>
          Instrument.use(models, { [Attribute.provider]: provider, [Attribute.requestModel]: model }, context)
        ),
        ({ release }) => Effect.sync(release)
      ),
      (use) => new CallMetrics(operation, use, context)
    )
  )
