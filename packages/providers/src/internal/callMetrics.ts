import { Attribute, Metrics } from "@clawback/core/Conventions"
import * as Instrument from "@clawback/core/Instrument"
import type * as Context from "effect/Context"

/** What a call's metrics are split by, beside how it ended. */
interface Labels {
  readonly [Attribute.operation]: string
  readonly [Attribute.provider]: string
  readonly [Attribute.requestModel]: string
}

/** How what was interrupted is counted, which is no error's tag. */
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

/** The series of the calls to one model. Each is made when it is first recorded, and kept. */
export class CallMetrics {
  private readonly labels: Labels
  private readonly context: Context.Context<never>
  private readonly ends = new Map<Counted, Map<string, Instrument.Series>>()
  private readonly ttft: Instrument.Series
  private readonly rate: Instrument.Series
  private readonly input: Instrument.Series
  private readonly output: Instrument.Series

  constructor(labels: Labels, context: Context.Context<never>) {
    this.labels = labels
    this.context = context
    this.ttft = Instrument.series(Metrics.timeToFirstChunk, labels, context)
    this.rate = Instrument.series(Metrics.outputRate, labels, context)
    this.input = Instrument.series(Metrics.tokenUsage, { ...labels, [Attribute.tokenType]: "input" }, context)
    this.output = Instrument.series(Metrics.tokenUsage, { ...labels, [Attribute.tokenType]: "output" }, context)
  }

  /** `error` is a tag, of which there are few. */
  private by(instrument: Counted, label: string, value: string | undefined): Instrument.Series {
    let all = this.ends.get(instrument)
    if (all === undefined) this.ends.set(instrument, all = new Map())
    let one = all.get(value ?? "")
    if (one === undefined) {
      one = Instrument.series(instrument, { ...this.labels, [label]: value }, this.context)
      all.set(value ?? "", one)
    }
    return one
  }

  retried(previous: string | undefined): void {
    this.by(Metrics.retries, Attribute.errorType, previous).record(1)
  }

  attempted(error: string | undefined): void {
    this.by(Metrics.attempts, Attribute.errorType, error).record(1)
    // The whole call's limit passes once, however many attempts there were.
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
    this.by(Metrics.callDuration, Attribute.errorType, error).record(seconds)
    if (error === "DeadlineExceeded") this.timedOut(error)
  }

  private timedOut(error: string | undefined): void {
    const limit = error === undefined ? undefined : limits.get(error)
    if (limit !== undefined) this.by(Metrics.timeouts, Attribute.timeoutKind, limit).record(1)
  }
}

/** So many models of one endpoint have series of their own. */
const maxModels = 64

/** The metrics of an endpoint's calls, by the model that they ask for. */
export const byModel = (
  operation: string,
  provider: string,
  context: Context.Context<never>
): (model: string) => CallMetrics => {
  const bounded = Instrument.bounded(maxModels)
  const all = new Map<string, CallMetrics>()
  return (model) => {
    const name = bounded(model)
    let metrics = all.get(name)
    if (metrics === undefined) {
      const labels = {
        [Attribute.operation]: operation,
        [Attribute.provider]: provider,
        [Attribute.requestModel]: name
      }
      all.set(name, metrics = new CallMetrics(labels, context))
    }
    return metrics
  }
}
