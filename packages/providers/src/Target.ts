/**
 * A model at a provider, and how to reach it: what is called, with which credential, within which limits.
 *
 * A target is a value. `layer` opens it as two services: Effect's `LanguageModel`, and `ChatModel` with the provider's own
 * requests, events and errors. `generate` and `stream` call the `ChatModel`:
 *
 * ```ts
 * import { NodeTransport } from "@clawback/node"
 * import { OpenAi, Target } from "@clawback/providers"
 * import { Console, Duration, Effect, Layer, Stream } from "effect"
 *
 * const Model = Target.layer(OpenAi.target("gpt-5-mini")).pipe(Layer.provide(NodeTransport.layer()))
 *
 * const program = Target.stream({ messages: [{ role: "user", content: "Why do sockets leak?" }] }).pipe(
 *   Stream.runForEach((event) => event._tag === "TextDelta" ? Console.log(event.text) : Effect.void),
 *   Effect.catchTags({
 *     RateLimited: ({ retryAfter }) => Console.log("wait", retryAfter && Duration.format(retryAfter)),
 *     ContextTooLong: ({ message }) => Console.log(message)
 *   })
 * )
 *
 * await Effect.runPromise(Effect.provide(program, Model))
 * ```
 *
 * @stable
 */

import type * as Transport from "@clawback/core/Transport"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ChatEvent } from "./ChatEvent.ts"
import type { ChatRequest, Parameters as ChatParameters } from "./ChatRequest.ts"
import type { ChatResponse } from "./ChatResponse.ts"
import * as Chat from "./internal/call/chat.ts"
import * as Endpoint from "./internal/call/endpoint.ts"
import * as View from "./internal/effect/languageModel.ts"
import { firstLacking } from "./internal/model/firstLacking.ts"
import * as Parameters from "./internal/model/parameters.ts"
import type { ChatRow } from "./internal/model/row.ts"
import type { Unsupported } from "./Protocol.ts"
import type { CallError } from "./ProviderError.ts"

export interface Options<out E = never, out R = never> extends Endpoint.Options<E, R> {
  /**
   * Default sampling and stop parameters for requests that omit them. Default: the provider's own. A value that no provider
   * takes is rejected with a `RangeError`. One that the protocol lacks, so that each call would fail or drop it, fails the layer
   * with `Unsupported`. Extras of other protocols are meant for other targets.
   */
  readonly parameters?: ChatParameters | undefined
}

export interface Target<out E = never, out R = never> {
  readonly provider: ChatRow
  readonly model: string
  readonly options: Options<E, R>
}

/** A request to a target, which knows the model itself. */
export type Request = Omit<ChatRequest, "model">

/** An open target: its credential is at hand, its transport is up. */
export class ChatModel extends Context.Service<ChatModel, {
  readonly provider: string
  readonly model: string
  /** Returns an answer in one piece. If you interrupt it, Clawback closes the connection, so that the provider stops. */
  readonly generate: (request: Request) => Effect.Effect<ChatResponse, CallError>
  /**
   * Streams an answer. If you stop reading the stream, Clawback closes the connection, so that the provider stops. If a
   * reader neither pulls nor closes, the stream ends at the limit `total`. If another fiber closes the reader's scope, the
   * stream fails with `SessionRevoked`.
   */
  readonly stream: (request: Request) => Stream.Stream<ChatEvent, CallError>
}>()("@clawback/providers/Target/ChatModel") {}

/**
 * Why a target could not be opened: its configuration, its credential or its URL is missing or wrong, or its protocol cannot
 * express its parameters.
 */
export type OpenError = Endpoint.OpenError | Unsupported

/** A model at a provider of your own. `OpenAi.target` and its like are this function with the provider filled in. */
export const make = <E = never, R = never>(
  provider: ChatRow,
  model: string,
  options: Options<E, R> = {}
): Target<E, R> => {
  if (options?.parameters !== undefined) {
    Parameters.checkExtras(provider.chat.name, Parameters.check("parameters", options.parameters).extras)
  }
  return { provider, model: Endpoint.named(model), options: Endpoint.checked(provider, options) }
}

const chatModel = ({ model, options, provider }: Target<unknown, unknown>, chat: Chat.Chat) =>
  ChatModel.of({
    provider: provider.name,
    model,
    generate: (request) => chat.generate({ ...options.parameters, ...request, model }),
    stream: (request) => chat.stream({ ...options.parameters, ...request, model })
  })

/** What every call of a target asks, with the least that a request needs. */
const least = { messages: [{ role: "user", content: "?" }] } as const

/** Fails if the protocol cannot express the target's parameters: then each call would fail, or drop them. */
const openChat = <E, R>(
  { model, options, provider }: Target<E, R>
): Effect.Effect<Chat.Chat, E | OpenError, R | Transport.Transport | Scope.Scope> => {
  const { encodeRequest, name } = provider.chat
  const lacking = firstLacking(
    name,
    options.parameters,
    (parameters, onDropped) =>
      encodeRequest({ ...parameters, ...least, model }, { stream: false, includeUsage: false }, onDropped)
  )
  return lacking === undefined ? Chat.open(provider, model, options) : Effect.fail(lacking)
}

/** Opens a target for as long as the scope is open. */
export const open = <E, R>(
  target: Target<E, R>
): Effect.Effect<ChatModel["Service"], E | OpenError, R | Transport.Transport | Scope.Scope> =>
  Effect.map(openChat(target), (chat) => chatModel(target, chat))

/** Both faces of a target, over a transport. */
export const layer = <E, R>(
  target: Target<E, R>
): Layer.Layer<LanguageModel.LanguageModel | ChatModel, E | OpenError, R | Transport.Transport> =>
  Layer.effectContext(Effect.gen(function*() {
    const { model, options, provider } = target
    const chat = yield* openChat(target)
    const languageModel = yield* View.make(chat, model, options.parameters ?? {}, provider.transformer)
    return Context.make(LanguageModel.LanguageModel, languageModel).pipe(
      Context.add(ChatModel, chatModel(target, chat))
    )
  }))

/** Returns an answer in one piece, by the target in force. */
export const generate = (request: Request): Effect.Effect<ChatResponse, CallError, ChatModel> =>
  Effect.flatMap(ChatModel, (model) => model.generate(request))

/** Streams an answer, by the target in force. */
export const stream = (request: Request): Stream.Stream<ChatEvent, CallError, ChatModel> =>
  Stream.unwrap(Effect.map(ChatModel, (model) => model.stream(request)))
