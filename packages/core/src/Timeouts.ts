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
 * The stream limits look at decoded output: comments and pings that keep a connection alive do not count as progress. Nested
 * limits and deadlines each raise their own error at their own time, so the first one to pass decides the error. The stream
 * releases what it holds before it fails.
 *
 * ```ts
 * import { Timeouts } from "@clawback/core"
 * import { Console, Effect, Stream } from "effect"
 *
 * const answer = Stream.concat(Stream.make("ping", "some", "words"), Stream.never)
 *
 * const program = answer.pipe(
 *   Timeouts.applyStream<string>({
 *     timeouts: { firstToken: "1 second", idle: "50 millis" },
 *     isOutput: (element) => element !== "ping"
 *   }),
 *   Stream.runForEach((element) => Console.log(element)),
 *   Effect.catchTag("IdleTimeout", (error) => Console.log(error.message))
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @stable
 */

import * as Channel from "effect/Channel"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Advice } from "./internal/retry/advice.ts"
import { LimitedPump } from "./internal/session/limitedStream.ts"
import { openIn } from "./internal/session/streamFiber.ts"
import * as Time from "./internal/time/format.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as ReadableError from "./ReadableError.ts"
import type { SessionRevoked } from "./SessionError.ts"

export interface Timeouts {
  /**
   * Default: 10 seconds. Too low, and bursts fail although a short wait would have been enough; too high, and callers
   * queue behind work that does not end.
   */
  readonly queue?: Duration.Input | undefined
  /** Default: 10 seconds. Too low, and a lost packet fails the call; too high, and a dead host delays it. */
  readonly connect?: Duration.Input | undefined
  /**
   * Default: 2 minutes. Too low, and a model that reasons before its first output is cancelled, and billed; too high,
   * and a provider that hangs is detected late.
   */
  readonly firstToken?: Duration.Input | undefined
  /** Default: 1 minute. Too low, and a model that pauses is cancelled; too high, and a stalled stream holds its socket. */
  readonly idle?: Duration.Input | undefined
  /** Default: 10 minutes. Too low, and long answers are cut off; too high, and nothing else bounds the call. */
  readonly total?: Duration.Input | undefined
}

/** The limits that apply by default. */
export const defaults = {
  queue: Duration.seconds(10),
  connect: Duration.seconds(10),
  firstToken: Duration.minutes(2),
  idle: Duration.minutes(1),
  total: Duration.minutes(10)
} as const satisfies Timeouts

/** Returns the limits. Throws a `RangeError` that names an invalid or unknown limit. */
export const check = (timeouts: Timeouts): Timeouts => {
  OptionCheck.fields("timeouts", timeouts, defaults)
  for (const name of ["queue", "connect", "firstToken", "idle", "total"] as const) {
    const limit = timeouts[name]
    if (limit !== undefined) OptionCheck.duration(`timeouts.${name}`, limit)
  }
  return timeouts
}

/** No connection came free in time. Nothing was sent. */
export class QueueTimeout extends ReadableError.tagged<QueueTimeout>("@clawback/core/QueueTimeout")("QueueTimeout", {
  origin: Schema.String,
  limit: Schema.Duration,
  /** Connections to the origin that exist, all of them busy. */
  connections: Schema.Int,
  /** Callers that were still waiting. */
  waiting: Schema.Int
}) {
  get retry(): Advice {
    return { reach: "unsent", isTransient: true }
  }
  override get message() {
    const when = Duration.isZero(this.limit) ? "was free" : `came free within ${Time.format(this.limit)}`
    return `No connection to ${this.origin} ${when}: all ${this.connections} ` +
      `were busy and ${this.waiting} more callers waited. Nothing was sent. Raise \`connections\` or send less at once.`
  }
}

/** The connection was not established in time. Nothing was sent. */
export class ConnectTimeout
  extends ReadableError.tagged<ConnectTimeout>("@clawback/core/ConnectTimeout")("ConnectTimeout", {
    origin: Schema.String,
    limit: Schema.Duration
  })
{
  get retry(): Advice {
    return { reach: "unsent", isTransient: true }
  }
  override get message() {
    return Duration.isZero(this.limit)
      ? `No connection to ${this.origin} was opened: the limit \`connect\` is zero, so none can be. Nothing was sent. Raise it.`
      : `${this.origin} did not accept a connection within ${Time.format(this.limit)}. Nothing was sent. ` +
        "Check the address and the network; retrying is safe."
  }
}

