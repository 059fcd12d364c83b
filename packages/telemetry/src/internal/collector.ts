/**
 * The HTTP client of the exporter. It warns once about a collector that fails, and does not wait for it.
 *
 * The exporter by itself waits as long as the collector does not respond, or as its `Retry-After` says, and holds all records
 * meanwhile. After a defect it drops its records and pauses for a minute. So a request fails here after `patience`, as a
 * defect: the exporter would retry any error.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"

/** The limit for one batch, retries included. OpenTelemetry's default for `OTEL_EXPORTER_OTLP_TIMEOUT`. */
const patience = Duration.seconds(10)

/** Two retries, so that the last flush ends within its own 2 seconds. */
const again = { times: 2, schedule: Schedule.spaced("500 millis"), while: HttpClient.isTransientError }

/** The message of the innermost cause, which says most. */
const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0])
  return error.cause instanceof Error ? messageOf(error.cause) : error.message || error.name
}

const hints: Readonly<Record<number, string>> = {
  401: ": check `headers`",
  403: ": check `headers`",
  404: ": check `baseUrl`, or what the collector receives"
}

const reasonOf = (cause: Cause.Cause<unknown>): string => {
  if (Cause.hasInterruptsOnly(cause)) return "it had not responded when the program ended"
  const error = Cause.squash(cause)
  if (Cause.isTimeoutError(error)) return `no response within ${Duration.format(patience)}`
  if (!HttpClientError.isHttpClientError(error)) return messageOf(error)
  const { reason } = error
  return reason._tag === "StatusCodeError"
    ? `status ${reason.response.status}${hints[reason.response.status] ?? ""}`
    : messageOf(reason.cause ?? reason)
}

const governed = (client: HttpClient.HttpClient): HttpClient.HttpClient => {
  /** The reason for each URL that fails at present. The signals of one collector mostly fail alike. */
  const failing = new Map<string, string>()
  const report = (url: string, exit: Exit.Exit<unknown, unknown>) =>
    Effect.suspend(() => {
      if (Exit.isSuccess(exit)) {
        // Other URLs failed for the same reason, and may have nothing to send for a while.
        const over = failing.get(url)
        for (const [other, reason] of failing) if (reason === over) failing.delete(other)
        return Effect.void
      }
      const reason = reasonOf(exit.cause)
      const isKnown = [...failing.values()].includes(reason)
      failing.set(url, reason)
      return isKnown ? Effect.void : Effect.logWarning(
        `Telemetry does not get through to ${url} (${reason}). It is dropped, and tried again every minute; this is ` +
          "not said again before it has got through."
      )
    })
  return client.pipe(
    HttpClient.tap((response) => response.arrayBuffer),
    HttpClient.filterStatusOk,
    HttpClient.transform((sent, { url }) =>
      // The last flush runs while its scope closes, in which a client may begin nothing.
      Effect.retry(Effect.scoped(sent), again).pipe(
        Effect.timeout(patience),
        Effect.onExit((exit) => report(url, exit)),
        Effect.orDie
      )
    )
  )
}

export const layer: Layer.Layer<HttpClient.HttpClient, never, HttpClient.HttpClient> = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(HttpClient.HttpClient, governed)
)
