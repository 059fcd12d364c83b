/** What connections to Redis are made of. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redis from "effect/persistence/Redis"
import type * as Tls from "node:tls"

/** Where a server is, and how to speak to it. */
export interface Address {
  /** A host name, an IP address, or the path of a Unix socket. */
  readonly host: string
  readonly port: number
  /** Without it, the connection is not encrypted. */
  readonly tls: Tls.ConnectionOptions | undefined
}

/** Checked options. */
export interface Settings {
  readonly address: Address
  readonly user: string | undefined
  /** Looked up for each connection. */
  readonly password: Effect.Effect<string | undefined, Redis.RedisError>
  readonly database: number
  readonly name: string
  readonly commandTimeout: Duration.Duration
  readonly connectTimeout: Duration.Duration
  readonly keepAlive: Duration.Duration
  /** Milliseconds. */
  readonly backoff: { readonly base: number; readonly max: number }
  readonly maxInFlight: number
  readonly maxWaiting: number
  readonly maxBuffered: number
}

/** How a server is named in messages. */
export const nameOf = ({ host, port }: Address): string =>
  host.startsWith("/") ? host : `${host.includes(":") ? `[${host}]` : host}:${port}`

/** A command and its arguments. */
export type Arguments = ReadonlyArray<string | Uint8Array>

/** Whether bytes in an answer stay bytes. Otherwise, they are read as UTF-8. */
export type Form = "text" | "bytes"
