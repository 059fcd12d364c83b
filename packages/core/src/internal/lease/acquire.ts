/** How a caller gets a lease: it asks the store, and waits for its turn among those of this process. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { environmentOf } from "../pool/environment.ts"
import * as IdempotencyKey from "../retry/idempotencyKey.ts"
import type { SessionRevoked } from "../session/errors.ts"
import type { Restore } from "../session/model.ts"
import * as Monotonic from "../time/monotonic.ts"
import { LeaseBusy, LeaseStoreError } from "./errors.ts"
import { Hold, type Holding } from "./hold.ts"
import { Waiter, waitersOf } from "./line.ts"
import { LeaseMetrics, type Outcome } from "./metrics.ts"
import type { LeaseStore, Request } from "./model.ts"
import type { Settings } from "./settings.ts"
import { bounded, releaseLater, timedOut } from "./steps.ts"

/** Whether the store may have granted something to a caller that does not know it. */
const mayBeGranted = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) &&
  !exit.cause.reasons.every((reason) =>
    Cause.isFailReason(reason) && reason.error instanceof LeaseStoreError && !reason.error.isUnknown
  )

/** Asks the store once. What it may have granted unseen is released in the background. */
const ask = (
  of: Holding,
  request: Request,
  restore: Restore
): Effect.Effect<Hold | number, LeaseStoreError | SessionRevoked> =>
  Effect.suspend(() => {
    const { environment, settings: { key, margin, stepTimeout, ttl }, store } = of
    const limit = { store, operation: "acquire", key, millis: stepTimeout } as const
    const askedAt = Monotonic.millis(environment.clock)
    const answered = Effect.flatMap(
      bounded(Effect.suspend(() => store.acquire(request)), limit, restore),
      (answer): Effect.Effect<Hold | number, LeaseStoreError> => {
        if (answer._tag === "Busy") return Effect.succeed(answer.retryIn)
        // The process may have been paused.
        return Monotonic.millis(environment.clock) < askedAt + ttl - margin
          ? Effect.succeed(new Hold(of, { key, id: request.id, token: answer.token }, askedAt))
          : Effect.fail(timedOut(store, "acquire", key, stepTimeout))
      }
    )
    return Effect.onExitPrimitive(
      answered,
      (exit) => mayBeGranted(exit) ? releaseLater(store, request, ttl, stepTimeout, environment.context) : undefined
    )
  })

/** Waits until it is woken, for at most `millis`. Whole ones, since a clock may stand still for less. */
const pause = (waiter: Waiter, millis: number, restore: Restore): Effect.Effect<void, SessionRevoked> =>
  restore(Effect.asVoid(Effect.timeoutOption(waiter.woken, Math.ceil(millis))))

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): Outcome => {
  if (Exit.isSuccess(exit)) return "granted"
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  return error instanceof LeaseBusy ? "busy" : error instanceof LeaseStoreError ? "failed" : "interrupted"
}

const waiting = Effect.fnUntraced(function*(of: Holding, waiter: Waiter, restore: Restore) {
  const { environment: { clock, random }, settings, store } = of
  const { holder, key, limit, poll, ttl, wait } = settings
  const waiters = waitersOf(store)
  const startedAt = Monotonic.millis(clock)
  const until = startedAt + wait
  const request: Request = { key, id: IdempotencyKey.make(random), limit, ttl, holder }
  let failure: LeaseStoreError | undefined
  let retryIn = poll
  // Who comes now does not overtake those who wait.
  let mayAsk = !waiters.isAnyoneWaiting(key)
  for (;;) {
    if (mayAsk) {
      const answer = yield* Effect.catchTag(
        ask(of, request, restore),
        "LeaseStoreError",
        (error) => Effect.succeed(error)
      )
      if (answer instanceof Hold) return answer
      failure = answer instanceof LeaseStoreError ? answer : undefined
      retryIn = typeof answer === "number" ? answer : poll
    }
    const now = Monotonic.millis(clock)
    if (now >= until) {
      return yield* failure ??
        new LeaseBusy({ key, limit, waited: Duration.millis(now - startedAt), retryIn: Duration.millis(retryIn) })
    }
    if (!waiter.isWaiting) waiters.join(key, waiter)
    const next = Math.max(1, Math.min(retryIn, poll * (0.5 + 0.5 * random.nextDoubleUnsafe())))
    yield* pause(waiter, waiter.isFirst ? Math.min(next, until - now) : until - now, restore)
    mayAsk = waiter.isFirst
  }
})

/** Gets a lease, or fails in time. Use it to acquire a session. */
export const acquiring = (settings: Settings, store: LeaseStore) => (restore: Restore) =>
  Effect.withFiber((fiber) => {
    const environment = environmentOf(fiber)
    const metrics = new LeaseMetrics(store.name, environment.context)
    const waiter = new Waiter()
    const startedAt = Monotonic.millis(environment.clock)
    return Effect.onExitPrimitive(
      waiting({ settings, store, environment, metrics }, waiter, restore),
      (exit) => {
        waitersOf(store).leave(settings.key, waiter)
        metrics.requested(outcomeOf(exit), Monotonic.millis(environment.clock) - startedAt)
        return undefined
      }
    )
  })
