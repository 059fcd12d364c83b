/**
 * Sends HTTP requests over connections that always come back.
 *
 * A `Transport` is made over a `Wire`, which knows sockets and nothing else. What lives in here is the governing: a
 * bounded wait for a connection that knows the deadline, a limit on setting one up, how long one is kept, the session
 * that stands for each, the size of a body, and the fate of one that nobody reads to its end. Connections are kept alive and belong to the transport; an exchange belongs to the
 * caller's `Scope`: when that closes, its connection is given back if the response was read to its end, or drained if
 * little is left of it, and otherwise closed, so that the provider learns at once that nobody listens.
 *
 * Another fiber may close that scope at any time. From then on the call sends nothing, gives back what it got, and fails
 * with `SessionRevoked`, whose reason is "its scope was closed"; so does the reader of its body.
 *
 * It sets no header of its own and sends no trace headers: what a third party gets is what the request says.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Deadline from "./Deadline.ts"
import * as Lifecycle from "./internal/session/lifecycle.ts"
import type { SessionRecord } from "./internal/session/record.ts"
import { atMost } from "./internal/time/atMost.ts"
import { inForce, leave } from "./internal/time/deadline.ts"
import * as Timers from "./internal/time/timers.ts"
import { type Connections, type Entry, make as makeConnections } from "./internal/transport/connections.ts"
import { keepAliveMillis } from "./internal/transport/keepAlive.ts"
import { readBytes } from "./internal/transport/readBytes.ts"
import { counted, Received } from "./internal/transport/received.ts"
import * as Urls from "./internal/transport/urls.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as Session from "./Session.ts"
import type { SessionRevoked } from "./SessionError.ts"
import * as Timeouts from "./Timeouts.ts"
import { type BodyTooLarge, ConnectionLost, InvalidUrl, type TransportError } from "./TransportError.ts"
import type { Body, Chunks, Exchange, Headers, Wire } from "./Wire.ts"

export interface Request {
  readonly method: "DELETE" | "GET" | "HEAD" | "OPTIONS" | "PATCH" | "POST" | "PUT" | "QUERY" | "TRACE"
  /** Absolute, `http:` or `https:`, without credentials: those belong into a header. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Body | undefined
  /** `firstToken` bounds the wait for the response's head; without it only a deadline does. */
  readonly timeouts?: Pick<Timeouts.Timeouts, "queue" | "connect" | "firstToken"> | undefined
  /** For this response, in place of the transport's `maxBodySize`. `Infinity` lifts the limit. */
  readonly maxBodySize?: number | undefined
}

/** Why no more of a body comes. */
export type BodyError = ConnectionLost | BodyTooLarge | SessionRevoked

export interface Response {
  readonly status: number
  readonly headers: Headers
  /** When the request was handed to its connection, in monotonic milliseconds. */
  readonly sentAt: number
  /**
   * The body's next bytes, or that there are none. Reads no faster than it is pulled: what is not pulled stays with the
   * sender. A body is read once, here or by `bytes`, `text` or `stream`, and by one reader: a second one that pulls at
   * the same time dies.
   */
  readonly body: Pull.Pull<Chunks, BodyError>
  /**
   * Has `offer` called once, when another call has to wait for a connection to this origin; it may read the body to its
   * end or close the scope, and returns whether it is sure to. Returns how to take that back. It is for those who hold
   * responses that nobody may ever read, and undefined where the transport has no connections of its own.
   */
  readonly onWanted?: ((offer: () => boolean) => () => void) | undefined
}

export class Transport extends Context.Service<Transport, {
  /** Sends a request; answers when the response's head has come. The scope holds the connection. */
  readonly execute: (request: Request) => Effect.Effect<Response, TransportError, Scope.Scope>
}>()("@clawback/core/Transport") {}

export interface Options {
  /**
   * Connections to one origin at a time, those being opened or closed included. Default: 128. Too low, and calls queue;
   * too high, and a burst opens more sockets than the provider or the process allows.
   */
  readonly connections?: number | undefined
  /**
   * Callers that may wait for a connection to one origin. Default: 1,024. Too low, and short bursts are refused; too
   * high, and callers wait for what will not come in their time.
   */
  readonly maxWaiting?: number | undefined
  /**
   * How long a connection is kept while nobody uses it. Default: 30 seconds. A server that announces less in its
   * `Keep-Alive` header is obeyed, less a second for the way. Too low, and each call pays for a new connection; too
   * high, and calls are sent on connections that the server is about to close.
   */
  readonly idleTimeToLive?: Duration.Input | undefined
  /**
   * For how long a connection is used for new requests. Default: 5 minutes, of which each connection gets a random
   * share between 80 and 100 %, so that those opened together do not end together. What is under way when it passes is
   * not cut. Too low, and calls pay for new connections; too high, and a server that was taken out of its name's
   * addresses, or is being drained, goes on being called.
   */
  readonly maxLifetime?: Duration.Input | undefined
  /**
   * Bytes that a response's body may have. Default: 64 MiB. Too low, and long answers are cut off (`BodyTooLarge`); too
   * high, and one server can fill the memory. A request's own `maxBodySize` wins over it.
   */
  readonly maxBodySize?: number | undefined
  /**
   * How long an ended connection may take to be really closed before it is given up. Default: 5 seconds. It bounds how
   * long shutting down can take.
   */
  readonly closeTimeout?: Duration.Input | undefined
}

