/** Streams an answer, and lists the open sessions before, during and after it: `npm start`. */
import { SessionRegistry } from "@clawback/core"
import { NodeShutdown, NodeTransport } from "@clawback/node"
import { OpenAi } from "@clawback/providers"
import { Console, Effect, Layer, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { Provider } from "../standIn.ts"

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

const Model = OpenAi.layer({ model: "gpt-5-mini" }).pipe(Layer.provide(NodeTransport.layer()))

const main = Effect.all([show("before"), Effect.provide(program, Model), show("after its layers")], { discard: true })
NodeShutdown.runMain(Effect.provide(main, Provider))
