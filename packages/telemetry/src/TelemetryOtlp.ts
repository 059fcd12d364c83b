/**
 * Sends the program's spans, metrics and logs over OTLP/HTTP with Effect's own exporter, without the OpenTelemetry SDK.
 *
 * It needs an `HttpClient` of its own, without the program's limits and retries. Sessions and the process are measured as
 * well. The layer flushes when it closes, for `shutdownTimeout` at most. Provide it around everything whose end should be
 * recorded.
 *
 * If the collector is unreachable, rejects requests or does not respond, the log has one warning. Records are dropped after
 * 10 seconds at most, so memory holds no more than was recorded in that time.
 *
 * @stable
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Otlp from "effect/observability/Otlp"
import type * as OtlpExporter from "effect/observability/OtlpExporter"
import * as OtlpResource from "effect/observability/OtlpResource"
import * as Redacted from "effect/Redacted"
import * as Collector from "./internal/collector.ts"
import * as Destination from "./internal/destination.ts"
import { lastFlush } from "./internal/lastFlush.ts"
import { quiet } from "./internal/quiet.ts"
import { retraced } from "./internal/retraced.ts"
import * as ProcessMetrics from "./ProcessMetrics.ts"

export interface Options {
  /**
   * The URL of the collector, http or https, without credentials and query. `/v1/traces`, `/v1/metrics` and `/v1/logs` are
   * appended to it.
   */
  readonly baseUrl: string
  /** The name of the program. Default: `OTEL_SERVICE_NAME` of the configuration, or its resource attributes. */
  readonly serviceName?: string | undefined
  readonly serviceVersion?: string | undefined
  /** Attributes of the resource, such as region and instance. */
  readonly attributes?: Readonly<Record<string, unknown>> | undefined
  /** Headers of every request. Put secrets into a `Redacted`. */
  readonly headers?: Readonly<Record<string, string | Redacted.Redacted>> | undefined
  /** The format of bodies: `json` (default), or `protobuf`, which is smaller. */
  readonly format?: "json" | "protobuf" | undefined
  /**
   * How often spans and logs are sent. Default: 5 seconds. Too low, and there are many small requests; too high, and memory
   * holds more, which is lost if the process is killed. Zero is invalid.
   */
  readonly interval?: Duration.Input | undefined
  /**
   * How often metrics are sent. Default: 10 seconds. Too low, and there are many requests; too high, and short peaks are not
   * seen. Zero is invalid.
   */
  readonly metricsInterval?: Duration.Input | undefined
  /**
   * How long the last flush may take. Default: 2 seconds. Too low, and the last spans are lost; too high, and a collector that
   * does not respond delays the exit. From 3 seconds on (the limit of the phase `interrupt`), `NodeShutdown.runMain` names the
   * program as stuck and exits with 1.
   */
  readonly shutdownTimeout?: Duration.Input | undefined
  /**
   * Whether spans contain error messages. Default: false. Spans then have only the error's tag and its stack, since a
   * provider's message may quote the prompt.
   */
  readonly errorMessages?: boolean | undefined
}

const plain = (value: string | Redacted.Redacted): string => Redacted.isRedacted(value) ? Redacted.value(value) : value

const checked = (options: Options): Options => {
  const { baseUrl, format, headers = {}, interval, metricsInterval, serviceName, shutdownTimeout } = options
  if (!Destination.isBaseUrl(baseUrl)) {
    const shown = /[@?#]/.test(baseUrl) ? Redacted.make(baseUrl) : baseUrl
    const wanted = "an http or https URL without credentials and query, such as \"http://localhost:4318\""
    throw OptionCheck.wrong("baseUrl", shown, wanted)
  }
  if (serviceName !== undefined && serviceName.trim() === "") {
    throw OptionCheck.wrong("serviceName", serviceName, "the name of the program")
  }
  for (const [name, value] of Object.entries(headers)) {
    if (!Destination.isHeaderName(name)) throw OptionCheck.wrong("headers", name, "headers by their names")
    if (!Destination.isHeaderValue(plain(value))) {
      throw OptionCheck.wrong(`headers.${name}`, Redacted.make(value), "text without line breaks, in Latin letters")
    }
  }
  if (format !== undefined) OptionCheck.choice("format", format, ["json", "protobuf"])
  if (interval !== undefined) OptionCheck.interval("interval", interval)
  if (metricsInterval !== undefined) OptionCheck.interval("metricsInterval", metricsInterval)
  if (shutdownTimeout !== undefined) OptionCheck.duration("shutdownTimeout", shutdownTimeout)
  return options
}

/** Reads what the exporter reads from the configuration, which would make it die of an invalid value there. */
const configured = (resource: Parameters<typeof OtlpResource.fromConfig>[0]): Effect.Effect<void, Config.ConfigError> =>
  OtlpResource.fromConfig(resource).pipe(
    Effect.catchDefect((defect) =>
      Effect.failCause(defect instanceof Config.ConfigError ? Cause.fail(defect) : Cause.die(defect))
    ),
    Effect.flatMap(({ attributes }) =>
      attributes.some(({ key }) => key === "service.name")
        ? Effect.void
        : Effect.asVoid(Config.NonEmptyString("OTEL_SERVICE_NAME"))
    )
  )

/**
 * Sends while the layer is open.
 *
 * Fails with `ConfigError` if neither an option nor `OTEL_SERVICE_NAME` names the service, or if the configuration is
 * malformed. An invalid option is a defect: a `RangeError` that names it. Later, no problem with the collector makes the
 * program fail: the log has a warning.
 */
export const layer = (
  options: Options
): Layer.Layer<OtlpExporter.Flusher, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.unwrap(Effect.gen(function*() {
    const { attributes, errorMessages = false, headers = {}, interval, serviceName, serviceVersion } = checked(options)
    const resource = { serviceName, serviceVersion, ...(attributes && { attributes: { ...attributes } }) }
    yield* configured(resource)
    const exporter = options.format === "protobuf" ? Otlp.layerProtobuf : Otlp.layerJson
    const exported = exporter({
      baseUrl: options.baseUrl,
      resource,
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, plain(value)])),
      tracerExportInterval: interval,
      loggerExportInterval: interval,
      metricsExportInterval: options.metricsInterval,
      shutdownTimeout: options.shutdownTimeout ?? lastFlush
    }).pipe(Layer.provide(Collector.layer))
    return errorMessages ? exported : retraced(quiet)(exported)
  })).pipe(
    // Below, so that the last flush includes it.
    Layer.provideMerge(ProcessMetrics.layer)
  )

/**
 * Reads OpenTelemetry's environment variables: `OTEL_EXPORTER_OTLP_ENDPOINT`, by default `http://localhost:4318`, and
 * `OTEL_EXPORTER_OTLP_HEADERS`, such as `api-key=abc,team=one` with values escaped as in a URL. Variables for one signal alone
 * are not read.
 *
 * Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export const config: Config.Config<Pick<Options, "baseUrl" | "headers">> = Destination.config

/** The same, with options from configuration: `TelemetryOtlp.layerConfig(TelemetryOtlp.config)`. */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<OtlpExporter.Flusher, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layer))
