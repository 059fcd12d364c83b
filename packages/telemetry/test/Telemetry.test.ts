import { Session, SessionRegistry, Shutdown } from "@clawback/core"
import { Telemetry, TelemetryOtlp } from "@clawback/telemetry"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http"
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { BatchLogRecordProcessor } from "@opentelemetry/sdk-logs"
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics"
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { type Config, Duration, Effect, Layer, Metric, Redacted } from "effect"
import * as Receiver from "../../../test/support/otlpReceiver.ts"

interface Choice {
  readonly errorMessages?: boolean
}

const sdk = (url: string, choice?: Choice): Layer.Layer<never> =>
  Telemetry.layer(() => ({
    ...choice,
    resource: { serviceName: "test" },
    spanProcessor: new BatchSpanProcessor(new OTLPTraceExporter({ url: `${url}/v1/traces` })),
    metricReader: new PeriodicExportingMetricReader({
      exporter: new OTLPMetricExporter({ url: `${url}/v1/metrics` })
    }),
    logRecordProcessor: new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${url}/v1/logs` }) })
  }))

const otlp = (url: string, choice?: Choice): Layer.Layer<never, Config.ConfigError> =>
  TelemetryOtlp.layer({
    ...choice,
    baseUrl: url,
    serviceName: "test",
    headers: { authorization: Redacted.make("Bearer sk-collector-secret") }
  }).pipe(Layer.provide(NodeHttpClient.layerUndici))

const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

const program = Effect.gen(function*() {
  yield* Session.acquire({ kind: "call", name: "one" }, Effect.void, () => Effect.void)
  yield* Effect.log("It begins")
  yield* Effect.withSpan(Effect.void, "well")
  yield* Effect.exit(Effect.withSpan(Effect.die(new TypeError("my secret")), "badly"))
  yield* Effect.exit(Effect.withSpan(Effect.interrupt, "not at all"))
}).pipe(Effect.scoped, Effect.withSpan("all"))

describe.each([["Telemetry, by the SDK", sdk], ["TelemetryOtlp, by Effect", otlp]] as const)("%s", (_, layer) => {
  it.live("sends spans, metrics and logs, all of them before it is closed", () =>
    Effect.gen(function*() {
      const receiver = yield* Receiver.make()
      yield* Effect.provide(program, layer(receiver.url).pipe(Layer.provideMerge(SessionRegistry.layer())))

      const trees = Receiver.trees(receiver.spans)
      assert.deepStrictEqual(trees.map(Receiver.shape), ["all(well badly not at all)"])
      const status = Object.fromEntries(receiver.spans.map(({ name, status }) => [name, status]))
      assert.deepStrictEqual(status, { all: "ok", well: "ok", badly: "error", "not at all": "unset" })

      const [exception] = receiver.spans.find(({ name }) => name === "badly")?.events ?? []
      assert.strictEqual(exception?.attributes["exception.type"], "TypeError")
      assert.include(exception?.attributes["exception.stacktrace"], "Telemetry.test.ts")
      assert.notInclude(receiver.bodies.join(), "my secret")

      assert.deepStrictEqual(receiver.logs, ["It begins"])
      const opened = receiver.metrics.get("clawback.session.opened")
      assert.strictEqual(opened?.unit, "{session}")
      assert.deepStrictEqual(opened?.points, [
        { labels: { "clawback.session.kind": "call" }, value: 1, sum: undefined }
      ])
      assert.isAbove(receiver.metrics.get("process.uptime")?.points[0]?.value ?? 0, 0)
      assert.strictEqual(receiver.metrics.get("process.memory.usage")?.unit, "By")
    }).pipe(isolated))

  it.live("sends error messages if `errorMessages` is set", () =>
    Effect.gen(function*() {
      const receiver = yield* Receiver.make()
      yield* Effect.provide(program, layer(receiver.url, { errorMessages: true }))
      assert.strictEqual(receiver.spans.find(({ name }) => name === "badly")?.message, "my secret")
    }).pipe(isolated))

  it.live("closes within 3 seconds if the collector does not respond", () =>
    Effect.gen(function*() {
      const receiver = yield* Receiver.make({ isSilent: true })
      const [duration] = yield* Effect.timed(Effect.provide(program, layer(receiver.url)))
      // Under `runMain`, what takes as long as that is stuck.
      assert.isBelow(Duration.toMillis(duration), Duration.toMillis(Shutdown.defaults.interrupt))
    }).pipe(isolated), 15_000)
})
