import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type { Session } from "../../Session.ts"
import type { SessionRevoked } from "../../SessionError.ts"
import type { Chunks, Headers } from "../../Wire.ts"
import * as Lifecycle from "../session/lifecycle.ts"
import { BodyTooLarge, type ConnectionLost } from "./errors.ts"

/** Responses without a body. Their `content-length` is that of what another request would get (RFC 9110 §8.6). */
const hasNone = (method: string, status: number): boolean => method === "HEAD" || status === 204 || status === 304

/** How many bytes a response's body has. `Infinity` if its sender does not declare it. */
export const lengthOf = (method: string, status: number, contentLength: Headers[string]): number =>
  hasNone(method, status)
    ? 0
    : typeof contentLength === "string" && /^\d+$/.test(contentLength)
    ? Number(contentLength)
    : Infinity

/** How much of a response's body was read. */
export class BodyProgress {
  private bytes = 0
  private hasEnded = false
  private hasReader = false
  /** As the sender declared it. `Infinity` where it did not. */
  private readonly length: number
  private readonly limit: number

  constructor(method: string, status: number, contentLength: Headers[string], limit: number) {
    this.length = lengthOf(method, status, contentLength)
    this.limit = limit
  }

  get isEnded(): boolean {
    return this.hasEnded
  }

  /** Whether a reader waits for more. */
  get isReading(): boolean {
    return this.hasReader
  }

  /** How many bytes are still to come. `Infinity` where that is not known. */
  get left(): number {
    return this.length - this.bytes
  }

  begin(): void {
    this.hasReader = true
  }

  leave(): void {
    this.hasReader = false
  }

  add(chunks: Chunks): void {
    for (const chunk of chunks) this.bytes += chunk.byteLength
  }

  end(): void {
    this.hasEnded = true
  }

  /** Defined if the body is larger than allowed. */
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
 * The body for its reader: counted, cut off at the limit, and with an error that explains why it was lost.
 *
 * The session's state decides in the step in which a pull begins. Once the session is released, its connection may carry
 * another exchange, so nothing is pulled from it any more.
 */
export const bodyOf = (
  pull: Pull.Pull<Chunks, ConnectionLost | SessionRevoked>,
  progress: BodyProgress,
  session: Session
): Body => {
  const { tooLarge } = progress
  if (tooLarge !== undefined) return Effect.fail(tooLarge)
  const read = Effect.matchCauseEffect(pull, {
    onFailure: (cause): Body => {
      const isDone = Pull.isDoneCause(cause)
      // If we ended the exchange ourselves, we closed its connection, which explains any other error. That may also look
      // like the end of the body.
      if (session.state !== "open" || (session.revoked !== undefined && !isDone)) {
        if (!Cause.hasInterrupts(cause)) return Effect.fail(Lifecycle.whyEnded(session))
      } else if (isDone) progress.end()
      return Effect.failCause(cause)
    },
    onSuccess: (chunks): Body => {
      progress.add(chunks)
      const { tooLarge } = progress
      return tooLarge === undefined ? Effect.succeed(chunks) : Effect.fail(tooLarge)
    }
  })
  const reading = Effect.onExitPrimitive(read, () => {
    progress.leave()
    return undefined
  })
  return Effect.suspend(() => {
    if (progress.isEnded) return Cause.done()
    if (session.state !== "open") return Effect.fail(Lifecycle.whyEnded(session))
    if (progress.isReading) return secondReader
    progress.begin()
    return reading
  })
}
