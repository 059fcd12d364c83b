/** A call without tools on the direct path: as `LanguageModel.make` makes it, without its schemas. */
import * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import * as Response from "effect/ai/Response"
import type * as Telemetry from "effect/ai/Telemetry"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Tracer from "effect/Tracer"
import type { Hooks } from "./hooks.ts"
import * as ModelCall from "./modelCall.ts"
import * as Part from "./parts.ts"

type Parts = Array<Response.Part<{}>>
type StreamParts = readonly [Response.StreamPart<{}>, ...Array<Response.StreamPart<{}>>]

const begin = (
  fiber: Fiber.Fiber<unknown, unknown>,
  options: ModelCall.Options,
  prompt: Prompt.Prompt,
  span: Tracer.Span,
  inherited: Telemetry.SpanTransformer | undefined
): ModelCall.Call => {
  ModelCall.annotate(span, options)
  return ModelCall.begin(fiber, prompt, [], "none", span, inherited)
}

/** Reports what is wrong with parts, as `LanguageModel.make` does. */
const decodeParts = (parts: Array<Response.PartEncoded>): Effect.Effect<Parts, Schema.SchemaError> =>
  Schema.decodeEffect(Schema.mutable(Schema.Array(Response.Part(Toolkit.empty))))(parts)

const decodeStreamParts = (
  parts: readonly [Response.StreamPartEncoded, ...Array<Response.StreamPartEncoded>]
): Effect.Effect<StreamParts, Schema.SchemaError> =>
  Schema.decodeEffect(Schema.NonEmptyArray(Response.StreamPart(Toolkit.empty)))(parts)

type Failure = AiError.AiError | Schema.SchemaError

const asAiError = (method: keyof Hooks) => (error: Failure): AiError.AiError =>
  AiError.isAiError(error) ? error : ModelCall.invalidOutput(method, error)

const respond = (
  hooks: Hooks,
  call: ModelCall.Call
): Effect.Effect<LanguageModel.GenerateTextResponse<{}>, Failure> => {
  const finish = (content: Parts) => Effect.succeed(ModelCall.answer(call, content))
  return Effect.flatMap(
    ModelCall.ask(hooks, call),
    (parts) => Part.areDecoded<Parts>(parts) ? finish(parts) : Effect.flatMap(decodeParts(parts), finish)
  )
}

/** Asks again in full only before the first output: metadata is none. */
const streamWithFallback = (
  hooks: Hooks,
  call: ModelCall.Call
): Stream.Stream<Response.StreamPartEncoded, AiError.AiError> => {
  if (call.asked.incrementalPrompt === undefined) return hooks.streamText(call.asked, call.given)
  let hasOutput = false
  return hooks.streamText(call.asked, call.given).pipe(
    Stream.tap(({ type }) =>
      Effect.sync(() => {
        if (type !== "response-metadata") hasOutput = true
      })
    ),
    Stream.catchReason(
      "AiError",
      "InvalidRequestError",
      (_, error) => hasOutput ? Stream.fail(error) : hooks.streamText(ModelCall.askedInFull(call), call.given)
    )
  )
}

const respondWithStream = (hooks: Hooks, call: ModelCall.Call): Stream.Stream<Response.StreamPart<{}>, Failure> => {
  const { asked, transformer } = call
  const emit = (parts: StreamParts) => {
    ModelCall.mark(call, parts)
    return Effect.succeed(parts)
  }
  const parts = Stream.mapArrayEffect(
    streamWithFallback(hooks, call),
    (parts) => Part.areDecoded<StreamParts>(parts) ? emit(parts) : Effect.flatMap(decodeStreamParts(parts), emit)
  )
  if (transformer === undefined) return parts
  const response: Array<Response.StreamPart<{}>> = []
  return parts.pipe(
    Stream.mapArray((parts) => {
      response.push(...parts)
      return parts
    }),
    Stream.ensuring(Effect.sync(() => transformer({ ...asked, response })))
  )
}

export const generateText = (
  hooks: Hooks,
  options: ModelCall.Options,
  prompt: Prompt.Prompt,
  inherited: Telemetry.SpanTransformer | undefined
): Effect.Effect<LanguageModel.GenerateTextResponse<{}>, AiError.AiError> =>
  Effect.useSpan("LanguageModel.generateText", ModelCall.spanOptions, (span) => {
    const response = Effect.withFiber((fiber) => respond(hooks, begin(fiber, options, prompt, span, inherited)))
    return Effect.withParentSpan(Effect.mapError(response, asAiError("generateText")), span, {
      captureStackTrace: false
    })
  })

export const streamText = (
  hooks: Hooks,
  options: ModelCall.Options,
  prompt: Prompt.Prompt,
  inherited: Telemetry.SpanTransformer | undefined
): Stream.Stream<Response.StreamPart<{}>, AiError.AiError> =>
  Effect.makeSpanScoped("LanguageModel.streamText", ModelCall.spanOptions).pipe(
    Effect.flatMap((span) =>
      Effect.withFiber((fiber) =>
        Effect.succeed(respondWithStream(hooks, begin(fiber, options, prompt, span, inherited)))
      )
    ),
    Stream.unwrap,
    Stream.mapError(asAiError("streamText"))
  )
