/**
 * Sends the program's spans, metrics and logs through the OpenTelemetry SDK: for those who bring its processors,
 * exporters and samplers. `TelemetryOtlp` is the light alternative without the SDK.
 *
 * Sessions and the process are counted as soon as there is a metric reader. What was recorded is flushed when the layer
 * closes, for `shutdownTimeout` at most, so provide it outside of everything whose end should still be seen.
 */
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import type { Resource } from "@effect/opentelemetry/Resource"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { inSpans } from "./internal/activeSpans.ts"
import { lastFlush } from "./internal/lastFlush.ts"
import { quiet } from "./internal/quiet.ts"
import { retraced } from "./internal/retraced.ts"
import * as ProcessMetrics from "./ProcessMetrics.ts"

/**
 * What NodeSdk takes: `resource`, `spanProcessor`, `metricReader`, `logRecordProcessor` and their settings. Signals
 * without a processor or reader are off. `shutdownTimeout` is 2 seconds unless said otherwise: too short, and the last
 * spans are lost; too long, and a collector that does not answer holds up the end of the process, or has the shutdown's
 * phase `interrupt` (3 seconds) name the program as stuck.
 */
export interface Options extends NodeSdk.Configuration {
  /**
   * Whether spans hold what errors say. Default: no, only the error's tag and where it was made, since a provider's words
   * may quote what it was asked.
   */
  readonly errorMessages?: boolean | undefined
}

/** Sends for as long as the layer is open. The options are made when it is built, since processors start by themselves. */
export const layer = <E = never, R = never>(
  options: (() => Options) | Effect.Effect<Options, E, R>
): Layer.Layer<Resource, E, R> =>
  Layer.unwrap(Effect.map(
    Effect.isEffect(options) ? options : Effect.sync(options),
    ({ errorMessages = false, ...configuration }) => {
      const shutdownTimeout = OptionCheck.duration("shutdownTimeout", configuration.shutdownTimeout ?? lastFlush)
      const sdk = retraced(inSpans)(NodeSdk.layer(() => ({ ...configuration, shutdownTimeout })))
      return errorMessages ? sdk : retraced(quiet)(sdk)
    }
  )).pipe(
    // Below, so that the last flush still sees it.
    Layer.provideMerge(ProcessMetrics.layer)
  )
