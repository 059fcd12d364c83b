import type { Credential, CredentialUnavailable } from "@clawback/core/Credential"
import * as OptionCheck from "@clawback/core/OptionCheck"
import type { SessionError } from "@clawback/core/SessionError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import type { Auth } from "../../Auth.ts"
import type { ChatProtocol, EmbeddingProtocol } from "../../Protocol.ts"
import { checkHeaders, ofTransport } from "../http/checkHeaders.ts"

/** The most that one request of embeddings may hold. */
export interface EmbeddingLimits {
  readonly inputs: number
  /** Counted as bytes of UTF-8. A token has at least one. */
  readonly tokens: number
}

/** What is known of a provider, as data. Each protocol that it speaks is one of its capabilities. */
export interface Row {
  /** The name in errors, sessions, spans and metrics: `"openai"`. */
  readonly name: string
  /**
   * Precedes the paths of the protocols. An absolute http or https URL. Undefined where each user has a server of their own:
   * then the option `baseUrl` or the configuration must have it. Otherwise the layer fails to build with a `ConfigError`.
   */
  readonly baseUrl?: string | undefined
  readonly chat?: ChatProtocol | undefined
  readonly embeddings?: EmbeddingProtocol | undefined
  /** How requests bear the credential. Default: `Auth.bearer`. */
  readonly auth?: Auth | undefined
  /** Default: the configuration's, under the name `config.apiKey`. */
  readonly credential?: Credential<CredentialUnavailable | SessionError> | undefined
  /** The names in an application's configuration. Default: `OPENAI_API_KEY` and `OPENAI_BASE_URL` for `"openai"`. */
  readonly config?: { readonly apiKey?: string | undefined; readonly baseUrl?: string | undefined } | undefined
  /**
   * Sent with each request, in place of the protocol's headers of the same names. The credential's header replaces both.
   * Values of 16 characters or more are redacted in errors.
   */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /**
   * Effect's `EmbeddingModel` splits what exceeds the limits into several requests, one after the other. Too high, and the
   * provider rejects large requests; too low, and there are more requests than necessary. Default: no limit.
   */
  readonly limits?: { readonly embeddings?: EmbeddingLimits | undefined } | undefined
  /** Makes the schemas of tools and answers acceptable to the provider. Default: Effect's own transformer. */
  readonly transformer?: LanguageModel.CodecTransformer | undefined
  /** Where each fact of this row was found: a URL, or a page of the provider's documentation. */
  readonly sources: Readonly<Record<string, string>>
}

export interface ChatRow extends Row {
  readonly chat: ChatProtocol
}

export interface EmbeddingRow extends Row {
  readonly embeddings: EmbeddingProtocol
}

const rowFields: Readonly<Record<keyof Row, true>> = {
  name: true,
  baseUrl: true,
  chat: true,
  embeddings: true,
  auth: true,
  credential: true,
  config: true,
  headers: true,
  limits: true,
  transformer: true,
  sources: true
}

/** Returns the row. Throws a `RangeError` that names an unknown field, a blank name, no protocol or a header of the transport. Rows may come from JSON. */
export const check = <R extends Row>(row: R): R => {
  const { chat, config, embeddings, headers, limits, name }: Row = OptionCheck.fields<Row>("row", row, rowFields)
  if (typeof name !== "string" || name.trim() === "") throw OptionCheck.wrong("name", name, "the name of a provider")
  if (chat === undefined && embeddings === undefined) {
    throw new RangeError(`The row of ${name} must have a protocol: \`chat\`, \`embeddings\` or both`)
  }
  if (config !== undefined) OptionCheck.fields("config", config, { apiKey: true, baseUrl: true })
  if (headers !== undefined) checkHeaders(headers, ofTransport)
  if (limits !== undefined) OptionCheck.fields("limits", limits, { embeddings: true })
  return row
}

const words = (name: string): string => name.toUpperCase().replace(/[^A-Z0-9]+/g, "_")

/** The name of the API key in an application's configuration. */
export const apiKeyName = ({ config, name }: Row): string => config?.apiKey ?? `${words(name)}_API_KEY`

/** The name of the base URL in an application's configuration. */
export const baseUrlName = ({ config, name }: Row): string => config?.baseUrl ?? `${words(name)}_BASE_URL`
