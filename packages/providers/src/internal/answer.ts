/** A streamed answer: when it is whole, and what may still follow it. */
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
  private readonly decoder: Codec.Decoder
  private readonly response: Transport.Response

  constructor(response: Transport.Response, decoder: Codec.Decoder) {
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

  /** The events that are left where nothing more is read. */
  giveUp(): ReadonlyArray<ChatEvent.ChatEvent> {
    this.isGivenUp = true
    return this.decoder.end()
  }
}

/** A limit that passes once the answer is whole is its end, since it has its finish already. */
export const endWhole =
  (answer: () => Answer | undefined) =>
  (self: Stream.Stream<ChatEvent.ChatEvent, CallError>): Stream.Stream<ChatEvent.ChatEvent, CallError> =>
    Stream.transformPull(self, (pull) =>
      Effect.succeed(Effect.catch(pull, (error): Events => {
        const whole = answer()
        const isLimit = !Cause.isDone(error) && (error._tag === "IdleTimeout" || error._tag === "DeadlineExceeded")
        if (!isLimit || whole?.isWhole !== true) return Effect.fail(error)
        const [first, ...rest] = whole.giveUp()
        return first === undefined ? Cause.done() : Effect.succeed([first, ...rest])
      })))
