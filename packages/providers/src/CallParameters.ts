/**
 * Sampling and stop parameters of single calls to Effect's `LanguageModel`, which has no place for them in its own options.
 *
 * Provide them around the calls. Each field replaces that of the layer's `parameters`, and of `provide` further out. Extras
 * are merged by protocol and field. A field that is `undefined` removes the layer's value, so that the provider's own applies.
 *
 * ```ts
 * import { NodeTransport } from "@clawback/node"
 * import { CallParameters, OpenAi } from "@clawback/providers"
 * import { Console, Effect, Layer } from "effect"
 * import { LanguageModel } from "effect/ai"
 *
 * const Model = OpenAi.layer({ model: "gpt-5-mini", parameters: { maxOutputTokens: 500 } }).pipe(
 *   Layer.provide(NodeTransport.layer())
 * )
 *
 * const program = LanguageModel.generateText({ prompt: "Name a color." }).pipe(
 *   CallParameters.provide({ temperature: 0, seed: 7 }), // and maxOutputTokens of the layer
 *   Effect.flatMap(({ text }) => Console.log(text))
 * )
 *
 * Effect.runPromise(Effect.provide(program, Model))
 * ```
 *
 * They apply to every call inside, also to those of tool handlers, on each provider layer of this package. A model of another
 * library ignores them. `Target.generate` and `Target.stream` ignore them too: their requests have these fields.
 *
 * @stable
 */

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Parameters } from "./ChatRequest.ts"
import { check, merged } from "./internal/model/parameters.ts"

export type { Parameters } from "./ChatRequest.ts"

/** The parameters in force. Default: none, so that those of the layer apply. */
export const Current: Context.Reference<Parameters | undefined> = Context.Reference<Parameters | undefined>(
  "@clawback/providers/CallParameters/Current",
  { defaultValue: () => undefined }
)

/** Like `dual`, but checks the parameters where they are given, also when there is no `self` yet. */
const checkedDual = (provided: (parameters: Parameters) => (self: any) => unknown) => {
  const of = (parameters: Parameters) => provided(check("parameters", parameters))
  return (...args: [parameters: Parameters] | [self: any, parameters: Parameters]): any =>
    args.length === 1 ? of(args[0]) : of(args[1])(args[0])
}

/** Calls inside the effect have these parameters. Throws a `RangeError` that names an unknown field or an impossible value. */
export const provide: {
  (parameters: Parameters): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, parameters: Parameters): Effect.Effect<A, E, R>
} = checkedDual((parameters) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Current, (outer) => Effect.provideService(self, Current, merged(outer ?? {}, parameters)))
)

/** Calls inside the stream have these parameters. Throws as `provide` does. */
export const provideStream: {
  (parameters: Parameters): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  <A, E, R>(self: Stream.Stream<A, E, R>, parameters: Parameters): Stream.Stream<A, E, R>
} = checkedDual((parameters) => <A, E, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
  Stream.unwrap(
    Effect.map(Current, (outer) => Stream.provideService(self, Current, merged(outer ?? {}, parameters)))
  )
)
