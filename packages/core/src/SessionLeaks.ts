/**
 * Looks for sessions that should not be open any more, and does something about them.
 *
 * A session leaks if it exceeds its kind's `leakThreshold`, an option of the registry, or if its owner was lost.
 *
 * @stable
 */

import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { logged } from "./internal/session/snapshot.ts"
import * as Time from "./internal/time/format.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as SessionRegistry from "./SessionRegistry.ts"

/** What to do about a leak that was found. */
export type OnLeak = (leak: SessionRegistry.Leak) => Effect.Effect<void>

/** Logs the leak, and does not release it. */
export const report: OnLeak = ({ reason, session }) =>
  Effect.logWarning(
    `Session leaked (${reason}): ${session.kind} ${session.name}, for ${Time.format(session.age)}`,
    logged(session)
  )

/** Logs the leak, and revokes the session: with a deadline of zero if its owner was lost. */
export const reclaim: OnLeak = (leak) => {
  const { reason, session } = leak
  const deadline = reason === "owner gone" ? 0 : undefined
  const revoked = SessionRegistry.revoke({ id: session.id }, { reason: `leaked (${reason})`, deadline })
  return Effect.andThen(report(leak), Effect.asVoid(revoked))
}

/**
 * Looks for leaks while the layer is open, and runs `onLeak` (default: `report`) once for each.
 *
 * `every` (default: 10 seconds) is the time between two looks. Each look visits every open session. Too short, and looking
 * takes all the time; too long, and leaks are found late. If the registry's `leakThreshold` returns an invalid duration, the
 * look dies and is logged as an error, each time.
 */
export const layer = (
  options: { readonly every?: Duration.Input | undefined; readonly onLeak?: OnLeak | undefined } = {}
): Layer.Layer<never> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const every = OptionCheck.interval("every", options.every ?? "10 seconds")
    const { onLeak = report } = options
    const scope = yield* Effect.scope
    let known = new Set<number>()
    // On a fiber of its own: a handler that hangs does not stop the next look.
    const handle = (leak: SessionRegistry.Leak) =>
      Effect.catchCause(
        Effect.suspend(() => onLeak(leak)),
        (cause) => Effect.logError("A leak could not be handled", cause)
      )
    const look = Effect.gen(function*() {
      const found = yield* SessionRegistry.leaks
      const fresh = found.filter(({ session }) => !known.has(session.id))
      known = new Set(found.map(({ session }) => session.id))
      for (const leak of fresh) yield* Effect.forkIn(handle(leak), scope)
    }).pipe(Effect.catchCause((cause) => Effect.logError("Leaks could not be looked for", cause)))
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(every), look)))
  }))
