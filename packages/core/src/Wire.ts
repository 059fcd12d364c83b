/**
 * The interface to sockets on which a `Transport` is built.
 *
 * A wire opens connections, sends on them, and closes them on request. It contains no policy: no limits, no retries, no
 * pool. `NodeTransport` has the wire for Node; a simulation has one that injects faults.
 *
 * @experimental
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
 * The body of a request. A stream is read as fast as the server accepts it, and no longer than the exchange lasts. It is
 * sent in chunks, unless a `content-length` header declares its length.
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
   * The body's next bytes. One reader at a time: the transport pulls only after the last pull has ended or was
   * interrupted. It does not pull after the connection was used for another request.
   */
  readonly pull: Pull.Pull<Chunks, ConnectionLost>
  /** Discards the rest of the body. The connection may not be usable afterwards. */
  readonly abort: Effect.Effect<void>
}

/** In bytes, with headers. */
export interface Transferred {
  readonly sent: number
  readonly received: number
}

/** One connection of a wire. It carries one exchange at a time. */
export interface Connection {
  /** Waits until requests can be sent. */
  readonly ready: Effect.Effect<void, ConnectFailed | ProxyFailed>
  /** Waits until the operating system has closed it, whichever side began that. */
  readonly closed: Effect.Effect<void>
  /**
   * Whether another request may be sent. False as soon as either side has begun to close. False also while bytes of the
   * last request are unsent: a server may answer before it has read them.
   */
  readonly isUsable: () => boolean
  /**
   * Sends a request and waits for the response's head. Interruption aborts the exchange. Fails with `ConnectionLost` at
   * phase `"request"` only if the connection was lost before the first byte was written.
   */
  readonly send: (request: Request) => Effect.Effect<
    Exchange,
    InvalidRequest | ConnectionLost | RequestBodyFailed | HeadersTooLarge
  >
  /** How many bytes it has sent and received so far, for metrics. Undefined: the wire does not know. */
  readonly transferred?: (() => Transferred) | undefined
  /** Begins to close at once: an exchange in flight fails with `ConnectionLost`. `closed` waits for the end. */
  readonly close: Effect.Effect<void>
}

export interface Wire {
  /** Begins a connection and returns it before it is established. */
  readonly connect: (origin: URL) => Effect.Effect<Connection>
}
