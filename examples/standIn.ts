/** The provider of the examples if no key is set: a server on this machine, without faults. */
import { Dialect, FaultyProvider } from "@clawback/testing"
import { Config, ConfigProvider, Console, Effect, Layer, Option } from "effect"

const say = () => "Because someone opened them in one step and promised to close them in a later one."

const StandIn = Layer.unwrap(Effect.gen(function*() {
  yield* Console.log("OPENAI_API_KEY is not set, so a local stand-in server answers. Set it to ask OpenAI.")
  const { url } = yield* FaultyProvider.make({ handler: Dialect.handler({ say, pieceSize: 12, every: "40 millis" }) })
  return ConfigProvider.layer(ConfigProvider.fromUnknown({ OPENAI_API_KEY: "stand-in", OPENAI_BASE_URL: `${url}/v1` }))
}))

/** OpenAI if the environment has a key, or the stand-in. */
export const Provider = Layer.unwrap(Effect.map(
  Config.option(Config.NonEmptyString("OPENAI_API_KEY")),
  (key) => Option.isSome(key) ? Layer.empty : StandIn
))
