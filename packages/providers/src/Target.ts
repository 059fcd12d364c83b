/**
 * A model at a provider, and how to reach it: what is called, with which credential, within which limits.
 *
 * A target is a value. `layer` opens it, which gives a program two faces of it: Effect's `LanguageModel`, for whatever is
 * written for that, and `ChatModel`, whose requests, events and errors are the provider's own, with nothing lost on the
 * way. `generate` and `stream` are the ways to the second:
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
 * Effect.runPromise(Effect.provide(program, Model))
 * ```
 */
import type * as Credential from "@clawback/core/Credential"
import type * as Retry from "@clawback/core/Retry"
import type { SessionError } from "@clawback/core/SessionError"
import * as Timeouts from "@clawback/core/Timeouts"
import type * as Transport from "@clawback/core/Transport"
import type { InvalidUrl } from "@clawback/core/TransportError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ChatEvent } from "./ChatEvent.ts"
import type { ChatRequest, Parameters } from "./ChatRequest.ts"
import type { ChatResponse } from "./ChatResponse.ts"
import * as Endpoint from "./internal/call/endpoint.ts"
import * as Observation from "./internal/call/observation.ts"
import * as Attempt from "./internal/call/pipeline.ts"
import * as View from "./internal/effect/languageModel.ts"
import type { ChatProtocol } from "./Protocol.ts"
import type { CallError } from "./ProviderError.ts"

/** What there is to know of a provider: a row of data over a protocol. */
export interface Provider {
  /** As it is called in errors and sessions: `"openai"`. */
  readonly name: string
  readonly protocol: ChatProtocol
  /** What its key is called in an application's configuration. */
  readonly apiKey: string
  /** What its base URL is called there, and what that is where nothing is configured. */
  readonly baseUrlName: string
  readonly baseUrl: string
  /** Makes schemas such as it takes. */
  readonly transformer: LanguageModel.CodecTransformer
}

export interface Options<out E = never, out R = never> {
  /** Where the API key comes from. Default: the configuration's, under the provider's name for it. */
  readonly credential?: Credential.Credential<E, R> | undefined
  /**
   * What precedes the protocol's path: an absolute http or https URL, without credentials or fragment. A query is kept.
   * Default: the configuration's, under the provider's name for it, else (also where that is blank) the provider's own.
   */
  readonly baseUrl?: string | undefined
  /** How long each stage of a call may take. */
  readonly timeouts?: Timeouts.Timeouts | undefined
  /**
   * When to try again: a policy such as `Retry.jittered()`. Its attempts share the limit `total`; each sends the same
   * `Idempotency-Key`. No provider says that it honours one, so that by default a request that was sent and not answered is
   * not sent again. Default: never.
   */
  readonly retry?: Retry.Policy<CallError> | undefined
  /** How the model samples and when it stops, where a request does not say. Default: the provider's own. */
  readonly parameters?: Parameters | undefined
}

export interface Target<out E = never, out R = never> {
  readonly provider: Provider
  readonly model: string
  readonly options: Options<E, R>
}

/** What is asked of a target, which knows the model itself. */
export type Request = Omit<ChatRequest, "model">

/** An open target: its credential is at hand, its transport is up. */
export class ChatModel extends Context.Service<ChatModel, {
  readonly provider: string
  readonly model: string
  /** An answer in one piece. To interrupt is to cancel it at the provider. */
  readonly generate: (request: Request) => Effect.Effect<ChatResponse, CallError>
  /**
   * An answer as it comes. To stop reading is to cancel it at the provider. A reader that neither reads on nor closes what
   * it reads loses it when the limit `total` passes; one whose scope another fiber closes gets `SessionRevoked`.
   */
  readonly stream: (request: Request) => Stream.Stream<ChatEvent, CallError>
}>()("@clawback/providers/Target/ChatModel") {}

/** Why a target could not be opened: its configuration, its credential or its URL is not in order. */
export type OpenError = Config.ConfigError | Credential.CredentialUnavailable | SessionError | InvalidUrl

/** A target at a provider of your own. `OpenAi.target` and its like are this, with the provider filled in. */
export const make = <E = never, R = never>(
  provider: Provider,
  model: string,
  options: Options<E, R> = {}
): Target<E, R> => ({
  provider,
  model: Endpoint.named(model),
  options: { ...options, timeouts: Timeouts.check(options.timeouts ?? {}) }
})

const chatModel = (
  { model, options, provider }: Target<unknown, unknown>,
  endpoint: Endpoint.Endpoint<ChatProtocol>,
  calls: Observation.Calls
) => {
  const begin: Attempt.BeginChat = (fiber, request, stream) =>
    calls.begin(fiber, request.model, () => Observation.chat(request, stream))
  return ChatModel.of({
    provider: provider.name,
    model,
    generate: (request) => Attempt.generate(endpoint, { ...options.parameters, ...request, model }, begin),
    stream: (request) => Attempt.stream(endpoint, { ...options.parameters, ...request, model }, begin)
  })
}

/** Opens a target for as long as the scope is open. */
export const open = <E, R>(
  target: Target<E, R>
): Effect.Effect<ChatModel["Service"], E | OpenError, R | Transport.Transport | Scope.Scope> =>
  Effect.gen(function*() {
    const endpoint = yield* Endpoint.open("chat", target.provider, target.model, target.options)
    return chatModel(target, endpoint, Observation.make(endpoint))
  })

/** Both faces of a target, over a transport. */
export const layer = <E, R>(
  target: Target<E, R>
): Layer.Layer<LanguageModel.LanguageModel | ChatModel, E | OpenError, R | Transport.Transport> =>
  Layer.effectContext(Effect.gen(function*() {
    const { model, options, provider } = target
    const endpoint = yield* Endpoint.open("chat", provider, model, options)
    const calls = Observation.make(endpoint)
    const languageModel = yield* View.make(endpoint, calls, model, options.parameters ?? {}, provider.transformer)
    return Context.make(LanguageModel.LanguageModel, languageModel).pipe(
      Context.add(ChatModel, chatModel(target, endpoint, calls))
    )
  }))

/** An answer in one piece, by the target in force. */
export const generate = (request: Request): Effect.Effect<ChatResponse, CallError, ChatModel> =>
  Effect.flatMap(ChatModel, (model) => model.generate(request))

/** An answer as it comes, by the target in force. */
export const stream = (request: Request): Stream.Stream<ChatEvent, CallError, ChatModel> =>
  Stream.unwrap(Effect.map(ChatModel, (model) => model.stream(request)))
