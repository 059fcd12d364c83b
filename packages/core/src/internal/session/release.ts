import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Deadline from "../time/deadline.ts"
import * as Releasing from "./currentRelease.ts"
import { ReleaseFailed } from "./errors.ts"
import type { Info } from "./model.ts"
import type { Holding, SessionRecord } from "./record.ts"
import { Unowned } from "./releaseContext.ts"

const defaultRetry: Required<Info>["releaseRetry"] = Schedule.exponential("50 millis").pipe(Schedule.upTo({ times: 3 }))

const attempt = ({ release, value }: Holding, exit: Exit.Exit<unknown, unknown>): Effect.Effect<unknown, unknown> => {
  try {
    const released = release(value, exit)
    return released === Effect.void || Effect.isEffect(released)
      ? released
      : Effect.die(new TypeError("A release must be an effect"))
  } catch (defect) {
    return Effect.die(defect)
  }
}

/** Retries a release that failed, as the session's info says; one that fails to the end becomes a defect, as one that died. */
const again = (record: SessionRecord, cause: Cause.Cause<unknown>, release: () => Effect.Effect<unknown, unknown>) => {
  const failure = cause.reasons.find(Cause.isFailReason)
  if (failure === undefined) return Effect.failCause(cause as Cause.Cause<never>)
  const { id, kind, name, releaseRetry = defaultRetry } = record
  let isFirst = true
  const next = Effect.suspend((): Effect.Effect<unknown, unknown> => {
    if (!isFirst) return release()
    isFirst = false
    return Effect.fail(failure.error)
  })
  return Effect.catch(
    Effect.retry(next, releaseRetry),
    (cause) => Effect.die(new ReleaseFailed({ id, kind, session: name, cause }))
  )
}

/**
 * Releases what a session holds, then calls `leave`, however the release ends. It begins when it is called. It runs in the
 * context in which the session was acquired, whichever fiber releases it, but without the deadline.
 */
export const release = (
  record: SessionRecord,
  exit: Exit.Exit<unknown, unknown>,
  leave: () => void
): Effect.Effect<void> => {
  const { held } = record
  const released = held === undefined ? Effect.void : attempt(held, exit)
  // Most releases are done at once.
  if (held === undefined || released === Effect.void || (Exit.isExit(released) && Exit.isSuccess(released))) {
    leave()
    return Effect.void
  }
  // Not `provideContext`: it merges two contexts each time. And in as many steps whether they differ or not, since that
  // can depend on which sessions were sampled, and a seed must decide the schedule.
  return Effect.withFiber((fiber) => {
    const outer = fiber.context
    const { services } = held
    const releasing = new Releasing.Release(record, fiber)
    releasing.begin()
    const context = Context.add(
      services instanceof Unowned ? services.context : services,
      Releasing.Current,
      releasing
    )
    fiber.setContext(
      Context.get(context, Deadline.Current) === undefined
        ? context
        : Context.add(context, Deadline.Current, undefined)
    )
    const end = () => {
      releasing.end()
      fiber.setContext(outer)
      leave()
      return undefined
    }
    return Effect.matchCauseEffect(released, {
      onSuccess: () => {
        end()
        return Effect.void
      },
      onFailure: (cause) => Effect.asVoid(Effect.onExitPrimitive(again(record, cause, () => attempt(held, exit)), end))
    })
  })
}
