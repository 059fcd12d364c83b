/** A streamed answer: when it is whole, and what may still follow it. */
import * as Deadline from "@clawback/core/Deadline"
import type * as Session from "@clawback/core/Session"
import { SessionRevoked } from "@clawback/core/SessionError"
import * as Timeouts from "@clawback/core/Timeouts"
import type * as Transport from "@clawback/core/Transport"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type * as ChatEvent from "../../ChatEvent.ts"
import type * as Protocol from "../../Protocol.ts"
import type { CallError } from "../../ProviderError.ts"
import { leavingTime } from "./leavingTime.ts"

/**
 * How long the usage may take to arrive after a stream's finish. Providers send it at once; without it the answer is
 * whole all the same, and somebody waits for that.
 */
const usageTimeout = Duration.seconds(1)
/** How long the end of a body may take to arrive after the end of the answer, before its connection is given up. */
const endTimeout = Duration.millis(250)

type Events = Pull.Pull<readonly [ChatEvent.ChatEvent, ...Array<ChatEvent.ChatEvent>], CallError>

/** A stream's answer, as far as it has come. */
export class Answer {
  /** Nothing more came after the answer though it should have, so nothing more will. */
  private isGivenUp = false
  /** What was decoded and has not come to the reader. A limit may pass in between. */
  private undelivered: Array<ChatEvent.ChatEvent> = []
  /** The same of the one that observes the call. */
  private unobserved: Array<ChatEvent.ChatEvent> = []
  private readonly decoder: Protocol.Decoder
  private readonly response: Transport.Response

  constructor(response: Transport.Response, decoder: Protocol.Decoder) {
    this.response = response
    this.decoder = decoder
  }

  get isWhole(): boolean {
    return this.decoder.isFinished && this.decoder.failure === undefined
  }

  /** The events of the body. They end when the answer does. */
  readonly pull: Events = Effect.suspend(() => {
    if (this.decoder.failure !== undefined) return Effect.fail(this.decoder.failure)
    if (this.decoder.isDone) return Cause.done()
    return Effect.flatMap(this.decoder.isFinished ? this.rest : this.more, () => {
      const [first, ...rest] = this.undelivered
      return first === undefined ? this.pull : Effect.succeed([first, ...rest])
    })
  })

  /** Reads what follows the answer, which is nothing but the body's end, so that the connection can be used again. */
  readonly end: Effect.Effect<void> = Effect.suspend(() =>
    !this.decoder.isDone || this.isGivenUp ? Effect.void : Effect.ignore(
      Effect.timeoutOption(Effect.forever(this.response.body, { disableYield: true }), endTimeout)
    )
  )

  private readonly more = Effect.suspend(() =>
    Effect.matchEffect(this.response.body, {
      onSuccess: (chunks) =>
        Effect.sync(() => {
          for (const chunk of chunks) this.keep(this.decoder.push(chunk))
        }),
      onFailure: (end) => Cause.isDone(end) ? Effect.sync(() => this.keep(this.decoder.end())) : Effect.fail(end)
    })
  )

  /** All that follows the finish. The answer is whole, so neither silence nor a lost connection can spoil it any more. */
  private readonly rest = Effect.suspend(() => {
    const read: Effect.Effect<void, Transport.BodyError> = Effect.flatMap(
      this.more,
      () => this.decoder.isDone || this.decoder.failure !== undefined ? Effect.void : read
    )
    const giveUp = Effect.sync(() => this.giveUp())
    return Effect.flatMap(
      leavingTime(usageTimeout),
      (duration) =>
        Effect.timeoutOrElse(Effect.catchTag(read, "ConnectionLost", () => giveUp), { duration, orElse: () => giveUp })
    )
  })

  /** Takes what is left for the reader, or for the one that observes the call, where nothing more is read. */
  takeRest(of: "unobserved" | "undelivered"): ReadonlyArray<ChatEvent.ChatEvent> {
    this.giveUp()
    return this.take(of)
  }

  /** What has come to the reader, or to the one that observes the call, is not left for it. */
  take(of: "unobserved" | "undelivered"): ReadonlyArray<ChatEvent.ChatEvent> {
    const taken = this[of]
    this[of] = []
    return taken
  }

  private giveUp(): void {
    this.isGivenUp = true
    this.keep(this.decoder.end())
  }

  private keep(events: ReadonlyArray<ChatEvent.ChatEvent>): void {
    this.undelivered.push(...events)
    this.unobserved.push(...events)
  }
}

/** One call and its answer, as far as there is one. */
export class Latest {
  answer: Answer | undefined
  private readonly info: Session.Info

  constructor(info: Session.Info) {
    this.info = info
  }

  /** What ends a stream before its session has begun names that session, which its reader knows. */
  readonly named = (error: CallError): CallError => {
    if (error._tag !== "SessionRevoked" || error.id !== 0) return error
    const { kind, name } = this.info
    return new SessionRevoked({ id: 0, kind, session: name, reason: error.reason })
  }

  /** Whether a limit has passed once the answer was whole, which is its end then: it has its finish already. */
  readonly isWholeAt = (error: unknown): boolean =>
    (error instanceof Timeouts.IdleTimeout || error instanceof Deadline.DeadlineExceeded) &&
    this.answer?.isWhole === true
}

/** Ends a call's stream, where a limit leaves its answer whole. */
export const endWhole =
  (latest: Latest) =>
  (self: Stream.Stream<ChatEvent.ChatEvent, CallError>): Stream.Stream<ChatEvent.ChatEvent, CallError> =>
    Stream.transformPull(self, (pull) =>
      Effect.succeed(Effect.matchEffect(pull, {
        onSuccess: (events) => {
          latest.answer?.take("undelivered")
          return Effect.succeed(events)
        },
        onFailure: (error): Events => {
          if (!latest.isWholeAt(error)) return Effect.fail(Cause.isDone(error) ? error : latest.named(error))
          const [first, ...rest] = latest.answer?.takeRest("undelivered") ?? []
          return first === undefined ? Cause.done() : Effect.succeed([first, ...rest])
        }
      })))
