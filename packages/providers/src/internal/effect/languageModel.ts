/**
 * A chat model as Effect's `LanguageModel`. Most calls take a direct path (directCall.ts, toolkitCall.ts), on which no schema
 * decodes the prompt and the parts. Prompt, parts, errors and spans are the same as those of `LanguageModel.make`.
 *
 * `LanguageModel.make` makes all other calls:
 * - `generateObject`, since its answer has a schema.
 * - `streamText` with a toolkit.
 * - Calls with `disableToolCallResolution` and the tool call validation `"deferred"`.
 * - Calls whose prompt has approvals, or is rejected by `Prompt.make` (readPrompt.ts).
 */
import type * as AiError from "effect/ai/AiError"
import * as IdGenerator from "effect/ai/IdGenerator"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Response from "effect/ai/Response"
import * as Telemetry from "effect/ai/Telemetry"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as CallParameters from "../../CallParameters.ts"
import type * as ChatRequest from "../../ChatRequest.ts"
import type { Chat } from "../call/chat.ts"
import { toAiError } from "./aiError.ts"
import * as DirectCall from "./directCall.ts"
import * as Handover from "./handover.ts"
import * as Hooks from "./hooks.ts"
import type { Options } from "./modelCall.ts"
import * as ReadAhead from "./readAhead.ts"
import { readPrompt } from "./readPrompt.ts"
import * as ToolkitCall from "./toolkitCall.ts"
import { observe } from "./toolSessions.ts"

/** Its errors are those of a toolkit and its handlers, too. */
type GenerateText = (
  options: Options
) => Effect.Effect<LanguageModel.GenerateTextResponse<{}, Response.ToolParametersMode>, unknown>
type GenerateObject = (options: Options) => Effect.Effect<any, any, any>
type StreamText = (options: Options) => Stream.Stream<Response.StreamPart<{}>, AiError.AiError>

const isDeferred = ({ disableToolCallResolution, toolCallValidation }: Options): boolean =>
  disableToolCallResolution === true && toolCallValidation === "deferred"

const isPlain = (options: Options): boolean => options.toolkit === undefined && !isDeferred(options)

/** Effect calls its hooks on the fiber that makes the call. A direct call passes what it needs of the fiber. */
const inForce = <A>(reference: Context.Reference<A | undefined>): A | undefined => Fiber.getCurrent()?.getRef(reference)

const inContext = (hooks: Hooks.Hooks): Hooks.Hooks => ({
  generateText: (options) => {
    const fiber = Fiber.getCurrent()
    const handover = fiber?.getRef(Handover.Current)
    return fiber === undefined || handover === undefined
      ? hooks.generateText(options, fiber?.getRef(CallParameters.Current))
      : handover.take(fiber)
  },
  streamText: (options) => {
    const stream = hooks.streamText(options, inForce(CallParameters.Current))
    return inForce(ReadAhead.Current)?.ofProvider(stream) ?? stream
  }
})

/** Runs tool handlers in sessions. */
const withSessions = (options: Options, method: string): Options =>
  options.toolkit === undefined
    ? options
    : { ...options, toolkit: observe(options.toolkit, (error) => toAiError(error, method, "")) }

/** The model over hooks. The transformer makes schemas that the provider takes. */
export const overHooks = (
  hooks: Hooks.Hooks,
  codecTransformer: LanguageModel.CodecTransformer
): Effect.Effect<LanguageModel.LanguageModel> =>
  Effect.gen(function*() {
    const inherited = Option.getOrUndefined(yield* Effect.serviceOption(Telemetry.CurrentSpanTransformer))
    const idGenerator = Option.getOrElse(
      yield* Effect.serviceOption(IdGenerator.IdGenerator),
      () => IdGenerator.defaultIdGenerator
    )
    const effects = yield* LanguageModel.make({
      ...inContext(hooks),
      codecTransformer,
      supportsSystemMessagesInHistory: Effect.succeed(true)
    })
    const generateText = effects.generateText as GenerateText
    const streamText = effects.streamText as StreamText
    const generateObject = effects.generateObject as GenerateObject
    const readAhead: StreamText = (options) => {
      const ahead = new ReadAhead.ReadAhead()
      return Stream.provideService(ahead.ofReader(streamText(options)), ReadAhead.Current, ahead)
    }
    const throughEffect: GenerateText = (options) => generateText(withSessions(options, "generateText"))
    const generatePlain: GenerateText = (options) =>
      Effect.suspend(() => {
        const prompt = readPrompt(options.prompt)
        return isPlain(options) && Result.isSuccess(prompt)
          ? DirectCall.generateText(hooks, options, prompt.success, inherited)
          : throughEffect({ ...options, prompt: Result.merge(prompt) })
      })
    const made: ToolkitCall.Made = { hooks, transformer: inherited, idGenerator, throughEffect }
    const generateWithToolkit: GenerateText = (options) =>
      Effect.suspend(() => {
        const prompt = readPrompt(options.prompt)
        return !isDeferred(options) && Result.isSuccess(prompt)
          ? ToolkitCall.generateText(made, options, prompt.success)
          : throughEffect({ ...options, prompt: Result.merge(prompt) })
      })
    const generate: GenerateText = (options) =>
      options.toolkit === undefined ? generatePlain(options) : generateWithToolkit(options)
    const stream: StreamText = (options) =>
      Stream.suspend(() => {
        const prompt = readPrompt(options.prompt)
        return isPlain(options) && Result.isSuccess(prompt)
          ? DirectCall.streamText(hooks, options, prompt.success, inherited)
          : readAhead({ ...withSessions(options, "streamText"), prompt: Result.merge(prompt) })
      })
    return LanguageModel.LanguageModel.of({
      ...effects,
      generateText: generate as LanguageModel.LanguageModel["generateText"],
      generateObject: (options: any) => generateObject(withSessions(options, "generateObject")),
      streamText: stream as LanguageModel.LanguageModel["streamText"]
    })
  })

/** The model of a chat. The transformer makes schemas that the provider takes. */
export const make = (
  chat: Chat,
  model: string,
  parameters: ChatRequest.Parameters,
  transformer: LanguageModel.CodecTransformer = LanguageModel.defaultCodecTransformer
): Effect.Effect<LanguageModel.LanguageModel> =>
  overHooks(Hooks.make(chat, { model, parameters, transformer }), transformer)
