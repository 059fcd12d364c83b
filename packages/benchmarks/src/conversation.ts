/**
 * What a stored conversation costs beside Effect's persisted `Chat`, both in memory, and a compaction beside the `truncate` of
 * Effect's `Tokenizer`.
 *
 * A turn of ours opens the conversation with its writer's lease, appends two messages, and reads the history. Effect's loads the
 * chat, adds the messages to its history, and saves it. The histories grow over the turns of a conversation.
 */
import * as Compaction from "@clawback/agent/Compaction"
import * as Conversation from "@clawback/agent/Conversation"
import * as ConversationStore from "@clawback/agent/ConversationStore"
import * as TokenCount from "@clawback/agent/TokenCount"
import { Effect, Layer, Ref } from "effect"
import { Chat, Prompt, Tokenizer } from "effect/ai"
import { Persistence } from "effect/persistence"
import { parseArgs } from "node:util"
import { interleave, nanosPerRun } from "./internal/measure.ts"
import { atMostTimes, conclude } from "./internal/report.ts"

const { values: { smoke } } = parseArgs({ options: { smoke: { type: "boolean", default: false } } })
const rounds = smoke ? { rounds: 2, warmUp: 1 } : { rounds: 15, warmUp: 3 }
const turns = smoke ? 10 : 50
const size = smoke ? 100 : 1_000

const text = (role: string, at: number) => `${role} ${at}: ${"some words that are said ".repeat(16)}`

const said = (at: number): ReadonlyArray<Prompt.Message> => [
  Prompt.userMessage({ content: [Prompt.textPart({ text: text("question", at) })] }),
  Prompt.assistantMessage({ content: [Prompt.textPart({ text: text("answer", at) })] })
]

let count = 0

/** A conversation of its own for each measurement. */
const perTurn = <E, R>(turn: (id: string, at: number) => Effect.Effect<unknown, E, R>) =>
  Effect.suspend(() => {
    const id = `c${count++}`
    let at = 0
    return Effect.orDie(nanosPerRun(turns, () => turn(id, at++)))
  })

const ours = perTurn((id, at) =>
  Conversation.use(
    id,
    (conversation) => Effect.andThen(conversation.append(Prompt.fromMessages(said(at))), conversation.history)
  )
)

const theirs = perTurn((id, at) =>
  Effect.gen(function*() {
    const persistence = yield* Chat.Persistence
    const chat = yield* persistence.getOrCreate(id)
    yield* Ref.update(chat.history, Prompt.concat(Prompt.fromMessages(said(at))))
    yield* chat.save
    return yield* Ref.get(chat.history)
  })
)

const history = Array.from({ length: size / 2 }, (_, at) => said(at)).flat()
const budget = Math.floor(TokenCount.estimate(Prompt.fromMessages(history)) / 2)

/** Nothing is known of new messages, as when a conversation was just loaded. */
const loaded = () => Prompt.fromMessages(history.map((message) => Object.assign({}, message)))

const compaction = Compaction.tokens(budget)
const tokenizer = Tokenizer.make({
  tokenize: (prompt) => Effect.sync(() => Array.from({ length: TokenCount.estimate(prompt) }, () => 0))
})

const compactions = interleave(rounds, {
  ours: nanosPerRun(smoke ? 1 : 20, () => Effect.orDie(Compaction.compactPrompt(loaded(), compaction))),
  peer: nanosPerRun(1, () => Effect.orDie(tokenizer.truncate(loaded(), budget)))
})

const layer = Layer.mergeAll(
  Conversation.layer({ idle: "30 minutes" }).pipe(Layer.provideMerge(ConversationStore.layerMemory())),
  Chat.layerPersisted({ storeId: "bench" }).pipe(Layer.provide(Persistence.layerBackingMemory))
)

const targets = await Effect.runPromise(
  Effect.gen(function*() {
    return [
      atMostTimes(1.5, {
        name: `a turn of a conversation of ${turns} turns, over Effect's persisted Chat, both in memory`,
        unit: "ns",
        ...(yield* interleave<"ours" | "peer", never, Conversation.Conversations | Chat.Persistence>(rounds, {
          ours,
          peer: theirs
        }))
      }),
      atMostTimes(1, {
        name: `a compaction of ${size} messages to half their tokens, over the truncate of Effect's Tokenizer`,
        unit: "ns",
        ...(yield* compactions)
      })
    ]
  }).pipe(Effect.provide(layer))
)

conclude("conversation", targets)
