import * as Span from "@clawback/core/Span"
import type * as Tracer from "effect/Tracer"

/** A tracer whose spans have an error's tag and stack, and not its message. */
export const quiet = (tracer: Tracer.Tracer): Tracer.Tracer => ({
  ...tracer,
  span: (options) => {
    const span = tracer.span(options)
    const end = span.end.bind(span)
    span.end = (time, exit) => end(time, Span.untold(exit))
    return span
  }
})
