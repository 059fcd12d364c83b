/** Conversations in this process's memory. */
import { ConversationStore } from "@clawback/agent"
import { layer } from "@effect/vitest"
import { TestClock } from "effect/testing"
import { suite } from "./support/ConversationStoreSuite.ts"

const maxBytes = 4000

layer(ConversationStore.layerMemory({ maxBytes, tombstone: "1 minute", sweepInterval: "1 hour" }))(
  "ConversationStore.layerMemory",
  (it) => suite(it, { pass: TestClock.adjust, moment: 10_000, maxBytes, tombstone: 6 })
)
