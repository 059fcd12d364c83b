/** What a PostgreSQL connection is made of. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type * as Tls from "node:tls"

/** Where a server is, and how to speak to it. */
export interface Address {
  /** A host name, an IP address, or the folder of a Unix socket. */
  readonly host: string
  readonly port: number
  /** Without it, the connection is not encrypted. */
  readonly tls: Tls.ConnectionOptions | undefined
}

/** Checked options of connections. */
export interface Settings {
  readonly address: Address
  readonly user: string
  readonly database: string
  /** Looked up for each connection. */
  readonly password: Effect.Effect<string | undefined, SqlError>
  readonly applicationName: string
  /** Parameters of the server's session, as in `postgresql.conf`. */
  readonly parameters: Readonly<Record<string, string>>
  readonly connectTimeout: Duration.Duration
  readonly statementTimeout: Duration.Duration
  readonly transactionTimeout: Duration.Duration
  readonly cancelTimeout: Duration.Duration
  readonly closeTimeout: Duration.Duration
}

/** How a server is named in messages. */
export const nameOf = ({ host, port }: Address): string =>
  host.startsWith("/") ? `${host}/.s.PGSQL.${port}` : `${host.includes(":") ? `[${host}]` : host}:${port}`
