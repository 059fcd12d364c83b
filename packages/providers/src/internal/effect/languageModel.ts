import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Effect from "effect/Effect"
import type * as ChatRequest from "../../ChatRequest.ts"
import type { Chat } from "../call/chat.ts"
import * as DirectModel from "./directModel.ts"
import * as Hooks from "./hooks.ts"

/** A chat model as Effect's `LanguageModel`. The transformer makes schemas that the provider takes. */
export const make = (
  chat: Chat,
  model: string,
  parameters: ChatRequest.Parameters,
  transformer: LanguageModel.CodecTransformer = LanguageModel.defaultCodecTransformer
): Effect.Effect<LanguageModel.LanguageModel> =>
  DirectModel.make(Hooks.make(chat, { model, parameters, transformer }), transformer)
