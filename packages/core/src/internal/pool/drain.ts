/** How a pool closes: it lends nothing more, waits for its borrowers, revokes those that are left, and closes every item. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Current } from "../session/current.ts"
import { type Kernel, kernelOfRecord } from "../session/kernel.ts"
import { SessionRecord } from "../session/record.ts"
import { revoke } from "../session/revoke.ts"
import { atMost } from "../time/atMost.ts"
import type { Core } from "./core.ts"
import { type Item, loansAround } from "./item.ts"

const reason = "its pool was closed"

/** Waits until nothing is left but what is lent to `own`. */
const emptied = <A, E>(core: Core<A, E>, own: ReadonlyArray<Item<unknown>>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const isEmpty = () =>
      core.machine.total === own.filter(({ entry, loan }) => loan !== undefined && entry.state === "busy").length
    if (isEmpty()) return resume(Effect.void)
    return Effect.sync(core.watch(() => {
      if (isEmpty()) resume(Effect.void)
    }))
  })

/** Revokes the loans, and releases by force those whose borrowers do not stop. */
const revokeAll = (loans: ReadonlyArray<SessionRecord>, patience: Duration.Duration): Effect.Effect<void> => {
  const kernels = new Map<Kernel, Set<number>>()
  for (const loan of loans) {
    const kernel = kernelOfRecord(loan)
    const ids = kernels.get(kernel) ?? new Set()
    kernels.set(kernel, ids.add(loan.id))
  }
  return Effect.forEach(
    kernels,
    ([kernel, ids]) => revoke(kernel)({ ids }, { reason, deadline: patience, releaseDeadline: patience }),
    { concurrency: "unbounded", discard: true }
  )
}

/**
 * Each caller returns once everything is closed or abandoned. What the caller itself has borrowed is not waited for: it is
 * closed when it is returned.
 */
export const drain = <A, E>(core: Core<A, E>): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const current = fiber.getRef(Current)
    const own = loansAround(current instanceof SessionRecord ? current : undefined, core)
    const patience = Duration.millis(core.settings.closeTimeout)
    const until = core.shut()
    return Effect.flatMap(
      atMost(emptied(core, own), Duration.millis(Math.max(0, until - core.now))),
      (isDone) => {
        if (isDone) return Effect.void
        const loans = Array.from(core.machine.entries, ({ resource }) => resource)
          .flatMap((item) => item?.loan === undefined || own.includes(item) ? [] : [item.loan])
        return Effect.andThen(revokeAll(loans, patience), emptied(core, own))
      }
    )
  })
