/**
 * Sockets, and nothing of policy: the port that a `Transport` is made over.
 *
 * A wire opens connections, sends on them, and closes them when told. It has no limits, no retries and no pool; it
 * decides nothing. `NodeTransport` brings the one for Node; a simulation brings one that fails at will.
 */

import type * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import type * as Stream from "effect/Stream"
import type {
  ConnectFailed,
  ConnectionLost,
  HeadersTooLarge,
  InvalidRequest,
  ProxyFailed,
  RequestBodyFailed
} from "./TransportError.ts"

/** Header names are lower case. A header that was sent several times has several values. */
export type Headers = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/** Bytes of a body, as they arrive. */
export type Chunks = readonly [Uint8Array, ...ReadonlyArray<Uint8Array>]

/**
 * What is sent as a request's body. A stream is read as fast as the server takes it, and no longer than the exchange
 * lasts. Its length is unknown, so it is sent in chunks unless a `content-length` header says what it is.
 */
export type Body = string | Uint8Array | Stream.Stream<Uint8Array, unknown>

/** What is sent on a connection. */
export interface Request {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body | undefined
}

/** A response whose head has come. */
export interface Exchange {
  readonly status: number
  readonly headers: Headers
  /**
   * The body's next bytes. One reader at a time: nobody pulls before the last pull has ended or was interrupted. None
   * begins after the connection was used for another request.
   */
  readonly pull: Pull.Pull<Chunks, ConnectionLost>
  /** Gives the rest of the body up. The connection may be of no further use. */
  readonly abort: Effect.Effect<void>
}

/** One connection of a wire. It carries one exchange at a time. */
export interface Connection {
  /** Waits until requests can be sent. */
  readonly ready: Effect.Effect<void, ConnectFailed | ProxyFailed>
  /** Waits until the operating system has closed it, whoever began that. */
  readonly closed: Effect.Effect<void>
  /**
   * Whether another request may be sent: false as soon as either side has begun to close, and false while bytes of the
   * last request are unsent, which its answer need not have waited for.
   */
  readonly isUsable: () => boolean
  /**
   * Sends a request and waits for the response's head. Interruption aborts the exchange. Where the connection turns out
   * to be lost before the first byte was written, that is `ConnectionLost` at phase `"request"`, and only there.
   */
  readonly send: (request: Request) => Effect.Effect<
    Exchange,
    InvalidRequest | ConnectionLost | RequestBodyFailed | HeadersTooLarge
  >
  /** Begins to close, at once: what is under way fails with `ConnectionLost`. `closed` tells when it is done. */
  readonly close: Effect.Effect<void>
}

export interface Wire {
  /** Begins a connection and returns it before it is established. */
  readonly connect: (origin: URL) => Effect.Effect<Connection>
}
