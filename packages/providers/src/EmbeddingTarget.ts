/**
 * An embedding model at a provider, and how to reach it.
 *
 * `layer` opens it as two services: Effect's `EmbeddingModel`, and `Embedder` with the provider's own requests and errors.
 * `embed` calls the `Embedder`:
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
 * await Effect.runPromise(Effect.provide(program, Model))
 * ```
 *
 * Each request is a session of the kind `call`. Its answer has as many vectors as there were inputs, in their order, or it
 * fails with `InvalidResponse`.
 *
 * @stable
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
import type * as Transport from "@clawback/core/Transport"
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { EmbeddingRequest, EmbeddingResponse } from "./Embedding.ts"
import * as Embeddings from "./internal/call/embeddings.ts"
import * as Endpoint from "./internal/call/endpoint.ts"
import * as View from "./internal/effect/embeddingModel.ts"
import { firstLacking } from "./internal/model/firstLacking.ts"
import * as Checks from "./internal/model/parameters.ts"
import type { EmbeddingLimits, EmbeddingRow } from "./internal/model/row.ts"
import type { Unsupported } from "./Protocol.ts"
import type { CallError } from "./ProviderError.ts"

/** Defaults for fields that a request omits. */
export type Parameters = Pick<EmbeddingRequest, "dimensions" | "user" | "extras">

/** The limits `firstToken` and `idle` do not apply here. */
export interface Options<out E = never, out R = never> extends Endpoint.Options<E, R> {
  /** Defaults for fields that a request omits. Default: the provider's own. */
  readonly parameters?: Parameters | undefined
}

export interface EmbeddingTarget<out E = never, out R = never> {
  readonly provider: EmbeddingRow
  readonly model: string
  readonly options: Options<E, R>
}

/** A request to a target, which knows the model itself. */
export type Request = Omit<EmbeddingRequest, "model">

/**
 * Why a target could not be opened: its configuration, its credential or its URL is missing or wrong, or its provider lacks its
 * parameters.
 */
export type OpenError = Endpoint.OpenError | Unsupported

/** An open target: its credential is at hand, its transport is up. */
export class Embedder extends Context.Service<Embedder, {
  readonly provider: string
  readonly model: string
  /** Returns the vectors of texts, by one request. If you interrupt it, the provider's work is cancelled. */
  readonly embed: (request: Request) => Effect.Effect<EmbeddingResponse, CallError>
}>()("@clawback/providers/EmbeddingTarget/Embedder") {}

const unlimited: EmbeddingLimits = { inputs: Infinity, tokens: Infinity }

/** A model at a provider of your own. `OpenAi.embeddingTarget` is this function with the provider filled in. */
export const make = <E = never, R = never>(
  provider: EmbeddingRow,
  model: string,
  options: Options<E, R> = {}
): EmbeddingTarget<E, R> => {
  const limits = provider.limits?.embeddings
  if (limits !== undefined) {
    OptionCheck.count("limits.embeddings.inputs", limits.inputs, 1)
    OptionCheck.count("limits.embeddings.tokens", limits.tokens, 1)
  }
  if (options?.parameters !== undefined) {
    Checks.checkExtras(provider.embeddings.name, Checks.checkEmbedding("parameters", options.parameters).extras)
  }
  return {
    provider,
    model: Endpoint.named(model),
    options: Endpoint.checked(provider, options)
  }
}

const embedder = ({ model, options, provider }: EmbeddingTarget<unknown, unknown>, { embed }: Embeddings.Embeddings) =>
  Embedder.of({
    provider: provider.name,
    model,
    embed: (request) => embed({ ...options.parameters, ...request, model })
  })

/** Fails if the provider lacks the target's parameters: then each call would fail, or drop them. */
const openEmbeddings = <E, R>(
  { model, options, provider }: EmbeddingTarget<E, R>
): Effect.Effect<Embeddings.Embeddings, E | OpenError, R | Transport.Transport | Scope.Scope> => {
  const { delivery, encodeRequest, name } = provider.embeddings
  const lacking = firstLacking(
    name,
    options.parameters,
    (parameters, onDropped) => encodeRequest({ ...parameters, input: ["?"], model }, delivery, onDropped)
  )
  return lacking === undefined ? Embeddings.open(provider, model, options) : Effect.fail(lacking)
}

/** Opens a target for as long as the scope is open. */
export const open = <E, R>(
  target: EmbeddingTarget<E, R>
): Effect.Effect<Embedder["Service"], E | OpenError, R | Transport.Transport | Scope.Scope> =>
  Effect.map(openEmbeddings(target), (calls) => embedder(target, calls))

/**
 * Both services of a target, over a transport.
 *
 * Concurrent `EmbeddingModel.embed` calls share a request if caller, session, deadline and idempotency key are equal. The
 * request is cancelled when the last of their fibers is interrupted. (Effect's own batches are not cancelled. Nor are
 * requests that are passed directly to `resolver`.)
 */
export const layer = <E, R>(
  target: EmbeddingTarget<E, R>
): Layer.Layer<EmbeddingModel.EmbeddingModel | Embedder, E | OpenError, R | Transport.Transport> =>
  Layer.effectContext(Effect.gen(function*() {
    const { provider } = target
    const calls = yield* openEmbeddings(target)
    const service = embedder(target, calls)
    const view = yield* View.make(service.embed, provider.limits?.embeddings ?? unlimited, calls.address)
    return Context.make(EmbeddingModel.EmbeddingModel, view).pipe(Context.add(Embedder, service))
  }))

/** Returns the vectors of texts, by the target in force. */
export const embed = (request: Request): Effect.Effect<EmbeddingResponse, CallError, Embedder> =>
  Effect.flatMap(Embedder, (embedder) => embedder.embed(request))
