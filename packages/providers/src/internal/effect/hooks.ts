/** What Effect's `LanguageModel` asks of a provider: the parts of an answer, for a prompt and tools. */
import * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import type * as Response from "effect/ai/Response"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { Parameters } from "../../ChatRequest.ts"
import type { Chat } from "../call/chat.ts"
import { toAiError } from "./aiError.ts"
import { type Settings, toChatRequest } from "./chatRequest.ts"
import { type Errors, PartsBuilder, pullParts } from "./streamParts.ts"
import { ToolParameters } from "./toolParameters.ts"
import { wholeParts } from "./wholeParts.ts"

/** Parts are decoded already, except those that Effect's schema might refuse. `given` are the parameters of this call. */
export interface Hooks {
  readonly generateText: (
    options: LanguageModel.ProviderOptions,
    given?: Parameters
  ) => Effect.Effect<Array<Response.PartEncoded>, AiError.AiError>
  readonly streamText: (
    options: LanguageModel.ProviderOptions,
    given?: Parameters
  ) => Stream.Stream<Response.StreamPartEncoded, AiError.AiError>
}

const errorsOf = (method: keyof Hooks, url: string): Errors => ({
  failed: (error) => toAiError(error, method, url),
  invalid: (reason) => AiError.make({ module: "Clawback", method, reason })
})

export const make = (chat: Chat, settings: Settings): Hooks => {
  const parameters = new ToolParameters(settings.transformer)
  const whole = errorsOf("generateText", chat.addresses.generate)
  const streamed = errorsOf("streamText", chat.addresses.stream)
  return {
    generateText: (options, given) => {
      const request = toChatRequest(settings, parameters, options, given)
      if (Result.isFailure(request)) return Effect.fail(whole.invalid(request.failure))
      return Effect.matchEffect(chat.generate(request.success, options.span), {
        onFailure: (error) => Effect.fail(whole.failed(error)),
        onSuccess: (response) => {
          const parts = wholeParts(response, parameters.reader(options.tools))
          return Result.isFailure(parts) ? Effect.fail(whole.invalid(parts.failure)) : Effect.succeed(parts.success)
        }
      })
    },
    streamText: (options, given) => {
      const request = toChatRequest(settings, parameters, options, given)
      if (Result.isFailure(request)) return Stream.fail(streamed.invalid(request.failure))
      return Stream.transformPull(
        chat.stream(request.success, options.span),
        (events) => Effect.sync(() => pullParts(events, new PartsBuilder(parameters.reader(options.tools)), streamed))
      )
    }
  }
}
