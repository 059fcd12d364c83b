/**
 * A provider is a row of data: its name, its address, the protocols that it speaks, and how it wants to be asked.
 *
 * `make` derives from a row what a program uses. `OpenAi` and `Anthropic` are rows; so is a provider of your own:
 *
 * ```ts
 * import { NodeTransport } from "@clawback/node"
 * import { OpenAiChat, Provider } from "@clawback/providers"
 * import { Config, Console, Effect, Layer } from "effect"
 * import { LanguageModel } from "effect/ai"
 *
 * const Groq = Provider.make({
 *   name: "groq",
 *   baseUrl: "https://api.groq.com/openai/v1",
 *   chat: OpenAiChat.protocol,
 *   sources: { baseUrl: "https://console.groq.com/docs/openai" }
 * })
 *
 * const Model = Groq.layerConfig({ model: Config.String("MODEL").pipe(Config.withDefault("llama-3.3-70b-versatile")) })
 *
 * const program = LanguageModel.generateText({ prompt: "Why do sockets leak?" }).pipe(
 *   Effect.flatMap(({ text }) => Console.log(text)),
 *   Effect.provide(Model.pipe(Layer.provide(NodeTransport.layer())))
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * A row without embeddings has no `embeddingLayer`, which its type says too. A row without a base URL is a server of the
 * user's own: the option `baseUrl` is then necessary.
 *
 * @experimental
 */

import type * as Credential from "@clawback/core/Credential"
import * as OptionCheck from "@clawback/core/OptionCheck"
import type { SessionError } from "@clawback/core/SessionError"
import * as Timeouts from "@clawback/core/Timeouts"
import type * as Transport from "@clawback/core/Transport"
import type * as EmbeddingModel from "effect/ai/EmbeddingModel"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as EmbeddingTarget from "./EmbeddingTarget.ts"
import * as LazyModel from "./internal/effect/lazyModel.ts"
import { apiKeyName, type ChatRow, check, type EmbeddingRow, type Row } from "./internal/model/row.ts"
import * as Target from "./Target.ts"

export { ToolExtras } from "./internal/effect/toolExtras.ts"
export { apiKeyName, baseUrlName } from "./internal/model/row.ts"
export type { ChatRow, EmbeddingLimits, EmbeddingRow, Row } from "./internal/model/row.ts"

export interface ChatOptions<out E = never, out R = never> extends Target.Options<E, R> {
  /** As the provider names it: `"gpt-5"`. If it is blank, building the layer dies with a `RangeError`. */
  readonly model: string
}

export interface EmbeddingOptions<out E = never, out R = never> extends EmbeddingTarget.Options<E, R> {
  /** As the provider names it: `"text-embedding-3-small"`. If it is blank, building the layer dies with a `RangeError`. */
  readonly model: string
}

/** The errors of credentials that configured options may use. */
type ConfiguredError = Credential.CredentialUnavailable | SessionError

type ChatServices = LanguageModel.LanguageModel | Target.ChatModel
type EmbeddingServices = EmbeddingModel.EmbeddingModel | EmbeddingTarget.Embedder

/** What the options of a row must have: a base URL, if the row has none. */
export type Place<R> = "baseUrl" extends keyof R ? {} : { readonly baseUrl: string }

/** The options of a row's `layer`. */
export type OptionsOf<R, E = never, S = never> = ChatOptions<E, S> & Place<R>

/** The options of a row's `embeddingLayer`. */
export type EmbeddingOptionsOf<R, E = never, S = never> = EmbeddingOptions<E, S> & Place<R>

/** The last parameter of a function: its options, which may be left out if no option is necessary. */
type Given<Necessary, O> = {} extends Necessary ? readonly [options?: O] : readonly [options: O & Necessary]

/**
 * The type of a provider's `layerConfig`. It has a name, so that the declarations of a provider do not spell out the options.
 *
 * `Necessary`: see `ChatFaces`.
 */
export interface LayerConfig<in out Necessary = {}> {
  (
    options: Config.Wrap<ChatOptions<ConfiguredError> & Necessary>
  ): Layer.Layer<ChatServices, Target.OpenError, Transport.Transport>
}

/** The type of a provider's `embeddingLayerConfig`. `Necessary`: see `ChatFaces`. */
export interface EmbeddingLayerConfig<in out Necessary = {}> {
  (
    options: Config.Wrap<EmbeddingOptions<ConfiguredError> & Necessary>
  ): Layer.Layer<EmbeddingServices, EmbeddingTarget.OpenError, Transport.Transport>
}

