/**
 * Where histories of conversations are kept: an append-only log for each, and a smaller view of it.
 *
 * Changes are compare-and-set: each says at which end of the log it expects the conversation, and fails with `Conflict` if
 * another writer was faster. A repeated change with the same operation id does nothing. A removed conversation leaves a
 * tombstone that refuses late changes. The store itself forgets what has expired.
 *
 * Without a layer, conversations are in this process's memory: up to 100,000 of them and 256 MiB, with a process-wide store.
 * `layerMemory` makes a store of its own. `ConversationStoreRedis` and `ConversationStoreSql` are for several processes.
 *
 * ```ts
 * import { ConversationStore } from "@clawback/agent"
 * import { Console, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const store = yield* ConversationStore.ConversationStore
 *   const expiry = { idle: 30 * 60_000, absolute: undefined }
 *   const { cursor } = yield* store.append({
 *     conversation: "c42",
 *     operation: "first",
 *     digest: "hello",
 *     expected: { incarnation: 0, position: 0 },
 *     entries: ["hello"],
 *     expiry
 *   })
 *   yield* Console.log(cursor.position) // 1
 *   yield* Console.log((yield* store.load("c42"))?.entries) // [ "hello" ]
 * })
 *
 * await Effect.runPromise(Effect.provide(program, ConversationStore.layerMemory()))
 * ```
 *
 * @experimental
 */

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { forgetting } from "./internal/store/keeper.ts"
import { Memory } from "./internal/store/memory.ts"
import { limitsOf, type MemoryOptions, sweepIntervalOf } from "./internal/store/memoryOptions.ts"
import { makeStore } from "./internal/store/memoryStore.ts"
import type { ConversationStore as Port } from "./internal/store/port.ts"
import * as Sweeper from "./internal/store/sweeper.ts"

export {
  Conflict,
  OperationMismatch,
  SchemaTooNew,
  StaleFence,
  StoreUnavailable,
  TooLarge
} from "./internal/store/errors.ts"
export { rememberedOperations } from "./internal/store/machine.ts"
export type { MemoryOptions } from "./internal/store/memoryOptions.ts"
export type {
  Append,
  Appended,
  Cursor,
  Expiry,
  Head,
  Loaded,
  LoadOptions,
  Page,
  RemoveOptions,
  ScanOptions,
  Trim,
  View,
  ViewChange
} from "./internal/store/model.ts"
export type { Operation, Stored, Texts } from "./internal/store/stored.ts"

export interface ConversationStore extends Port {}

const makeUnsafe = (): ConversationStore => {
  const memory = new Memory(limitsOf({}), undefined)
  return makeStore("memory", memory, forgetting(memory))
}

/** The current store: this process's memory, unless another one is provided. */
export const ConversationStore: Context.Reference<ConversationStore> = Context.Reference(
  "@clawback/agent/ConversationStore",
  { defaultValue: (): ConversationStore => makeUnsafe() }
)

/** Keeps conversations in this process's memory, and loses them with it. */
export const layerMemory = (options: MemoryOptions = {}): Layer.Layer<never> =>
  Layer.effect(
    ConversationStore,
    Effect.gen(function*() {
      const memory = new Memory(limitsOf(options), undefined)
      yield* Sweeper.ofMemory(memory, sweepIntervalOf(options))
      return makeStore("memory", memory, forgetting(memory))
    })
  )
