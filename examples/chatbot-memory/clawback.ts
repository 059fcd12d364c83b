/** The same chatbot with conversations that are kept for half an hour, compressed while nobody uses them. */
import { Compaction, Conversation, ConversationStore } from "@clawback/agent"
import * as ConversationStoreSql from "@clawback/agent/ConversationStoreSql"
import * as NodeCompression from "@clawback/node/NodeCompression"
import * as NodeSqlite from "@clawback/node/NodeSqlite"
import { Clock, Effect, Layer, ManagedRuntime } from "effect"
import { type Prompt } from "effect/ai"
import type { Chatbot } from "./chatbot.ts"
import { TraceClock } from "./TraceClock.ts"

const idle = "30 minutes"
/** In tokens. */
export const budget = 8_000

/** Memory for those in use, and a file for those that were not used for longest. */
const Store = Layer.unwrap(Effect.map(
  ConversationStoreSql.make(),
  (second) => ConversationStore.layerMemory({ maxTotalBytes: 8 * 1024 * 1024, second })
)).pipe(
  Layer.provide(NodeCompression.layer())
)

const chat = (file: string) =>
  Conversation.layer({ idle, compaction: Compaction.tokens(budget) }).pipe(
    Layer.provide(Store),
    Layer.provide(NodeSqlite.layer({ file }))
  )

const textOf = (message: Prompt.Message): string =>
  typeof message.content === "string"
    ? message.content
    : message.content.flatMap((part) => part.type === "text" ? [part.text] : []).join("")

export const clawback = (file: string): Chatbot => {
  const clock = new TraceClock()
  const runtime = ManagedRuntime.make(chat(file).pipe(Layer.provideMerge(Layer.succeed(Clock.Clock, clock))))
  return {
    isForgetful: true,
    pass: (at) => runtime.runPromise(clock.passUntil(at)),
    answer: ({ conversation, question }, model) =>
      runtime.runPromise(Conversation.use(conversation, (chat) =>
        Effect.gen(function*() {
          const prompt = yield* chat.prompt(question)
          const answer = model(prompt.content.map(textOf))
          yield* chat.append([{ role: "user", content: question }, { role: "assistant", content: answer }])
        }))),
    close: () => runtime.dispose()
  }
}
