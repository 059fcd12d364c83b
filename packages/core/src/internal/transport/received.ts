import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type { Session } from "../../Session.ts"
import type { SessionRevoked } from "../../SessionError.ts"
import { BodyTooLarge, type ConnectionLost } from "../../TransportError.ts"
import type { Chunks, Headers } from "../../Wire.ts"
import * as Lifecycle from "../session/lifecycle.ts"

/** Responses that have no body, whatever length they tell of: that of what another request would get (RFC 9110 §8.6). */
const hasNone = (method: string, status: number): boolean => method === "HEAD" || status === 204 || status === 304

/** How many bytes a response's body has, where its sender says so; otherwise `Infinity`. */
export const lengthOf = (method: string, status: number, contentLength: Headers[string]): number =>
  hasNone(method, status)
    ? 0
    : typeof contentLength === "string" && /^\d+$/.test(contentLength)
    ? Number(contentLength)
    : Infinity

/** How far a response's body has come. */
export class Received {
  bytes = 0
  isEnded = false
  /** Whether a reader waits for more of it. */
  isReading = false
  /** What the sender said that there is of it, if it did. */
  private readonly length: number
  private readonly limit: number

  constructor(method: string, status: number, contentLength: Headers[string], limit: number) {
    this.length = lengthOf(method, status, contentLength)
    this.limit = limit
  }

  /** How much of it is still to come, where that is known. */
  get left(): number {
    return this.length - this.bytes
  }

  /** Why no more of it is read, if so. */
  get tooLarge(): BodyTooLarge | undefined {
    return this.bytes > this.limit || (this.length > this.limit && this.length < Infinity)
      ? new BodyTooLarge({ limit: this.limit })
      : undefined
  }
}

type Body = Pull.Pull<Chunks, ConnectionLost | BodyTooLarge | SessionRevoked>

const secondReader = Effect.die(
  new Error("A body has one reader at a time, and this one is being read already. Read it once, and share the result.")
)

/**
 * The body as it is pulled: counted, cut off where it is larger than allowed, and its loss explained.
 *
 * The session's state decides, in the step in which a pull begins: once the session is released, its connection may carry
 * another exchange, so nothing is pulled from there any more.
 */
export const counted = (
  pull: Pull.Pull<Chunks, ConnectionLost | SessionRevoked>,
  received: Received,
  session: Session
): Body => {
  const { tooLarge } = received
  if (tooLarge !== undefined) return Effect.fail(tooLarge)
  const read = Effect.matchCauseEffect(pull, {
    onFailure: (cause): Body => {
      const isDone = Pull.isDoneCause(cause)
      // Where we ended the exchange ourselves, its connection was closed for that, which explains whatever went wrong. It
      // may look like the end of the body, too.
      if (session.state !== "open" || (session.revoked !== undefined && !isDone)) {
        if (!Cause.hasInterrupts(cause)) return Effect.fail(Lifecycle.whyEnded(session))
      } else if (isDone) received.isEnded = true
      return Effect.failCause(cause)
    },
    onSuccess: (chunks): Body => {
      for (const chunk of chunks) received.bytes += chunk.byteLength
      const { tooLarge } = received
      return tooLarge === undefined ? Effect.succeed(chunks) : Effect.fail(tooLarge)
    }
  })
  const reading = Effect.onExitPrimitive(read, () => {
    received.isReading = false
    return undefined
  })
  return Effect.suspend(() => {
    if (received.isEnded) return Cause.done()
    if (session.state !== "open") return Effect.fail(Lifecycle.whyEnded(session))
    if (received.isReading) return secondReader
    received.isReading = true
    return reading
  })
}
