/** Streams an answer, and shows what the program holds before, while and after: `npm start`. */
import { SessionRegistry } from "@clawback/core"
import { NodeShutdown, NodeTransport } from "@clawback/node"
import { OpenAi } from "@clawback/providers"
import { LLMock } from "@copilotkit/aimock"
import { Config, ConfigProvider, Console, Effect, Layer, Option, Stream } from "effect"
import { LanguageModel } from "effect/ai"

const show = (when: string) =>
  Effect.flatMap(SessionRegistry.list(), (sessions) => {
    const lines = sessions.map(({ id, kind, name, parent }) =>
      `  #${id} ${kind} ${name}${parent === undefined ? "" : `, inside of #${parent}`}`
    )
    return Console.log([`\n${when}:`, ...(lines.length === 0 ? ["  nothing is held"] : lines)].join("\n"))
  })

const program = LanguageModel.streamText({ prompt: "Why do sockets leak?" }).pipe(
  Stream.filter((part) => part.type === "text-delta"),
  Stream.zipWithIndex,
  Stream.runForEach(([part, index]) =>
    Effect.andThen(
      index === 0 ? show("while it streams") : Effect.void,
      Effect.sync(() => process.stdout.write(part.delta))
    )
  ),
  Effect.andThen(show("after the answer"))
)

/** No key, no provider: a server on this machine says a sentence instead. */
const StandIn = Layer.unwrap(Effect.gen(function*() {
  yield* Console.log("OPENAI_API_KEY is not set, so a local stand-in server answers. Set it to ask OpenAI.")
  const server = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const server = new LLMock({ port: 0, logLevel: "silent", chunkSize: 12, latency: 40 })
      server.onMessage(/.*/, {
        content: "Because someone opened them in one step and promised to close them in a later one."
      })
      await server.start()
      return server
    }),
    (server) => Effect.promise(() => server.stop())
  )
  return ConfigProvider.layer(ConfigProvider.fromUnknown({
    OPENAI_API_KEY: "stand-in",
    OPENAI_BASE_URL: `${server.url}/v1`
  }))
}))

const Provider = Layer.unwrap(Effect.map(
  Config.option(Config.NonEmptyString("OPENAI_API_KEY")),
  (key) => Option.isSome(key) ? Layer.empty : StandIn
))
const Model = OpenAi.layer({ model: "gpt-5-mini" }).pipe(Layer.provide([NodeTransport.layer(), Provider]))

const main = Effect.all([show("before"), Effect.provide(program, Model), show("after its layers")], { discard: true })
NodeShutdown.runMain(main)
