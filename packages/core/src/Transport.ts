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

/** The same request, its limits found to be such: a wrong one is a defect that names it. */
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
