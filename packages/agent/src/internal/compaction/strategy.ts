/** What all strategies do alike: measure, decide, and report what was done. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { measure } from "./count.ts"
import type { Compact, Counted, Item, Step } from "./model.ts"
import { positionsOf } from "./model.ts"

/**
 * The history as the conversation's last request had it, before other strategies of the same compaction changed it. A summary is
 * made of it, so that its request begins as the last one did.
 */
export const Original = Context.Reference<ReadonlyArray<Item> | undefined>("@clawback/agent/Compaction/Original", {
  defaultValue: () => undefined
})

/** What a strategy made of a history. */
export interface Outcome {
  readonly items: ReadonlyArray<Item>
  readonly removed: ReadonlyArray<Item>
  readonly changed: ReadonlyArray<Item>
  readonly about?: Pick<Step, "model" | "usage"> | undefined
}

export const removing = (items: ReadonlyArray<Item>, removed: ReadonlyArray<Item>): Outcome => ({
  items,
  removed,
  changed: []
})

/** `decide` returns undefined if there is nothing to do. `confirm` may reject the result by its size. */
export const strategy = <E, R, E2 = never>(
  by: string,
  decide: (counted: Counted) => Effect.Effect<Outcome | undefined, E, R>,
  confirm?: (before: Counted, after: Counted) => Effect.Effect<boolean, E2>
): Compact<E | E2, R> =>
  Effect.fnUntraced(function*(history) {
    const before = yield* measure(history)
    const outcome = yield* decide(before)
    if (outcome === undefined) return Option.none()
    const after = yield* measure(outcome.items)
    if (confirm !== undefined && !(yield* confirm(before, after))) return Option.none()
    const step: Step = {
      by,
      at: yield* Clock.currentTimeMillis,
      removed: positionsOf(outcome.removed),
      changed: positionsOf(outcome.changed),
      tokensBefore: before.total,
      tokensAfter: after.total,
      counter: after.counter,
      ...outcome.about
    }
    return Option.some({ items: after.items, steps: [step], tokens: after.total })
  })
