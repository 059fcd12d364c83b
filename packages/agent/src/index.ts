export * as Compaction from "./Compaction.ts"
export * as ConversationStore from "./ConversationStore.ts"
export * as Retention from "./Retention.ts"
export * as TokenCount from "./TokenCount.ts"
