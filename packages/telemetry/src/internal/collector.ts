/**
 * What the exporter sends with. It has one sentence for a collector that is away, and never waits for it.
 *
 * The exporter by itself waits as long as a collector is silent, or as long as its `Retry-After` says, and holds all that
 * is recorded meanwhile. It drops what it has and pauses for a minute as soon as one request has failed for good; which is
 * why one fails here after `patience`, and as a defect: the exporter would try any error again by itself.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"

/** For one batch in all. OpenTelemetry's default for `OTEL_EXPORTER_OTLP_TIMEOUT`. */
const patience = Duration.seconds(10)

/** Two more attempts, so that the last flush comes to its end within its own 2 seconds. */
const again = { times: 2, schedule: Schedule.spaced("500 millis"), while: HttpClient.isTransientError }

/** The error at the bottom: those above it say less, and some say nothing. */
const said = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.errors.length > 0) return said(error.errors[0])
  return error.cause instanceof Error ? said(error.cause) : error.message || error.name
}

const hints: Readonly<Record<number, string>> = {
  401: ": check `headers`",
  403: ": check `headers`",
  404: ": check `baseUrl`, or what the collector receives"
}

const reasonOf = (cause: Cause.Cause<unknown>): string => {
  if (Cause.hasInterruptsOnly(cause)) return "it had not answered when the program ended"
  const error = Cause.squash(cause)
  if (Cause.isTimeoutError(error)) return `no answer within ${Duration.format(patience)}`
  if (!HttpClientError.isHttpClientError(error)) return said(error)
  const { reason } = error
  return reason._tag === "StatusCodeError"
    ? `status ${reason.response.status}${hints[reason.response.status] ?? ""}`
    : said(reason.cause ?? reason)
}

const governed = (client: HttpClient.HttpClient): HttpClient.HttpClient => {
  /** Why, of each URL that does not take anything at present. The signals of one collector mostly fail alike. */
  const failing = new Map<string, string>()
  const tell = (url: string, exit: Exit.Exit<unknown, unknown>) =>
    Effect.suspend(() => {
      if (Exit.isSuccess(exit)) {
        // Others had the same trouble, and may have nothing to send for a while.
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
      // The last flush comes in a scope that is closing, in which a client may refuse to begin anything.
      Effect.retry(Effect.scoped(sent), again).pipe(
        Effect.timeout(patience),
        Effect.onExit((exit) => tell(url, exit)),
        Effect.orDie
      )
    )
  )
}

export const layer: Layer.Layer<HttpClient.HttpClient, never, HttpClient.HttpClient> = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(HttpClient.HttpClient, governed)
)
