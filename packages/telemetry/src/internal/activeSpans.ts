import * as Otel from "@opentelemetry/api"
import type * as Tracer from "effect/Tracer"

/** Whether OpenTelemetry has a context manager. Without one nobody could see which span is active. */
const hasContextManager = (): boolean => {
  const probe = Otel.ROOT_CONTEXT.setValue(Otel.createContextKey("@clawback/telemetry/probe"), true)
  return Otel.context.with(probe, () => Otel.context.active() === probe)
}

/** Stands in for a step, and answers with the context that it would be taken in. */
const step: Tracer.EffectPrimitive<Otel.Context> = { "~effect/Effect/evaluate": () => Otel.context.active() }

/**
 * The same tracer, which makes the context of a span once.
 *
 * Effect's adapter makes it for every step that a fiber takes, so that what instruments itself finds the active span:
 * which took more than half of what tracing costs. Where there is no context manager, there is nothing to enter.
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
