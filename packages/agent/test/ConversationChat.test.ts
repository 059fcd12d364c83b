import { Conversation, ConversationChat, ConversationStore } from "@clawback/agent"
import { LeaseStore, SessionRegistry } from "@clawback/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option, Ref, Schema, Stream } from "effect"
import { AiError, Chat, LanguageModel, Prompt, type Response, Tool, Toolkit } from "effect/ai"
import { TestClock } from "effect/testing"
import { objections } from "../../../test/support/strictHistory.ts"
import * as Faulty from "./support/faultyStore.ts"

const stores = Layer.mergeAll(ConversationStore.layerMemory(), LeaseStore.layerMemory, SessionRegistry.layer())

const chats = (options: Conversation.Options = {}) =>
  ConversationChat.layer.pipe(Layer.provideMerge(Conversation.layer(options)), Layer.provideMerge(stores))

/** A model that answers as told, and records what it was asked. */
const modelOf = (
  answers: ReadonlyArray<ReadonlyArray<Response.PartEncoded>>,
  asked: Array<Prompt.Prompt> = [],
  before: Effect.Effect<void> = Effect.void
) => {
  let at = 0
  return Layer.effect(
    LanguageModel.LanguageModel,
    LanguageModel.make({
      generateText: ({ prompt }) =>
        Effect.map(before, () => {
          asked.push(prompt)
          return [...answers[at++ % answers.length] ?? []]
        }),
      streamText: ({ prompt }) =>
        Stream.concat(
          Stream.suspend(() => {
            asked.push(prompt)
            return Stream.make(
              { type: "text-start" as const, id: "1" },
              { type: "text-delta" as const, id: "1", delta: "Because" }
            )
          }),
          Stream.concat(
            Stream.fromEffectDrain(before),
            Stream.make({ type: "text-delta" as const, id: "1", delta: "." }, { type: "text-end" as const, id: "1" })
          )
        )
    })
  )
}

const text = (text: string): Response.PartEncoded => ({ type: "text", text })

const textsOf = ({ content }: Prompt.Prompt) =>
  content.flatMap((message) =>
    message.role === "system" ?
      [message.content] :
      message.content.flatMap((part) =>
        part.type === "text" ? [part.text] : part.type === "tool-result" ? [String(part.result)] : []
      )
  )

const stored = Effect.map(Conversation.read("c1"), ({ history }) => {
  assert.deepStrictEqual(objections(history), [])
  return textsOf(history)
})

const open = Effect.flatMap(Chat.Persistence, ({ getOrCreate }) => getOrCreate("c1"))

const failureOf = <A, E>(exit: Exit.Exit<A, E>) => Option.getOrUndefined(Exit.findErrorOption(exit))

const refused = new AiError.AiError({
  module: "test",
  method: "generateText",
  reason: new AiError.InternalProviderError({ description: "down" })
})

const Pay = Tool.make("pay", { parameters: Schema.Struct({}), success: Schema.String, needsApproval: true })
const toolkit = Toolkit.make(Pay)
const call: Response.PartEncoded = { type: "tool-call", id: "a", name: "pay", params: {} }

const approval = (history: Prompt.Prompt, approved = true) =>
  Prompt.fromMessages([Prompt.makeMessage("tool", {
    content: history.content.flatMap((message) =>
      message.role === "assistant"
        ? message.content.flatMap((part) =>
          part.type === "tool-approval-request"
            ? [Prompt.makePart("tool-approval-response", { approvalId: part.approvalId, approved })]
            : []
        )
        : []
    )
  })])

