/**
 * The `Transport` for Node.js: HTTP/1.1 by undici, over sockets that the session registry lists.
 *
 * Each connection is one undici `Client` on one socket that we open. undici parses the protocol; the transport manages
 * queueing, limits and connection lifetime. Proxy variables of the environment are read only with `NodeProxy.config`.
 * Redirects are not followed, and bodies are not decompressed.
 *
 * @stable
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Transport from "@clawback/core/Transport"
import * as TransportError from "@clawback/core/TransportError"
import type * as Wire from "@clawback/core/Wire"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Net from "node:net"
import * as Tls from "node:tls"
import { buildConnector } from "undici"
import * as Tunnel from "./internal/tunnel.ts"
import * as UndiciConnection from "./internal/undiciConnection.ts"
import * as NodeProxy from "./NodeProxy.ts"

export interface Options extends Transport.Options {
  /**
   * The limit on the bytes of a response's headers. The same limit applies to informational (1xx) responses before it.
   * Default: 16 KiB, as in Node. Too low, and responses with many cookies or rate-limit headers cannot be read
   * (`HeadersTooLarge`); too high, and a server can make each connection hold that much memory.
   */
  readonly maxHeaderSize?: number | undefined
  /**
   * Certificates, keys and checks of TLS connections to servers. Default: Node's own settings. If Node cannot read them, the
   * layer fails to build with a defect.
   */
  readonly tls?:
    | Pick<
      Tls.ConnectionOptions,
      | "ca"
      | "cert"
      | "key"
      | "passphrase"
      | "servername"
      | "rejectUnauthorized"
      | "minVersion"
      | "maxVersion"
      | "ciphers"
    >
    | undefined
  /** The proxies of requests. Default: none. */
  readonly proxy?: NodeProxy.Proxies | undefined
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
  // Several addresses of one host fail together, and their errors rarely differ in kind.
  const first = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error
  return "code" in first && typeof first.code === "string" ? first.code : ""
}

const connectFailed = (origin: string, error: Error) => {
  const code = codeOf(error)
  const isTls = code.startsWith("ERR_TLS") || code.startsWith("ERR_SSL") || /CERT|SIGNATURE|ISSUER/.test(code)
  return new TransportError.ConnectFailed({ origin, reason: isTls ? "tls" : reasons[code] ?? "other", cause: error })
}

/** undici's types leave out that its connector returns the socket at once, before it is connected. */
type Connector = (
  options: buildConnector.Options,
  callback: (error: Error | null, socket: Net.Socket) => void
) => Net.Socket

const makeConnector = (tls: buildConnector.BuildOptions | undefined) =>
  // The transport limits the time to connect by its own clock.
  buildConnector({ ...tls, allowH2: false, timeout: 0 }) as Connector

const endpoint = (url: URL): buildConnector.Options => ({
  host: url.host,
  hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
  protocol: url.protocol,
  port: url.port
})

type Connect = UndiciConnection.Options["connect"]

const makeDirect = (connector: Connector): Connect => (url, settled) =>
  connector(
    endpoint(url),
    (error, socket) => settled(error === null ? socket : connectFailed(url.origin, error))
  )

/** Node reads certificates when it connects. This check finds an invalid one at once, and does not quote it. */
const checkTls = (name: string, tls: Options["tls"]): Options["tls"] => {
  try {
    if (tls !== undefined) Tls.createSecureContext(tls)
  } catch (cause) {
    const wanted = `what Node takes for TLS (${cause instanceof Error ? cause.message : cause})`
    throw OptionCheck.wrong(name, Redacted.make(tls), wanted)
  }
  return tls
}

const makeProxied = (connector: Connector, name: string, proxy: NodeProxy.Proxy): Connect => {
  const address = NodeProxy.address(proxy)
  if (address === undefined) {
    throw OptionCheck.wrong(
      `${name}.url`,
      Redacted.make(proxy.url),
      "a URL such as \"http://proxy.example.com:3128\""
    )
  }
  const toProxy = makeConnector(checkTls(`${name}.tls`, proxy.tls))
  return (url, settled) =>
    toProxy(endpoint(address.url), (error, socket) => {
      const { origin } = url
      if (error !== null) {
        const { cause, reason } = connectFailed(origin, error)
        return settled(
          new TransportError.ProxyFailed({
            origin,
            proxy: address.url.host,
            reason: reason === "tls" ? "tls" : "unreachable",
            status: undefined,
            cause
          })
        )
      }
      Tunnel.open(address, url, socket, (outcome) => {
        if (outcome instanceof Error || url.protocol === "http:") return settled(outcome)
        connector(
          { ...endpoint(url), httpSocket: outcome },
          (error, socket) => settled(error === null ? socket : connectFailed(origin, error))
        )
      })
    })
}

const fields: Readonly<Record<keyof Options, true>> = {
  connections: true,
  maxWaiting: true,
  idleTimeToLive: true,
  maxLifetime: true,
  maxBodySize: true,
  closeTimeout: true,
  maxHeaderSize: true,
  tls: true,
  proxy: true
}

const makeWire = (options: Options): Wire.Wire => {
  const { proxy: proxies = {} } = OptionCheck.fields("options", options, fields)
  const maxHeaderSize = OptionCheck.count("maxHeaderSize", options.maxHeaderSize ?? 16 * 1024, 1)
  const connector = makeConnector(checkTls("tls", options.tls))
  const direct = makeDirect(connector)
  const proxied = new Map<NodeProxy.Proxy, Connect>()
  for (const protocol of ["http", "https"] as const) {
    const proxy = proxies[protocol]
    if (proxy !== undefined) proxied.set(proxy, makeProxied(connector, `proxy.${protocol}`, proxy))
  }
  const connectionOptions: UndiciConnection.Options = {
    maxHeaderSize,
    connect: (url, settled) => {
      const proxy = NodeProxy.forUrl(proxies, url)
      const connect = proxy === undefined ? direct : proxied.get(proxy) ?? direct
      return connect(url, settled)
    }
  }
  return { connect: (url) => Effect.sync(() => UndiciConnection.open(url, connectionOptions)) }
}

/** A transport over this machine's network. Its connections close with the layer. */
export const layer = (options: Options = {}): Layer.Layer<Transport.Transport> =>
  Layer.effect(Transport.Transport, Effect.suspend(() => Transport.make(makeWire(options), options)))

/** The same, with options from configuration, such as `{ proxy: NodeProxy.config }`. */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<Transport.Transport, Config.ConfigError> =>
  Layer.effect(
    Transport.Transport,
    Effect.flatMap(Config.unwrap(options), (options) => Transport.make(makeWire(options), options))
  )
