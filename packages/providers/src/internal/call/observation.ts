/**
 * What is told of calls: one tree of spans for each, where somebody traces, and metrics.
 *
 * Everything here is a synchronous step that changes no outcome, taken where nothing can interrupt it.
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
import type * as ChatRequest from "../../ChatRequest.ts"
import type { EmbeddingRequest } from "../../Embedding.ts"
import type { EmbeddingDelivery } from "../../Protocol.ts"
import type { Latest } from "./answer.ts"
import type { Endpoint } from "./endpoint.ts"
import { type AnyFiber, Call, secondsOf } from "./telemetry.ts"

type Attributes = Readonly<Record<string, unknown>>

/** The calls of one endpoint. */
export interface Calls {
  /** `attributes` are asked for where somebody traces. */
  readonly begin: (
    fiber: AnyFiber,
    model: string,
    attributes: () => Attributes,
    parent?: Tracer.AnySpan | undefined
  ) => Call
}

export const make = ({ address, metrics, operation, provider }: Endpoint): Calls => {
  const endpoint = {
    [Attribute.operation]: operation,
    [Attribute.provider]: provider,
    [Attribute.serverAddress]: address.hostname,
    [Attribute.serverPort]: Number(address.port) || (address.protocol === "https:" ? 443 : 80)
  }
  return {
    begin: (fiber, model, attributes, parent) => {
      const span = !Span.isTraced(fiber) || parent?.sampled === false
        ? undefined
        : Span.begin(fiber, `${operation} ${model}`, { parent, kind: "client", attributes: endpoint })
      if (span !== undefined) {
        span.attribute(Attribute.requestModel, model)
        Span.annotate(span, attributes())
        const conversation = fiber.getRef(Caller.Current)?.conversation
        if (conversation !== undefined) span.attribute(Attribute.conversation, conversation)
      }
      return new Call(fiber, metrics, secondsOf(fiber), span, parent)
    }
  }
}

/** What a chat's request says of itself. */
export const chat = (request: ChatRequest.ChatRequest, stream: boolean): Attributes => ({
  [Attribute.requestStream]: stream,
  [Attribute.requestMaxTokens]: request.maxOutputTokens,
  [Attribute.requestTemperature]: request.temperature,
  [Attribute.requestTopP]: request.topP,
  [Attribute.requestSeed]: request.seed
})

/** What a request of embeddings says of itself. */
export const embeddings = ({ dimensions }: EmbeddingRequest, { encoding }: EmbeddingDelivery): Attributes => ({
  [Attribute.requestEncodingFormats]: [encoding],
  [Attribute.requestDimensions]: dimensions
})

/** Below a span, where there is one. */
const below = (span: Tracer.AnySpan | undefined) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  span === undefined ? self : Effect.provideService(self, Tracer.ParentSpan, span)

/** An effect that is an attempt of a call. */
export const attempt = (call: Call) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.onExitPrimitive(below(call.try())(restore(self)), (exit) => {
      call.tried(exit)
      return undefined
    })
  )

/** An effect that is a call. */
export const effect = <A, E, R>(
  begin: (fiber: AnyFiber) => Call,
  f: (call: Call) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      const call = begin(fiber)
      return Effect.onExitPrimitive(restore(f(call)), (exit) => {
        call.end(exit)
        return undefined
      })
    })
  )

/**
 * Looks at what a stream emits, and in the end at how it ended. Of one that was given up before its end, only how its
 * scope closed is known.
 */
const watch = <A, E, R>(
  begin: (fiber: AnyFiber) => {
    readonly stream: Stream.Stream<A, E, R>
    readonly onElements?: (elements: ReadonlyArray<A>) => void
    readonly onEnd: (end: Exit.Exit<unknown, unknown> | undefined, closed: Exit.Exit<unknown, unknown>) => void
  }
): Stream.Stream<A, E, R> =>
  Stream.unwrap(Effect.uninterruptible(Effect.withFiber((fiber) =>
    Effect.flatMap(Effect.scope, (scope) => {
      const { onElements, onEnd, stream } = begin(fiber)
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

/** A stream that is an attempt of a call. */
export const streamAttempt = (call: Call) => <A, E, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
  watch(() => {
    const span = call.try()
    return {
      stream: span === undefined ? self : Stream.provideService(self, Tracer.ParentSpan, span),
      onEnd: (end = Exit.interrupt()) => call.tried(end)
    }
  })

/** How a call ended whose stream was given up: by its limit, which passes also while its reader is away, or by its reader. */
const givenUp = (closed: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> => {
  const error = Option.getOrUndefined(Exit.findErrorOption(closed))
  return error instanceof Deadline.DeadlineExceeded ? Exit.fail(error) : Exit.interrupt()
}

/** A stream that is a call. */
export const stream = <E, R>(
  begin: (fiber: AnyFiber) => Call,
  f: (call: Call) => Stream.Stream<ChatEvent, E, R>,
  latest: Latest
): Stream.Stream<ChatEvent, E, R> =>
  watch((fiber) => {
    const call = begin(fiber)
    return {
      stream: f(call),
      onElements: (events) => {
        latest.answer?.take("unobserved")
        call.events(events)
      },
      onEnd: (end, closed) => {
        const exit = end ?? givenUp(closed)
        const isWhole = latest.isWholeAt(Option.getOrUndefined(Exit.findErrorOption(exit)))
        if (isWhole) call.events(latest.answer?.takeRest("unobserved") ?? [])
        call.end(isWhole ? Exit.void : exit)
      }
    }
  })
