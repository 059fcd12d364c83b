/**
 * Effect's `Chat.Persistence` over conversations: code that uses Effect's persisted chats gets their guarantees, unchanged.
 *
 * | | with Effect's own | here |
 * | --- | --- | --- |
 * | the same id, twice in a process | two histories, the last one to save wins | one history |
 * | two processes | the last one to save wins | one call at a time; others wait, or fail |
 * | a stream that fails or is cancelled | keeps the question and a part of the answer, so that a retry asks twice | keeps nothing |
 * | `Ref.set` of the history | overwrites what others saved | is saved if nobody else has saved since, or fails |
 * | a save that fails | a defect | an error of the call |
 *
 * A call of `generateText`, `streamText` or `generateObject` opens the conversation, and appends question and answer together when
 * the model has answered. It fails with an `AiError`, whose cause is ours: see `cause`. `ConversationBusy` is a `RateLimitError`,
 * all others are an `UnknownError`. `save`, `get` and `getOrCreate` fail with Effect's `PersistenceError`.
 *
 * Limits: an empty chat is not stored before its first call or save, so that `get` does not find it. The tools of a toolkit are run
 * by Effect: only those that were approved are recorded before they start. To run tools at most once, use `Conversation.runTool`.
 * `timeToLive` is not read: the policy of `Conversation.layer` says how long a conversation is kept. Messages get no `messageId`.
 *
 * ```ts
 * import { Conversation, ConversationChat } from "@clawback/agent"
 * import { Console, Effect, Layer, Stream } from "effect"
 * import { Chat, LanguageModel } from "effect/ai"
 *
 * const Model = Layer.effect(
 *   LanguageModel.LanguageModel,
 *   LanguageModel.make({
 *     generateText: ({ prompt }) => Effect.succeed([{ type: "text", text: `after ${prompt.content.length} messages` }]),
 *     streamText: () => Stream.empty
 *   })
 * )
 *
 * const program = Effect.gen(function*() {
 *   const { getOrCreate } = yield* Chat.Persistence
 *   const chat = yield* getOrCreate("c42")
 *   yield* Console.log((yield* chat.generateText({ prompt: "Why do sockets leak?" })).text) // after 1 messages
 *   yield* Console.log((yield* chat.generateText({ prompt: "And pipes?" })).text) // after 3 messages
 * })
 *
 * const Chats = ConversationChat.layer.pipe(Layer.provide(Conversation.layer({ idle: "30 minutes" })))
 *
 * await Effect.runPromise(program.pipe(Effect.provide([Chats, Model])))
 * ```
 *
 * @experimental
 */

import { LeakProbe } from "@clawback/core/LeakProbe"
import type * as AiError from "effect/ai/AiError"
import * as Chat from "effect/ai/Chat"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { PersistenceError } from "effect/persistence/Persistence"
import * as Stream from "effect/Stream"
import { Conversations } from "./Conversation.ts"
import * as Errors from "./internal/chat/errors.ts"
import { Chats, Shared } from "./internal/chat/shared.ts"
import type { Open } from "./internal/conversation/handle.ts"
import { promptOf, withApprovals } from "./internal/conversation/history.ts"
import { type OpenError, type Service, TypeId } from "./internal/conversation/service.ts"
import type { OperationMismatch } from "./internal/store/errors.ts"

/** The error of a conversation behind an error of a chat. Undefined: it is another one, such as the model's. */
export const cause: (error: AiError.AiError | PersistenceError) => OpenError | OperationMismatch | undefined =
  Errors.originOf

/** What all calls have. Their types are those of Effect's chat. */
interface Options {
  readonly prompt: Prompt.RawInput
  readonly toolkit?: unknown
}

/** What all responses have. */
interface Answer {
  readonly content: ReadonlyArray<Response.AnyPart>
}

