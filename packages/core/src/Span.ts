/**
 * A span at a boundary of ours. Made only under a tracer, and ended without the error's message.
 *
 * Rule: error messages stay out of spans, since they may quote requests and answers. A span that failed carries the error's
 * tag, as `error.type` and as its message; one that was interrupted carries the interruption.
 *
 * Without a tracer, or below an unsampled span, no span is made. The hot path then only checks the fiber.
 *
 * @experimental
 */

import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { Attribute } from "./Conventions.ts"

/** The fiber, or the retained part of one, that begins and ends a span. */
export type Observer = Pick<Fiber.Fiber<unknown, unknown>, "cache" | "getRef">

export interface Options {
  /** Default: the span in force. */
  readonly parent?: Tracer.AnySpan | undefined
  /** Default: `internal`. */
  readonly kind?: Tracer.SpanKind | undefined
  /** Attributes that are undefined are left out. */
  readonly attributes?: Readonly<Record<string, unknown>> | undefined
}

/** Whether a span of this fiber would be recorded: it has a tracer and no unsampled parent span. */
export const isTraced = ({ cache }: Fiber.Fiber<unknown, unknown>): boolean =>
  cache.tracerEnabled && cache.tracer !== undefined && cache.span?.sampled !== false

const now = (fiber: Observer): bigint =>
  fiber.getRef(References.TracerTimingEnabled) ? fiber.getRef(Clock.Clock).currentTimeNanosUnsafe() : 0n

/** Begins a span. The caller must end it on success, failure and interruption. */
export const begin = (fiber: Observer, name: string, options: Options = {}): Tracer.Span => {
  const parent = options.parent ?? fiber.cache.span
  const level = fiber.getRef(Tracer.CurrentTraceLevel)
  const span = fiber.getRef(Tracer.Tracer).span({
    name,
    parent: Option.fromUndefinedOr(parent),
    annotations: Context.empty(),
    links: [...fiber.getRef(References.TracerSpanLinks)],
    startTime: now(fiber),
    kind: options.kind ?? "internal",
    root: false,
    sampled: parent?.sampled !== false && !LogLevel.isGreaterThan(fiber.getRef(Tracer.MinimumTraceLevel), level)
  })
  annotate(span, fiber.getRef(References.TracerSpanAnnotations))
  if (options.attributes !== undefined) annotate(span, options.attributes)
  return span
}

/** Adds attributes. Attributes that are undefined are left out. */
export const annotate = (span: Tracer.Span, attributes: Readonly<Record<string, unknown>>): void => {
  // As `Object.entries` would, without an array for each.
  for (const name in attributes) {
    const value = attributes[name]
    if (value !== undefined) span.attribute(name, value)
  }
}

/** Replaces an error by its tag and its stack frames. */
class Untold extends Data.TaggedError("Untold")<{ readonly message: string }> {
  constructor(tag: string, error: unknown) {
    super({ message: tag })
    this.name = tag
    const stack = error instanceof Error ? error.stack ?? "" : ""
    this.stack = [tag, ...stack.split("\n").filter((line) => /^ +at /.test(line))].join("\n")
  }
}

const tagOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return typeof error
  if ("_tag" in error && typeof error._tag === "string") return error._tag
  return error instanceof Error ? error.name : "object"
}

const failureOf = (exit: Exit.Exit<unknown, unknown>): { readonly error: unknown } | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const failure = exit.cause.reasons.find(Cause.isFailReason)
  if (failure !== undefined) return failure
  const death = exit.cause.reasons.find(Cause.isDieReason)
  return death && { error: death.defect }
}

/** Why something failed, by its tag; undefined where it succeeded or was interrupted. */
export const errorType = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  const failure = failureOf(exit)
  return failure && tagOf(failure.error)
}

/** The same exit, with the error reduced to its tag and stack frames. */
export const untold = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> => {
  const failure = failureOf(exit)
  if (failure?.error instanceof Untold) return exit
  if (failure !== undefined) return Exit.fail(new Untold(tagOf(failure.error), failure.error))
  return Exit.isSuccess(exit)
    ? Exit.void
    : Exit.failCause(Cause.fromReasons(exit.cause.reasons.filter(Cause.isInterruptReason)))
}

/** Ends a span with the exit of the work that it describes. Ending it again changes nothing. */
export const end = (
  span: Tracer.Span,
  fiber: Observer,
  exit: Exit.Exit<unknown, unknown>
): void => {
  if (span.status._tag === "Ended") return
  const tag = errorType(exit)
  if (tag !== undefined) span.attribute(Attribute.errorType, tag)
  span.end(now(fiber), untold(exit))
}

/** A span around an effect, under a tracer. */
export const around: {
  (name: string, options?: Options): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, name: string, options?: Options): Effect.Effect<A, E, R>
} = dual(
  ([self]) => Effect.isEffect(self),
  <A, E, R>(self: Effect.Effect<A, E, R>, name: string, options?: Options): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) =>
      // One that has begun must not be interrupted before its end is arranged.
      isTraced(fiber) ?
        Effect.uninterruptibleMask((restore) => {
          const span = begin(fiber, name, options)
          return Effect.onExitPrimitive(restore(self), (exit) => {
            end(span, fiber, exit)
            return undefined
          })
        }) :
        self
    )
)
