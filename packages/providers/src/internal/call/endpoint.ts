import * as Credential from "@clawback/core/Credential"
import * as OptionCheck from "@clawback/core/OptionCheck"
import type * as Retry from "@clawback/core/Retry"
import type { SessionError } from "@clawback/core/SessionError"
import type * as Timeouts from "@clawback/core/Timeouts"
import * as Transport from "@clawback/core/Transport"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ChatProtocol } from "../../Protocol.ts"
import type { CallError } from "../../ProviderError.ts"
import type * as Target from "../../Target.ts"
import * as BaseUrl from "./baseUrl.ts"
import * as CallMetrics from "./metrics.ts"

/** What every protocol has, whatever is asked by it. */
export type Protocol = Pick<ChatProtocol, "path" | "headers" | "classify">

/** What is asked of a model. */
export type Operation = "chat" | "embeddings"

/** Where and how one model of one provider is called. */
export interface Endpoint<out C extends Protocol = Protocol> {
  readonly provider: string
  readonly operation: Operation
  readonly protocol: C
  readonly url: URL
  /** Where it is, for errors and spans: without the query, which may hold a secret, and which a part of `url` would keep. */
  readonly address: URL
  readonly source: Credential.Source
  /** What the credential is called, for errors. */
  readonly credential: string
  readonly transport: Transport.Transport["Service"]
  readonly metrics: CallMetrics.CallMetrics
  readonly timeouts: Timeouts.Timeouts
  /** When to try again; undefined for never. */
  readonly retry: Retry.Policy<CallError> | undefined
}

/** What a provider's row says of where it is. */
type Place<C> = Pick<Target.Provider, "name" | "apiKey" | "baseUrlName" | "baseUrl"> & { readonly protocol: C }

const configuredBaseUrl = ({ baseUrl, baseUrlName }: Place<unknown>): Config.Config<string> =>
  Config.map(Config.withDefault(Config.String(baseUrlName), ""), (text) => text.trim() || baseUrl)

/** Reaches a model for as long as the scope is open. */
export const open = Effect.fnUntraced(function*<C extends Protocol, E, R>(
  operation: Operation,
  provider: Place<C>,
  model: string,
  options: Pick<Target.Options<E, R>, "baseUrl" | "credential" | "retry" | "timeouts">
): Effect.fn.Return<Endpoint<C>, E | Target.OpenError, R | Transport.Transport | Scope.Scope> {
  const credential: Credential.Credential<E | Credential.CredentialUnavailable | SessionError, R> =
    options.credential ?? Credential.config(provider.apiKey)
  const url = yield* Effect.fromResult(
    BaseUrl.below(options.baseUrl ?? (yield* configuredBaseUrl(provider)), provider.protocol.path)
  )
  return {
    provider: provider.name,
    operation,
    protocol: provider.protocol,
    url,
    address: new URL(url.origin + url.pathname),
    source: yield* credential.open,
    credential: credential.name,
    transport: yield* Transport.Transport,
    metrics: yield* CallMetrics.open(operation, provider.name, model),
    timeouts: options.timeouts ?? {},
    retry: options.retry
  }
})

/** Options are part of the program: a wrong one is a defect, found where it is set and named. */
export const named = (model: unknown): string => {
  if (typeof model === "string" && model.trim() !== "") return model
  throw OptionCheck.wrong("model", model, "the name of a model")
}
