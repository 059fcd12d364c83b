/** The options of connections, and their check. */
import type * as Credential from "@clawback/core/Credential"
import * as OptionCheck from "@clawback/core/OptionCheck"
import type * as Pool from "@clawback/core/Pool"
import type { SessionError } from "@clawback/core/SessionError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { hasProperty } from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import { userInfo } from "node:os"
import * as TlsOptions from "../tlsOptions.ts"
import * as ConnectionUrl from "./connectionUrl.ts"
import * as Errors from "./errors.ts"
import type { Settings } from "./model.ts"

/** How connections are opened, and how long their work may take. */
export interface Options {
  /**
   * `postgresql://user:password@host:port/database`, with the parameters `sslmode` (`disable`, `require`, `verify-full`,
   * `no-verify`), `application_name` and `host`. The other options win over its parts.
   */
  readonly url?: Redacted.Redacted<string> | undefined
  /** A host name, an IP address, or the folder of a Unix socket. Default: `localhost`. */
  readonly host?: string | undefined
  /** Default: 5432. */
  readonly port?: number | undefined
  /** Default: the name of the user. */
  readonly database?: string | undefined
  /** Default: the user that runs this process, as in `psql`. */
  readonly user?: string | undefined
  /**
   * Looked up for each connection. A `Credential` of your own can so give another password over time: `refresh` the pool
   * then. Default: none, for servers that trust the client or its certificate.
   */
  readonly password?:
    | Redacted.Redacted<string>
    | Credential.Credential<Credential.CredentialUnavailable | SessionError>
    | undefined
  /**
   * Whether connections are encrypted, with the server's certificate verified, or the certificates, keys and checks of that.
   * Default: false.
   */
  readonly tls?: TlsOptions.Tls | undefined
  /** The name of this program in `pg_stat_activity`. Default: `clawback`. */
  readonly applicationName?: string | undefined
  /** Parameters of each session, such as `{ search_path: "app" }`. Not for connections through most poolers, which reject them. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
  /**
   * How long it may take to open a connection. Default: 10 seconds. Too short, and a server that is busy or far away is
   * never reached; too long, and callers wait for one that is gone.
   */
  readonly connectTimeout?: Duration.Input | undefined
  /**
   * How long a statement may take, and each batch of a stream. Default: 30 seconds. Too short, and long reports are
   * cancelled; too long, and a bad query keeps its connection. The server gets the same limit, a little later: it applies
   * if this process dies. `"Infinity"`: no limit.
   */
  readonly statementTimeout?: Duration.Input | undefined
  /**
   * How long a transaction may take. After that it is rolled back. Default: 1 minute. Too short, and long work is lost; too
   * long, and its locks hold up others. The server ends a transaction that is idle for a little longer. `"Infinity"`: no
   * limit.
   */
  readonly transactionTimeout?: Duration.Input | undefined
  /**
   * How long the server gets to end a statement that was interrupted, and again to roll back. After that, the connection is
   * closed. Default: 2 seconds. Too short, and connections are closed for nothing; too long, and an interruption takes long
   * while the server is away.
   */
  readonly cancelTimeout?: Duration.Input | undefined
  /**
   * How often the server looks, while it runs a statement, whether this process is still there. Default: 500 milliseconds.
   * Too rarely, and a statement whose connection was lost runs on and keeps its locks. `"Infinity"`: never, for servers
   * before PostgreSQL 14, or on Windows.
   */
  readonly clientCheckInterval?: Duration.Input | undefined
  /** How long the server gets to close a connection. Default: 5 seconds. Too long, and a shutdown can take as long. */
  readonly closeTimeout?: Duration.Input | undefined
}

/** How connections are kept and lent. */
export interface PoolOptions extends
  Pick<
    Pool.Options<never, never, never>,
    | "min"
    | "validateBypass"
    | "idleTimeToLive"
    | "maxLifetime"
    | "maxUses"
    | "keepAlive"
    | "acquireTimeout"
    | "maxWaiters"
    | "leakThreshold"
    | "drainTimeout"
  >
{
  /**
   * How long connecting pauses after a failure: from `base`, doubled with each failure in a row, up to `max`. Default: 10
   * milliseconds and 1 second. While connecting fails, one connect at a time is tried. Too low, and a server that restarts is
   * flooded; too high, and the pool recovers late.
   */
  readonly backoff?: Pool.Options<never, never, never>["backoff"]
  /** The name in sessions, metrics, errors and logs. Default: `"postgres"`. */
  readonly name?: string | undefined
  /**
   * How many connections there may be, those that are being opened and closed included. Default: 10. Too low, and callers
   * wait; too high, and the server rejects connections: the pools of all processes together must stay below its
   * `max_connections`.
   */
  readonly max?: number | undefined
  /**
   * A statement that resets the session whenever a connection is returned, such as `DISCARD ALL`. Default: none. Without it,
   * the next borrower sees temporary tables, `SET` values, advisory locks and `LISTEN`s of the one before. With it, each
   * return costs a round trip, which no caller waits for.
   */
  readonly reset?: string | undefined
}

