import { Attribute, SpanName } from "@clawback/core/Conventions"
import * as Span from "@clawback/core/Span"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import * as ChatEvent from "../../ChatEvent.ts"
import type { ChatResponse } from "../../ChatResponse.ts"
import type { EmbeddingResponse } from "../../Embedding.ts"
import type { Dropped, Peer } from "../../Protocol.ts"
import { isDeclared } from "../model/crossings.ts"
import { type CallMetrics, interrupted } from "./metrics.ts"

export type AnyFiber = Fiber.Fiber<unknown, unknown>

/** Redacts secrets in what a provider says. */
export type Redactor = Pick<Peer, "redact">

/** A fiber's context without the fiber, which may be a reader that the call's work must not keep in memory. */
class Standpoint implements Span.Observer {
  readonly cache: AnyFiber["cache"]
  private readonly context: AnyFiber["context"]

  constructor({ cache, context }: AnyFiber) {
    this.cache = cache
    this.context = context
  }

  getRef<A>(ref: Context.Reference<A>): A {
    return Context.get(this.context, ref)
  }
}

/** Monotonic, in seconds. */
export const secondsOf = (fiber: Span.Observer): number =>
  Number(fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()) / 1e9

const errorOf = (exit: Exit.Exit<unknown, unknown>): string | undefined =>
  Span.errorType(exit) ?? (Exit.isSuccess(exit) ? undefined : interrupted)

/** The span and the metrics of one call, over all its attempts. Only the stages of `telemetry` and the attempt write to it. */
export class CallRecord {
  private readonly fiber: Span.Observer
  private readonly metrics: CallMetrics
  private readonly span: Tracer.Span | undefined
  /** The parent to use where none is in force: a stream may have none. */
  private readonly parent: Tracer.AnySpan | undefined
  private readonly startedAt: number
  private attempts = 0
  private failed: string | undefined = undefined
  /** The running attempt, and its current part. */
  private attempt: Tracer.Span | undefined = undefined
  private part: Tracer.Span | undefined = undefined
  private firstAt: number | undefined = undefined
  /** When the last output came. After it come only the usage and the body's end. */
  private finishedAt: number | undefined = undefined
  private outputTokens: number | undefined = undefined
  private finishes: ReadonlyArray<string> = []

  constructor(
    fiber: AnyFiber,
    metrics: CallMetrics,
    startedAt: number,
    span: Tracer.Span | undefined,
    parent: Tracer.AnySpan | undefined
  ) {
    this.fiber = new Standpoint(fiber)
    this.metrics = metrics
    this.startedAt = startedAt
    this.span = span
    this.parent = parent
  }

  /** Begins an attempt and returns the parent of its spans. Below a span that is not sampled there are none. */
  try(): Tracer.AnySpan | undefined {
    this.attempts++
    if (this.attempts > 1) this.metrics.retried(this.failed)
    if (this.span === undefined) return this.parent
    return this.attempt = Span.begin(this.fiber, SpanName.attempt, {
      parent: this.span,
      attributes: { [Attribute.attempt]: this.attempts }
    })
  }

  tried(exit: Exit.Exit<unknown, unknown>): void {
    this.failed = errorOf(exit)
    this.metrics.attempted(this.failed)
    this.next(undefined, exit)
    if (this.attempt !== undefined) Span.end(this.attempt, this.fiber, exit)
    this.attempt = undefined
  }

  /** Fields of the request were not sent as they were asked. Names that only the request knows are not recorded. */
  dropped(fields: ReadonlyArray<Dropped>): void {
    if (this.span === undefined) return
    const names = new Set(fields.map(({ field }) => isDeclared(field) ? field : "other"))
    Span.annotate(this.span, { [Attribute.requestDropped]: [...names] })
  }

  /** The head of a stream has come. */
  streaming(): void {
    this.next(SpanName.firstToken, Exit.void)
  }

  /** A whole answer has come. */
  answered({ choices, id, model, usage }: ChatResponse, redactor: Redactor): void {
    this.finishes = choices.map(({ finish }) => finish.reason)
    this.started(id, model, redactor)
    if (usage !== undefined) this.used(usage)
  }

  /** Vectors have come. */
  embedded({ model, usage }: EmbeddingResponse, redactor: Redactor): void {
    this.started(undefined, model, redactor)
    if (usage !== undefined) this.used(usage)
  }

  /** Events were delivered. */
  events(events: ReadonlyArray<ChatEvent.ChatEvent>, redactor: Redactor): void {
    if (this.firstAt === undefined && events.some(ChatEvent.isOutput)) {
      this.firstAt = secondsOf(this.fiber)
      this.metrics.began(this.firstAt - this.startedAt)
      this.next(SpanName.stream, Exit.void)
    }
    for (const event of events) {
      if (event._tag === "Used") this.used(event)
      else if (event._tag === "Started") this.started(event.id, event.model, redactor)
      else if (event._tag === "Finished") {
        this.finishes = [...this.finishes, event.reason]
        this.finishedAt = secondsOf(this.fiber)
      }
    }
  }

  private started(id: string | undefined, model: string | undefined, redactor: Redactor): void {
    if (this.span === undefined) return
    Span.annotate(this.span, {
      [Attribute.responseId]: id && redactor.redact(id),
      [Attribute.responseModel]: model && redactor.redact(model)
    })
  }

  private used(usage: Partial<Omit<ChatEvent.Used, "_tag" | "raw">>): void {
    this.outputTokens = usage.outputTokens
    this.metrics.used(usage.inputTokens, usage.outputTokens)
    if (this.span === undefined) return
    Span.annotate(this.span, {
      [Attribute.inputTokens]: usage.inputTokens,
      [Attribute.outputTokens]: usage.outputTokens,
      [Attribute.cacheReadTokens]: usage.cachedInputTokens,
      [Attribute.cacheCreationTokens]: usage.cacheWriteTokens,
      [Attribute.reasoningTokens]: usage.reasoningTokens
    })
  }

  end(exit: Exit.Exit<unknown, unknown>): void {
    const now = secondsOf(this.fiber)
    const { finishedAt, firstAt, outputTokens } = this
    this.metrics.ended(now - this.startedAt, errorOf(exit))
    if (firstAt !== undefined && finishedAt !== undefined && outputTokens !== undefined && finishedAt > firstAt) {
      this.metrics.streamed(outputTokens / (finishedAt - firstAt))
    }
    if (this.span === undefined) return
    Span.annotate(this.span, {
      [Attribute.timeToFirstChunk]: firstAt && firstAt - this.startedAt,
      [Attribute.finishReasons]: this.finishes.length === 0 ? undefined : this.finishes
    })
    Span.end(this.span, this.fiber, exit)
  }

  private next(name: string | undefined, exit: Exit.Exit<unknown, unknown>): void {
    if (this.part !== undefined) Span.end(this.part, this.fiber, exit)
    this.part = name === undefined || this.attempt === undefined
      ? undefined
      : Span.begin(this.fiber, name, { parent: this.attempt })
  }
}
