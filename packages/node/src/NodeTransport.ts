/**
 * The `Transport` for Node: HTTP/1.1 by undici, over sockets that the session registry sees.
 *
 * Each connection is one undici `Client` on one socket of ours, so that undici's parser does the protocol while waiting,
 * limits and life cycle stay with the transport. Proxy variables of the environment are not read, redirects are not
 * followed, and bodies are not decompressed.
 */
import * as Transport from "@clawback/core/Transport"
import * as TransportError from "@clawback/core/TransportError"
import type * as Wire from "@clawback/core/Wire"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Net from "node:net"
import type * as Tls from "node:tls"
import { buildConnector } from "undici"
import * as UndiciConnection from "./internal/undiciConnection.ts"

export interface Options extends Transport.Options {
  /**
   * How long a connection is kept while nobody uses it. Default: 30 seconds. A server that announces less in its
   * `Keep-Alive` header is obeyed, less a second for the way. Too low, and each call pays for a new connection; too
   * high, and calls are sent on connections that the server is about to close.
   */
  readonly idleTimeToLive?: Duration.Input | undefined
  /** Certificates, keys and checks of TLS connections. Default: Node's own. */
  readonly tls?:
    | Pick<Tls.ConnectionOptions, "ca" | "cert" | "key" | "passphrase" | "servername" | "rejectUnauthorized">
    | undefined
}

const reasons: Readonly<Record<string, TransportError.ConnectFailed["reason"]>> = {
  ECONNREFUSED: "refused",
  ENOTFOUND: "unresolved",
  EAI_AGAIN: "unresolved",
  ENETUNREACH: "unreachable",
  EHOSTUNREACH: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  ECONNRESET: "reset",
  EPIPE: "reset"
}

const codeOf = (error: Error): string => {
  // Trying several addresses of one host fails with all their errors; they rarely differ in kind.
  const first = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error
  return "code" in first && typeof first.code === "string" ? first.code : ""
}

const connectFailed = (origin: string, error: Error) => {
  const code = codeOf(error)
  const isTls = code.startsWith("ERR_TLS") || code.startsWith("ERR_SSL") || /CERT|SIGNATURE|ISSUER/.test(code)
  return new TransportError.ConnectFailed({ origin, reason: isTls ? "tls" : reasons[code] ?? "other", cause: error })
}

/** What undici's types leave out: its connector returns the socket at once, before it is connected. */
type Connector = (
  options: buildConnector.Options,
  callback: (error: Error | null, socket: Net.Socket) => void
) => Net.Socket

/** What Node's timers, and so undici, can count to: some 24 days. */
const longestTimer = 2 ** 31 - 1

const makeWire = (options: Options): Wire.Wire => {
  // The transport limits the time to connect, by its own clock.
  const connector = buildConnector({ ...options.tls, allowH2: false, timeout: 0 }) as Connector
  const idleMillis = Duration.toMillis(Duration.fromInputUnsafe(options.idleTimeToLive ?? "30 seconds"))
  const connectionOptions: UndiciConnection.Options = {
    keepAliveTimeout: Math.min(Math.max(1, idleMillis), longestTimer),
    connect: (url, settled) =>
      connector({
        host: url.host,
        hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
        protocol: url.protocol,
        port: url.port
      }, (error, socket) => settled(error ?? socket)),
    connectFailed
  }
  return { connect: (url) => Effect.sync(() => UndiciConnection.open(url, connectionOptions)) }
}

/** Sends over this machine's network. Its connections live as long as the layer. */
export const layer = (options: Options = {}): Layer.Layer<Transport.Transport> =>
  Layer.effect(Transport.Transport, Effect.suspend(() => Transport.make(makeWire(options), options)))
