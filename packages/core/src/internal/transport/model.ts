/** A request and its response, below everything that uses them. */
import type * as Pull from "effect/Pull"
import type { SessionRevoked } from "../../SessionError.ts"
import type { Timeouts } from "../../Timeouts.ts"
import type { Body, Chunks, Headers } from "../../Wire.ts"
import type { BodyTooLarge, ConnectionLost } from "./errors.ts"

export interface Request {
  readonly method: "DELETE" | "GET" | "HEAD" | "OPTIONS" | "PATCH" | "POST" | "PUT" | "QUERY" | "TRACE"
  /** Absolute, `http:` or `https:`, without credentials: send those in a header. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Body | undefined
  /** `firstToken` bounds the wait for the response's head; without it only a deadline does. */
  readonly timeouts?: Pick<Timeouts, "queue" | "connect" | "firstToken"> | undefined
  /** For this response, in place of the transport's `maxBodySize`. `Infinity` lifts the limit. */
  readonly maxBodySize?: number | undefined
}

/** The errors of reading a body. */
export type BodyError = ConnectionLost | BodyTooLarge | SessionRevoked

export interface Response {
  readonly status: number
  readonly headers: Headers
  /** When the request was handed to its connection, in monotonic milliseconds. */
  readonly sentAt: number
  /**
   * Pulls the body's next bytes. Nothing is read ahead of the reader, up to a buffer: the sender has to wait. A body is
   * read once, here or by `bytes`, `text` or `stream`, and by one reader: a second one that pulls at the same time dies.
   */
  readonly body: Pull.Pull<Chunks, BodyError>
  /**
   * Registers an offer to free the connection, for holders of a response that may never be read. `offer` is called once,
   * when another call has to wait for a connection to this origin. It may read the body to its end or close the scope, and
   * returns whether the connection is sure to become free. Returns how to withdraw the offer. Undefined if the transport
   * has no connections of its own.
   */
  readonly onWanted?: ((offer: () => boolean) => () => void) | undefined
}
