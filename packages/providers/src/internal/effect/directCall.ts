/** A call of Effect's `LanguageModel` on the direct path: as `LanguageModel.make` makes it, without its schemas. */
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import * as Response from "effect/ai/Response"
import * as ResponseIdTracker from "effect/ai/ResponseIdTracker"
import * as Telemetry from "effect/ai/Telemetry"
import * as Toolkit from "effect/ai/Toolkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Tracer from "effect/Tracer"
import * as CallParameters from "../../CallParameters.ts"
import type { Parameters } from "../../ChatRequest.ts"
import type { Hooks } from "./hooks.ts"
import * as Part from "./parts.ts"

/** Options of a call without tools. */
export type Options = LanguageModel.GenerateTextOptions<{}>
type Parts = Array<Response.Part<{}>>
type StreamParts = readonly [Response.StreamPart<{}>, ...Array<Response.StreamPart<{}>>]

interface Call {
  readonly asked: LanguageModel.ProviderOptions
  readonly given: Parameters | undefined
  readonly transformer: Telemetry.SpanTransformer | undefined
  readonly tracker: ResponseIdTracker.Service | undefined
}

/** Begins a call in the fiber that makes it. `inherited` is the transformer in force where the model was made. */
const begin = (
  fiber: Fiber.Fiber<unknown, unknown>,
  { concurrency = "unbounded", toolChoice = "auto" }: Options,
  prompt: Prompt.Prompt,
  span: Tracer.Span,
  inherited: Telemetry.SpanTransformer | undefined
): Call => {
  span.attribute("gen_ai.output.type", "text")
  span.attribute("effect.ai.tool_choice", typeof toolChoice === "string" ? toolChoice : JSON.stringify(toolChoice))
  span.attribute("effect.ai.concurrency", concurrency)
  const tracker = Context.getOrUndefined(fiber.context, ResponseIdTracker.ResponseIdTracker)
  const prepared = tracker && Option.getOrUndefined(tracker.prepareUnsafe(prompt))
  return {
    asked: {
      prompt,
      tools: [],
      toolChoice: "none",
      responseFormat: { type: "text" },
      span,
      previousResponseId: prepared?.previousResponseId,
      incrementalPrompt: prepared?.prompt
    },
    given: fiber.getRef(CallParameters.Current),
    transformer: Context.getOrUndefined(fiber.context, Telemetry.CurrentSpanTransformer) ?? inherited,
    tracker
  }
}

/** What is asked when the provider rejects an incremental prompt. */
const askedInFull = ({ asked }: Call): LanguageModel.ProviderOptions => ({
  ...asked,
  incrementalPrompt: undefined,
  previousResponseId: undefined,
  incrementalFallback: true
})

const mark = ({ asked, tracker }: Call, parts: ReadonlyArray<Response.StreamPart<{}> | Response.Part<{}>>): void => {
  if (tracker === undefined) return
  for (const part of parts) {
    if (part.type === "response-metadata" && part.id !== undefined) tracker.markParts(asked.prompt.content, part.id)
  }
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
  AiError.isAiError(error)
    ? error
    : AiError.make({ module: "LanguageModel", method, reason: AiError.InvalidOutputError.fromSchemaError(error) })

const respond = (
  hooks: Hooks,
  call: Call
): Effect.Effect<LanguageModel.GenerateTextResponse<{}>, Failure> => {
  const { asked, given, transformer } = call
  const finish = (content: Parts) => {
    mark(call, content)
    transformer?.({ ...asked, response: content })
    return Effect.succeed(new LanguageModel.GenerateTextResponse(content))
  }
  const parts = asked.incrementalPrompt === undefined
    ? hooks.generateText(asked, given)
    : Effect.catchReason(
      hooks.generateText(asked, given),
      "AiError",
      "InvalidRequestError",
      () => hooks.generateText(askedInFull(call), given)
    )
  return Effect.flatMap(
    parts,
    (parts) => Part.areDecoded<Parts>(parts) ? finish(parts) : Effect.flatMap(decodeParts(parts), finish)
  )
}

/** Asks again in full only before the first output: metadata is none. */
const streamWithFallback = (hooks: Hooks, call: Call): Stream.Stream<Response.StreamPartEncoded, AiError.AiError> => {
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
      (_, error) => hasOutput ? Stream.fail(error) : hooks.streamText(askedInFull(call), call.given)
    )
  )
}

const respondWithStream = (hooks: Hooks, call: Call): Stream.Stream<Response.StreamPart<{}>, Failure> => {
  const { asked, transformer } = call
  const emit = (parts: StreamParts) => {
    mark(call, parts)
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

const spanOptions = { kind: "client" } as const

export const generateText = (
  hooks: Hooks,
  options: Options,
  prompt: Prompt.Prompt,
  inherited: Telemetry.SpanTransformer | undefined
): Effect.Effect<LanguageModel.GenerateTextResponse<{}>, AiError.AiError> =>
  Effect.useSpan("LanguageModel.generateText", spanOptions, (span) => {
    const response = Effect.withFiber((fiber) => respond(hooks, begin(fiber, options, prompt, span, inherited)))
    return Effect.withParentSpan(Effect.mapError(response, asAiError("generateText")), span, {
      captureStackTrace: false
    })
  })

export const streamText = (
  hooks: Hooks,
  options: Options,
  prompt: Prompt.Prompt,
  inherited: Telemetry.SpanTransformer | undefined
): Stream.Stream<Response.StreamPart<{}>, AiError.AiError> =>
  Effect.makeSpanScoped("LanguageModel.streamText", spanOptions).pipe(
    Effect.flatMap((span) =>
      Effect.withFiber((fiber) =>
        Effect.succeed(respondWithStream(hooks, begin(fiber, options, prompt, span, inherited)))
      )
    ),
    Stream.unwrap,
    Stream.mapError(asAiError("streamText"))
  )
