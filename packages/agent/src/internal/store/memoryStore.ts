/** The store over this process's memory. */
import * as Effect from "effect/Effect"
import type { Keeper } from "./keeper.ts"
import type { Memory } from "./memory.ts"
import type { ConversationStore } from "./port.ts"
import { appendRefusalOf, refusalOf } from "./refusals.ts"
import { utf8Length } from "./utf8.ts"

/** How many conversations a walk over all looks at before other fibers run. */
const stepSize = 256

/** Walks over so many conversations, and returns how many of them had expired. */
export const walk = (memory: Memory, left: number, deleted = 0): Effect.Effect<number> =>
  Effect.clockWith((clock) => {
    const walked = memory.step(clock.currentTimeMillisUnsafe(), Math.min(left, stepSize))
    const sum = deleted + walked.deleted
    return left <= walked.looked || walked.looked === 0
      ? Effect.succeed(sum)
      : Effect.andThen(Effect.yieldNow, walk(memory, left - walked.looked, sum))
  })

export const makeStore = (name: string, memory: Memory, keeper: Keeper): ConversationStore => ({
  name,
  load: (conversation, options) =>
    keeper.within(
      conversation,
      undefined,
      (now) => Effect.succeed(memory.load(conversation, now, options?.touch, options?.from))
    ),
  append: (change) =>
    keeper.within(change.conversation, utf8Length(...change.entries), (now) => {
      const answer = memory.append(change, now)
      if (!("_tag" in answer)) return Effect.succeed(answer)
      return Effect.fail(appendRefusalOf(change, answer as Parameters<typeof appendRefusalOf>[1], memory.limits))
    }),
  setView: (change) =>
    keeper.within(change.conversation, utf8Length(change.text), (now) => {
      const answer = memory.setView(change, now)
      return "_tag" in answer ? Effect.fail(refusalOf(change, answer, memory.limits)) : Effect.succeed(answer)
    }),
  trim: (trim) => keeper.within(trim.conversation, undefined, (now) => Effect.succeed(memory.trim(trim, now))),
  remove: (conversation, options = {}) =>
    keeper.within(conversation, undefined, (now) => Effect.succeed(memory.remove(conversation, options, now))),
  scan: (options) => Effect.clockWith((clock) => Effect.succeed(memory.page(clock.currentTimeMillisUnsafe(), options))),
  sweep: Effect.suspend(() => walk(memory, memory.residents.size)),
  export: (conversation) =>
    keeper.within(conversation, undefined, (now) => Effect.succeed(memory.stored(conversation, now))),
  adopt: (stored) =>
    keeper.within(
      stored.conversation,
      stored.state._tag === "Live" ? stored.state.bytes : 0,
      (now) => Effect.succeed(memory.adopt(stored, now))
    )
})
