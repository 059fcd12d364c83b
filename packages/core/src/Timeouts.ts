/**
 * How long each stage of a model call may take. Each stage has a clock, a limit and an error of its own.
 *
 * | limit | its clock runs | error |
 * | --- | --- | --- |
 * | `queue` | while waiting for a free connection | `QueueTimeout` |
 * | `connect` | while a new connection is set up, TLS included | `ConnectTimeout` |
 * | `firstToken` | from the request's sending until the first decoded output of a stream | `FirstTokenTimeout` |
 * | `idle` | between two decoded outputs of a stream, while its reader waits | `IdleTimeout` |
 * | `total` | from start to end of the call | `Deadline.DeadlineExceeded` |
 *
 * The stream limits look at decoded output: comments and pings that keep a connection alive do not count as progress.
 * Where limits and a deadline are nested, each raises its own error at its own time, so that the first to pass is the one
 * that is heard of. What the stream holds has been released when its error comes.
 *
 * ```ts
 * import { Timeouts } from "@clawback/core"
 * import { Console, Effect, Stream } from "effect"
 *
 * const answer = Stream.concat(Stream.make("ping", "some", "words"), Stream.never)
 *
 * const program = answer.pipe(
 *   Timeouts.stream<string>({
 *     timeouts: { firstToken: "1 second", idle: "50 millis" },
 *     isOutput: (element) => element !== "ping"
 *   }),
 *   Stream.runForEach((element) => Console.log(element)),
 *   Effect.catchTag("IdleTimeout", (error) => Console.log(error.message))
 * )
 *
 * Effect.runPromise(program)
 * ```
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { cutOffAfter } from "./internal/cutOff.ts"
import * as Monotonic from "./internal/monotonic.ts"
import * as OptionCheck from "./OptionCheck.ts"
import type * as Retry from "./Retry.ts"

export interface Timeouts {
  /**
   * Default: 10 seconds. Too low, and bursts fail that a moment's wait would have served; too high, and callers queue
   * behind work that is not going to end.
   */
  readonly queue?: Duration.Input | undefined
  /** Default: 10 seconds. Too low, and a lost packet fails the call; too high, and a dead host holds it up. */
  readonly connect?: Duration.Input | undefined
  /**
   * Default: 2 minutes. Too low, and a model that thinks before it speaks is cut off, and billed; too high, and a
   * provider that hangs is noticed late.
   */
  readonly firstToken?: Duration.Input | undefined
  /** Default: 1 minute. Too low, and a model that pauses is cut off; too high, and a stalled stream holds its socket. */
  readonly idle?: Duration.Input | undefined
  /** Default: 10 minutes. Too low, and long answers are cut off; too high, and nothing else bounds the call. */
  readonly total?: Duration.Input | undefined
}

/** What holds where a caller sets nothing. */
export const defaults = {
  queue: Duration.seconds(10),
  connect: Duration.seconds(10),
  firstToken: Duration.minutes(2),
  idle: Duration.minutes(1),
  total: Duration.minutes(10)
} as const satisfies Timeouts

/** The same limits, each found to be a duration: a wrong one is a defect that names it. */
export const check = (timeouts: Timeouts): Timeouts => {
  for (const name of ["queue", "connect", "firstToken", "idle", "total"] as const) {
    const limit = timeouts[name]
    if (limit !== undefined) OptionCheck.duration(`timeouts.${name}`, limit)
  }
  return timeouts
}

/** No connection came free in time. Nothing was sent. */
export class QueueTimeout extends Schema.TaggedError<QueueTimeout>("@clawback/core/QueueTimeout")("QueueTimeout", {
  origin: Schema.String,
  limit: Schema.Duration,
  /** Connections to the origin that exist, all of them busy. */
  connections: Schema.Int,
  /** Callers that were still waiting. */
  waiting: Schema.Int
}) {
  get retry(): Retry.Advice {
    return { reach: "unsent", isTransient: true }
  }
  override get message() {
    return `No connection to ${this.origin} came free within ${Duration.format(this.limit)}: all ${this.connections} ` +
      `were busy and ${this.waiting} more callers waited. Nothing was sent. Raise \`connections\` or send less at once.`
  }
}

