/**
 * Sends the program's spans, metrics and logs over OTLP/HTTP with Effect's own exporter, without the OpenTelemetry SDK.
 *
 * It needs an `HttpClient` of its own to send with, which should not be governed by what it reports on. Sessions and the
 * process are counted as well. What was recorded is flushed when the layer closes, for `shutdownTimeout` at most, so
 * provide it outside of everything whose end should still be seen.
 *
 * A collector that is away, refuses what it gets or is silent is told of by one warning in the log. What it should have
 * got is dropped after 10 seconds at most, so that memory holds no more than was recorded in that time.
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
   * Where the collector listens: an http or https URL without credentials and query. `/v1/traces`, `/v1/metrics` and
   * `/v1/logs` are below it.
   */
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
   * memory holds it until then; too short, and there are many small requests. Zero is refused.
   */
  readonly interval?: Duration.Input | undefined
  /**
   * How often metrics are sent. Default: 10 seconds. Too long, and short peaks are not seen; too short, and there are many
   * requests. Zero is refused.
   */
  readonly metricsInterval?: Duration.Input | undefined
  /**
   * How long the last flush may take. Default: 2 seconds. Too short, and the last spans are lost; too long, and a
   * collector that does not answer holds up the end of the process. As long as the limit of the phase in which it is
   * flushed (3 seconds, under `NodeShutdown.runMain`), and the process ends in 1, with the program named as stuck.
   */
  readonly shutdownTimeout?: Duration.Input | undefined
  /**
   * Whether spans hold what errors say. Default: no, only the error's tag and where it was made, since a provider's words
   * may quote what it was asked.
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
    throw OptionCheck.wrong("serviceName", serviceName, "what the program is called")
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

/** What the exporter reads from the configuration. It dies of what is wrong there, which is no mistake of the program's. */
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
 * Sends for as long as the layer is open.
 *
 * It fails with `ConfigError` where the service has no name, neither by an option nor by the configuration's
 * `OTEL_SERVICE_NAME`, or where what it reads there is malformed. A wrong option is a `RangeError` that names it, as a
 * defect. What becomes of telemetry later never makes the program fail: a collector that is away is told of in the log.
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
    // Below, so that the last flush still sees it.
    Layer.provideMerge(ProcessMetrics.layer)
  )

/**
 * Where to send, and what lets us in, as OpenTelemetry's environment variables say: `OTEL_EXPORTER_OTLP_ENDPOINT`, by
 * default `http://localhost:4318`, and `OTEL_EXPORTER_OTLP_HEADERS`, such as `api-key=abc,team=one` with values escaped
 * as in a URL. Those for one signal alone are not read.
 *
 * Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export const config: Config.Config<Pick<Options, "baseUrl" | "headers">> = Destination.config

/** The same, with options that are read from configuration: `TelemetryOtlp.layerConfig(TelemetryOtlp.config)`. */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<OtlpExporter.Flusher, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layer))
