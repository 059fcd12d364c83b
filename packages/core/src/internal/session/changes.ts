import type * as Arr from "effect/Array"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Change, SessionRegistry } from "../../SessionRegistry.ts"

const buffer = 4096

/** Hears of a registry's changes until the scope closes, or `end` is run: the stream then ends after those that came. */
export const subscribe = (registry: Pick<SessionRegistry, "listenUnsafe">): Effect.Effect<
  { readonly changes: Stream.Stream<Change>; readonly end: Effect.Effect<void> },
  never,
  Scope.Scope
> =>
  Effect.gen(function*() {
    const queue = yield* Queue.dropping<Change, Cause.Done>(buffer)
    let missed = 0
    const listener = (change: Change) => {
      if (missed > 0 || !Queue.offerUnsafe(queue, change)) missed++
    }
    const stop = yield* Effect.acquireRelease(
      Effect.sync(() => registry.listenUnsafe(listener)),
      (stop) => Effect.sync(stop)
    )
    // What was missed came after all that is in the queue, and before whatever comes once that is taken.
    const pull = Effect.map(Queue.takeAll(queue), (taken): Arr.NonEmptyReadonlyArray<Change> => {
      if (missed === 0) return taken
      const count = missed
      missed = 0
      return [...taken, { _tag: "Missed", count }]
    })
    return {
      changes: Stream.fromPull(Effect.succeed(pull)),
      end: Effect.suspend(() => {
        stop()
        return Effect.asVoid(Queue.end(queue))
      })
    }
  })
