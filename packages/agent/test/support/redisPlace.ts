/** A Redis for tests, and keys of their own in it. */
import * as ConversationStoreRedis from "@clawback/agent/ConversationStoreRedis"
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { Effect, Layer } from "effect"
import * as Redis from "../../../../test/support/redis.ts"

export { isAvailable } from "../../../../test/support/redis.ts"

export const storeLayer = (options: ConversationStoreRedis.Options) =>
  Layer.unwrap(Effect.gen(function*() {
    const address = yield* Redis.available
    const prefix = yield* Redis.keyPrefix(address)
    return ConversationStoreRedis.layer({ ...options, prefix }).pipe(
      Layer.provideMerge(NodeRedis.layer({ socket: { host: address.host, port: address.port } }))
    )
  }))
