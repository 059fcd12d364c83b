/**
 * A streamed answer: what has come of it, and when it is whole.
 *
 * An `Answer` is the one changing value of a streamed call. `chat` makes it and passes it to each stage that needs it: the
 * attempt reads the body into it, `telemetry` records what was delivered, and `endWhole` decides whether a limit that
 * passes leaves the answer whole.
 */
import * as Deadline from "@clawback/core/Deadline"
import type * as Session from "@clawback/core/Session"
import { SessionRevoked } from "@clawback/core/SessionError"
import * as Timeouts from "@clawback/core/Timeouts"
import type * as Transport from "@clawback/core/Transport"
import type { Chunks } from "@clawback/core/Wire"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { ChatEvent } from "../../ChatEvent.ts"
import type { Decoder, Dropped, Peer } from "../../Protocol.ts"
import { type CallError, StreamTruncated } from "../../ProviderError.ts"
import { leavingTime } from "./leavingTime.ts"

/**
 * How long the usage may take to come after a stream's finish. Providers send it at once. Without it the answer is still
 * whole, and a reader waits for that.
 */
const usageTimeout = Duration.seconds(1)
/** How long the end of a body may take after the end of the answer. Then its connection is closed. */
const endTimeout = Duration.millis(250)

type Events = ReadonlyArray<ChatEvent>
type NonEmpty = readonly [ChatEvent, ...Array<ChatEvent>]
type EventPull = Pull.Pull<NonEmpty, CallError>

const none: Events = []
const isNonEmpty = (events: Events): events is NonEmpty => events.length > 0

/** The first events of an answer, whose start says what was dropped. Not every protocol has a start. */
const withDropped = (events: Events, dropped: ReadonlyArray<Dropped>): Events => {
  const [first, ...rest] = events
  return first?._tag === "Started"
    ? [{ ...first, dropped }, ...rest]
    : [{ _tag: "Started", id: undefined, model: undefined, dropped }, ...events]
}

/** The body of one attempt's response. */
interface Body {
  readonly response: Transport.Response
  readonly decoder: Decoder
  readonly peer: Peer
}

export class Answer {
  private body: Body | undefined = undefined
  /** What the attempt did not send as it was asked, until the answer's start says it. */
  private dropped: ReadonlyArray<Dropped> | undefined = undefined
  /** The body has ended, or nothing more of it is awaited. The decoder knows, and nothing more is read. */
  private hasEnded = false
  /** The number of events of this body. */
  private decoded = 0
  /** Decoded, and not yet with the reader. A limit may pass in between. */
  private undelivered: Events = none
  /** The same for the record of the call. */
  private unrecorded: Events = none

  /** The response of an attempt has come. Earlier attempts delivered nothing, else there would be no other. */
  begin(body: Body, dropped: ReadonlyArray<Dropped> | undefined): void {
    this.body = body
    this.dropped = dropped
    this.hasEnded = false
    this.decoded = 0
    this.undelivered = none
    this.unrecorded = none
  }

  /** Whether this limit passed after the answer was whole. Then the limit does not fail the call. */
  isWholeAt(error: unknown): boolean {
    const decoder = this.body?.decoder
    return (error instanceof Timeouts.IdleTimeout || error instanceof Deadline.DeadlineExceeded) &&
      decoder?.isFinished === true && decoder.failure === undefined
  }

  /** Redacts the secrets of the current attempt in a text. Before the first attempt, redacts the whole text. */
  redact(text: string): string {
    return this.body?.peer.redact(text) ?? "<redacted>"
  }

  /** Takes what reached the reader, or the record. */
  take(of: "unrecorded" | "undelivered"): Events {
    const taken = this[of]
    this[of] = none
    return taken
  }

  /** Takes what is left for the reader, or for the record, once nothing more is read. */
  takeRest(of: "unrecorded" | "undelivered"): Events {
    if (this.body !== undefined) this.finish(this.body)
    return this.take(of)
  }