/** Bytes that a body may have where nothing else is said. */
export const defaultMaxBodySize = 64 * 1024 * 1024

/** A body's rest is read, so that its connection can be kept, if no more than this is left of it, in bytes. */
const drainLimit = 64 * 1024
const drainTimeout = Duration.millis(250)

/** What an exchange goes through, from when it has a connection. */
class Progress implements Timers.Timer {
  /** None where it was lost before anything was sent, and another is being waited for. */
  entry: Entry | undefined = undefined
  isSent = false
  exchange: Exchange | undefined = undefined
  received: Received | undefined = undefined
  /** Why we broke it off ourselves. */
  failure: Timeouts.FirstTokenTimeout | undefined = undefined
  at = Infinity
  slot = Timers.unset
  readonly url: URL
  readonly request: Request
  private readonly connections: Connections

  constructor(url: URL, request: Request, connections: Connections) {
    this.url = url
    this.request = request
    this.connections = connections
  }

  /** The head did not come in time: closing the connection makes whoever waits for it fail. */
  readonly fire = () => {
    const limit = this.request.timeouts?.firstToken
    if (this.entry === undefined || limit === undefined) return
    this.failure = new Timeouts.FirstTokenTimeout({ limit: Duration.fromInputUnsafe(limit) })
    this.connections.discard(this.entry)
  }
}

/** The same request, its limits found to be such: a wrong one is a defect that names it. */
export const check = (request: Request): Request => {
  if (request.timeouts !== undefined) Timeouts.check(request.timeouts)
  if (request.maxBodySize !== undefined) OptionCheck.size("maxBodySize", request.maxBodySize)
  return request
}

/** Whether a connection was lost before the first byte was written on it. */
const wasNotSent = (cause: Cause.Cause<TransportError>): boolean =>
  cause.reasons.some((reason) =>
    Cause.isFailReason(reason) && reason.error instanceof ConnectionLost && reason.error.phase === "request"
  )

/** A scope may be closed by another fiber, at any step: from then on the call has no connection. */
const isReleased = ({ state }: Session.Session): boolean => state !== "open"

/** Where we ended the exchange ourselves, its connection was closed for that, which explains whatever else went wrong. */
const explain = (session: Session.Session, progress: Progress) => <E>(error: E) =>
  progress.failure ?? (session.revoked !== undefined || isReleased(session) ? Lifecycle.whyEnded(session) : error)

/** Ends the use of a connection, in the way that leaves the most of it and asks the least of the sender. */
const settle = (
  connections: Connections,
  timers: Timers.Timers,
  progress: Progress,
  idleMillis: number,
  exit: Exit.Exit<unknown, unknown>
): Effect.Effect<void> => {
  timers.clear(progress)
  const { entry, exchange, received } = progress
  if (entry === undefined) return Effect.void
  const giveBack = (): Effect.Effect<void> => {
    const announced = exchange === undefined ? Infinity : keepAliveMillis(exchange.headers["keep-alive"])
    connections.giveBack(entry, Math.min(idleMillis, announced))
    return Effect.void
  }
  const discard = (): Effect.Effect<void> => {
    connections.discard(entry)
    return Effect.void
  }
  if (!progress.isSent || received?.isEnded === true) return giveBack()
  if (exchange === undefined || received === undefined) return discard()
  const abort = Effect.ensuring(exchange.abort, Effect.suspend(discard))
  // A reader that waits would wait for as long as the drain has taken its place.
  if (Exit.hasInterrupts(exit) || received.isReading || received.left > drainLimit) return abort
  const drain = Pull.catchDone(Effect.forever(exchange.pull, { disableYield: true }), () => Effect.void)
  return Effect.flatMap(atMost(drain, drainTimeout), (isDrained) => isDrained ? giveBack() : abort)
}

