import * as Span from "@clawback/core/Span"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Tracer from "effect/Tracer"

/** A tracer whose spans tell of errors what they are and where they were made, and not what they say. */
const quieted = (tracer: Tracer.Tracer): Tracer.Tracer => ({
  ...tracer,
  span: (options) => {
    const span = tracer.span(options)
    const end = span.end.bind(span)
    span.end = (time, exit) => end(time, Span.untold(exit))
    return span
  }
})

/** The same telemetry with a quiet tracer, if it has a tracer. */
export const quiet = <A, E, R>(telemetry: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
  Layer.unwrap(
    Effect.withFiber(({ cache: { tracer } }) =>
      Effect.succeed(tracer === undefined ? Layer.empty : Layer.succeed(Tracer.Tracer, quieted(tracer)))
    )
  ).pipe(Layer.provideMerge(telemetry))
