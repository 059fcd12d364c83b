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
import { bounded, releaseLater } from "./steps.ts"

/** Whether the store may have granted something to a caller that does not know it. */
const mayBeGranted = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) &&
  !exit.cause.reasons.every((reason) =>
    Cause.isFailReason(reason) && reason.error instanceof LeaseStoreError && !reason.error.isUnknown
  )

/** One caller that asks, as often as it takes. */
class Asking {
  /** Whether the store may have granted a lease unseen. A repeated request gets it; it is released if there is none. */
  private isUnsure = false
  private readonly of: Holding
  private readonly request: Request

  constructor(of: Holding) {
    const { environment: { random }, settings: { holder, key, limit, ttl } } = of
    this.of = of
    this.request = { key, id: IdempotencyKey.make(random), limit, ttl, holder }
  }

  /** Asks the store once. Returns a lease, or when to ask again. */
  once(restore: Restore): Effect.Effect<Hold | number, LeaseStoreError | SessionRevoked> {
    return Effect.suspend(() => {
      const { of, request } = this
      const { environment: { clock }, settings: { key, stepTimeout }, store } = of
      const limit = { store, operation: "acquire", key, millis: stepTimeout } as const
      const askedAt = Monotonic.millis(clock)
      const answered = Effect.map(
        bounded(Effect.suspend(() => store.acquire(request)), limit, restore),
        (answer) =>
          answer._tag === "Busy" ? answer.retryIn : new Hold(of, { key, id: request.id, token: answer.token }, askedAt)
      )
      return Effect.onExitPrimitive(answered, (exit) => {
        if (mayBeGranted(exit)) this.isUnsure = true
        return undefined
      })
    })
  }

  /** Gives up. What the store may have granted unseen is released in the background. */
  get end(): Effect.Effect<void> | undefined {
    const { environment, settings: { stepTimeout, ttl }, store } = this.of
    const { id, key } = this.request
    return this.isUnsure ? releaseLater(store, { key, id }, ttl, stepTimeout, environment.context) : undefined
  }
}

/** Waits until it is woken, for at most `millis`. Whole ones, since a clock may stand still for less. */
const pause = (waiter: Waiter, millis: number, restore: Restore): Effect.Effect<void, SessionRevoked> =>
  restore(Effect.asVoid(Effect.timeoutOption(waiter.woken, Math.ceil(millis))))

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): Outcome => {
  if (Exit.isSuccess(exit)) return "granted"
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  return error instanceof LeaseBusy ? "busy" : error instanceof LeaseStoreError ? "failed" : "interrupted"
}

const waiting = Effect.fnUntraced(function*(of: Holding, asking: Asking, waiter: Waiter, restore: Restore) {
  const { environment: { clock, random }, settings: { key, limit, poll, wait }, store } = of
  const waiters = waitersOf(store)
  const startedAt = Monotonic.millis(clock)
  const until = startedAt + wait
  let failure: LeaseStoreError | undefined
  let retryIn = poll
  // Who comes now does not overtake those who wait.
  let mayAsk = !waiters.isAnyoneWaiting(key)
  for (;;) {
    if (mayAsk) {
      const answer = yield* Effect.catchTag(asking.once(restore), "LeaseStoreError", (error) => Effect.succeed(error))
      if (answer instanceof Hold) return answer
      failure = answer instanceof LeaseStoreError ? answer : undefined
      retryIn = typeof answer === "number" ? answer : poll
    }
    const now = Monotonic.millis(clock)
    if (now >= until) {
      const waited = Duration.millis(now - startedAt)
      return yield* failure ?? new LeaseBusy({ key, limit, waited, retryIn: Duration.millis(retryIn) })
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
    const of = { settings, store, environment, metrics }
    const asking = new Asking(of)
    const startedAt = Monotonic.millis(environment.clock)
    return Effect.onExitPrimitive(waiting(of, asking, waiter, restore), (exit) => {
      waitersOf(store).leave(settings.key, waiter)
      metrics.requested(outcomeOf(exit), Monotonic.millis(environment.clock) - startedAt)
      return Exit.isSuccess(exit) ? undefined : asking.end
    })
  })
