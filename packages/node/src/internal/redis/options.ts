/** The options of a client, and their check. */
import type * as Credential from "@clawback/core/Credential"
import * as OptionCheck from "@clawback/core/OptionCheck"
import type { SessionError } from "@clawback/core/SessionError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { RedisError } from "effect/persistence/Redis"
import { hasProperty } from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as TlsOptions from "../tlsOptions.ts"
import * as Errors from "./errors.ts"
import type { Settings } from "./model.ts"

/** How the client connects, and how long its commands may take. */
export interface Options {
  /** `redis://user:password@host:port/database`, or `rediss://` for TLS. The other options win over its parts. */
  readonly url?: Redacted.Redacted<string> | undefined
  /** A host name, an IP address, or the path of a Unix socket. Default: `localhost`. */
  readonly host?: string | undefined
  /** Default: 6379. */
  readonly port?: number | undefined
  /** Default: Redis' own user `default`. */
  readonly user?: string | undefined
  /** Looked up for each connection. Default: none. */
  readonly password?:
    | Redacted.Redacted<string>
    | Credential.Credential<Credential.CredentialUnavailable | SessionError>
    | undefined
  /** The number of the database. Default: 0. */
  readonly database?: number | undefined
  /**
   * Whether connections are encrypted, with the server's certificate verified, or the certificates, keys and checks of that.
   * Default: false.
   */
  readonly tls?: TlsOptions.Tls | undefined
  /** The name in sessions, metrics, errors and logs, and in Redis' `CLIENT LIST`. Default: `"redis"`. */
  readonly name?: string | undefined
  /**
   * How long a command may take, with its wait for a connection. Default: 2 seconds. Too short, and commands fail while Redis
   * is busy; too long, and callers wait for a server that is gone. An answer that is late closes the connection.
   */
  readonly commandTimeout?: Duration.Input | undefined
  /** How long opening a connection may take. Default: 5 seconds. Too short, and a distant server is never reached. */
  readonly connectTimeout?: Duration.Input | undefined
  /**
   * How often an open connection is pinged, so that one whose network is gone is noticed. Default: 10 seconds. Too short, and
   * pings load the server; too long, and subscriptions are silent for long. `"Infinity"`: never.
   */
  readonly keepAlive?: Duration.Input | undefined
  /**
   * How long connecting pauses after a failure: a random part of a limit, which grows from `base`, doubled with each failure in a
   * row, up to `max`. Default: 50 milliseconds and 2 seconds. Too low, and a server that restarts is flooded; too high, and the
   * client is back late.
   */
  readonly backoff?:
    | { readonly base?: Duration.Input | undefined; readonly max?: Duration.Input | undefined }
    | undefined
  /**
   * How many commands may be under way on the shared connection. Default: 1,000. Too low, and commands wait for answers; too
   * high, and many have an unknown outcome when the connection is lost.
   */
  readonly maxInFlight?: number | undefined
  /**
   * How many commands may wait for their turn, or for a connection. Default: 10,000. Too low, and a burst is rejected; too high,
   * and they take memory while Redis is away.
   */
  readonly maxWaiting?: number | undefined
  /**
   * How many messages of a subscription may wait to be read. Default: 10,000. With more, the subscription fails. Too low, and a
   * burst ends it; too high, and a slow reader takes memory.
   */
  readonly maxBuffered?: number | undefined
}

