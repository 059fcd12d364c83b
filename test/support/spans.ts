/** Spans in a simulation: made as in a program with tracing, and checked at the end. */
import { Simulation } from "@clawback/testing"
import { Effect, Option, Tracer } from "effect"

/**
 * Runs a program with a tracer in half of its seeds, under the fault "spans are on". Spans keep their exits, as with a
 * tracer that exports later. Spans that are not ours may stay open.
 */
export const sometimesTraced = <A, E, R>(
  program: Effect.Effect<A, E, R>,
  isOurs: (name: string) => boolean = () => true
): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    if (!(yield* Simulation.fault("spans are on", 1 / 2))) return yield* program
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        const count = spans.push(span)
        // Otherwise they would be random, and the seed would not decide everything.
        span._spanId = count.toString(16).padStart(16, "0")
        span._traceId = Option.getOrUndefined(options.parent)?.traceId ?? span._spanId.padStart(32, "0")
        return span
      }
    })
    const result = yield* Effect.withTracer(Effect.withSpan(program, "the program"), tracer)
    const open = spans.filter(({ name, status }) => status._tag === "Started" && isOurs(name))
    yield* Simulation.check(
      "each span that began has ended",
      open.length === 0,
      () => open.map(({ name }) => name).join()
    )
    return result
  })
