/**
 * Where a call records itself: one tree of spans where somebody traces, and metrics.
 *
 * Each stage is a synchronous step that changes no outcome and that nothing can interrupt.
 */
import * as Caller from "@clawback/core/Caller"
import { Attribute } from "@clawback/core/Conventions"
import * as Deadline from "@clawback/core/Deadline"
import * as Span from "@clawback/core/Span"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { ChatEvent } from "../../ChatEvent.ts"
import type { CallError } from "../../ProviderError.ts"
import type { Answer } from "./answer.ts"
import type { Endpoint, Route } from "./endpoint.ts"
import { type AnyFiber, CallRecord, secondsOf } from "./record.ts"

export type Attributes = Readonly<Record<string, unknown>>

/** Begins the record of a call. `parent`: the span of the face that makes the call, if it has one. */
export type Begin<in Request> = (fiber: AnyFiber, request: Request, parent: Tracer.AnySpan | undefined) => CallRecord

/** For whom a call is made. */
const callerAttributes = ({ conversation, subject, tags, tenant }: Caller.Caller): Attributes => {
  const attributes: Record<string, unknown> = {
    [Attribute.tenant]: tenant,
    [Attribute.subject]: subject,
    [Attribute.conversation]: conversation
  }
  for (const name in tags) attributes[`${Attribute.callerTag}.${name}`] = tags[name]
  return attributes
}

/** Records the calls of one route. `attributes` are read only where somebody traces. */
export const begin = <Request>(
  { metrics, model, operation, provider }: Endpoint,
  { address }: Route,
  attributes: (request: Request) => Attributes
): Begin<Request> => {
  const constant = {
    [Attribute.operation]: operation,
    [Attribute.provider]: provider,
    [Attribute.serverAddress]: address.hostname,
    [Attribute.serverPort]: Number(address.port) || (address.protocol === "https:" ? 443 : 80),
    [Attribute.requestModel]: model
  }
  return (fiber, request, parent) => {
    const span = !Span.isTraced(fiber) || parent?.sampled === false
      ? undefined
      : Span.begin(fiber, `${operation} ${model}`, { parent, kind: "client", attributes: constant })
    if (span !== undefined) {
      Span.annotate(span, attributes(request))
      const caller = fiber.getRef(Caller.Current)
      if (caller !== undefined) Span.annotate(span, callerAttributes(caller))
    }
    return new CallRecord(fiber, metrics, secondsOf(fiber), span, parent)
  }
}

/** The effect of one attempt. */
export const attempt = <A, E, R>(record: CallRecord, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) => {
    const span = record.try()
    const inside = restore(self)
    return Effect.onExitPrimitive(
      span === undefined ? inside : Effect.provideService(inside, Tracer.ParentSpan, span),
      (exit) => {
        record.tried(exit)
        return undefined
      }
    )
  })

/** The effect of a whole call. */
export const effect = <A, E, R>(
  begin: (fiber: AnyFiber) => CallRecord,
  self: (record: CallRecord) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      const record = begin(fiber)
      return Effect.onExitPrimitive(restore(self(record)), (exit) => {
        record.end(exit)
        return undefined
      })
    })
  )

/**
 * Watches the elements of a stream, and how it ends. If the reader gave the stream up before its end, only the exit of the
 * stream's scope is known.
 */
const watch = <A, E, R>(
  start: (fiber: AnyFiber) => {
    readonly stream: Stream.Stream<A, E, R>
    readonly onElements?: (elements: ReadonlyArray<A>) => void
    readonly onEnd: (end: Exit.Exit<unknown, unknown> | undefined, closed: Exit.Exit<unknown, unknown>) => void
  }
): Stream.Stream<A, E, R> =>
  Stream.unwrap(Effect.uninterruptible(Effect.withFiber((fiber) =>
    Effect.flatMap(Effect.scope, (scope) => {
      const { onElements, onEnd, stream } = start(fiber)
      let end: Exit.Exit<unknown, unknown> | undefined
      const watched = Stream.transformPull(stream, (pull) =>
        Effect.succeed(Effect.onExitPrimitive(pull, (exit) => {
          if (Exit.isSuccess(exit)) onElements?.(exit.value)
          else if (!Exit.hasInterrupts(exit)) end = Pull.isDoneCause(exit.cause) ? Exit.void : exit
          return undefined
        }, true)))
      return Effect.as(Scope.addFinalizerExit(scope, (closed) => Effect.sync(() => onEnd(end, closed))), watched)
    })
  )))

/** The stream of one attempt. */
export const attemptStream = <A, E, R>(record: CallRecord, self: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
  watch(() => {
    const span = record.try()
    return {
      stream: span === undefined ? self : Stream.provideService(self, Tracer.ParentSpan, span),
      onEnd: (end = Exit.interrupt()) => record.tried(end)
    }
  })

/** How a stream ended that was given up: by the call's limit, which passes also while its reader is away, or by its reader. */
const givenUp = (closed: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> => {
  const error = Option.getOrUndefined(Exit.findErrorOption(closed))
  return error instanceof Deadline.DeadlineExceeded ? Exit.fail(error) : Exit.interrupt()
}

/** The stream of a whole call. */
export const stream = <R>(
  begin: (fiber: AnyFiber) => CallRecord,
  answer: Answer,
  self: (record: CallRecord) => Stream.Stream<ChatEvent, CallError, R>
): Stream.Stream<ChatEvent, CallError, R> =>
  watch((fiber) => {
    const record = begin(fiber)
    return {
      stream: self(record),
      onElements: (events) => {
        answer.take("unrecorded")
        record.events(events, answer)
      },
      onEnd: (end, closed) => {
        const exit = end ?? givenUp(closed)
        const isWhole = answer.isWholeAt(Option.getOrUndefined(Exit.findErrorOption(exit)))
        if (isWhole) record.events(answer.takeRest("unrecorded"), answer)
        record.end(isWhole ? Exit.void : exit)
      }
    }
  })