/** What a URL says. Throws a `RangeError` that quotes nothing of it. */
const parts = (url: Redacted.Redacted<string>): Options => {
  const wrong = () => OptionCheck.wrong("url", url, "a `Redacted` URL such as \"redis://user:password@host:6379/0\"")
  if (!Redacted.isRedacted(url)) throw OptionCheck.wrong("url", Redacted.make(url), "made by `Redacted.make`")
  const parsed = URL.parse(Redacted.value(url))
  if (parsed === null || !/^rediss?:$/.test(parsed.protocol) || !/^(\/\d*)?$/.test(parsed.pathname)) throw wrong()
  const { hostname, password, pathname, port, protocol, username } = parsed
  try {
    return {
      tls: protocol === "rediss:",
      ...hostname === "" ? {} : { host: hostname.replace(/^\[(.*)\]$/, "$1") },
      ...port === "" ? {} : { port: Number(port) },
      ...username === "" ? {} : { user: decodeURIComponent(username) },
      ...password === "" ? {} : { password: Redacted.make(decodeURIComponent(password), { label: "password" }) },
      ...pathname.length < 2 ? {} : { database: Number(pathname.slice(1)) }
    }
  } catch {
    // A percent sign that encodes nothing.
    throw wrong()
  }
}

const passwordOf = (
  password: Options["password"]
): Effect.Effect<Settings["password"], RedisError, Scope.Scope> => {
  if (password === undefined) return Effect.succeed(Effect.succeed(undefined))
  if (Redacted.isRedacted(password)) return Effect.succeed(Effect.sync(() => Redacted.value(password)))
  return Effect.mapBoth(password.open, {
    onFailure: Errors.failure,
    onSuccess: (source) =>
      source.identity.pipe(
        Effect.flatMap((identity) => identity.lease),
        Effect.map(Redacted.value),
        Effect.scoped,
        Effect.mapError(Errors.failure)
      )
  })
}

const nameOf = (name: string): string => {
  if (/^[!-~]+$/.test(OptionCheck.text("name", name))) return name
  throw OptionCheck.wrong("name", name, "a text without spaces, of ASCII characters")
}

const limit = (name: string, value: Duration.Input): Duration.Duration => {
  OptionCheck.finite(name, value)
  return OptionCheck.interval(name, value)
}

/** Throws a `RangeError` for a wrong option. */
const check = (options: Options): Omit<Settings, "password"> & Pick<Options, "password"> => {
  const url = options.url === undefined ? {} : parts(options.url)
  const given = { ...url, ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) }
  const { database = 0, host = "localhost", password, port = 6379, tls = false, user }: Options = given
  if (password !== undefined && !Redacted.isRedacted(password) && !hasProperty(password, "open")) {
    throw OptionCheck.wrong("password", Redacted.make(password), "made by `Redacted.make`, or a `Credential`")
  }
  if (OptionCheck.text("host", host) === "") throw OptionCheck.wrong("host", host, "a text that is not empty")
  const { base, max } = OptionCheck.fields("backoff", options.backoff ?? {}, { base: true, max: true })
  return {
    address: { host, port: OptionCheck.count("port", port, 1, 65535), tls: TlsOptions.check(tls) },
    user: user === undefined ? undefined : OptionCheck.text("user", user),
    password,
    database: OptionCheck.count("database", database, 0),
    name: nameOf(options.name ?? "redis"),
    commandTimeout: limit("commandTimeout", options.commandTimeout ?? "2 seconds"),
    connectTimeout: limit("connectTimeout", options.connectTimeout ?? "5 seconds"),
    keepAlive: OptionCheck.interval("keepAlive", options.keepAlive ?? "10 seconds"),
    backoff: {
      base: Duration.toMillis(limit("backoff.base", base ?? "50 millis")),
      max: Duration.toMillis(limit("backoff.max", max ?? "2 seconds"))
    },
    maxInFlight: OptionCheck.count("maxInFlight", options.maxInFlight ?? 1000, 1),
    maxWaiting: OptionCheck.count("maxWaiting", options.maxWaiting ?? 10_000, 0),
    maxBuffered: OptionCheck.count("maxBuffered", options.maxBuffered ?? 10_000, 1)
  }
}

/** Opens the credential for as long as the scope is open. */
export const settings = (options: Options): Effect.Effect<Settings, RedisError, Scope.Scope> =>
  Effect.suspend(() => {
    const { password, ...checked } = check(options)
    return Effect.map(passwordOf(password), (password) => ({ ...checked, password }))
  })
