/**
 * Sends the program's spans, metrics and logs through the OpenTelemetry SDK: for those who bring its processors,
 * exporters and samplers. `TelemetryOtlp` is the light alternative without the SDK.
 *
 * Sessions and the process are counted as soon as there is a metric reader. What was recorded is flushed when the layer
 * closes, for `shutdownTimeout` at most, so provide it outside of everything whose end should still be seen.
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import type { Resource } from "@effect/opentelemetry/Resource"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ProcessMetrics from "./ProcessMetrics.ts"

/**
 * What NodeSdk takes: `resource`, `spanProcessor`, `metricReader`, `logRecordProcessor` and their settings. Signals
 * without a processor or reader are off. `shutdownTimeout` is 3 seconds unless said otherwise: too short, and the last
 * spans are lost; too long, and a collector that does not answer holds up the end of the process.
 */
export type Options = NodeSdk.Configuration

/** Sends for as long as the layer is open. The options are made when it is built, since processors start by themselves. */
export const layer = <E = never, R = never>(
  options: (() => Options) | Effect.Effect<Options, E, R>
): Layer.Layer<Resource, E, R> =>
  Layer.provideMerge(
    NodeSdk.layer(Effect.isEffect(options) ? options : Effect.sync(options)),
    // Below, so that the last flush still sees it.
    ProcessMetrics.layer
  )
