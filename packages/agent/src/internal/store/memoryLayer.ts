/** A store in memory, with what runs in its scope. */
import * as Shutdown from "@clawback/core/Shutdown"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Compression } from "./compression.ts"
import { forgetting } from "./keeper.ts"
import { Memory } from "./memory.ts"
import { limitsOf, type MemoryOptions, sweepIntervalOf } from "./memoryOptions.ts"
import { makeStore } from "./memoryStore.ts"
import type { ConversationStore } from "./port.ts"
import { makeSaving } from "./secondStore.ts"
import * as Sweeper from "./sweeper.ts"

/** Without a fiber: each operation also looks at a few other conversations. */
export const makeMemoryUnsafe = (): ConversationStore => {
  const memory = new Memory(limitsOf({}), undefined)
  return makeStore("memory", memory, forgetting(memory))
}

const makeBefore = Effect.fnUntraced(function*(memory: Memory, second: ConversationStore) {
  const { saving, store } = makeSaving(memory, second)
  yield* Shutdown.addFinalizer({ phase: "persist", name: `conversations to ${second.name}` })(
    Effect.orDie(saving.persist)
  )
  yield* Effect.addFinalizer(() =>
    Effect.ignore(saving.persist, { log: "Error", message: "Conversations in memory were not saved" })
  )
  return store
})

export const makeMemory = (options: MemoryOptions): Effect.Effect<ConversationStore, never, Scope.Scope> =>
  Effect.gen(function*() {
    const memory = new Memory(limitsOf(options), yield* Compression)
    yield* Sweeper.ofMemory(memory, sweepIntervalOf(options))
    return options.second === undefined
      ? makeStore("memory", memory, forgetting(memory))
      : yield* makeBefore(memory, options.second)
  })
