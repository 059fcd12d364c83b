import * as Otel from "@opentelemetry/api"
import type * as Tracer from "effect/Tracer"

/** Whether OpenTelemetry has a context manager. Without one, no code can see the active span. */
const hasContextManager = (): boolean => {
  const probe = Otel.ROOT_CONTEXT.setValue(Otel.createContextKey("@clawback/telemetry/probe"), true)
  return Otel.context.with(probe, () => Otel.context.active() === probe)
}

/** Stands in for a step of a fiber, and returns the context in which it would run. */
const step: Tracer.EffectPrimitive<Otel.Context> = { "~effect/Effect/evaluate": () => Otel.context.active() }

/**
 * The same tracer, which makes the OpenTelemetry context of a span once.
 *
 * Effect's adapter makes it for every step of a fiber, so that instrumented libraries find the active span. That took more
 * than half of the time of tracing. Without a context manager, there is no context to enter.
 */
export const inSpans = (tracer: Tracer.Tracer): Tracer.Tracer => {
  const { context } = tracer
  if (context === undefined) return tracer
  if (!hasContextManager()) return { ...tracer, context: undefined }
  const made = new WeakMap<Tracer.AnySpan, { readonly outer: Otel.Context; readonly inner: Otel.Context }>()
  return {
    ...tracer,
    context: (primitive, fiber) => {
      const { span } = fiber.cache
      if (span === undefined) return context(primitive, fiber)
      const outer = Otel.context.active()
      let known = made.get(span)
      if (known?.outer !== outer) made.set(span, known = { outer, inner: context(step, fiber) })
      return Otel.context.with(known.inner, () => primitive["~effect/Effect/evaluate"](fiber))
    }
  }
}