/** What a provider of chat models offers. `Necessary` are the options that it cannot do without, besides the model. */
export interface ChatFaces<in out Name extends string, in out Necessary = {}> {
  /** A model at this provider, as a value. */
  readonly target: <E = never, R = never>(
    model: string,
    ...options: Given<Necessary, Target.Options<E, R>>
  ) => Target.Target<E, R>
  /**
   * A model as Effect's `LanguageModel`, and as a `ChatModel`, over a transport.
   *
   * Calls of the `LanguageModel` fail with `AiError`; `ProviderError.fromAiError` returns the precise error. The layer fails
   * to build with `CredentialUnavailable` where the key is missing or blank, and with `InvalidUrl` where the base URL is
   * wrong.
   */
  readonly layer: <E = never, R = never>(
    options: ChatOptions<E, R> & Necessary
  ) => Layer.Layer<ChatServices, E | Target.OpenError, R | Transport.Transport>
  /** The same, with its options from the application's configuration. */
  readonly layerConfig: LayerConfig<Necessary>
  /**
   * A model as Effect's `Model`, which needs no key to be built.
   *
   * The model opens at its first call, whose limit `total` and deadline count the wait for it. If that fails or takes too
   * long, the call fails with an `AiError`, and the next call opens it anew.
   */
  readonly model: <const ModelName extends string, E = never, R = never>(
    model: ModelName,
    ...options: Given<Necessary, Target.Options<E, R>>
  ) => Model.Model<Name, LanguageModel.LanguageModel, R | Transport.Transport>
}

/** What a provider of embedding models offers. `Necessary`: see `ChatFaces`. */
export interface EmbeddingFaces<in out Necessary = {}> {
  /** A model at this provider that makes vectors of texts, as a value. */
  readonly embeddingTarget: <E = never, R = never>(
    model: string,
    ...options: Given<Necessary, EmbeddingTarget.Options<E, R>>
  ) => EmbeddingTarget.EmbeddingTarget<E, R>
  /** A model as Effect's `EmbeddingModel`, and as an `Embedder`, over a transport. It fails to build as `layer` does. */
  readonly embeddingLayer: <E = never, R = never>(
    options: EmbeddingOptions<E, R> & Necessary
  ) => Layer.Layer<EmbeddingServices, E | EmbeddingTarget.OpenError, R | Transport.Transport>
  /** The same, with its options from the application's configuration. */
  readonly embeddingLayerConfig: EmbeddingLayerConfig<Necessary>
}

/** A row and the functions derived from its protocols. */
export type Provider<R extends Row> =
  & { readonly provider: R }
  & (R extends ChatRow ? ChatFaces<R["name"], Place<R>> : {})
  & (R extends EmbeddingRow ? EmbeddingFaces<Place<R>> : {})

/** Throws a `RangeError` where there are no options, which have no default. Programs without types may forget them. */
const modelled = <O extends { readonly model: string }>(options: O): O => {
  if (typeof options === "object" && options !== null) return options
  throw OptionCheck.wrong("options", Redacted.make(options), "an object with a `model`")
}

const chatFaces = (row: ChatRow): ChatFaces<string> => {
  const target: ChatFaces<string>["target"] = (model, options) => Target.make(row, model, options)
  const layer: ChatFaces<string>["layer"] = (given) =>
    Layer.suspend(() => {
      const { model, ...options } = modelled(given)
      return Target.layer(target(model, options))
    })
  return {
    target,
    layer,
    layerConfig: (options) => Layer.unwrap(Effect.map(Config.unwrap(options), layer)),
    model: <E, R>(name: string, options?: Target.Options<E, R>) => {
      const built = Layer.build(Target.layer(target(name, options)))
      const credential = options?.credential ?? row.credential
      const open = Effect.map(built, (context) => Context.get(context, LanguageModel.LanguageModel))
      const layer: Layer.Layer<LanguageModel.LanguageModel, never, R | Transport.Transport> = Layer
        .effect(
          LanguageModel.LanguageModel,
          LazyModel.make(open, {
            name: `${row.name}/${name} with the credential ${credential?.name ?? apiKeyName(row)}`,
            baseUrl: row.baseUrl ?? "",
            total: Duration.fromInputUnsafe(options?.timeouts?.total ?? Timeouts.defaults.total)
          })
        )
      return Model.make(row.name, name, layer)
    }
  }
}

const embeddingFaces = (row: EmbeddingRow): EmbeddingFaces => {
  const embeddingTarget: EmbeddingFaces["embeddingTarget"] = (model, options) =>
    EmbeddingTarget.make(row, model, options)
  const embeddingLayer: EmbeddingFaces["embeddingLayer"] = (given) =>
    Layer.suspend(() => {
      const { model, ...options } = modelled(given)
      return EmbeddingTarget.layer(embeddingTarget(model, options))
    })
  return {
    embeddingTarget,
    embeddingLayer,
    embeddingLayerConfig: (options) => Layer.unwrap(Effect.map(Config.unwrap(options), embeddingLayer))
  }
}

const hasChat = (row: Row): row is ChatRow => row.chat !== undefined
const hasEmbeddings = (row: Row): row is EmbeddingRow => row.embeddings !== undefined

/** A type error at each field that no row has. */
export type NoOtherFields<R> = { readonly [Field in Exclude<keyof R, keyof Row>]: never }

/** Derives from a row all that it offers. Throws a `RangeError` that names an unknown field of the row, a blank name, or no protocol. */
export const make = <const R extends Row>(row: R & NoOtherFields<R>): Provider<R> => {
  const provider: R = check<R>(row)
  const faces = {
    provider,
    ...(hasChat(provider) && chatFaces(provider)),
    ...(hasEmbeddings(provider) && embeddingFaces(provider))
  }
  // `Provider<R>` derives from the row's type what the checks above find at run time.
  return faces as Provider<R>
}
