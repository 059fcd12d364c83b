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
import type * as ChatEvent from "../ChatEvent.ts"
import type * as Codec from "../Codec.ts"
import type { CallError } from "../ProviderError.ts"
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
  private completed: ReadonlyArray<ChatEvent.ChatEvent> | undefined
  private readonly decoder: Codec.Decoder
  private readonly response: Transport.Response

  constructor(response: Transport.Response, decoder: Codec.Decoder) {
    this.response = response
    this.decoder = decoder
  }

  private get isWhole(): boolean {
    return this.decoder.isFinished && this.decoder.failure === undefined
  }

  /** The events of the body. They end when the answer does. */
  readonly pull: Events = Effect.suspend(() => {
    if (this.decoder.failure !== undefined) return Effect.fail(this.decoder.failure)
    if (this.decoder.isDone) return Cause.done()
    return Effect.flatMap(
      this.decoder.isFinished ? this.rest : this.more,
      ([first, ...rest]) => first === undefined ? this.pull : Effect.succeed([first, ...rest])
    )
  })

  /** Reads what follows the answer, which is nothing but the body's end, so that the connection can be used again. */
  readonly end: Effect.Effect<void> = Effect.suspend(() =>
    !this.decoder.isDone || this.isGivenUp ? Effect.void : Effect.ignore(
      Effect.timeoutOption(Effect.forever(this.response.body, { disableYield: true }), endTimeout)
    )
  )

  private readonly more = Effect.suspend(() =>
    Effect.matchEffect(this.response.body, {
      onSuccess: (chunks) => Effect.sync(() => chunks.flatMap((chunk) => this.decoder.push(chunk))),
      onFailure: (end) => Cause.isDone(end) ? Effect.sync(() => this.decoder.end()) : Effect.fail(end)
    })
  )

  /** All that follows the finish. The answer is whole, so neither silence nor a lost connection can spoil it any more. */
  private readonly rest = Effect.suspend(() => {
    const events: Array<ChatEvent.ChatEvent> = []
    const read: Effect.Effect<void, Transport.BodyError> = Effect.flatMap(this.more, (some) => {
      events.push(...some)
      return this.decoder.isDone || this.decoder.failure !== undefined ? Effect.void : read
    })
    const giveUp = Effect.sync(() => void events.push(...this.giveUp()))
    return Effect.flatMap(
      leavingTime(usageTimeout),
      (duration) =>
        Effect.map(
          Effect.timeoutOrElse(Effect.catchTag(read, "ConnectionLost", () => giveUp), {
            duration,
            orElse: () => giveUp
          }),
          () => events
        )
    )
  })

  /** The events that complete the answer where nothing more is read: undefined where it is not whole. */
  get completion(): ReadonlyArray<ChatEvent.ChatEvent> | undefined {
    return this.completed ?? (this.isWhole ? this.completed = this.giveUp() : undefined)
  }

  private giveUp(): ReadonlyArray<ChatEvent.ChatEvent> {
    this.isGivenUp = true
    return this.decoder.end()
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

  /** A limit that passes once the answer is whole is its end, since it has its finish already: what then comes last. */
  readonly completion = (error: unknown): ReadonlyArray<ChatEvent.ChatEvent> | undefined =>
    error instanceof Timeouts.IdleTimeout || error instanceof Deadline.DeadlineExceeded
      ? this.answer?.completion
      : undefined
}

/** Ends a call's stream, where a limit leaves its answer whole. */
export const endWhole =
  (latest: Latest) =>
  (self: Stream.Stream<ChatEvent.ChatEvent, CallError>): Stream.Stream<ChatEvent.ChatEvent, CallError> =>
    Stream.transformPull(self, (pull) =>
      Effect.sync(() => {
        let isComplete = false
        return Effect.catch(pull, (error): Events => {
          const events = latest.completion(error)
          if (events === undefined) return Effect.fail(Cause.isDone(error) ? error : latest.named(error))
          const [first, ...rest] = isComplete ? [] : events
          isComplete = true
          return first === undefined ? Cause.done() : Effect.succeed([first, ...rest])
        })
      }))
