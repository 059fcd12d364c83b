/** How conversations in memory get their room: those that were not used for longest are forgotten. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { StoreUnavailable } from "./errors.ts"
import type { Memory } from "./memory.ts"

export interface Keeper {
  /**
   * Runs a step on a conversation in memory. `bytes` is how many it adds at most; undefined if it begins no conversation and
   * adds nothing.
   */
  readonly within: <A, E>(
    conversation: string,
    bytes: number | undefined,
    step: (now: number) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E | StoreUnavailable>
}

/** How many conversations each step looks at, so that a store without a fiber of its own does not grow. */
const tribute = 2

const makeRoom = (memory: Memory, conversation: string, bytes: number): void => {
  if (!memory.isFull(conversation, bytes)) return
  for (const resident of memory.residents.byAge()) {
    if (resident.conversation === conversation) continue
    memory.evict(resident)
    if (!memory.isFull(conversation, bytes)) return
  }
}

export const forgetting = (memory: Memory): Keeper => ({
  within: (conversation, bytes, step) =>
    Effect.withFiber((fiber) => {
      const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      memory.step(now, tribute)
      if (bytes !== undefined) makeRoom(memory, conversation, bytes)
      return step(now)
    })
})
