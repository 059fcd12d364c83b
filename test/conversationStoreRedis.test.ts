/** Conversations in a real Redis. */
import { describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { agrees } from "../packages/agent/test/support/agrees.ts"
import { suite } from "../packages/agent/test/support/ConversationStoreSuite.ts"
import { isAvailable } from "./support/redis.ts"
import { storeLayer } from "./support/redisPlace.ts"

const maxBytes = 4000

describe.skipIf(!isAvailable)("ConversationStoreRedis", () => {
  layer(storeLayer({ maxBytes, tombstone: 1200 }), { excludeTestServices: true })((it) => {
    suite(it, { pass: Effect.sleep, moment: 200, maxBytes, tombstone: 6 })
  })

  layer(storeLayer({ maxBytes: 200 }), { excludeTestServices: true })((it) => agrees(it, 200, 100))
})