  /** The events of the body. They end when the answer does. */
  readonly pull: EventPull = Effect.suspend(() => {
    const { body } = this
    if (body === undefined) return Cause.done()
    const { decoder } = body
    if (decoder.failure !== undefined) return Effect.fail(decoder.failure)
    if (decoder.isDone) return Cause.done()
    if (this.hasEnded) return this.ended(body)
    return Effect.flatMap(
      decoder.isFinished ? this.rest(body) : Effect.matchEffect(body.response.body, this.decode),
      () => isNonEmpty(this.undelivered) ? Effect.succeed(this.undelivered) : this.pull
    )
  })

  /** Reads the end of the body, which is all that follows a whole answer. Its connection can be used again then. */
  readonly end: Effect.Effect<void> = Effect.suspend(() =>
    this.body?.decoder.isDone !== true || this.hasEnded ? Effect.void : Effect.ignore(
      Effect.timeoutOption(Effect.forever(this.body.response.body, { disableYield: true }), endTimeout)
    )
  )

  private readonly decode = {
    onSuccess: (chunks: Chunks): Effect.Effect<void> => {
      for (const chunk of chunks) this.keep(this.body?.decoder.push(chunk) ?? none)
      return Effect.void
    },
    onFailure: (end: Transport.BodyError | Cause.Done): Effect.Effect<void, Transport.BodyError> => {
      if (!Cause.isDone(end)) return Effect.fail(end)
      if (this.body !== undefined) this.finish(this.body)
      return Effect.void
    }
  }

  /** Reads what follows the finish. The answer is whole, so neither silence nor a lost connection fails it. */
  private rest(body: Body): Effect.Effect<void, Transport.BodyError> {
    const read: Effect.Effect<void, Transport.BodyError> = Effect.flatMap(
      Effect.matchEffect(body.response.body, this.decode),
      () => this.hasEnded || body.decoder.isDone || body.decoder.failure !== undefined ? Effect.void : read
    )
    const giveUp = Effect.sync(() => this.finish(body))
    return Effect.flatMap(
      leavingTime(usageTimeout),
      (duration) =>
        Effect.timeoutOrElse(Effect.catchTag(read, "ConnectionLost", () => giveUp), { duration, orElse: () => giveUp })
    )
  }

  /** Reports the end to the decoder, once. */
  private finish({ decoder }: Body): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.keep(decoder.end())
  }

  /** How a body ends whose decoder reports neither a failure nor its end. */
  private ended({ decoder, peer }: Body): EventPull {
    if (decoder.isFinished) return Cause.done()
    return Effect.fail(new StreamTruncated({ provider: peer.provider, delivered: this.decoded }))
  }

  private keep(decoded: Events): void {
    if (decoded.length === 0) return
    this.decoded += decoded.length
    const events = this.dropped === undefined ? decoded : withDropped(decoded, this.dropped)
    this.dropped = undefined
    this.undelivered = this.undelivered.length === 0 ? events : this.undelivered.concat(events)
    this.unrecorded = this.unrecorded.length === 0 ? events : this.unrecorded.concat(events)
  }
}

/** A stream that ends before its session began names that session, which its reader knows. */
const named = (error: CallError, { kind, name }: Session.Info): CallError =>
  error instanceof SessionRevoked && error.id === 0
    ? new SessionRevoked({ id: 0, kind, session: name, reason: error.reason })
    : error

/** Ends a call's stream as a success where a limit passes that leaves its answer whole. */
export const endWhole = (
  answer: Answer,
  session: Session.Info,
  self: Stream.Stream<ChatEvent, CallError>
): Stream.Stream<ChatEvent, CallError> =>
  Stream.transformPull(self, (pull) =>
    Effect.succeed(Effect.matchEffect(pull, {
      onSuccess: (events) => {
        answer.take("undelivered")
        return Effect.succeed(events)
      },
      onFailure: (error): EventPull => {
        if (!answer.isWholeAt(error)) return Effect.fail(Cause.isDone(error) ? error : named(error, session))
        const rest = answer.takeRest("undelivered")
        return isNonEmpty(rest) ? Effect.succeed(rest) : Cause.done()
      }
    })))
