/**
 * A chat model as Effect's `LanguageModel`. Plain calls take a direct path (directCall.ts), on which no schema decodes the
 * prompt and the parts. Prompt, parts, errors and spans are the same as those of `LanguageModel.make`.
 *
 * `LanguageModel.make` makes all other calls:
 * - `generateObject`, since its answer has a schema.
 * - Calls with a toolkit.
 * - Calls with `disableToolCallResolution` and the tool call validation `"deferred"`.
 * - Calls whose prompt has approvals, or is rejected by `Prompt.make` (readPrompt.ts).
 */
import type * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Response from "effect/ai/Response"
import * as Telemetry from "effect/ai/Telemetry"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type * as ChatRequest from "../../ChatRequest.ts"
import type { Chat } from "../call/chat.ts"
import * as DirectCall from "./directCall.ts"
import * as Hooks from "./hooks.ts"
import { readPrompt } from "./readPrompt.ts"

type Options = DirectCall.Options
type GenerateText = (
  options: Options
) => Effect.Effect<LanguageModel.GenerateTextResponse<{}, Response.ToolParametersMode>, AiError.AiError>
type StreamText = (options: Options) => Stream.Stream<Response.StreamPart<{}>, AiError.AiError>

const isPlain = ({ disableToolCallResolution, toolCallValidation, toolkit }: Options): boolean =>
  toolkit === undefined && !(disableToolCallResolution === true && toolCallValidation === "deferred")

/** The model over hooks. The transformer makes schemas that the provider takes. */
export const overHooks = (
  hooks: Hooks.Hooks,
  codecTransformer: LanguageModel.CodecTransformer
): Effect.Effect<LanguageModel.LanguageModel> =>
  Effect.gen(function*() {
    const inherited = Option.getOrUndefined(yield* Effect.serviceOption(Telemetry.CurrentSpanTransformer))
    const effects = yield* LanguageModel.make({
      ...hooks,
      codecTransformer,
      supportsSystemMessagesInHistory: Effect.succeed(true)
    })
    const generateText = effects.generateText as GenerateText
    const streamText = effects.streamText as StreamText
    const generate: GenerateText = (options) =>
      Effect.suspend(() => {
        const prompt = readPrompt(options.prompt)
        return isPlain(options) && Result.isSuccess(prompt)
          ? DirectCall.generateText(hooks, options, prompt.success, inherited)
          : generateText({ ...options, prompt: Result.merge(prompt) })
      })
    const stream: StreamText = (options) =>
      Stream.suspend(() => {
        const prompt = readPrompt(options.prompt)
        return isPlain(options) && Result.isSuccess(prompt)
          ? DirectCall.streamText(hooks, options, prompt.success, inherited)
          : streamText({ ...options, prompt: Result.merge(prompt) })
      })
    return LanguageModel.LanguageModel.of({
      ...effects,
      generateText: generate as LanguageModel.LanguageModel["generateText"],
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
