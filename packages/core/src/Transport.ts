/**
 * Sends HTTP requests over connections that always come back.
 *
 * A `Transport` is made over a `Wire`, which knows only sockets. The transport adds the limits and the life cycle:
 * - A caller waits for a connection no longer than its deadline and `queue` allow. Connecting has a limit too.
 * - A connection is reused until it is too old or was idle for too long. It belongs to the transport.
 * - Each connection and each exchange is a session.
 * - A body has a maximal size.
 *
 * An exchange belongs to the caller's `Scope`. When that closes, the connection is returned if the response was read to
 * its end. If little of the body is left, it is drained first. Otherwise the connection is closed, so that the provider
 * stops at once. The code of this is in internal/transport/exchange.ts.
 *
 * Another fiber may close that scope at any time. From then on the exchange sends nothing, releases what it holds, and
 * fails with `SessionRevoked`, with the reason "its scope was closed". The reader of its body gets the same error.
 *
 * The transport adds no header of its own and no trace headers: third parties get the request as it was given.
 *
 * @stable
 */

import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Deadline from "./Deadline.ts"
import { inForce, leave } from "./internal/time/deadline.ts"
import * as Timers from "./internal/time/timers.ts"
import * as Address from "./internal/transport/address.ts"
import * as Connections from "./internal/transport/connections.ts"
import { Exchange, type Shared } from "./internal/transport/exchange.ts"
import type { BodyError, Request, Response } from "./internal/transport/model.ts"
import { readBytes } from "./internal/transport/readBytes.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as Session from "./Session.ts"
import * as Timeouts from "./Timeouts.ts"
import { InvalidUrl, type TransportError } from "./TransportError.ts"
import type { Wire } from "./Wire.ts"

export type { BodyError, Request, Response } from "./internal/transport/model.ts"

export class Transport extends Context.Service<Transport, {
  /** Sends a request and returns once the response's head has arrived. The scope holds the connection. */
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
   * high, and callers wait for connections that do not become free in time.
   */
  readonly maxWaiting?: number | undefined
  /**
   * How long an idle connection is kept. Default: 30 seconds. If a server announces less in its `Keep-Alive` header, the
   * connection is closed a second before that time. Too low, and each call pays for a new connection; too high, and calls
   * are sent on connections that the server is about to close.
   */
  readonly idleTimeToLive?: Duration.Input | undefined
  /**
   * How long a connection accepts new requests. Default: 5 minutes. Each connection gets a random share between 80 and
   * 100 %, so that connections opened together do not end together. A request that is in flight is not cut off. Too low,
   * and calls pay for new connections; too high, and a server is still called after it was taken out of DNS or drained.
   */
  readonly maxLifetime?: Duration.Input | undefined
  /**
   * Bytes that a response's body may have. Default: 64 MiB. Too low, and long answers are cut off (`BodyTooLarge`); too
   * high, and one server can fill the memory. A request's own `maxBodySize` wins over it.
   */
  readonly maxBodySize?: number | undefined
  /**
   * How long closing a connection may take before the transport stops waiting for it. Default: 5 seconds. This bounds
   * how long a shutdown takes.
   */
  readonly closeTimeout?: Duration.Input | undefined
}

/** The default of `maxBodySize`, in bytes. */
export const defaultMaxBodySize = 64 * 1024 * 1024

/** Returns the request. Throws a `RangeError` that names an invalid limit. */
export const check = (request: Request): Request => {
  if (request.timeouts !== undefined) Timeouts.check(request.timeouts)
  if (request.maxBodySize !== undefined) OptionCheck.size("maxBodySize", request.maxBodySize)
  return request
}

/** Makes a transport over a wire. Its connections are closed with the scope; calls that still run lose theirs. */
export const make: (wire: Wire, options?: Options) => Effect.Effect<Transport["Service"], never, Scope.Scope> = Effect
  .fnUntraced(function*(wire, options = {}) {
    const timers = yield* Effect.withFiber((fiber) => Effect.succeed(Timers.of(fiber)))
    const connections = yield* Connections.make(wire, timers, {
      max: OptionCheck.count("connections", options.connections ?? 128, 1),
      maxWaiting: OptionCheck.count("maxWaiting", options.maxWaiting ?? 1024, 0),
      maxLifetime: OptionCheck.duration("maxLifetime", options.maxLifetime ?? "5 minutes"),
      closeTimeout: OptionCheck.finite("closeTimeout", options.closeTimeout ?? "5 seconds")
    })
    const idleMillis = Duration.toMillis(OptionCheck.duration("idleTimeToLive", options.idleTimeToLive ?? "30 seconds"))
    const maxBodySize = OptionCheck.size("maxBodySize", options.maxBodySize ?? defaultMaxBodySize)

    const shared: Shared = { connections, timers, idleMillis, maxBodySize }

    return Transport.of({
      execute: (request) =>
        Effect.withFiber((fiber): Effect.Effect<Response, TransportError, Scope.Scope> => {
          const address = Address.of(request.url)
          if (address === undefined) return Effect.fail(InvalidUrl.of(request.url))
          // Before a connection is taken: a wrong request must not cost a place.
          check(request)
          const deadline = inForce(fiber)
          if (deadline !== undefined && deadline.at <= timers.now) {
            return leave(Effect.fail(new Deadline.DeadlineExceeded({ budget: deadline.budget })))
          }
          const exchange = new Exchange(shared, request, address, deadline)
          return Effect.flatMap(
            Session.acquire(
              { kind: "exchange", name: address.name },
              (restore) => exchange.begin(restore),
              (_, exit) => exchange.end(exit)
            ),
            ({ session }) => exchange.send(session)
          )
        })
    })
  })

/** The body as a stream of bytes, as they arrive. */
export const stream = (response: Response): Stream.Stream<Uint8Array, BodyError> =>
  Stream.fromPull(Effect.succeed(response.body))

/** Reads the whole body into memory. Stops at `limit` bytes, or at the response's own limit if that is lower. */
export const bytes = (response: Response, limit = Infinity): Effect.Effect<Uint8Array, BodyError> =>
  Effect.suspend(() => readBytes(response.body, OptionCheck.size("limit", limit)))

const decoder = new TextDecoder()

/** Reads the whole body as UTF-8 text. Stops at `limit` bytes, or at the response's own limit if that is lower. */
export const text = (response: Response, limit?: number): Effect.Effect<string, BodyError> =>
  Effect.map(bytes(response, limit), (whole) => decoder.decode(whole))
