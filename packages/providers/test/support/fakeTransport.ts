/** A transport that answers out of memory, one reply after the other, and keeps what it was asked. */
import { Transport, type TransportError } from "@clawback/core"
import { Cause, type Duration, Effect, Layer } from "effect"

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly chunks: ReadonlyArray<string | Uint8Array>
  /** How long the head takes. Default: no time. */
  readonly headAfter?: Duration.Input
  /** What comes after the chunks. Default: the body's end. */
  readonly end?: Effect.Effect<never, Transport.BodyError | Cause.Done>
}

export const json = (body: string, reply: Partial<Reply> = {}): Reply => ({ chunks: [body], ...reply })

export const events = (...chunks: ReadonlyArray<string>): Reply => ({
  chunks,
  headers: { "content-type": "text/event-stream" }
})

const isReply = (reply: Reply | TransportError.TransportError): reply is Reply => "chunks" in reply

/** A reply, or why there is none. */
export type Outcome = Reply | TransportError.TransportError | Effect.Effect<never>

export const make = (...replies: ReadonlyArray<Outcome>) => {
  const requests: Array<Transport.Request> = []
  const execute = (request: Transport.Request) =>
    Effect.suspend((): Effect.Effect<Transport.Response, TransportError.TransportError> => {
      const reply = replies[requests.push(request) - 1]
      if (reply === undefined) return Effect.die(new Error("There is no reply to this request"))
      if (Effect.isEffect(reply)) return reply
      if (!isReply(reply)) return Effect.fail(reply)
      const { headAfter = 0, status = 200, headers = { "content-type": "application/json" }, end = Cause.done() } =
        reply
      const chunks = reply.chunks.map((chunk) => typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk)
      const body = Effect.suspend(() => {
        const chunk = chunks.shift()
        return chunk === undefined ? end : Effect.succeed([chunk] as const)
      })
      return Effect.delay(Effect.succeed({ status, headers, sentAt: 0, body }), headAfter)
    })
  return {
    layer: Layer.succeed(Transport.Transport, Transport.Transport.of({ execute })),
    requests,
    /** The body of a request, by its place in time. */
    body: (index: number) => JSON.parse(String(requests[index]?.body))
  }
}
