import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Tracer from "effect/Tracer"

/** The same telemetry, with its tracer changed if it has one. */
export const retraced =
  (change: (tracer: Tracer.Tracer) => Tracer.Tracer) =>
  <A, E, R>(telemetry: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
    Layer.unwrap(
      Effect.withFiber(({ cache: { tracer } }) =>
        Effect.succeed(tracer === undefined ? Layer.empty : Layer.succeed(Tracer.Tracer, change(tracer)))
      )
    ).pipe(Layer.provideMerge(telemetry))
