/**
 * Writes the life of sessions into the log: when one was opened, revoked and closed, by whom and after how long.
 *
 * Each entry is structured, with the session as an annotation and secrets struck out. Opening is logged at `Debug`,
 * closing at `Info`, revocation and changes that were missed at `Warning`.
 *
 * @stable
 */

import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { subscribe } from "./internal/session/changes.ts"
import { kernelOf } from "./internal/session/kernel.ts"
import { logged } from "./internal/session/snapshot.ts"
import { endsIn } from "./internal/time/atMost.ts"
import * as Time from "./internal/time/format.ts"
import * as SessionRegistry from "./SessionRegistry.ts"

export interface Options {
  /** Which sessions are worth an entry. Default: all. */
  readonly isSignificant?: ((session: SessionRegistry.Snapshot) => boolean) | undefined
}

const write = (change: SessionRegistry.Change): Effect.Effect<void> => {
  switch (change._tag) {
    case "Missed":
      return Effect.logWarning(`${change.count} changes of sessions came too fast to be logged`)
    case "Opened":
      return Effect.logDebug(`opened ${change.session.kind} ${change.session.name}`)
    case "Revoked":
      return Effect.logWarning(`revoked ${change.session.kind} ${change.session.name}: ${change.reason}`)
    case "Closed":
      return Effect.logInfo(
        `closed ${change.session.kind} ${change.session.name} after ${Time.format(change.session.age)}`
      )
  }
}

/** How long the log may take to be written at the end. */
const patience = Duration.seconds(5)

/** Logs while the layer is open, including the changes just before it closes. */
export const layer = ({ isSignificant = () => true }: Options = {}): Layer.Layer<never> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const { changes, end } = yield* subscribe(kernelOf(yield* SessionRegistry.SessionRegistry).changes)
    const writing = Stream.runForEach(changes, (change) => {
      if (change._tag === "Missed") return write(change)
      const { session } = change
      const judged = Effect.suspend(() =>
        isSignificant(session) ? Effect.annotateLogs(write(change), { session: logged(session) }) : Effect.void
      )
      return Effect.catchCause(
        judged,
        (cause) =>
          Effect.logError(`The entry of the session ${session.kind} ${session.name} could not be written`, cause)
      )
    })
    yield* Effect.acquireRelease(
      Effect.forkDetach(writing),
      (fiber) => Effect.andThen(end, endsIn(fiber, patience))
    )
  }))
