export * as Compaction from "./Compaction.ts"
export * as ConversationStore from "./ConversationStore.ts"
export * as TokenCount from "./TokenCount.ts"
