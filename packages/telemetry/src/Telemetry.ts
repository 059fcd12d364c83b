/**
 * Sends the program's spans, metrics and logs through the OpenTelemetry SDK, with your processors, exporters and samplers.
 * `TelemetryOtlp` is the lighter alternative without the SDK.
 *
 * Sessions and the process are measured if there is a metric reader. The layer flushes when it closes, for `shutdownTimeout`
 * at most. Provide it around everything whose end should be recorded.
 *
 * @stable
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
 * The options of NodeSdk: `resource`, `spanProcessor`, `metricReader`, `logRecordProcessor` and their settings. A signal
 * without a processor or reader is off. The default of `shutdownTimeout` is 2 seconds. Too low, and the last spans are lost;
 * too high, and a collector that does not respond delays the exit. From 3 seconds on, the shutdown's phase `interrupt` names
 * the program as stuck.
 */
export interface Options extends NodeSdk.Configuration {
  /**
   * Whether spans contain error messages. Default: false. Spans then have only the error's tag and its stack, since a
   * provider's message may quote the prompt.
   */
  readonly errorMessages?: boolean | undefined
}

/** Sends while the layer is open. The options are made when it is built, since processors start by themselves. */
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
    // Below, so that the last flush includes it.
    Layer.provideMerge(ProcessMetrics.layer)
  )