/** Makes a transport over a wire. Its connections are closed with the scope; calls that still run lose theirs. */
export const make: (wire: Wire, options?: Options) => Effect.Effect<Transport["Service"], never, Scope.Scope> = Effect
  .fnUntraced(function*(wire, options = {}) {
    const timers = yield* Effect.withFiber((fiber) => Effect.succeed(Timers.of(fiber)))
    const connections = yield* makeConnections(wire, timers, {
      max: OptionCheck.count("connections", options.connections ?? 128, 1),
      maxWaiting: OptionCheck.count("maxWaiting", options.maxWaiting ?? 1024, 0),
      maxLifetime: OptionCheck.duration("maxLifetime", options.maxLifetime ?? "5 minutes"),
      closeTimeout: OptionCheck.finite("closeTimeout", options.closeTimeout ?? "5 seconds")
    })
    const idleMillis = Duration.toMillis(OptionCheck.duration("idleTimeToLive", options.idleTimeToLive ?? "30 seconds"))
    const maxBodySize = OptionCheck.size("maxBodySize", options.maxBodySize ?? defaultMaxBodySize)

    /** Sends a request; to be run where it is made. */
    const send = (
      progress: Progress,
      entry: Entry,
      session: Session.Session,
      deadline: Deadline.Deadline | undefined
    ): Effect.Effect<Response, TransportError> => {
      if (isReleased(session)) return Effect.fail(Lifecycle.whyEnded(session))
      const { request, url } = progress
      const limit = request.timeouts?.firstToken
      const sentAt = timers.now
      if (deadline !== undefined && deadline.at <= sentAt) {
        return Effect.fail(new Deadline.DeadlineExceeded({ budget: deadline.budget }))
      }
      progress.isSent = true
      if (limit !== undefined) {
        progress.at = sentAt + Duration.toMillis(Duration.fromInputUnsafe(limit))
        timers.set(progress)
      }
      const head = entry.connection.send({
        method: request.method,
        path: url.pathname + url.search,
        headers: request.headers,
        body: request.body
      })
      return Effect.matchCauseEffect(head, {
        onFailure: (cause) => {
          timers.clear(progress)
          return entry.isReused && wasNotSent(cause)
            ? onAnother(progress, entry, session, deadline)
            : Effect.failCause(Cause.map(cause, explain(session, progress)))
        },
        onSuccess: (exchange): Effect.Effect<Response, TransportError> => {
          timers.clear(progress)
          // It came while its connection was being closed, for having come too late or with its scope.
          if (progress.failure !== undefined || isReleased(session)) {
            return Effect.andThen(exchange.abort, Effect.fail(progress.failure ?? Lifecycle.whyEnded(session)))
          }
          const { headers, pull, status } = exchange
          const limit = request.maxBodySize ?? maxBodySize
          const received = new Received(request.method, status, headers["content-length"], limit)
          progress.exchange = exchange
          progress.received = received
          return Effect.succeed({
            status,
            headers,
            sentAt,
            body: counted(pull, received, session),
            onWanted: (offer) => entry.pool.offers.add(offer)
          })
        }
      })
    }

    /** A kept connection that its server had left before anything was sent costs the call nothing but another one. */
    const onAnother = (
      progress: Progress,
      entry: Entry,
      session: Session.Session,
      deadline: Deadline.Deadline | undefined
    ): Effect.Effect<Response, TransportError> =>
      Effect.uninterruptibleMask((restore) => {
        progress.entry = undefined
        progress.isSent = false
        connections.discard(entry)
        const ended = Effect.andThen(
          Lifecycle.closed(session as SessionRecord),
          Effect.suspend(() => Effect.fail(Lifecycle.whyEnded(session)))
        )
        const unlessRevoked = Lifecycle.restoring(session as SessionRecord, restore)
        return Effect.flatMap(
          connections.checkout(
            progress.url,
            progress.request.timeouts ?? {},
            deadline,
            (part) => unlessRevoked(Effect.raceFirst(part, ended))
          ),
          (another) => {
            // Nobody gives back what comes after the release.
            if (isReleased(session)) {
              connections.giveBack(another, idleMillis)
              return Effect.fail(Lifecycle.whyEnded(session))
            }
            progress.entry = another
            return restore(Effect.suspend(() => send(progress, another, session, deadline)))
          }
        )
      })

    return Transport.of({
      execute: (request) =>
        Effect.withFiber((fiber): Effect.Effect<Response, TransportError, Scope.Scope> => {
          const url = Urls.requestable(request.url)
          if (url === undefined) return Effect.fail(InvalidUrl.of(request.url))
          // Before anything is taken: what is wrong with a request must not cost a connection's place.
          check(request)
          const deadline = inForce(fiber)
          if (deadline !== undefined && deadline.at <= timers.now) {
            return leave(Effect.fail(new Deadline.DeadlineExceeded({ budget: deadline.budget })))
          }
          const progress = new Progress(url, request, connections)
          return Effect.flatMap(
            Session.acquire(
              { kind: "exchange", name: Urls.nameOf(url) },
              (restore) =>
                Effect.mapEager(connections.checkout(url, request.timeouts ?? {}, deadline, restore), (entry) => {
                  progress.entry = entry
                  return entry
                }),
              (_, exit) => settle(connections, timers, progress, idleMillis, exit)
            ),
            ({ session, value }) => send(progress, value, session, deadline)
          )
        })
    })
  })

/** The body as a stream of bytes, as they come. */
export const stream = (response: Response): Stream.Stream<Uint8Array, BodyError> =>
  Stream.fromPull(Effect.succeed(response.body))

/** The whole body, in memory. Reading stops at `limit` bytes, where the response's own limit does not come first. */
export const bytes = (response: Response, limit = Infinity): Effect.Effect<Uint8Array, BodyError> =>
  Effect.suspend(() => readBytes(response.body, OptionCheck.size("limit", limit)))

const decoder = new TextDecoder()

/** The whole body as UTF-8 text. Reading stops at `limit` bytes, where the response's own limit does not come first. */
export const text = (response: Response, limit?: number): Effect.Effect<string, BodyError> =>
  Effect.map(bytes(response, limit), (whole) => decoder.decode(whole))
