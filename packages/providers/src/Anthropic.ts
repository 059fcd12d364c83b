/**
 * Anthropic, and servers that speak its Messages, as Effect's `LanguageModel`.
 *
 * Every call is a session: it appears in the registry while it runs, and gives its connection back when it ends, however
 * it ends. To stop reading a stream is to cancel it at the provider.
 *
 * Thinking comes back to the provider as it came from it, with its signature, where a conversation goes on from the parts
 * of an answer (`Prompt.fromResponseParts`).
 */
import type * as Credential from "@clawback/core/Credential"
import type * as Retry from "@clawback/core/Retry"
import type { SessionError } from "@clawback/core/SessionError"
import type * as Timeouts from "@clawback/core/Timeouts"
import type * as Transport from "@clawback/core/Transport"
import type { InvalidUrl } from "@clawback/core/TransportError"
import { toCodecAnthropic } from "effect/ai/AnthropicStructuredOutput"
import type * as LanguageModel from "effect/ai/LanguageModel"
import type * as Config from "effect/Config"
import type * as Layer from "effect/Layer"
import * as AnthropicMessages from "./AnthropicMessages.ts"
import type { Parameters } from "./ChatRequest.ts"
import * as Provider from "./internal/provider.ts"
import type { CallError } from "./ProviderError.ts"

export interface Options<out E = never, out R = never> {
  /** As the provider names it: `"claude-sonnet-5-5"`. A blank one is a defect when the layer is built. */
  readonly model: string
  /** Where the API key comes from. Default: the configuration's `ANTHROPIC_API_KEY`. */
  readonly credential?: Credential.Credential<E, R> | undefined
  /**
   * What precedes `/v1/messages`: an absolute http or https URL, without credentials or fragment. A query is kept.
   * Default: the configuration's `ANTHROPIC_BASE_URL`, else (also where that is blank) `"https://api.anthropic.com"`.
   */
  readonly baseUrl?: string | undefined
  /**
   * How long each stage of a call may take. While a tool that the provider runs itself is at work, nothing comes but pings,
   * which count for nothing: `idle` must leave room for that.
   */
  readonly timeouts?: Timeouts.Timeouts | undefined
  /**
   * When to try again: a policy such as `Retry.jittered()`. Its attempts share the limit `total`; each sends the same
   * `Idempotency-Key`. Anthropic does not say that it honours one, so that by default a request that was sent and not
   * answered is not sent again. Default: never.
   */
  readonly retry?: Retry.Policy<CallError> | undefined
  /**
   * How the model samples and when it stops, for every call of this layer. Default: the provider's own, except for
   * `maxOutputTokens`, which the protocol demands: 4,096, and more where the model is to think (see `AnthropicMessages`).
   */
  readonly parameters?: Parameters | undefined
}

/**
 * A language model over a transport.
 *
 * Its calls fail with `AiError`; `ProviderError.fromAiError` gives back the precise error. It fails to build
 * with `CredentialUnavailable` where the key is missing or blank, and with `InvalidUrl` where the base URL is no URL to
 * call.
 */
export const layer: <E = never, R = never>(
  options: Options<E, R>
) => Layer.Layer<
  LanguageModel.LanguageModel,
  E | Config.ConfigError | Credential.CredentialUnavailable | SessionError | InvalidUrl,
  R | Transport.Transport
> = Provider.layer({
  name: "anthropic",
  codec: AnthropicMessages.codec,
  apiKey: "ANTHROPIC_API_KEY",
  baseUrlName: "ANTHROPIC_BASE_URL",
  baseUrl: "https://api.anthropic.com",
  transformer: toCodecAnthropic
})
