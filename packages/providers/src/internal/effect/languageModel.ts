import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Response from "effect/ai/Response"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { ChatEvent } from "../../ChatEvent.ts"
import type * as ChatRequest from "../../ChatRequest.ts"
import * as ChatResponse from "../../ChatResponse.ts"
import type { CallError } from "../../ProviderError.ts"
import type { Chat } from "../call/chat.ts"
import { toAiError } from "./aiError.ts"
import { toChatRequest } from "./prompt.ts"
import { PartsBuilder, wholeParts } from "./responseParts.ts"
import { makeParametersReader } from "./toolParameters.ts"

const refused = (method: string) => (reason: AiError.AiErrorReason) =>
  AiError.make({ module: "Clawback", method, reason })

const failed = (method: string, address: string) => (error: CallError) => toAiError(error, method, address)

type Parts = readonly [Response.StreamPartEncoded, ...Array<Response.StreamPartEncoded>]

/** The parts that events make, and after the last event those that were held back for it. */
const pullParts = (
  events: Pull.Pull<ReadonlyArray<ChatEvent>, AiError.AiError>,
  builder: PartsBuilder,
  refused: (reason: AiError.AiErrorReason) => AiError.AiError
): Pull.Pull<Parts, AiError.AiError> => {
  let isEnded = false
  const more = Pull.catchDone(Effect.map(events, (some) => builder.push(some)), () =>
    Effect.sync(() => {
      isEnded = true
      return builder.end()
    }))
  const pull: Pull.Pull<Parts, AiError.AiError> = Effect.suspend(() => {
    if (isEnded) return builder.failure === undefined ? Cause.done() : Effect.fail(refused(builder.failure))
    return Effect.flatMap(more, ([first, ...rest]) => first === undefined ? pull : Effect.succeed([first, ...rest]))
  })
  return pull
}

/** A chat model, seen as Effect's `LanguageModel`. The transformer makes schemas such as the provider takes. */
export const make = (
  chat: Chat,
  model: string,
  parameters: ChatRequest.Parameters,
  transformer: LanguageModel.CodecTransformer = LanguageModel.defaultCodecTransformer
) => {
  const generateText = Effect.fnUntraced(function*(options: LanguageModel.ProviderOptions) {
    const request = yield* Effect.mapError(
      toChatRequest(model, parameters, options, transformer),
      refused("generateText")
    )
    const response = yield* Effect.mapError(
      chat.generate(request, options.span),
      failed("generateText", chat.addresses.generate)
    )
    const builder = new PartsBuilder(makeParametersReader(options.tools, transformer))
    const parts = wholeParts([...builder.push(ChatResponse.toEvents(response)), ...builder.end()])
    return builder.failure === undefined ? parts : yield* refused("generateText")(builder.failure)
  })

  const streamText = (options: LanguageModel.ProviderOptions) =>
    Stream.unwrap(Effect.gen(function*() {
      const request = yield* Effect.mapError(
        toChatRequest(model, parameters, options, transformer),
        refused("streamText")
      )
      const events = Stream.mapError(
        chat.stream(request, options.span),
        failed("streamText", chat.addresses.stream)
      )
      return Stream.transformPull(events, (pull) =>
        Effect.sync(() =>
          pullParts(pull, new PartsBuilder(makeParametersReader(options.tools, transformer)), refused("streamText"))
        ))
    }))

  return LanguageModel.make({
    generateText,
    streamText,
    codecTransformer: transformer,
    supportsSystemMessagesInHistory: Effect.succeed(true)
  })
}
