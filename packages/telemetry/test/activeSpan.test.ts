import { Telemetry } from "@clawback/telemetry"
import { assert, it } from "@effect/vitest"
import * as Otel from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer, Tracer } from "effect"

const telemetry = Layer.unwrap(Effect.sync(() =>
  Telemetry.layer(() => ({
    resource: { serviceName: "test" },
    spanProcessor: new SimpleSpanProcessor(new InMemorySpanExporter())
  }))
))

/** For as long as the scope is open. Managers are one a process. */
const managed = Effect.acquireRelease(
  Effect.sync(() => Otel.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())),
  () => Effect.sync(() => Otel.context.disable())
)

/** The span that what instruments itself would find, and the one in force. */
const spans = Effect.gen(function*() {
  const { name, spanId } = yield* Effect.currentSpan
  return { name, isActive: Otel.trace.getActiveSpan()?.spanContext().spanId === spanId }
})

const program = Effect.gen(function*() {
  const before = yield* spans
  const [one, other] = yield* Effect.all([Effect.withSpan(spans, "one"), Effect.withSpan(spans, "other")], {
    concurrency: "unbounded"
  })
  yield* Effect.sleep("1 millis")
  return [before, one, other, yield* spans]
}).pipe(Effect.withSpan("all"))

it.live("OpenTelemetry's active span is the current span in each step, with a context manager", () =>
  Effect.gen(function*() {
    yield* managed
    const seen = yield* Effect.provide(program, telemetry)
    assert.deepStrictEqual(seen, [
      { name: "all", isActive: true },
      { name: "one", isActive: true },
      { name: "other", isActive: true },
      { name: "all", isActive: true }
    ])
    assert.isUndefined(Otel.trace.getActiveSpan())
  }))

it.live("no context is made in each step, without a context manager", () =>
  Effect.gen(function*() {
    const { context } = yield* Tracer.Tracer
    assert.isUndefined(context)
    yield* program
  }).pipe(Effect.provide(telemetry)))

it.live("a span has the active span of other code as its parent", () =>
  Effect.gen(function*() {
    yield* managed
    const outer: Otel.SpanContext = { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1 }
    const context = yield* Effect.context<never>().pipe(Effect.provide(telemetry))
    const active = Otel.trace.setSpanContext(Otel.ROOT_CONTEXT, outer)
    const run = Effect.runPromiseWith(context)
    const span = yield* Effect.promise(() =>
      Otel.context.with(active, () => run(Effect.currentSpan.pipe(Effect.withSpan("inner"))))
    )
    assert.strictEqual(span.traceId, outer.traceId)
  }))
