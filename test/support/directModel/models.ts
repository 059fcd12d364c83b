/** The two models that are compared: the direct one, and Effect's own as the oracle. */
import { Effect, type Tracer } from "effect"
import { LanguageModel, type Response } from "effect/ai"
import type { Chat } from "../../../packages/providers/src/internal/call/chat.ts"
import { toAiError } from "../../../packages/providers/src/internal/effect/aiError.ts"
import type { Settings } from "../../../packages/providers/src/internal/effect/chatRequest.ts"
import * as Hooks from "../../../packages/providers/src/internal/effect/hooks.ts"
import { overHooks } from "../../../packages/providers/src/internal/effect/languageModel.ts"
import * as ToolSessions from "../../../packages/providers/src/internal/effect/toolSessions.ts"
import { encodedHooks } from "./encodedHooks.ts"

/** All that happened, in its order. */
export type Log = Array<ReadonlyArray<unknown>>

export const nameOf = (span: Tracer.AnySpan | undefined) => span?._tag === "Span" ? span.name : undefined

/** Some providers run the tool `hosted` themselves. */
const hosted = (part: Response.PartEncoded): Array<Response.PartEncoded> => {
  if (part.type !== "tool-call" || part.name !== "hosted") return [part]
  const { id, name } = part
  const result: Response.ToolResultPartEncoded = {
    type: "tool-result",
    id,
    name,
    result: "hosted",
    isFailure: false,
    providerExecuted: true
  }
  return [{ ...part, providerExecuted: true }, result]
}

/** Hooks that log what they are asked. */
const logged = (hooks: Hooks.Hooks, log: Log): Hooks.Hooks => {
  const asked = ({ span, ...options }: LanguageModel.ProviderOptions) => log.push(["asked", nameOf(span), options])
  return {
    generateText: (options) => {
      asked(options)
      return Effect.map(hooks.generateText(options), (parts) => parts.flatMap(hosted))
    },
    streamText: (options) => {
      asked(options)
      return hooks.streamText(options)
    }
  }
}

export type MakeModel = (chat: Chat, settings: Settings, log: Log) => Effect.Effect<LanguageModel.LanguageModel>

export const direct: MakeModel = (chat, settings, log) =>
  overHooks(logged(Hooks.make(chat, settings), log), settings.transformer)

type Method = "generateText" | "streamText"

/** A method of a model, which runs tool handlers in sessions. */
const inSessions = <A>(call: A, method: Method): A =>
  ((options: { readonly toolkit?: unknown }) =>
    (call as (options: unknown) => unknown)(
      options.toolkit === undefined
        ? options
        : { ...options, toolkit: ToolSessions.observe(options.toolkit, (error) => toAiError(error, method, "")) }
    )) as A

/** The oracle. */
export const throughEffect: MakeModel = (chat, settings, log) =>
  Effect.map(
    LanguageModel.make({ ...logged(encodedHooks(chat, settings), log), codecTransformer: settings.transformer }),
    (model) => ({
      ...model,
      generateText: inSessions(model.generateText, "generateText"),
      streamText: inSessions(model.streamText, "streamText")
    })
  )
