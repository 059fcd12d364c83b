/** A call of Effect's `LanguageModel` on the direct path: what it asks the provider, and which services see its answer. */
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as ResponseIdTracker from "effect/ai/ResponseIdTracker"
import * as Telemetry from "effect/ai/Telemetry"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Tracer from "effect/Tracer"
import * as CallParameters from "../../CallParameters.ts"
import type { Parameters } from "../../ChatRequest.ts"
import type { Hooks } from "./hooks.ts"

export type Options = LanguageModel.GenerateTextOptions<{}>

export interface Call {
  readonly asked: LanguageModel.ProviderOptions
  readonly given: Parameters | undefined
  readonly transformer: Telemetry.SpanTransformer | undefined
  readonly tracker: ResponseIdTracker.Service | undefined
}

export const spanOptions = { kind: "client" } as const

/** Sets the span's attributes that are known before the call. */
export const annotate = (span: Tracer.Span, { concurrency = "unbounded", toolChoice = "auto" }: Options): void => {
  span.attribute("gen_ai.output.type", "text")
  span.attribute("effect.ai.tool_choice", typeof toolChoice === "string" ? toolChoice : JSON.stringify(toolChoice))
  span.attribute("effect.ai.concurrency", concurrency)
}

type Tools = LanguageModel.ProviderOptions["tools"]
type Choice = LanguageModel.ProviderOptions["toolChoice"]

/** Begins a call in the fiber that makes it. `inherited` is the transformer in force where the model was made. */
export const begin = (
  fiber: Fiber.Fiber<unknown, unknown>,
  prompt: Prompt.Prompt,
  tools: Tools,
  toolChoice: Choice,
  span: Tracer.Span,
  inherited: Telemetry.SpanTransformer | undefined
): Call => {
  const tracker = Context.getOrUndefined(fiber.context, ResponseIdTracker.ResponseIdTracker)
  const prepared = tracker && Option.getOrUndefined(tracker.prepareUnsafe(prompt))
  return {
    asked: {
      prompt,
      tools,
      toolChoice,
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
export const askedInFull = ({ asked }: Call): LanguageModel.ProviderOptions => ({
  ...asked,
  incrementalPrompt: undefined,
  previousResponseId: undefined,
  incrementalFallback: true
})

/** Asks for an answer in one piece. */
export const ask = (hooks: Hooks, call: Call): Effect.Effect<Array<Response.PartEncoded>, AiError.AiError> => {
  const { asked, given } = call
  return asked.incrementalPrompt === undefined
    ? hooks.generateText(asked, given)
    : Effect.catchReason(
      hooks.generateText(asked, given),
      "AiError",
      "InvalidRequestError",
      () => hooks.generateText(askedInFull(call), given)
    )
}

export const mark = (
  { asked, tracker }: Call,
  parts: ReadonlyArray<Response.StreamPart<{}> | Response.Part<{}>>
): void => {
  if (tracker === undefined) return
  for (const part of parts) {
    if (part.type === "response-metadata" && part.id !== undefined) tracker.markParts(asked.prompt.content, part.id)
  }
}

/** Ends a call with the parts of its answer. */
export const answer = (call: Call, content: Array<Response.Part<{}>>): LanguageModel.GenerateTextResponse<{}> => {
  mark(call, content)
  call.transformer?.({ ...call.asked, response: content })
  return new LanguageModel.GenerateTextResponse(content)
}

/** Reports parts that Effect's schema rejects, as `LanguageModel.make` does. */
export const invalidOutput = (method: keyof Hooks, error: Schema.SchemaError): AiError.AiError =>
  AiError.make({ module: "LanguageModel", method, reason: AiError.InvalidOutputError.fromSchemaError(error) })
