/** One model of one provider, and how requests reach it. What is the same for all calls is made once, here. */
import * as Credential from "@clawback/core/Credential"
import * as OptionCheck from "@clawback/core/OptionCheck"
import type * as Retry from "@clawback/core/Retry"
import type * as Session from "@clawback/core/Session"
import type { SessionError } from "@clawback/core/SessionError"
import * as Timeouts from "@clawback/core/Timeouts"
import * as Transport from "@clawback/core/Transport"
import type { InvalidUrl } from "@clawback/core/TransportError"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Auth from "../../Auth.ts"
import type { Method, RequestHead } from "../../Protocol.ts"
import type { CallError } from "../../ProviderError.ts"
import { lowered } from "../http/headers.ts"
import { apiKeyName, baseUrlName, type Row } from "../model/row.ts"
import * as BaseUrl from "./baseUrl.ts"
import * as Headers from "./headers.ts"
import * as CallMetrics from "./metrics.ts"

/** The options that all capabilities of a provider have in common. */
export interface Options<out E = never, out R = never> {
  /** Where the API key comes from. Default: the application's configuration, under the provider's name for it. */
  readonly credential?: Credential.Credential<E, R> | undefined
  /**
   * Precedes the protocol's path: an absolute http or https URL, without credentials or fragment. A query is kept.
   * Default: the configuration's, under the provider's name for it; if that is missing or blank, the provider's own.
   */
  readonly baseUrl?: string | undefined
  /**
   * Sent with each request, in place of the protocol's and the provider's own headers of the same names: a record, or Effect's
   * `Headers`. Errors do not show values of 16 characters or more, nor values that are `Redacted`. A header that the
   * credential, the protocol or the transport sets is rejected with a `RangeError`. Default: none.
   */
  readonly headers?: Headers.Headers | undefined
  /** How long each stage of a call may take. */
  readonly timeouts?: Timeouts.Timeouts | undefined
  /**
   * When to retry: a policy such as `Retry.jittered()`. All attempts share the limit `total`, and send the same
   * `Idempotency-Key`. No provider promises to honour it, so by default a request that was sent and not answered is not
   * sent again. Default: never.
   */
  readonly retry?: Retry.Policy<CallError> | undefined
}

/** Why a target could not be opened: its configuration, its credential or its URL is missing or wrong. */
export type OpenError = Config.ConfigError | Credential.CredentialUnavailable | SessionError | InvalidUrl

export type Operation = "chat" | "embeddings"

export interface Endpoint {
  readonly provider: string
  readonly model: string
  readonly operation: Operation
  readonly auth: Auth.Auth
  readonly source: Credential.Source
  readonly transport: Transport.Transport["Service"]
  readonly metrics: CallMetrics.CallMetrics
  /** What the session of each call says. */
  readonly session: Session.Info
  /** The limit of a call over all its attempts. */
  readonly total: Duration.Duration
  readonly timeouts: Timeouts.Timeouts
  /** Undefined: each call has one attempt. */
  readonly retry: Retry.Policy<CallError> | undefined
  readonly baseUrl: URL
  /** The row's and the application's, in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Values of headers that are secrets, however short. */
  readonly hidden: ReadonlyArray<string>
}

/** A base URL, and where it came from. */
interface Given {
  readonly text: string
  readonly source: string
}

const configuredBaseUrl = (row: Row): Config.Config<Given> => {
  const { baseUrl, name } = row
  const configured = Config.String(baseUrlName(row))
  const given = (text: string): Given => ({ text, source: baseUrlName(row) })
  if (baseUrl === undefined) return Config.map(configured, given)
  return Config.map(
    Config.withDefault(configured, ""),
    (text) => text.trim() === "" ? { text: baseUrl, source: `The base URL of the provider ${name}` } : given(text)
  )
}

/** The paths that the protocols of a provider add to the base URL. */
const pathsOf = ({ chat, embeddings }: Row, model: string): ReadonlyArray<string> =>
  [
    chat?.request(model, { stream: true, includeUsage: true }).path,
    embeddings?.request(model, embeddings.delivery).path
  ].filter((path) => path !== undefined)

