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
import * as Layer from "effect/Layer"
import type { Sealing } from "./internal/store/cipher.ts"
import * as Encrypted from "./internal/store/encrypted.ts"
import { makeMemory, makeMemoryUnsafe } from "./internal/store/memoryLayer.ts"
import type { MemoryOptions } from "./internal/store/memoryOptions.ts"
import type { ConversationStore as Port } from "./internal/store/port.ts"

export { appendAtEnd, type AtEndOptions } from "./internal/store/appendAtEnd.ts"
export type { Sealing } from "./internal/store/cipher.ts"
export { Compression } from "./internal/store/compression.ts"
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

/** The current store: this process's memory, unless another one is provided. */
export const ConversationStore: Context.Reference<ConversationStore> = Context.Reference(
  "@clawback/agent/ConversationStore",
  { defaultValue: (): ConversationStore => makeMemoryUnsafe() }
)

/**
 * Keeps conversations in this process's memory, and loses them with it, unless there is a `second` store behind it. That one
 * has what was not used for long, and everything once the process has shut down. After a crash, it has what had moved there.
 */
export const layerMemory = (options: MemoryOptions = {}): Layer.Layer<never> =>
  Layer.effect(ConversationStore, makeMemory(options))

/**
 * Encrypts the entries and views that a store keeps, each bound to its place. Names, subjects, times, sizes and operation ids
 * stay readable; digests are shortened to 16 bits. A text that cannot be decrypted is a `StoreUnavailable` that says so.
 */
export const encrypted = <E>(store: ConversationStore, cipher: Sealing<E>): ConversationStore =>
  Encrypted.encrypted(store, cipher)
