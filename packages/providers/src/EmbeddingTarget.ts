/**
 * A model that makes vectors of texts, at a provider, and how to reach it.
 *
 * `layer` opens such a target, which gives a program two faces of it: Effect's `EmbeddingModel`, for whatever is written
 * for that, and `Embedder`, whose requests, answers and errors are the provider's own. `embed` is the way to the second:
 *
 * ```ts
 * import { NodeTransport } from "@clawback/node"
 * import { EmbeddingTarget, OpenAi } from "@clawback/providers"
 * import { Console, Effect, Layer } from "effect"
 *
 * const Model = EmbeddingTarget.layer(OpenAi.embeddingTarget("text-embedding-3-small")).pipe(
 *   Layer.provide(NodeTransport.layer())
 * )
 *
 * const program = EmbeddingTarget.embed({ input: ["sockets", "leaks"], dimensions: 256 }).pipe(
 *   Effect.flatMap(({ embeddings, usage }) => Console.log(embeddings.map(({ length }) => length), usage?.inputTokens)),
 *   Effect.catchTag("RequestRejected", ({ message }) => Console.log(message))
 * )
 *
 * Effect.runPromise(Effect.provide(program, Model))
 * ```
 *
 * Each request is a session of the kind `call`. Its answer has as many vectors as there were inputs, in their order, or it
 * fails with `InvalidResponse`.
 */
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Timeouts from "@clawback/core/Timeouts"
import type * as Transport from "@clawback/core/Transport"
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { EmbeddingRequest, EmbeddingResponse } from "./Embedding.ts"
import * as Endpoint from "./internal/call/endpoint.ts"
import * as Observation from "./internal/call/observation.ts"
import * as Attempt from "./internal/call/pipeline.ts"
import * as View from "./internal/effect/embeddingModel.ts"
import type { EmbeddingDelivery, EmbeddingProtocol } from "./Protocol.ts"
import type { CallError } from "./ProviderError.ts"
import type * as Target from "./Target.ts"

/** What there is to know of a provider of vectors: a row of data over a protocol. */
export interface Provider extends Pick<Target.Provider, "name" | "apiKey" | "baseUrlName" | "baseUrl"> {
  readonly protocol: EmbeddingProtocol
  /** How vectors are asked for. In whichever form they come, they are read. */
  readonly delivery: EmbeddingDelivery
  /**
   * What one request may hold. Effect's `EmbeddingModel` sends more in several requests, one after the other. Too high, and
   * large ones are refused; too low, and there are more of them than need be.
   */
  readonly most: {
    readonly inputs: number
    /** Counted as bytes of UTF-8, of which a token has at least one. */
    readonly tokens: number
  }
}

/** What a target sends where a request says nothing. */
export type Parameters = Pick<EmbeddingRequest, "dimensions" | "user" | "extras">

/** Those of a chat's target, but for `parameters`. The limits `firstToken` and `idle` have nothing to do here. */
export interface Options<out E = never, out R = never> extends Omit<Target.Options<E, R>, "parameters"> {
  /** What is sent where a request does not say. Default: the provider's own. */
  readonly parameters?: Parameters | undefined
}

export interface EmbeddingTarget<out E = never, out R = never> {
  readonly provider: Provider
  readonly model: string
  readonly options: Options<E, R>
}

/** What is asked of a target, which knows the model itself. */
export type Request = Omit<EmbeddingRequest, "model">

/** An open target: its credential is at hand, its transport is up. */
export class Embedder extends Context.Service<Embedder, {
  readonly provider: string
  readonly model: string
  /** The vectors of texts, by one request. To interrupt is to cancel it at the provider. */
  readonly embed: (request: Request) => Effect.Effect<EmbeddingResponse, CallError>
}>()("@clawback/providers/EmbeddingTarget/Embedder") {}

/** A target at a provider of your own. `OpenAi.embeddingTarget` is this, with the provider filled in. */
export const make = <E = never, R = never>(
  provider: Provider,
  model: string,
  options: Options<E, R> = {}
): EmbeddingTarget<E, R> => {
  OptionCheck.count("most.inputs", provider.most.inputs, 1)
  OptionCheck.count("most.tokens", provider.most.tokens, 1)
  return {
    provider,
    model: Endpoint.named(model),
    options: { ...options, timeouts: Timeouts.check(options.timeouts ?? {}) }
  }
}

const openEndpoint = Effect.fnUntraced(function*<E, R>({ model, options, provider }: EmbeddingTarget<E, R>) {
  const endpoint = yield* Endpoint.open("embeddings", provider, model, options)
  const calls = Observation.make(endpoint)
  const embedder = Embedder.of({
    provider: provider.name,
    model,
    embed: (request) => {
      const whole = { ...options.parameters, ...request, model }
      return Attempt.embed(
        endpoint,
        whole,
        provider.delivery,
        (fiber) => calls.begin(fiber, model, () => Observation.embeddings(whole, provider.delivery))
      )
    }
  })
  return { embedder, address: endpoint.address }
})

/** Opens a target for as long as the scope is open. */
export const open = <E, R>(
  target: EmbeddingTarget<E, R>
): Effect.Effect<Embedder["Service"], E | Target.OpenError, R | Transport.Transport | Scope.Scope> =>
  Effect.map(openEndpoint(target), ({ embedder }) => embedder)

/**
 * Both faces of a target, over a transport.
 *
 * Texts that fibers `embed` at the same time, for the same caller and under the same session, deadline and idempotency
 * key, go in one request. It is cancelled when the last that waits for it is interrupted. (Effect's own batches run on.
 * Requests that are given to the model's `resolver` directly have nobody that waits.)
 */
export const layer = <E, R>(
  target: EmbeddingTarget<E, R>
): Layer.Layer<EmbeddingModel.EmbeddingModel | Embedder, E | Target.OpenError, R | Transport.Transport> =>
  Layer.effectContext(Effect.gen(function*() {
    const { address, embedder } = yield* openEndpoint(target)
    const model = yield* View.make(embedder.embed, target.provider.most, address)
    return Context.make(EmbeddingModel.EmbeddingModel, model).pipe(Context.add(Embedder, embedder))
  }))

/** The vectors of texts, by the target in force. */
export const embed = (request: Request): Effect.Effect<EmbeddingResponse, CallError, Embedder> =>
  Effect.flatMap(Embedder, (embedder) => embedder.embed(request))
