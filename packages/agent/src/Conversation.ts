/**
 * Conversations with a model, whose history survives the process, has one writer at a time, and is forgotten in time.
 *
 * Guarantees:
 * - A message is durable when `append` returns. A step whose answer was lost is made once.
 * - One writer has a conversation open, among all processes that share the stores. Others wait in a bounded queue, in order
 *   within a process, or fail with `ConversationBusy`. If the lease is lost, the work is interrupted and fails with `LeaseLost`.
 * - The handler of a tool call runs at most once. It never runs exactly once: if the process ends while it runs, nobody knows how
 *   far it has come.
 * - Every history that it gives is one that providers accept. When a conversation is opened, calls that a writer left behind get an
 *   error result. Calls that await approval stay, and no tool runs.
 * - A compaction changes nothing but the view. What is appended while it runs is kept, and a clear while it runs wins.
 *
 * Limits: an append that fails with `StoreUnavailable` may have been made. Repeat it with the same `operation`. The store forgets a
 * conversation `idle` after its newest activity, also if it is open.
 *
 * An open conversation is a session of the kind `"conversation"`. `ConversationStore` says where histories are kept, `LeaseStore` who
 * writes them: by default, both are in the memory of this process.
 *
 * ```ts
 * import { Conversation } from "@clawback/agent"
 * import { Console, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   yield* Conversation.use("c42", (conversation) => conversation.append("Why do sockets leak?"))
 *   const { history } = yield* Conversation.read("c42")
 *   yield* Console.log(history.content.length) // 1
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Conversation.layer({ idle: "30 minutes" }))))
 * ```
 *
 * @experimental
 */

import { LeaseStore } from "@clawback/core/LeaseStore"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { ConversationStore } from "./ConversationStore.ts"
import type { Unreadable } from "./internal/conversation/errors.ts"
import type { Conversation, Reading } from "./internal/conversation/model.ts"
import { type OpenError, Service, TypeId } from "./internal/conversation/service.ts"
import { checked, type Options } from "./internal/conversation/settings.ts"
import type { StoreUnavailable } from "./internal/store/errors.ts"
import * as Retention from "./Retention.ts"

export { CompactionFailed, NotStorable, ToolCallState, Unreadable } from "./internal/conversation/errors.ts"
export type { CallState } from "./internal/conversation/machine.ts"
export type {
  AppendOptions,
  ChangeError,
  Compactor,
  Conversation,
  Input,
  ReadError,
  Reading,
  Smaller,
  ToolCall
} from "./internal/conversation/model.ts"
export type { OpenError } from "./internal/conversation/service.ts"
export type { Options } from "./internal/conversation/settings.ts"

/** Conversations of one policy, in one store. */
export class Conversations extends Context.Service<Conversations, {
  readonly [TypeId]: Service
  readonly use: <A, E, R>(
    id: string,
    f: (conversation: Conversation) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | OpenError, R>
  readonly useStream: <A, E, R>(
    id: string,
    f: (conversation: Conversation) => Stream.Stream<A, E, R>
  ) => Stream.Stream<A, E | OpenError, Exclude<R, Scope.Scope>>
  readonly open: (id: string) => Effect.Effect<Conversation, OpenError, Scope.Scope>
  readonly read: (id: string) => Effect.Effect<Reading, StoreUnavailable | Unreadable>
  readonly remove: (id: string) => Effect.Effect<boolean, StoreUnavailable>
}>()("@clawback/agent/Conversation/Conversations") {}

/**
 * Provides conversations of this policy. The needs of its compaction, such as a `LanguageModel` for summaries, are needs of the
 * layer.
 *
 * A wrong option is a defect that names it.
 */
export const layer = <E = never, R = never>(options: Options<E, R> = {}): Layer.Layer<Conversations, never, R> =>
  Layer.effect(
    Conversations,
    Effect.gen(function*() {
      const settings = checked(options)
      yield* Retention.register
      const { compaction } = options
      const context = yield* Effect.context<R>()
      const service = new Service(
        settings,
        yield* ConversationStore,
        yield* LeaseStore,
        compaction && { compactor: compaction, context: context as Context.Context<unknown> }
      )
      return Conversations.of({
        [TypeId]: service,
        use: (id, f) => service.use(id, f),
        useStream: (id, f) => service.useStream(id, f),
        open: (id) => service.open(id),
        read: (id) => service.read(id),
        remove: (id) => service.remove(id)
      })
    })
  )

/**
 * Opens a conversation while `f` runs, and closes it when `f` ends, however it ends. One that does not exist begins with the first
 * append. Inside, `Caller.conversation` is its id.
 */
export const use = <A, E, R>(
  id: string,
  f: (conversation: Conversation) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | OpenError, R | Conversations> => Effect.flatMap(Conversations, (service) => service.use(id, f))

/** Opens a conversation while a stream is read, and closes it when the stream ends, however it ends. */
export const useStream = <A, E, R>(
  id: string,
  f: (conversation: Conversation) => Stream.Stream<A, E, R>
): Stream.Stream<A, E | OpenError, Exclude<R, Scope.Scope> | Conversations> =>
  Stream.unwrap(Effect.map(Conversations, (service) => service.useStream(id, f)))

/**
 * Opens a conversation until the surrounding scope closes. If its lease is lost, nothing is interrupted, but no change is made any
 * more. Use `use` where you can.
 */
export const open = (id: string): Effect.Effect<Conversation, OpenError, Scope.Scope | Conversations> =>
  Effect.flatMap(Conversations, (service) => service.open(id))

/** Reads a conversation, also while another one writes it. It does not count as activity. */
export const read = (id: string): Effect.Effect<Reading, StoreUnavailable | Unreadable, Conversations> =>
  Effect.flatMap(Conversations, (service) => service.read(id))

/** Removes a conversation from the store, and returns whether there was one. A writer that has it open fails at its next change. */
export const remove = (id: string): Effect.Effect<boolean, StoreUnavailable, Conversations> =>
  Effect.flatMap(Conversations, (service) => service.remove(id))
