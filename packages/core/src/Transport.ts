/**
 * Sends HTTP requests over connections that always come back.
 *
 * A `Transport` is made over a `Wire`, which knows sockets and nothing else. What lives in here is the governing: a
 * bounded wait for a connection, a limit on setting one up, the session that stands for each, and the fate of a body
 * that nobody reads to its end. Connections are kept alive and belong to the transport; an exchange belongs to the
 * caller's `Scope`: when that closes, its connection is given back if the response was read to its end, or drained if
 * little is left of it, and otherwise closed, so that the provider learns at once that nobody listens.
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
import { atMost } from "./internal/atMost.ts"
import { type Connections, type Entry, make as makeConnections } from "./internal/connections.ts"
import * as Monotonic from "./internal/monotonic.ts"
import * as Option from "./internal/option.ts"
import * as Session from "./Session.ts"
import type { SessionRevoked } from "./SessionError.ts"
import * as Timeouts from "./Timeouts.ts"
import { BodyTooLarge, type ConnectionLost, InvalidUrl, type TransportError } from "./TransportError.ts"
import type { Chunks, Exchange, Headers, Wire } from "./Wire.ts"

export interface Request {
  readonly method: "DELETE" | "GET" | "HEAD" | "PATCH" | "POST" | "PUT"
  /** Absolute, `http:` or `https:`. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | undefined
  /** `firstToken` bounds the wait for the response's head; without it only a deadline does. */
  readonly timeouts?: Pick<Timeouts.Timeouts, "queue" | "connect" | "firstToken"> | undefined
}

/** Why no more of a body comes. */
export type BodyError = ConnectionLost | SessionRevoked

export interface Response {
  readonly status: number
  readonly headers: Headers
  /** When the request was handed to its connection, in monotonic milliseconds. */
  readonly sentAt: number
  /**
   * The body's next bytes, or that there are none. Reads no faster than it is pulled: what is not pulled stays with the
   * sender. A body is read once, here or by `bytes`, `text` or `stream`.
   */
  readonly body: Pull.Pull<Chunks, BodyError>
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
   * How long an ended connection may take to be really closed before it is given up. Default: 5 seconds. It bounds how
   * long shutting down can take.
   */
  readonly closeTimeout?: Duration.Input | undefined
}

/** A body's rest is read, so that its connection can be kept, if no more than this is left of it, in bytes. */
const drainLimit = 64 * 1024
const drainTimeout = Duration.millis(250)

/** How far the exchange on a connection has come. */
interface Progress {
  isSent: boolean
  exchange: Exchange | undefined
  isEnded: boolean
  received: number
}

const parseUrl = (text: string): URL | undefined => {
  const url = URL.parse(text) ?? undefined
  return url?.protocol === "http:" || url?.protocol === "https:" ? url : undefined
}

/** How many bytes of the body are still to come, where the sender has said so. */
const bytesLeft = ({ exchange, received }: Progress): number => {
  const length = exchange?.headers["content-length"]
  return typeof length === "string" && /^\d+$/.test(length) ? Number(length) - received : Infinity
}

/** Where a session was revoked, its connection was closed for that, which explains whatever else went wrong. */
const explain = (session: Session.Session) => <E>(error: E) => session.revoked ?? error

const send = (url: URL, request: Request, entry: Entry, session: Session.Session, progress: Progress) =>
  Effect.clockWith((clock) => {
    progress.isSent = true
    const sentAt = Monotonic.millis(clock)
    const head = entry.connection.send({
      method: request.method,
      path: url.pathname + url.search,
      headers: request.headers,
      body: request.body
    })
    const limit = request.timeouts?.firstToken
    return Effect.map(
      limit === undefined ?
        Effect.mapError(head, explain(session)) :
        Effect.timeoutOrElse(Effect.mapError(head, explain(session)), {
          duration: limit,
          orElse: () => Effect.fail(new Timeouts.FirstTokenTimeout({ limit: Duration.fromInputUnsafe(limit) }))
        }),
      (exchange): Response => {
        progress.exchange = exchange
        const body = Effect.onExitPrimitive(exchange.pull, (exit) => {
          if (Exit.isSuccess(exit)) { for (const chunk of exit.value) progress.received += chunk.byteLength }
          else if (Pull.isDoneCause(exit.cause)) progress.isEnded = true
          return undefined
        })
        return {
          status: exchange.status,
          headers: exchange.headers,
          sentAt,
          body: Effect.mapError(body, (error) => Cause.isDone(error) ? error : explain(session)(error))
        }
      }
    )
  })

