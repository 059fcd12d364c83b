/**
 * OpenAI, and servers that speak its chat completions, as Effect's `LanguageModel`.
 *
 * Every call is a session: it appears in the registry while it runs, and gives its connection back when it ends, however
 * it ends. To stop reading a stream is to cancel it at the provider.
 */
import * as Credential from "@clawback/core/Credential"
import type { SessionError } from "@clawback/core/SessionError"
import * as Timeouts from "@clawback/core/Timeouts"
import * as Transport from "@clawback/core/Transport"
import type { InvalidUrl } from "@clawback/core/TransportError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Parameters } from "./ChatRequest.ts"
import * as BaseUrl from "./internal/baseUrl.ts"
import * as View from "./internal/languageModel.ts"
import * as OpenAiChat from "./OpenAiChat.ts"

export interface Options<out E = never, out R = never> {
  /** As the provider names it: `"gpt-5"`. A blank one is a defect when the layer is built. */
  readonly model: string
  /** Where the API key comes from. Default: the configuration's `OPENAI_API_KEY`. */
  readonly credential?: Credential.Credential<E, R> | undefined
  /**
   * What precedes `/chat/completions`: an absolute http or https URL, without credentials or fragment. A query is kept.
   * Default: the configuration's `OPENAI_BASE_URL`, else (also where that is blank) `"https://api.openai.com/v1"`.
   */
  readonly baseUrl?: string | undefined
  /** How long each stage of a call may take. */
  readonly timeouts?: Timeouts.Timeouts | undefined
  /** How the model samples and when it stops, for every call of this layer. Default: the provider's own. */
  readonly parameters?: Parameters | undefined
}

const configuredBaseUrl = Config.map(
  Config.withDefault(Config.String("OPENAI_BASE_URL"), ""),
  (text) => text.trim() || "https://api.openai.com/v1"
)

/** Options are part of the program: a wrong one is a defect, found where it is set and named. */
const named = (model: string): string => {
  if (model.trim() !== "") return model
  throw new RangeError(`The option \`model\` must be the name of a model, not ${JSON.stringify(model)}`)
}

/**
 * A language model over a transport.
 *
 * Its calls fail with `AiError`; `ProviderError.fromAiError` gives back the precise error. It fails to build
 * with `CredentialUnavailable` where the key is missing or blank, and with `InvalidUrl` where the base URL is no URL to
 * call.
 */
export const layer = <E = never, R = never>(
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
        options.credential ??
          Credential.config("OPENAI_API_KEY")
      const url = yield* Effect.fromResult(
        BaseUrl.below(options.baseUrl ?? (yield* configuredBaseUrl), OpenAiChat.codec.path)
      )
      return yield* View.make(
        {
          provider: "openai",
          codec: OpenAiChat.codec,
          url,
          source: yield* credential.open,
          credential: credential.name,
          transport: yield* Transport.Transport,
          timeouts: Timeouts.check(options.timeouts ?? {})
        },
        model,
        options.parameters ?? {}
      )
    })
  )