/** Reaches a model for as long as the scope is open. */
export const open = Effect.fnUntraced(function*<E, R>(
  operation: Operation,
  row: Row,
  model: string,
  options: Options<E, R>
): Effect.fn.Return<Endpoint, E | OpenError, R | Transport.Transport | Scope.Scope> {
  const credential: Credential.Credential<E | Credential.CredentialUnavailable | SessionError, R> =
    options.credential ?? row.credential ?? Credential.config(apiKeyName(row))
  const { source, text } = options.baseUrl === undefined
    ? yield* configuredBaseUrl(row)
    : { text: options.baseUrl, source: "The option `baseUrl`" }
  const parsed = yield* Effect.fromResult(BaseUrl.parse(OptionCheck.text("baseUrl", text), source))
  const baseUrl = yield* Effect.fromResult(BaseUrl.outside(parsed, pathsOf(row, model), source))
  const { headers = {}, timeouts = {} } = options
  return {
    provider: row.name,
    model,
    operation,
    auth: row.auth ?? Auth.bearer,
    source: yield* credential.open,
    transport: yield* Transport.Transport,
    metrics: yield* CallMetrics.open(operation, row.name, model),
    session: { kind: "call", name: `${row.name}/${model}` },
    total: Duration.fromInputUnsafe(timeouts.total ?? Timeouts.defaults.total),
    timeouts,
    retry: options.retry,
    baseUrl,
    headers: { ...lowered(row.headers ?? {}), ...Headers.values(headers) },
    hidden: Headers.secrets(headers)
  }
})

/** Where requests of one kind go, and what they all say. */
export interface Route {
  readonly method: Method
  readonly url: string
  /** For errors and spans: without the query, which may hold a secret, and which a part of `url` would keep in memory. */
  readonly address: URL
  /** Values of the base URL's query, and of headers, that may be secrets. */
  readonly secrets: ReadonlyArray<string>
  readonly headers: Readonly<Record<string, string>>
  readonly timeouts: Timeouts.Timeouts
}

/** A shorter value in a query or a header is no secret, but a version or a name, which errors may need to say. */
const shortestSecret = 16

/** A header may hold a secret after its scheme: `Bearer …`. */
const secretsOf = ({ baseUrl, headers, hidden }: Endpoint): ReadonlyArray<string> => {
  const values = Object.values(headers)
  return [...baseUrl.searchParams.values(), ...values, ...values.flatMap((value) => value.split(" "))]
    .filter((value) => value.length >= shortestSecret)
    .concat(hidden)
}

export const route = (endpoint: Endpoint, head: RequestHead, timeouts: Timeouts.Timeouts): Route => {
  const url = BaseUrl.below(endpoint.baseUrl, head.path, head.query)
  return {
    method: head.method,
    url: url.href,
    address: new URL(url.origin + url.pathname),
    secrets: secretsOf(endpoint),
    headers: {
      "content-type": "application/json",
      ...lowered(head.headers ?? {}),
      accept: head.accept,
      ...endpoint.headers
    },
    timeouts
  }
}

/** The options of a chat model or an embedding model. */
interface AnyOptions extends Options<unknown, unknown> {
  readonly parameters?: object | undefined
}

const known: Readonly<Record<keyof AnyOptions, true>> = {
  credential: true,
  baseUrl: true,
  headers: true,
  timeouts: true,
  retry: true,
  parameters: true
}

/**
 * Returns the options. Throws a `RangeError` that names an unknown field or a wrong value. It shows neither credential nor
 * URL, which may be secret.
 */
export const checked = <O extends AnyOptions>({ auth = Auth.bearer }: Row, options: O): O => {
  const { baseUrl, credential, headers, retry, timeouts } = OptionCheck.fields<AnyOptions>("options", options, known)
  if (credential !== undefined && !Effect.isEffect(credential?.open)) {
    throw OptionCheck.wrong(
      "credential",
      Redacted.make(credential),
      "a Credential, such as `Credential.redacted(\"my key\", Redacted.make(key))` or `Credential.config(\"MY_KEY\")`"
    )
  }
  if (baseUrl !== undefined && typeof baseUrl !== "string") {
    // A `URL` may have credentials.
    throw OptionCheck.wrong("baseUrl", typeof baseUrl === "object" ? Redacted.make(baseUrl) : baseUrl, "a text")
  }
  if (retry !== undefined && !(typeof retry === "object" && retry !== null && "rules" in retry && "budget" in retry)) {
    throw OptionCheck.wrong("retry", retry, "a policy, such as `Retry.jittered({ attempts: 3 })`")
  }
  if (headers !== undefined) Headers.check(headers, auth)
  return { ...options, timeouts: Timeouts.check(timeouts ?? {}) }
}

/** Throws a `RangeError` that names a blank model. */
export const named = (model: unknown): string => {
  if (typeof model === "string" && model.trim() !== "") return model
  throw OptionCheck.wrong("model", model, "the name of a model")
}
