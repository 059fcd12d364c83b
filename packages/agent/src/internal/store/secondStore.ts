/** The store in memory before a second store. */
import * as Effect from "effect/Effect"
import type { Memory } from "./memory.ts"
import { makeStore } from "./memoryStore.ts"
import type { ConversationStore } from "./port.ts"
import { Saving } from "./saving.ts"

export const makeSaving = (
  memory: Memory,
  second: ConversationStore
): { readonly store: ConversationStore; readonly saving: Saving } => {
  const saving = new Saving(memory, second)
  const name = `memory, ${second.name}`
  const store = makeStore(name, memory, saving)
  return {
    saving,
    store: {
      ...store,
      remove: (conversation, options = {}) =>
        saving.remove(conversation, (now) => memory.remove(conversation, options, now)),
      scan: (options) => saving.scan(options),
      sweep: Effect.zipWith(store.sweep, saving.sweep, (own, second) => own + second)
    }
  }
}
