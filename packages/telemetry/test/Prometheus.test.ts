import { Session, SessionRegistry } from "@clawback/core"
import { Metrics } from "@clawback/core/Conventions"
import * as Instrument from "@clawback/core/Instrument"
import { ProcessMetrics, Prometheus } from "@clawback/telemetry"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { execFileSync, spawnSync } from "node:child_process"

const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

const open = (kind: string) => Session.acquire({ kind, name: "one" }, Effect.void, () => Effect.void)

/** Records something in each metric that there is. */
const everything = Effect.contextWith((context: Parameters<typeof Instrument.series>[2]) =>
  Effect.sync(() => {
    for (const instrument of Object.values<Instrument.Instrument>(Metrics)) {
      const labels = Object.fromEntries(instrument.labels.map((label) => [label, "a \"label\"\nof \\ two lines"]))
      const { kind } = instrument
      if (kind === "gauge") Instrument.observe({ ...instrument, kind }, labels, context, () => 0.5)
      else Instrument.series({ ...instrument, kind }, labels, context).record(1.5)
    }
  })
)

const hasPromtool = spawnSync("promtool", ["--version"]).error === undefined

describe("Prometheus.format", () => {
  it.effect("names metrics as Prometheus does, with unit, type and description", () =>
    Effect.gen(function*() {
      yield* open("call")
      yield* everything
      const text = yield* Prometheus.format
      assert.include(text, "# HELP clawback_session_open Sessions that are open\n# TYPE clawback_session_open gauge\n")
      assert.include(text, "\nclawback_session_open{clawback_session_kind=\"call\"} 1\n")
      assert.include(text, "\nclawback_session_opened_total{clawback_session_kind=\"call\"} 1\n")
      assert.include(text, "# TYPE gen_ai_client_operation_duration_seconds histogram\n")
      assert.match(text, /^process_unix_file_descriptor 0.5$/m)
      assert.match(text, /^nodejs_eventloop_time_seconds_total\{/m)
      assert.match(text, /^nodejs_eventloop_utilization_ratio \d/m)
      assert.match(text, /^process_memory_usage_bytes \d+/m)
    }).pipe(Effect.provide(Layer.provideMerge(ProcessMetrics.layer, SessionRegistry.layer())), isolated))

  it.effect.skipIf(!hasPromtool)(
    "is accepted by promtool check metrics, whatever the labels are",
    () =>
      Effect.gen(function*() {
        yield* open("call")
        yield* everything
        const text = yield* Prometheus.format
        for (const { description } of Object.values(Metrics)) assert.include(text, description)
        // It fails on what does not parse and on what is against Prometheus' rules for names.
        execFileSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" })
      }).pipe(Effect.provide(Layer.provideMerge(ProcessMetrics.layer, SessionRegistry.layer())), isolated)
  )
})

describe("Prometheus.layer", () => {
  it.effect("responds with the metrics at its path", () =>
    Effect.gen(function*() {
      yield* open("call")
      const app = yield* HttpRouter.toHttpEffect(Prometheus.layer({ path: "/prometheus" }))
      const get = (path: string) =>
        app.pipe(
          Effect.provideService(
            HttpServerRequest.HttpServerRequest,
            HttpServerRequest.fromWeb(new Request(`http://localhost${path}`))
          ),
          Effect.map((response) => HttpServerResponse.toWeb(response))
        )
      const response = yield* get("/prometheus")
      assert.strictEqual(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
      assert.include(
        yield* Effect.promise(() => response.text()),
        "clawback_session_open{clawback_session_kind=\"call\"} 1\n"
      )
    }).pipe(Effect.provide(SessionRegistry.layer()), isolated))
})
