/**
 * The program's metrics in Prometheus' text format, by Effect's `PrometheusMetrics`, with Prometheus' names.
 *
 * Dots become underscores, and the unit and `_total` are appended, by OpenTelemetry's compatibility specification:
 * `gen_ai.client.operation.duration` in seconds becomes `gen_ai_client_operation_duration_seconds`. A gauge loses a `.count`
 * at its end, which Prometheus reserves for histograms.
 *
 * @stable
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as ProcessMetrics from "./ProcessMetrics.ts"

/** Prometheus' names of units. A unit in braces has none. */
const units = new Map([["s", "seconds"], ["By", "bytes"], ["1", "ratio"]])

const withSuffix = (name: string, suffix: string | undefined): string =>
  suffix === undefined || name.endsWith(`_${suffix}`) ? name : `${name}_${suffix}`

const nameOf = (snapshot: Metric.Metric.Snapshot): string => {
  const isCounter = snapshot.type === "Counter" ? snapshot.state.incremental : snapshot.type === "Frequency"
  const plain = snapshot.id.replaceAll(".", "_")
  const unit = snapshot.attributes?.["unit"]
  const named = withSuffix(snapshot.type === "Gauge" ? plain.replace(/_count$/, "") : plain, unit && units.get(unit))
  return isCounter ? withSuffix(named, "total") : named
}

const formatUnsafe = (context: Context.Context<never>): string => {
  const names = new Map(Metric.snapshotUnsafe(context).map((snapshot) => [snapshot.id, nameOf(snapshot)]))
  return PrometheusMetrics.formatUnsafe(context, { metricNameMapper: (id) => names.get(id) ?? id })
}

/** All metrics of the current registry, in the text format 0.0.4. */
export const format: Effect.Effect<string> = Effect.contextWith((context: Context.Context<never>) =>
  Effect.sync(() => formatUnsafe(context))
)

/**
 * A route that Prometheus can scrape, at `path` (default: `/metrics`). Sessions and the process are measured while the
 * layer is open. Every client of the route can read all metrics, so do not make it public.
 */
export const layer = (
  options: { readonly path?: HttpRouter.PathInput | undefined } = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const path = options.path ?? "/metrics"
    if (path !== "*" && !path.startsWith("/")) throw OptionCheck.wrong("path", path, "a path that begins with a slash")
    const router = yield* HttpRouter.HttpRouter
    const context = yield* Effect.context<never>()
    yield* router.add(
      "GET",
      path,
      Effect.sync(() =>
        HttpServerResponse.text(formatUnsafe(context), { contentType: "text/plain; version=0.0.4; charset=utf-8" })
      )
    )
  })).pipe(Layer.merge(ProcessMetrics.layer))