/** The connection was not established in time. Nothing was sent. */
export class ConnectTimeout
  extends Schema.TaggedError<ConnectTimeout>("@clawback/core/ConnectTimeout")("ConnectTimeout", {
    origin: Schema.String,
    limit: Schema.Duration
  })
{
  get retry(): Retry.Advice {
    return { reach: "unsent", isTransient: true }
  }
  override get message() {
    return `${this.origin} did not accept a connection within ${Duration.format(this.limit)}. Nothing was sent. ` +
      "Check the address and the network; retrying is safe."
  }
}

/** The request was sent and no output came in time. The provider may have worked, and may bill. */
export class FirstTokenTimeout
  extends Schema.TaggedError<FirstTokenTimeout>("@clawback/core/FirstTokenTimeout")("FirstTokenTimeout", {
    limit: Schema.Duration
  })
{
  get retry(): Retry.Advice {
    return { reach: "unanswered", isTransient: true }
  }
  override get message() {
    return `No output came within ${Duration.format(this.limit)} of sending the request, so it was cancelled. ` +
      "Raise `firstToken` if the model thinks that long; else try again or elsewhere."
  }
}

/** A stream that had begun fell silent. What came before stands. */
export class IdleTimeout extends Schema.TaggedError<IdleTimeout>("@clawback/core/IdleTimeout")("IdleTimeout", {
  limit: Schema.Duration
}) {
  get retry(): Retry.Advice {
    return { reach: "delivered", isTransient: true }
  }
  override get message() {
    return `The stream gave no output for ${Duration.format(this.limit)} and was cancelled. ` +
      "What was delivered stands; a new attempt starts over."
  }
}

export interface StreamOptions<in A> {
  readonly timeouts: Pick<Timeouts, "firstToken" | "idle">
  /** When the clock of `firstToken` began, in monotonic milliseconds. Default: the first pull. */
  readonly startedAt?: number | undefined
  /** Whether an element is output. Default: every element is. */
  readonly isOutput?: ((element: A) => boolean) | undefined
}

/** Ends a stream with a typed error when its first output or a later one does not come in time. */
export const stream =
  <A>(options: StreamOptions<A>) =>
  <E, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A, E | FirstTokenTimeout | IdleTimeout, R> => {
    const firstToken = OptionCheck.duration("timeouts.firstToken", options.timeouts.firstToken ?? defaults.firstToken)
    const idle = OptionCheck.duration("timeouts.idle", options.timeouts.idle ?? defaults.idle)
    if (Number.isNaN(options.startedAt)) {
      throw OptionCheck.wrong("startedAt", options.startedAt, "monotonic milliseconds")
    }
    const firstTokenMillis = Duration.toMillis(firstToken)
    const idleMillis = Duration.toMillis(idle)
    const isOutput = options.isOutput ?? (() => true)

    // Unwrapped, so that opening the stream is part of its first pull, and of the time that this may take.
    return Stream.transformPull(Stream.unwrap(Effect.succeed(self)), (pull) =>
      Effect.clockWith((clock) => {
        let hasOutput = false
        // While the reader is away nobody waits, so the idle clock runs over the pulls since the last output only.
        let waited = 0
        const startedAt = options.startedAt ?? Monotonic.millis(clock)

        const expired = Effect.suspend((): Effect.Effect<never, FirstTokenTimeout | IdleTimeout> =>
          Effect.fail(hasOutput ? new IdleTimeout({ limit: idle }) : new FirstTokenTimeout({ limit: firstToken }))
        )
        return Effect.succeed(Effect.suspend(() => {
          const pulledAt = Monotonic.millis(clock)
          const left = hasOutput ? idleMillis - waited : startedAt + firstTokenMillis - pulledAt
          // Even with no time left there may be output that has come already, and waits for its reader.
          return Effect.map(cutOffAfter(pull, Math.max(0, left), () => expired), (elements) => {
            if (elements.some(isOutput)) {
              hasOutput = true
              waited = 0
            } else {
              waited += Monotonic.millis(clock) - pulledAt
            }
            return elements
          })
        }))
      }))
  }
