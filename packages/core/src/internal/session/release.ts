import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import type { Info } from "../../Session.ts"
import { ReleaseFailed } from "../../SessionError.ts"
import * as Deadline from "../time/deadline.ts"
import * as Releasing from "./currentRelease.ts"
import type { Entry, Held } from "./ledger.ts"
import { Unowned } from "./releaseContext.ts"

const defaultRetry: Required<Info>["releaseRetry"] = Schedule.exponential("50 millis").pipe(Schedule.upTo({ times: 3 }))

const attempt = ({ release, value }: Held, exit: Exit.Exit<unknown, unknown>): Effect.Effect<unknown, unknown> => {
  try {
    const released = release(value, exit)
    return Exit.isExit(released) || Effect.isEffect(released)
      ? released
      : Effect.die(new TypeError("A release must be an effect"))
  } catch (defect) {
    return Effect.die(defect)
  }
}

/** Has what failed tried again, as the session's info says, and die if it fails to the end. A release that died has. */
const again = (entry: Entry, cause: Cause.Cause<unknown>, release: () => Effect.Effect<unknown, unknown>) => {
  const failure = cause.reasons.find(Cause.isFailReason)
  if (failure === undefined) return Effect.failCause(cause as Cause.Cause<never>)
  const { id, kind, name, releaseRetry = defaultRetry } = entry
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
 * Gives back what a session holds, and leaves whatever comes of that. It begins as it is called, and runs in the context of
 * who acquired it, whoever releases it, but for the deadline.
 */
export const release = (entry: Entry, exit: Exit.Exit<unknown, unknown>, leave: () => void): Effect.Effect<void> => {
  const { held } = entry
  const released = held === undefined ? Effect.void : attempt(held, exit)
  // Most releases are done as soon as they are asked for.
  if (held === undefined || (Exit.isExit(released) && Exit.isSuccess(released))) {
    leave()
    return Effect.void
  }
  // Not `provideContext`: it merges two contexts each time. And in as many steps whether they differ or not, since that
  // can depend on which sessions were sampled, and a seed must decide the schedule.
  return Effect.withFiber((fiber) => {
    const outer = fiber.context
    const { services } = held
    const releasing = new Releasing.Release(entry, fiber)
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
      onFailure: (cause) => Effect.asVoid(Effect.onExitPrimitive(again(entry, cause, () => attempt(held, exit)), end))
    })
  })
}
