/**
 * Conversations in Redis, for several processes, over Effect's `Redis`.
 *
 * Each conversation is one key, `<prefix>{<conversation>}`, which Redis expires by itself. Each append and each load is one
 * script, by the server's clock. So it works on a cluster too. A subject that is given with an append is indexed under
 * `<prefix>of{<subject>}`.
 *
 * Guarantees: those of `ConversationStore`. What was acknowledged survives as long as Redis keeps it: set `appendfsync always`
 * for a server that may lose its power, and `maxmemory-policy noeviction`, since an evicted conversation is lost as a whole.
 *
 * Limits: `scan` without a subject sees the server that the client is connected to, and not the others of a cluster.
 *
 * @experimental
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import * as ConversationStore from "./ConversationStore.ts"
import { type NetworkedOptions, settingsOf } from "./internal/store/networked.ts"
import { makeStore } from "./internal/store/redis/conversations.ts"

export interface Options extends NetworkedOptions {
  /** What the names of all keys begin with. Default: `"clawback:conversation:"`. Apps with the same prefix share conversations. */
  readonly prefix?: string | undefined
}

/** Makes the store. Throws a `RangeError` that names an invalid option. */
export const make = (options: Options = {}): Effect.Effect<ConversationStore.ConversationStore, never, Redis.Redis> =>
  Effect.map(Redis.Redis, (redis) =>
    makeStore(redis, {
      ...settingsOf(options),
      name: "redis",
      prefix: OptionCheck.text("prefix", options.prefix ?? "clawback:conversation:")
    }))

/** Keeps conversations in Redis. */
export const layer = (options: Options = {}): Layer.Layer<never, never, Redis.Redis> =>
  Layer.effect(ConversationStore.ConversationStore, make(options))