/** Ends the use of a connection, in the way that leaves the most of it and asks the least of the sender. */
const settle = (
  connections: Connections,
  entry: Entry,
  progress: Progress,
  exit: Exit.Exit<unknown, unknown>
): Effect.Effect<void> => {
  const { exchange } = progress
  const giveBack = Effect.sync(() => connections.giveBack(entry))
  if (!progress.isSent || progress.isEnded) return giveBack
  const discard = Effect.sync(() => connections.discard(entry))
  if (exchange === undefined) return discard
  const abort = Effect.andThen(exchange.abort, discard)
  if (Exit.hasInterrupts(exit) || bytesLeft(progress) > drainLimit) return abort
  const drain = Pull.catchDone(Effect.forever(exchange.pull, { disableYield: true }), () => Effect.void)
  return Effect.flatMap(atMost(drain, drainTimeout), (isDrained) => isDrained ? giveBack : abort)
}

/** Makes a transport over a wire. Its connections are closed with the scope; calls that still run lose theirs. */
export const make: (wire: Wire, options?: Options) => Effect.Effect<Transport["Service"], never, Scope.Scope> = Effect
  .fnUntraced(function*(wire, options = {}) {
    const connections = yield* makeConnections(wire, {
      max: Option.count("connections", options.connections ?? 128, 1),
      maxWaiting: Option.count("maxWaiting", options.maxWaiting ?? 1024, 0),
      closeTimeout: Option.duration("closeTimeout", options.closeTimeout ?? "5 seconds")
    })
    return Transport.of({
      execute: (request) =>
        Effect.suspend((): Effect.Effect<Response, TransportError, Scope.Scope> => {
          const url = parseUrl(request.url)
          if (url === undefined) return Effect.fail(new InvalidUrl({ url: request.url }))
          const progress: Progress = { isSent: false, exchange: undefined, isEnded: false, received: 0 }
          return Effect.flatMap(
            Session.acquire(
              { kind: "exchange", name: url.host + url.pathname },
              (restore) => connections.checkout(url, request.timeouts ?? {}, restore),
              (entry, exit) => settle(connections, entry, progress, exit)
            ),
            ({ session, value }) => send(url, request, value, session, progress)
          )
        })
    })
  })

/** The body as a stream of bytes, as they come. */
export const stream = (response: Response): Stream.Stream<Uint8Array, BodyError> =>
  Stream.fromPull(Effect.succeed(response.body))

/** The whole body. Meant for bodies that fit in memory: reading stops at `limit` bytes (default: 16 MiB). */
export const bytes = (
  response: Response,
  limit = 16 * 1024 * 1024
): Effect.Effect<Uint8Array, BodyTooLarge | BodyError> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let length = 0
    const read: Effect.Effect<never, BodyTooLarge | BodyError | Cause.Done> = Effect.flatMap(
      response.body,
      (more) => {
        for (const chunk of more) {
          chunks.push(chunk)
          length += chunk.byteLength
        }
        return length > limit ? Effect.fail(new BodyTooLarge({ limit })) : read
      }
    )
    return Pull.catchDone(read, () =>
      Effect.sync(() => {
        const whole = new Uint8Array(length)
        let at = 0
        for (const chunk of chunks) {
          whole.set(chunk, at)
          at += chunk.byteLength
        }
        return whole
      }))
  })

/** The whole body as UTF-8 text. Reading stops at `limit` bytes (default: 16 MiB). */
export const text = (response: Response, limit?: number): Effect.Effect<string, BodyTooLarge | BodyError> =>
  Effect.map(bytes(response, limit), (whole) => new TextDecoder().decode(whole))
