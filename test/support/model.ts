/** A model behind real sockets, in a world of its own. */
import { type Credential, type Retry, SessionRegistry, type Timeouts } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { Anthropic, OpenAi, Target } from "@clawback/providers"
import { assert } from "@effect/vitest"
import { ConfigProvider, type Duration, Effect, Layer, Redacted, Schedule } from "effect"
import type { LanguageModel } from "effect/ai"

/** A provider, and a model at it. */
export interface Provider {
  readonly name: string
  readonly target: (options: Target.Options) => Target.Target
  /** What follows a server's origin in its base URL. */
  readonly basePath: string
}

export const openAi: Provider = {
  name: "openai",
  target: (options) => OpenAi.target("gpt-5", options),
  basePath: "/v1"
}

export const anthropic: Provider = {
  name: "anthropic",
  target: (options) => Anthropic.target("claude-sonnet-5-5", options),
  basePath: ""
}

export interface Options {
  /** Default: OpenAI. */
  readonly provider?: Provider
  readonly baseUrl: string
  readonly timeouts?: Timeouts.Timeouts
  readonly retry?: Retry.Policy
  readonly connections?: number
  readonly apiKey?: string
  /** Default: of the configuration, which holds `apiKey`. */
  readonly credential?: Credential.Credential
}

export const layer = (
  { apiKey = "sk-nobody", baseUrl, connections, credential, provider = openAi, retry, timeouts }: Options
) =>
  Target.layer(provider.target({ baseUrl, credential, timeouts, retry })).pipe(
    Layer.provide(NodeTransport.layer({ connections })),
    Layer.provide(
      ConfigProvider.layer(ConfigProvider.fromUnknown({ OPENAI_API_KEY: apiKey, ANTHROPIC_API_KEY: apiKey }))
    )
  )

/** A credential of one's own, which gives out any key, also one that cannot be sent. */
export const unchecked = (key: string): Credential.Credential => {
  const lease = Effect.sync(() => Redacted.make(key))
  return {
    name: "unchecked",
    open: Effect.succeed({ identity: Effect.succeed({ name: "unchecked", group: "unchecked", lease }) })
  }
}

/** Runs an effect with a model and a registry of its own, in which nothing may be left once the model's layer is closed. */
export const withModel = (options: Options) =>
<A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<
  A,
  E | Target.OpenError,
  Exclude<R, LanguageModel.LanguageModel | Target.ChatModel>
> =>
  Effect.gen(function*() {
    const result = yield* Effect.provide(effect, layer(options))
    assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    return result
  }).pipe(Effect.provide(SessionRegistry.layer()))

/** Waits on the real clock, for no more than 5 seconds, for what sockets bring about. Tells how long that took. */
export const until = (condition: () => boolean): Effect.Effect<Duration.Duration> =>
  Effect.sync(condition).pipe(
    Effect.repeat({ until: (isMet) => isMet, schedule: Schedule.spaced("2 millis") }),
    Effect.timeoutOrElse({
      duration: "5 seconds",
      orElse: () => Effect.die(new Error("It has not come about within 5 seconds"))
    }),
    Effect.timed,
    Effect.map(([took]) => took)
  )
