import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import type { Info } from "../Session.ts"
import { ReleaseFailed } from "../SessionError.ts"
import type { Entry } from "./ledger.ts"

const releaseRetry: Required<Info>["releaseRetry"] = Schedule.exponential("50 millis").pipe(Schedule.upTo({ times: 3 }))

/** Has what was tried once and failed tried again, as the session's info says, and die if it fails to the end. */
const again = (info: Info, id: number, error: unknown, release: () => Effect.Effect<unknown, unknown>) => {
  let isFirst = true
  const next = Effect.suspend((): Effect.Effect<unknown, unknown> => {
    if (!isFirst) return release()
    isFirst = false
    return Effect.fail(error)
  })
  return Effect.catch(
    Effect.retry(next, info.releaseRetry ?? releaseRetry),
    (cause) => Effect.die(new ReleaseFailed({ id, kind: info.kind, name: info.name, cause }))
  )
}

/** Gives back what a session holds. It runs in the context of who acquired it, whoever releases it. */
export const release = (entry: Entry, exit: Exit.Exit<unknown, unknown>): Effect.Effect<unknown> => {
  const { held, id, info } = entry
  if (held === undefined) return Effect.void
  const { release, services, value } = held
  const released = release(value, exit)
  // Most releases are done as soon as they are asked for.
  if (Exit.isExit(released) && Exit.isSuccess(released)) return Effect.void
  const whole = Effect.catch(released, (error) => again(info, id, error, () => release(value, exit)))
  // Not `provideContext`: it merges two contexts each time. And in as many steps whether they differ or not, since that
  // can depend on which sessions were sampled, and a seed must decide the schedule.
  return Effect.withFiber((fiber) => {
    const outer = fiber.context
    fiber.setContext(services)
    return Effect.onExitPrimitive(whole, () => {
      fiber.setContext(outer)
      return undefined
    })
  })
}