/** The request was sent and no output came in time. The provider may have worked, and may bill. */
export class FirstTokenTimeout
  extends ReadableError.tagged<FirstTokenTimeout>("@clawback/core/FirstTokenTimeout")("FirstTokenTimeout", {
    limit: Schema.Duration
  })
{
  get retry(): Advice {
    return { reach: "unanswered", isTransient: true }
  }
  override get message() {
    return `No output came within ${Time.format(this.limit)} of sending the request, so it was cancelled. ` +
      "Raise `firstToken` if the model thinks that long; else try again or elsewhere."
  }
}

/** A stream gave no further output in time. What was delivered before remains valid. */
export class IdleTimeout extends ReadableError.tagged<IdleTimeout>("@clawback/core/IdleTimeout")("IdleTimeout", {
  limit: Schema.Duration
}) {
  get retry(): Advice {
    return { reach: "delivered", isTransient: true }
  }
  override get message() {
    return `The stream gave no output for ${Time.format(this.limit)} and was cancelled. ` +
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

/** The options of a stream, checked. */
interface Limits<in A> {
  readonly firstToken: Duration.Duration
  readonly idle: Duration.Duration
  readonly startedAt: number | undefined
  readonly isOutput: (element: A) => boolean
}

/** A stream that a limit ends while a reader waits for it. */
class TimedPump<A, E, R> extends LimitedPump<A, E, R, FirstTokenTimeout | IdleTimeout> {
  at = Infinity
  private hasOutput = false
  private pulledAt = 0
  /** The time spent in pulls since the last output. Between two pulls the idle clock stands still. */
  private waited = 0
  private readonly firstAt: number
  private readonly idle: number
  private readonly limits: Limits<A>

  constructor(stream: Stream.Stream<A, E, R>, opener: Fiber.Fiber<unknown, unknown>, limits: Limits<A>) {
    super("Timeouts.applyStream", stream, opener, opener.context as Context.Context<R>)
    this.limits = limits
    this.firstAt = (limits.startedAt ?? this.timers.now) + Duration.toMillis(limits.firstToken)
    this.idle = Duration.toMillis(limits.idle)
  }

  protected override error() {
    const { firstToken, idle } = this.limits
    return this.hasOutput ? new IdleTimeout({ limit: idle }) : new FirstTokenTimeout({ limit: firstToken })
  }

  protected override onPull() {
    this.pulledAt = this.timers.now
  }

  /** Even if no time is left: output may arrive in this step. */
  protected override onWait() {
    this.at = this.hasOutput ? this.pulledAt + this.idle - this.waited : this.firstAt
    this.timers.set(this)
  }

  protected override onLeave() {
    this.timers.clear(this)
    this.waited += this.timers.now - this.pulledAt
  }

  protected override onElements(elements: readonly [A, ...Array<A>]) {
    this.timers.clear(this)
    if (elements.some(this.limits.isOutput)) {
      this.hasOutput = true
      this.waited = 0
    } else {
      this.waited += this.timers.now - this.pulledAt
    }
  }
}

/**
 * Ends a stream with a typed error when its first output or a later one does not come in time.
 *
 * The stream runs on a fiber of its own: what it forks, acquires and sets up lives as long as the stream. An interrupted
 * pull does not end the stream: its work goes on. No limit runs between pulls; the next pull gets the result. If another
 * fiber closes its scope, the stream fails with `SessionRevoked`, even if the reader pulls later.
 */
export const applyStream: {
  <A>(
    options: StreamOptions<A>
  ): <E, R>(
    self: Stream.Stream<A, E, R>
  ) => Stream.Stream<A, E | FirstTokenTimeout | IdleTimeout | SessionRevoked, R>
  <A, E, R>(
    self: Stream.Stream<A, E, R>,
    options: StreamOptions<A>
  ): Stream.Stream<A, E | FirstTokenTimeout | IdleTimeout | SessionRevoked, R>
} = dual(2, <A, E, R>(
  self: Stream.Stream<A, E, R>,
  options: StreamOptions<A>
): Stream.Stream<A, E | FirstTokenTimeout | IdleTimeout | SessionRevoked, R> => {
  if (Number.isNaN(options.startedAt)) {
    throw OptionCheck.wrong("startedAt", options.startedAt, "monotonic milliseconds")
  }
  const { firstToken, idle } = OptionCheck.fields("timeouts", options.timeouts, defaults)
  const limits: Limits<A> = {
    firstToken: OptionCheck.duration("timeouts.firstToken", firstToken ?? defaults.firstToken),
    idle: OptionCheck.duration("timeouts.idle", idle ?? defaults.idle),
    startedAt: options.startedAt,
    isOutput: options.isOutput ?? (() => true)
  }
  return Stream.fromChannel(
    Channel.fromTransform((_, scope) => Effect.withFiber((fiber) => openIn(new TimedPump(self, fiber, limits), scope)))
  )
})
