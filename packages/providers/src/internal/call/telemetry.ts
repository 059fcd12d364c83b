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
import { type CallMetrics, interrupted } from "./metrics.ts"

export type AnyFiber = Fiber.Fiber<unknown, unknown>

/** What a fiber observes by, without the fiber: it may be the one that reads a call, which what works for it must not keep. */
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

/** A call from its beginning to its end, over however many attempts. */
export class Call {
  private readonly fiber: Span.Observer
  private readonly metrics: CallMetrics
  private readonly span: Tracer.Span | undefined
  /** Where it is not in force by itself: of a stream, which may have no span in force. */
  private readonly parent: Tracer.AnySpan | undefined
  private readonly startedAt: number
  private attempts = 0
  private failed: string | undefined = undefined
  /** The attempt that runs, and the part of it that is under way. */
  private attempt: Tracer.Span | undefined = undefined
  private part: Tracer.Span | undefined = undefined
  private firstAt: number | undefined = undefined
  /** The last of its output, after which only the count of its tokens comes, and its body's end. */
  private finishedAt: number | undefined = undefined
  private outputTokens: number | undefined = undefined
  private finishes: ReadonlyArray<string> = []
  private redact: (text: string) => string = () => "<redacted>"

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

  /** Begins an attempt, and answers with the parent of what happens in it. One that is not sampled has no spans below. */
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

  /** The request is about to be sent. What its peer will say of itself is told redacted. */
  sending(redact: (text: string) => string): void {
    this.redact = redact
  }

  /** The head of a stream has come. */
  streaming(): void {
    this.next(SpanName.firstToken, Exit.void)
  }

  /** An answer that came in one piece. */
  answered({ choices, id, model, usage }: ChatResponse): void {
    this.finishes = choices.map(({ finish }) => finish.reason)
    this.started({ id, model })
    if (usage !== undefined) this.used(usage)
  }

  /** Vectors that came. */
  embedded({ model, usage }: EmbeddingResponse): void {
    this.started({ id: undefined, model })
    if (usage !== undefined) this.used(usage)
  }

  /** What was delivered. */
  events(events: ReadonlyArray<ChatEvent.ChatEvent>): void {
    if (this.firstAt === undefined && events.some(ChatEvent.isOutput)) {
      this.firstAt = secondsOf(this.fiber)
      this.metrics.began(this.firstAt - this.startedAt)
      this.next(SpanName.stream, Exit.void)
    }
    for (const event of events) {
      if (event._tag === "Used") this.used(event)
      else if (event._tag === "Started") this.started(event)
      else if (event._tag === "Finished") {
        this.finishes = [...this.finishes, event.reason]
        this.finishedAt = secondsOf(this.fiber)
      }
    }
  }

  private started({ id, model }: { readonly id: string | undefined; readonly model: string | undefined }): void {
    if (this.span === undefined) return
    Span.annotate(this.span, {
      [Attribute.responseId]: id && this.redact(id),
      [Attribute.responseModel]: model && this.redact(model)
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