type Generate = (options: Options) => Effect.Effect<Answer, AiError.AiError, LanguageModel.LanguageModel>
type Streaming = (
  options: Options
) => Stream.Stream<Response.AnyPart, AiError.AiError, LanguageModel.LanguageModel>

/** Errors of the work stay as they are. */
class Failed<E> {
  readonly error: E
  constructor(error: E) {
    this.error = error
  }
}

const passing = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.mapError(self, (error) => new Failed(error))

const mapped = (method: string) => {
  const convert = Errors.toAiError(method)
  return (error: Failed<AiError.AiError> | OpenError): AiError.AiError =>
    error instanceof Failed ? error.error : convert(error)
}

const generating = (service: Service, shared: Shared, method: string, generate: Generate): Generate => (options) => {
  const input = Prompt.make(options.prompt)
  const called = (open: Open) =>
    Effect.gen(function*() {
      const turn = yield* shared.begin(open, input, options.toolkit !== undefined)
      const response = yield* passing(generate({ ...options, prompt: turn.prompt }))
      yield* shared.end(open, turn, response.content)
      return response
    })
  return Effect.mapError(service.use(shared.id, called), mapped(method))
}

const streaming = (service: Service, shared: Shared, stream: Streaming): Streaming => (options) => {
  const input = Prompt.make(options.prompt)
  const called = (open: Open) =>
    Stream.unwrap(Effect.map(shared.begin(open, input, options.toolkit !== undefined), (turn) => {
      const parts: Array<Response.AnyPart> = []
      const answered = Stream.mapArray(stream({ ...options, prompt: turn.prompt }), (chunk) => {
        parts.push(...chunk)
        return chunk
      })
      // Only an answer that has come to its end is kept.
      const saved = Stream.fromEffectDrain(Effect.suspend(() => shared.end(open, turn, parts)))
      return Stream.concat(Stream.mapError(answered, (error) => new Failed(error)), saved)
    }))
  return Stream.mapError(service.useStream(shared.id, called), mapped("streamText"))
}

const persisted = (service: Service, shared: Shared): Chat.Persisted => ({
  ...shared.chat,
  id: shared.id,
  save: Effect.mapError(service.use(shared.id, (open) => shared.save(open)), Errors.toPersistenceError),
  generateText: generating(
    service,
    shared,
    "generateText",
    LanguageModel.generateText as unknown as Generate
  ) as unknown as Chat.Chat["generateText"],
  generateObject: generating(
    service,
    shared,
    "generateObject",
    LanguageModel.generateObject as unknown as Generate
  ) as unknown as Chat.Chat["generateObject"],
  streamText: streaming(
    service,
    shared,
    LanguageModel.streamText as unknown as Streaming
  ) as unknown as Chat.Chat["streamText"]
})

const make = Effect.gen(function*() {
  const { [TypeId]: service } = yield* Conversations
  const probe = yield* LeakProbe
  const chats = new Chats()

  /** The chat of an id, with what the store has, unless it must exist and does not. */
  const find = (id: string, mustExist: boolean) =>
    Effect.gen(function*() {
      const machine = yield* Effect.mapError(service.machine(id), Errors.toPersistenceError)
      if (mustExist && machine.cursor.position === 0) return yield* new Chat.ChatNotFoundError({ chatId: id })
      const made = new Shared(id, yield* Chat.fromPrompt(promptOf(withApprovals(machine))), machine)
      const shared = chats.share(made)
      if (shared === made) probe.watch(shared, () => chats.lost(id))
      else yield* shared.refresh(machine)
      return persisted(service, shared)
    })

  return Chat.Persistence.of({
    get: (id) => find(id, true),
    getOrCreate: (id) => Effect.catchTag(find(id, false), "ChatNotFoundError", Effect.die)
  })
})

/** Provides Effect's `Chat.Persistence` by conversations. */
export const layer: Layer.Layer<Chat.Persistence, never, Conversations> = Layer.effect(Chat.Persistence, make)
