/**
 * Chooses the HTTP proxy of a request.
 *
 * Requests go through a tunnel (`CONNECT`, RFC 9110, section 9.3.6), also for `http:` URLs. For `https:`, the proxy sees
 * only the host. The environment is read only by `config`: `NodeTransport.layerConfig({ proxy: NodeProxy.config })`.
 *
 * @stable
 */

import * as Config from "effect/Config"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Tls from "node:tls"

/** One proxy. */
export interface Proxy {
  /** `http:` or `https:` with host and port, optionally with user and password. Path, query and fragment are ignored. */
  readonly url: Redacted.Redacted<string> | string
  /** Sent to the proxy only. Default: the credentials in `url`, if any. */
  readonly credentials?: { readonly username: string; readonly password: Redacted.Redacted<string> } | undefined
  /** For the connection to an `https:` proxy. Default: Node's own settings. */
  readonly tls?: Pick<Tls.ConnectionOptions, "ca" | "cert" | "key" | "passphrase" | "rejectUnauthorized"> | undefined
}

/** The proxy for each protocol. Without one, requests connect directly. */
export interface Proxies {
  /** For `http:` URLs. */
  readonly http?: Proxy | undefined
  /** For `https:` URLs. */
  readonly https?: Proxy | undefined
  /**
   * Hosts without a proxy, as in `NO_PROXY`: `example.com` and `.example.com` match that host and its subdomains, `:port`
   * limits it to that port, `*` matches every host. Addresses must be equal; ranges are not supported.
   */
  readonly except?: ReadonlyArray<string> | undefined
}

const matches = (pattern: string, url: URL): boolean => {
  if (pattern === "*") return true
  const [, host = "", port] = /^(.*?)(?::(\d+))?$/.exec(pattern.toLowerCase().replace(/^\*?\./, "")) ?? []
  if (port !== undefined && port !== (url.port || (url.protocol === "https:" ? "443" : "80"))) return false
  return host !== "" && (url.hostname === host || url.hostname.endsWith(`.${host}`))
}

/** The proxy for requests to a URL, if any. */
export const forUrl = (proxies: Proxies, url: URL): Proxy | undefined => {
  const proxy = url.protocol === "https:" ? proxies.https : proxies.http
  return proxies.except?.some((pattern) => matches(pattern, url)) === true ? undefined : proxy
}

/** The address of a proxy, and its authorization header. */
export interface Address {
  readonly url: URL
  readonly authorization: Redacted.Redacted<string> | undefined
}

/** Undefined if a `%` is not followed by two hexadecimal digits. */
const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The parsed URL of a proxy; undefined if it is invalid. */
export const address = (proxy: Proxy): Address | undefined => {
  const url = URL.parse(Redacted.isRedacted(proxy.url) ? Redacted.value(proxy.url) : proxy.url)
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") return undefined
  const username = proxy.credentials?.username ?? decoded(url.username)
  const password = proxy.credentials === undefined
    ? decoded(url.password)
    : Redacted.value(proxy.credentials.password)
  if (username === undefined || password === undefined) return undefined
  return {
    url: new URL(url.origin),
    authorization: username === "" && password === ""
      ? undefined
      : Redacted.make(`Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`)
  }
}

const ProxyUrl = Schema.Redacted(
  Schema.String.check(
    Schema.makeFilter((url) => address({ url }) !== undefined || "the URL of a proxy, such as http://proxy.test:3128")
  )
)

const first = <A>(...configs: ReadonlyArray<Config.Config<Option.Option<A>>>) =>
  Config.map(Config.all(configs), (found) => Option.getOrUndefined(Option.firstSomeOf(found)))

const variable = (name: string) => Config.option(Config.schema(ProxyUrl, name))

/**
 * Reads the proxies from the environment: `https_proxy` or `HTTPS_PROXY`, `http_proxy`, `no_proxy` or `NO_PROXY`, as curl
 * does. `HTTP_PROXY` is not read, since a `Proxy` header sets it in a CGI program.
 */
export const config: Config.Config<Proxies> = Config.map(
  Config.all({
    http: first(variable("http_proxy")),
    https: first(variable("https_proxy"), variable("HTTPS_PROXY")),
    except: first(Config.option(Config.String("no_proxy")), Config.option(Config.String("NO_PROXY")))
  }),
  ({ except, http, https }): Proxies => ({
    http: http && { url: http },
    https: https && { url: https },
    except: except?.split(/[\s,]+/).filter((pattern) => pattern !== "")
  })
)
