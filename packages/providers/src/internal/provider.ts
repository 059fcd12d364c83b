import * as Credential from "@clawback/core/Credential"
import type * as Retry from "@clawback/core/Retry"
import type { SessionError } from "@clawback/core/SessionError"
import * as Timeouts from "@clawback/core/Timeouts"
import * as Transport from "@clawback/core/Transport"
import type { InvalidUrl } from "@clawback/core/TransportError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Parameters } from "../ChatRequest.ts"
import type { Codec } from "../Codec.ts"
import type { CallError } from "../ProviderError.ts"
import * as BaseUrl from "./baseUrl.ts"
import * as View from "./languageModel.ts"

/** What there is to know of a provider. */
export interface Provider {
  /** As it is called in errors and sessions. */
  readonly name: string
  readonly codec: Codec
  /** What its key is called in an application's configuration. */
  readonly apiKey: string
  /** What its base URL is called there, and what that is where nothing is configured. */
  readonly baseUrlName: string
  readonly baseUrl: string
  /** Makes schemas such as it takes. */
  readonly transformer: LanguageModel.CodecTransformer
}

interface Options<out E, out R> {
  readonly model: string
  readonly credential?: Credential.Credential<E, R> | undefined
  readonly baseUrl?: string | undefined
  readonly timeouts?: Timeouts.Timeouts | undefined
  readonly retry?: Retry.Policy<CallError> | undefined
  readonly parameters?: Parameters | undefined
}

/** Options are part of the program: a wrong one is a defect, found where it is set and named. */
const named = (model: string): string => {
  if (model.trim() !== "") return model
  throw new RangeError(`The option \`model\` must be the name of a model, not ${JSON.stringify(model)}`)
}

const configuredBaseUrl = ({ baseUrl, baseUrlName }: Provider): Config.Config<string> =>
  Config.map(Config.withDefault(Config.String(baseUrlName), ""), (text) => text.trim() || baseUrl)

export const layer = (provider: Provider) =>
<E = never, R = never>(
  options: Options<E, R>
): Layer.Layer<
  LanguageModel.LanguageModel,
  E | Config.ConfigError | Credential.CredentialUnavailable | SessionError | InvalidUrl,
  R | Transport.Transport
> =>
  Layer.effect(
    LanguageModel.LanguageModel,
    Effect.gen(function*() {
      const model = named(options.model)
      const credential: Credential.Credential<E | Credential.CredentialUnavailable | SessionError, R> =
        options.credential ?? Credential.config(provider.apiKey)
      const url = yield* Effect.fromResult(
        BaseUrl.below(options.baseUrl ?? (yield* configuredBaseUrl(provider)), provider.codec.path)
      )
      const endpoint = {
        provider: provider.name,
        codec: provider.codec,
        url,
        source: yield* credential.open,
        credential: credential.name,
        transport: yield* Transport.Transport,
        timeouts: Timeouts.check(options.timeouts ?? {}),
        retry: options.retry
      }
      return yield* View.make(endpoint, model, options.parameters ?? {}, provider.transformer)
    })
  )
