/** Calls of a bare transport as a provider's client makes them: retried, with the errors of an attempt classified. */
import { Retry, Transport } from "@clawback/core"
import { Data, Duration, Effect, Stream } from "effect"

/** The server rejected the call. */
class Refused extends Data.TaggedError("Refused")<{ readonly status: number; readonly seconds: number }> {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: true, retryAfter: Duration.seconds(this.seconds) }
  }
}

/** An answer that is none of the errors by which servers refuse. The body of a refusal is left unread. */
export const execute = Effect.fnUntraced(function*(request: Transport.Request) {
  const transport = yield* Transport.Transport
  const response = yield* transport.execute(request)
  const { headers, status } = response
  if (status < 400) return response
  return yield* new Refused({ status, seconds: Number(headers["retry-after"] ?? 0) })
})

/** The whole body as text. */
export const whole = (request: Transport.Request, policy: Retry.Policy) =>
  execute(request).pipe(Effect.flatMap(Transport.text), Retry.apply(policy), Effect.scoped)

/** The body's pieces. */
export const stream = (request: Transport.Request, policy: Retry.Policy) =>
  Stream.unwrap(Effect.map(execute(request), Transport.stream)).pipe(Retry.applyStream(policy))
