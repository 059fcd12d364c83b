/**
 * Where leases are kept: the store that `Lease` uses. By default it is the memory of this process.
 *
 * Several processes that share a limit need a shared store: `LeaseStoreFile` on one machine, `LeaseStoreRedis` and
 * `LeaseStoreSql` on many. Each has the same guarantees.
 *
 * Guarantees:
 * - Each step is atomic. At most `limit` holders have a lease that has not expired, by the store's clock.
 * - The tokens of a key strictly increase.
 * - A lease that has expired or was released never comes back: a late renewal returns false.
 * - A store keeps nothing of a key for long that nobody holds.
 *
 * ```ts
 * import { LeaseStore } from "@clawback/core"
 * import { Console, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const store = yield* LeaseStore.LeaseStore
 *   const request = { key: "nightly-report", limit: 1, ttl: 30_000, holder: "worker 7" }
 *   const first = yield* store.acquire({ ...request, id: "a" })
 *   const second = yield* store.acquire({ ...request, id: "b" })
 *   yield* Console.log(first._tag, second._tag) // Granted Busy
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(LeaseStore.layerMemory)))
 * ```
 *
 * @experimental
 */

import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Memory from "./internal/lease/memory.ts"
import type { LeaseStore as Store } from "./internal/lease/model.ts"

export { LeaseStoreError } from "./internal/lease/errors.ts"
export type { Answer, Grant, Holder, Release, Renewal, Request } from "./internal/lease/model.ts"

/** Where leases are kept. */
export interface LeaseStore extends Store {}

/** The store in force. Default: the memory of this process, one store for all that runs in it. */
export const LeaseStore: Context.Reference<LeaseStore> = Context.Reference<LeaseStore>("@clawback/core/LeaseStore", {
  defaultValue: Memory.make
})

/** A store of its own in the memory of this process. */
export const layerMemory: Layer.Layer<never> = Layer.sync(LeaseStore, Memory.make)
