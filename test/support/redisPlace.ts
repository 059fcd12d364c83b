/** A store in a Redis of tests, with keys of its own. */
import * as ConversationStoreRedis from "@clawback/agent/ConversationStoreRedis"
import * as NodeRedis from "@clawback/node/NodeRedis"
import { Effect, Layer } from "effect"
import * as Redis from "./redis.ts"

export const storeLayer = (options: ConversationStoreRedis.Options) =>
  Layer.unwrap(Effect.gen(function*() {
    const address = yield* Redis.available
    const prefix = yield* Redis.keyPrefix(address)
    return ConversationStoreRedis.layer({ ...options, prefix }).pipe(
      Layer.provideMerge(NodeRedis.layer({ host: address.host, port: address.port }))
    )
  }))
