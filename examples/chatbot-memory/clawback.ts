/** The same chatbot with conversations that are kept for half an hour, compressed while nobody uses them. */
import { Compaction, Conversation, ConversationStore } from "@clawback/agent"
import { Clock, Effect, Layer, ManagedRuntime } from "effect"
import { type Prompt } from "effect/ai"
import type { Chatbot } from "./chatbot.ts"
import { TraceClock } from "./TraceClock.ts"

export const idle = "30 minutes"
/** In tokens. */
export const budget = 8_000

const Chat = Conversation.layer({ idle, compaction: Compaction.tokens(budget) }).pipe(
  Layer.provide(ConversationStore.layerMemory({ maxTotalBytes: 16 * 1024 * 1024 }))
)

const textOf = (message: Prompt.Message): string =>
  typeof message.content === "string"
    ? message.content
    : message.content.flatMap((part) => part.type === "text" ? [part.text] : []).join("")

export const clawback = (): Chatbot & AsyncDisposable => {
  const clock = new TraceClock()
  const runtime = ManagedRuntime.make(Chat.pipe(Layer.provideMerge(Layer.succeed(Clock.Clock, clock))))
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
    [Symbol.asyncDispose]: () => runtime.dispose()
  }
}