describe("ConversationChat", () => {
  it.effect("gives all users of an id in a process one history", () =>
    Effect.gen(function*() {
      const [one, two] = yield* Effect.all([open, open], { concurrency: 2 })
      yield* one.generateText({ prompt: "Why?" })
      yield* two.generateText({ prompt: "And?" })
      assert.strictEqual(one.history, two.history)
      assert.deepStrictEqual(textsOf(yield* Ref.get(one.history)), ["Why?", "Because.", "And?", "So."])
      assert.deepStrictEqual(yield* stored, ["Why?", "Because.", "And?", "So."])
      assert.deepStrictEqual(yield* SessionRegistry.list({}), [])
    }).pipe(Effect.provide([chats(), modelOf([[text("Because.")], [text("So.")]])])))

  it.effect("finds what another process has appended", () =>
    Effect.gen(function*() {
      const asked: Array<Prompt.Prompt> = []
      const chat = yield* open
      yield* Conversation.use("c1", (conversation) => conversation.append("Hello"))
      yield* Effect.provide(chat.generateText({ prompt: "Why?" }), modelOf([[text("Because.")]], asked))
      assert.deepStrictEqual(asked.map(textsOf), [["Hello", "Why?"]])
      assert.deepStrictEqual(yield* stored, ["Hello", "Why?", "Because."])
      const { get } = yield* Chat.Persistence
      assert.deepStrictEqual(textsOf(yield* Ref.get((yield* get("c1")).history)), ["Hello", "Why?", "Because."])
      const missing = yield* Effect.exit(get("c2"))
      assert.instanceOf(failureOf(missing), Chat.ChatNotFoundError)
    }).pipe(Effect.provide(chats())))

  it.effect("keeps a streamed answer, and nothing of one that fails or is cancelled", () =>
    Effect.gen(function*() {
      const chat = yield* open
      const call = Stream.runDrain(chat.streamText({ prompt: "Why?" }))
      const failed = yield* Effect.exit(
        Effect.provide(call, modelOf([], [], Effect.fail(refused) as unknown as Effect.Effect<void>))
      )
      assert.strictEqual((failureOf(failed) as AiError.AiError).reason._tag, "InternalProviderError")
      const fiber = yield* Effect.forkChild(Effect.provide(call, modelOf([], [], Effect.never)))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      yield* Stream.runHead(chat.streamText({ prompt: "Why?" })).pipe(Effect.provide(modelOf([])))
      assert.deepStrictEqual(yield* stored, [])
      assert.deepStrictEqual(textsOf(yield* Ref.get(chat.history)), [])
      yield* Effect.provide(call, modelOf([]))
      assert.deepStrictEqual(yield* stored, ["Why?", "Because."])
      assert.deepStrictEqual(textsOf(yield* Ref.get(chat.history)), ["Why?", "Because."])
      assert.deepStrictEqual(yield* SessionRegistry.list({}), [])
    }).pipe(Effect.provide(chats())))

  it.effect("keeps an object that the model made", () =>
    Effect.gen(function*() {
      const chat = yield* open
      const { value } = yield* chat.generateObject({ prompt: "Who?", schema: Schema.Struct({ name: Schema.String }) })
      assert.deepStrictEqual(value, { name: "Ada" })
      assert.deepStrictEqual(yield* stored, ["Who?", "{\"name\":\"Ada\"}"])
    }).pipe(Effect.provide([chats(), modelOf([[text("{\"name\":\"Ada\"}")]])])))

  it.effect("saves what was set, if nobody has saved since", () =>
    Effect.gen(function*() {
      const chat = yield* open
      yield* Ref.set(chat.history, Prompt.make([{ role: "system", content: "Be brief." }]))
      yield* chat.save
      assert.deepStrictEqual(yield* stored, ["Be brief."])
      yield* chat.generateText({ prompt: "Why?" })
      yield* Ref.update(chat.history, (history) => Prompt.concat(history, "And?"))
      yield* chat.save
      assert.deepStrictEqual(yield* stored, ["Be brief.", "Why?", "Because.", "And?"])
      yield* Ref.set(chat.history, Prompt.make("Anew"))
      yield* chat.save
      assert.deepStrictEqual(yield* stored, ["Anew"])

      yield* Ref.set(chat.history, Prompt.make("Mine"))
      yield* Conversation.use("c1", (conversation) => conversation.append("Theirs"))
      const exit = yield* Effect.exit(chat.save)
      const error = failureOf(exit)
      assert.strictEqual(error?._tag, "PersistenceError")
      assert.strictEqual(error === undefined ? undefined : ConversationChat.cause(error)?._tag, "Conflict")
      assert.deepStrictEqual(yield* stored, ["Anew", "Theirs"])
      assert.deepStrictEqual(textsOf(yield* Ref.get(chat.history)), ["Anew", "Theirs"])
      yield* chat.save
    }).pipe(Effect.provide([chats(), modelOf([[text("Because.")]])])))

  it.effect("fails with an AiError that can be retried, if the conversation is busy", () =>
    Effect.gen(function*() {
      const chat = yield* open
      const holder = yield* Effect.forkChild(Conversation.use("c1", () => Effect.never))
      yield* Effect.yieldNow
      const call = yield* Effect.forkChild(Effect.exit(chat.generateText({ prompt: "Why?" })))
      yield* TestClock.adjust("1 second")
      const error = failureOf(yield* Fiber.join(call)) as AiError.AiError
      assert.strictEqual(error.reason._tag, "RateLimitError")
      assert.isTrue(error.isRetryable)
      assert.strictEqual(ConversationChat.cause(error)?._tag, "ConversationBusy")
      yield* Fiber.interrupt(holder)
      yield* chat.generateText({ prompt: "Why?" })
      assert.deepStrictEqual(yield* stored, ["Why?", "Because."])
    }).pipe(Effect.provide([chats({ wait: "1 second" }), modelOf([[text("Because.")]])])))

  it.effect("fails with an AiError if the answer cannot be saved", () => {
    const faults = Faulty.noFaults()
    return Effect.gen(function*() {
      const chat = yield* open
      faults.away.append = 1
      const error = failureOf(yield* Effect.exit(chat.generateText({ prompt: "Why?" }))) as AiError.AiError
      assert.isFalse(error.isRetryable)
      assert.strictEqual(ConversationChat.cause(error)?._tag, "StoreUnavailable")
      assert.deepStrictEqual(textsOf(yield* Ref.get(chat.history)), [])
      faults.away.append = 1
      const streamed = yield* Effect.exit(Stream.runDrain(chat.streamText({ prompt: "Why?" })))
      assert.strictEqual(ConversationChat.cause(failureOf(streamed) as AiError.AiError)?._tag, "StoreUnavailable")
    }).pipe(
      Effect.provide([
        ConversationChat.layer.pipe(
          Layer.provideMerge(Conversation.layer({ attempts: 1 })),
          Layer.provide(Layer.mergeAll(Faulty.layer(faults), LeaseStore.layerMemory))
        ),
        modelOf([[text("Because.")]])
      ])
    )
  })

  it.effect("lets Effect run a tool once it was approved, in another process too", () => {
    let runs = 0
    return Effect.gen(function*() {
      const chat = yield* open
      yield* chat.generateText({ prompt: "Pay.", toolkit })
      assert.deepStrictEqual((yield* Conversation.read("c1")).calls.map(({ state }) => state), ["awaiting"])
      yield* chat.generateText({ prompt: "Hello?" })
      assert.strictEqual(runs, 0)
      const history = yield* Ref.get(chat.history)
      yield* chat.generateText({ prompt: approval(history), toolkit })
      assert.strictEqual(runs, 1)
      assert.deepStrictEqual((yield* Conversation.read("c1")).calls, [])
      const texts = yield* stored
      assert.deepStrictEqual(texts, ["Pay.", "paid", "Hello?", "I wait.", "Done."])
    }).pipe(Effect.provide([
      chats(),
      toolkit.toLayer({ pay: () => Effect.sync(() => `paid${++runs === 1 ? "" : " twice"}`) }),
      modelOf([[call], [text("I wait.")], [text("Done.")]])
    ]))
  })

  it.effect("does not run an approved tool again after a call that was cut off", () => {
    let runs = 0
    return Effect.gen(function*() {
      const chat = yield* open
      yield* chat.generateText({ prompt: "Pay.", toolkit })
      const begun = yield* Deferred.make<void>()
      const prompt = approval(yield* Ref.get(chat.history))
      const handlers = toolkit.toLayer({
        pay: () =>
          Effect.andThen(Effect.sync(() => runs++), Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
      })
      const fiber = yield* Effect.forkChild(Effect.provide(chat.generateText({ prompt, toolkit }), handlers))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(fiber)
      yield* Effect.provide(
        chat.generateText({ prompt, toolkit }),
        toolkit.toLayer({
          pay: () => Effect.sync(() => String(runs++))
        })
      )
      assert.strictEqual(runs, 1)
      const [, outcome] = yield* stored
      assert.include(outcome, "unknown")
    }).pipe(Effect.provide([
      chats(),
      toolkit.toLayer({ pay: () => Effect.die("not yet") }),
      modelOf([[call], [text("Done.")]])
    ]))
  })
})
