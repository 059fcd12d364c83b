/** Steps of a store, each with a time limit. A store may fail, hang, or answer too late. */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Time from "../time/format.ts"
import { LeaseStoreError } from "./errors.ts"
import { waitersOf } from "./line.ts"
import type { LeaseStore, Release } from "./model.ts"

const timedOut = (
  store: LeaseStore,
  operation: LeaseStoreError["operation"],
  key: string,
  millis: number
): LeaseStoreError =>
  new LeaseStoreError({
    store: store.name,
    operation,
    key,
    problem:
      `it did not answer within ${Time.format(Duration.millis(millis))}. Check that it can be reached, or raise ` +
      "`stepTimeout`",
    isUnknown: true
  })

/** What limits a step. */
export interface Limit {
  readonly store: LeaseStore
  readonly operation: LeaseStoreError["operation"]
  readonly key: string
  readonly millis: number
}

/**
 * Runs a step on a fiber of its own, and waits for it within `restore`. A step that takes too long, or whose caller is
 * interrupted, is interrupted without waiting for its end. Call this where interruption is not allowed.
 */
export const bounded = <A, R, E2 = never>(
  step: Effect.Effect<A, LeaseStoreError>,
  { key, millis, operation, store }: Limit,
  restore: (part: Effect.Effect<A, LeaseStoreError>) => Effect.Effect<A, LeaseStoreError | E2, R>
): Effect.Effect<A, LeaseStoreError | E2, R> =>
  Effect.flatMap(Effect.forkDetach(step, { startImmediately: true }), (fiber) => {
    const waited = Effect.timeoutOrElse(Fiber.join(fiber), {
      duration: millis,
      orElse: () => Effect.fail(timedOut(store, operation, key, millis))
    })
    return Effect.onExitPrimitive(fiber.pollUnsafe() ?? restore(waited), () => {
      if (fiber.pollUnsafe() === undefined) fiber.interruptUnsafe()
      return undefined
    })
  })

/** The same where nobody waits for more than the step. */
export const within = <A>(step: Effect.Effect<A, LeaseStoreError>, limit: Limit): Effect.Effect<A, LeaseStoreError> =>
  Effect.uninterruptibleMask((restore) => bounded(step, limit, restore))

/** How many grants of a store may be released in the background at the same time. What is beyond them expires by itself. */
const mostInBackground = 1000
const underWay = new WeakMap<LeaseStore, { count: number }>()

/** How often a release in the background is tried, from 50 milliseconds on, doubled each time. */
const retries = Schedule.exponential("50 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 6 }))

/**
 * Releases in the background what the store may have granted: after an acquire whose outcome is unknown, or a release that failed.
 * Gives up after some tries, or when the grant has expired anyway.
 */
export const releaseLater = (
  store: LeaseStore,
  grant: Release,
  ttl: number,
  stepTimeout: number,
  context: Context.Context<never>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    let counted = underWay.get(store)
    if (counted === undefined) underWay.set(store, counted = { count: 0 })
    if (counted.count >= mostInBackground) return Effect.void
    counted.count++
    const { key } = grant
    const step = Effect.suspend(() =>
      within(store.release(grant), { store, operation: "release", key, millis: stepTimeout })
    )
    const released = Effect.retry(step, retries).pipe(
      Effect.timeoutOption(ttl),
      Effect.tap(() => Effect.sync(() => waitersOf(store).wake(key))),
      Effect.catchCause((cause) =>
        Effect.logDebug(`The lease of ${key} could not be released, and expires by itself`, cause)
      ),
      Effect.ensuring(Effect.sync(() => counted.count--))
    )
    return Effect.asVoid(Effect.forkDetach(Effect.provideContext(released, context), { startImmediately: true }))
  })
