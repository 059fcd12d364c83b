/**
 * Looks for sessions that should not be open any more, and does something about them.
 *
 * What counts as a leak, the registry's options say: a kind held for longer than it may be, or by nobody who could still
 * release it.
 */

import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Time from "./internal/time/format.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as SessionRegistry from "./SessionRegistry.ts"

/** What to do about a leak that was found. */
export type OnLeak = (leak: SessionRegistry.Leak) => Effect.Effect<void>

/** Says so in the log, and leaves it. */
export const report: OnLeak = ({ reason, session }) =>
  Effect.logWarning(
    `Session leaked (${reason}): ${session.kind} ${session.name}, for ${Time.format(session.age)}`,
    session
  )

/** Says so in the log, and takes it back: at once if nobody is left who could let go of it. */
export const reclaim: OnLeak = (leak) => {
  const { reason, session } = leak
  const deadline = reason === "owner gone" ? 0 : undefined
  const revoked = SessionRegistry.revoke({ id: session.id }, { reason: `leaked (${reason})`, deadline })
  return Effect.andThen(report(leak), Effect.asVoid(revoked))
}

/**
 * Looks for leaks for as long as the layer is open, and does `onLeak` (default: `report`) about each, once.
 *
 * `every` (default: 10 seconds) says how often. Each look walks what is open: too short, and it is all that the process
 * does; too long, and leaks are found late. A look that dies, since the registry's `leakThreshold` gave no duration, is
 * logged as an error, each time.
 */
export const layer = (
  options: { readonly every?: Duration.Input | undefined; readonly onLeak?: OnLeak | undefined } = {}
): Layer.Layer<never> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const every = OptionCheck.interval("every", options.every ?? "10 seconds")
    const { onLeak = report } = options
    const scope = yield* Effect.scope
    let known = new Set<number>()
    // On a fiber of its own: one that hangs keeps nobody from looking.
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
