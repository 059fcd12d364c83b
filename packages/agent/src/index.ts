export * as ConversationStore from "./ConversationStore.ts"
