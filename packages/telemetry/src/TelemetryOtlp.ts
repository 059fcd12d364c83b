/**
 * Sends the program's spans, metrics and logs over OTLP/HTTP with Effect's own exporter, without the OpenTelemetry SDK.
 *
 * It needs an `HttpClient` of its own to send with, which should not be governed by what it reports on. Sessions and the
 * process are counted as well. What was recorded is flushed when the layer closes, for `shutdownTimeout` at most, so
 * provide it outside of everything whose end should still be seen.
 */
import type * as Duration from "effect/Duration"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Otlp from "effect/observability/Otlp"
import type * as OtlpExporter from "effect/observability/OtlpExporter"
import * as Redacted from "effect/Redacted"
import { quiet } from "./internal/quiet.ts"
import { retraced } from "./internal/retraced.ts"
import * as ProcessMetrics from "./ProcessMetrics.ts"

export interface Options {
  /** Where the collector listens; `/v1/traces`, `/v1/metrics` and `/v1/logs` are below it. */
  readonly baseUrl: string
  /** What the program is called. Default: `OTEL_SERVICE_NAME` of the configuration, and its resource attributes. */
  readonly serviceName?: string | undefined
  readonly serviceVersion?: string | undefined
  /** Sent with everything, to tell this process from others: region, instance. */
  readonly attributes?: Readonly<Record<string, unknown>> | undefined
  /** Sent with every request; what lets us in belongs into a `Redacted`. */
  readonly headers?: Readonly<Record<string, string | Redacted.Redacted>> | undefined
  /** How bodies are sent: as `json` (default), or smaller as `protobuf`. */
  readonly format?: "json" | "protobuf" | undefined
  /**
   * How often spans and logs are sent. Default: 5 seconds. Too long, and what a dying process did not send is lost and
   * memory holds it until then; too short, and there are many small requests.
   */
  readonly interval?: Duration.Input | undefined
  /** How often metrics are sent. Default: 10 seconds. */
  readonly metricsInterval?: Duration.Input | undefined
  /**
   * How long the last flush may take. Default: 3 seconds. Too short, and the last spans are lost; too long, and a
   * collector that does not answer holds up the end of the process.
   */
  readonly shutdownTimeout?: Duration.Input | undefined
  /**
   * Whether spans hold what errors say. Default: no, only the error's tag and where it was made, since a provider's words
   * may quote what it was asked.
   */
  readonly errorMessages?: boolean | undefined
}

/** Sends for as long as the layer is open. */
export const layer = (options: Options): Layer.Layer<OtlpExporter.Flusher, never, HttpClient.HttpClient> => {
  const { attributes, errorMessages = false, headers = {}, interval, serviceName, serviceVersion } = options
  const exporter = options.format === "protobuf" ? Otlp.layerProtobuf : Otlp.layerJson
  const exported = exporter({
    baseUrl: options.baseUrl,
    resource: { serviceName, serviceVersion, ...(attributes && { attributes: { ...attributes } }) },
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, Redacted.isRedacted(value) ? Redacted.value(value) : value])
    ),
    tracerExportInterval: interval,
    loggerExportInterval: interval,
    metricsExportInterval: options.metricsInterval,
    shutdownTimeout: options.shutdownTimeout
  })
  // Below, so that the last flush still sees it.
  return Layer.provideMerge(errorMessages ? exported : retraced(quiet)(exported), ProcessMetrics.layer)
}