const named = (name: string, value: string): string => {
  // PostgreSQL ends its texts with a zero.
  if (OptionCheck.text(name, value) !== "" && !value.includes("\0")) return value
  throw OptionCheck.wrong(name, value, "a text that is neither empty nor has a zero character in it")
}

const ownName = (): string => {
  try {
    return userInfo().username
  } catch {
    throw new RangeError("The option `user` must be given: the user that runs this process has no name")
  }
}

const checkParameters = (parameters: Readonly<Record<string, string>>) => {
  for (const [name, value] of Object.entries(parameters)) {
    if (!/^[A-Za-z_][\w.]*$/.test(name)) {
      throw OptionCheck.wrong("parameters", name, "an object whose keys are names of PostgreSQL's parameters")
    }
    OptionCheck.text(`parameters.${name}`, value)
  }
  return parameters
}

/** The whole milliseconds that the server gets, or nothing for no limit. It takes up to some 24 days. */
const serverLimit = (name: string, ...limits: ReadonlyArray<Duration.Duration>) => {
  const millis = Math.ceil(limits.reduce((sum, limit) => sum + Duration.toMillis(limit), 0))
  return millis > 2 ** 31 - 1 ? {} : { [name]: `${millis}` }
}

const passwordOf = (
  password: Options["password"]
): Effect.Effect<Settings["password"], SqlError, Scope.Scope> => {
  if (password === undefined) return Effect.succeed(Effect.succeed(undefined))
  if (Redacted.isRedacted(password)) return Effect.succeed(Effect.sync(() => Redacted.value(password)))
  return Effect.mapBoth(password.open, {
    onFailure: Errors.ofCredential,
    onSuccess: (source) =>
      source.identity.pipe(
        Effect.flatMap((identity) => identity.lease),
        Effect.map(Redacted.value),
        Effect.scoped,
        Effect.mapError(Errors.ofCredential)
      )
  })
}

/** Throws a `RangeError` for a wrong option. */
const check = (options: Options): Omit<Settings, "password"> & Pick<Options, "password"> => {
  const url = options.url === undefined ? {} : ConnectionUrl.parse(options.url)
  const given = { ...url, ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) }
  const { applicationName = "clawback", host = "localhost", password, port = 5432, tls = false }: Options = given
  const user = named("user", given.user ?? ownName())
  const limit = (name: "statementTimeout" | "transactionTimeout", fallback: Duration.Input) =>
    OptionCheck.interval(name, options[name] ?? fallback)
  const statementTimeout = limit("statementTimeout", "30 seconds")
  const transactionTimeout = limit("transactionTimeout", "1 minute")
  const cancelTimeout = OptionCheck.finite("cancelTimeout", options.cancelTimeout ?? "2 seconds")
  if (password !== undefined && !Redacted.isRedacted(password) && !hasProperty(password, "open")) {
    throw OptionCheck.wrong("password", Redacted.make(password), "made by `Redacted.make`, or a `Credential`")
  }
  return {
    address: { host: named("host", host), port: OptionCheck.count("port", port, 1, 65535), tls: TlsOptions.check(tls) },
    user,
    database: named("database", given.database ?? user),
    password,
    applicationName: named("applicationName", applicationName),
    parameters: {
      ...serverLimit("statement_timeout", statementTimeout, cancelTimeout),
      ...serverLimit("idle_in_transaction_session_timeout", transactionTimeout, cancelTimeout),
      ...serverLimit(
        "client_connection_check_interval",
        OptionCheck.interval("clientCheckInterval", options.clientCheckInterval ?? "500 millis")
      ),
      ...checkParameters(options.parameters ?? {})
    },
    connectTimeout: OptionCheck.interval("connectTimeout", options.connectTimeout ?? "10 seconds"),
    statementTimeout,
    transactionTimeout,
    cancelTimeout,
    closeTimeout: OptionCheck.finite("closeTimeout", options.closeTimeout ?? "5 seconds")
  }
}

/** Opens the credential for as long as the scope is open. */
export const settings = (options: Options): Effect.Effect<Settings, SqlError, Scope.Scope> =>
  Effect.suspend(() => {
    const { password, ...checked } = check(options)
    return Effect.map(passwordOf(password), (password) => ({ ...checked, password }))
  })
