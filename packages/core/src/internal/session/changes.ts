/** The changes of a registry, for those that listen. */
import type * as Arr from "effect/Array"
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Monotonic from "../time/monotonic.ts"
import type { Change } from "./model.ts"
import * as Observer from "./observer.ts"
import type { SessionRecord } from "./record.ts"
import { snapshot } from "./snapshot.ts"

type Listener = (change: Change) => void

/** Reads the current fiber's clock; outside a fiber, the default clock. */
const now = () => Monotonic.millis(Context.get(Fiber.getCurrent()?.context ?? Context.empty(), Clock.Clock))

/** The listeners of one registry. Without any, a change costs one look. */
export class Changes {
  private readonly listeners = new Set<Listener>()

  /**
   * Calls `listener` in the step of each change. Returns a function that stops listening. A listener that is added twice is
   * called twice.
   */
  listen(listener: Listener): () => void {
    const own = (change: Change) => listener(change)
    this.listeners.add(own)
    return () => void this.listeners.delete(own)
  }

  get isHeard(): boolean {
    return this.listeners.size > 0
  }

  tell(change: Change): void {
    for (const listener of this.listeners) Observer.tell(listener, change)
  }

  opened(record: SessionRecord): void {
    if (this.isHeard) this.tell({ _tag: "Opened", session: snapshot(record, now()) })
  }

  closed(record: SessionRecord): void {
    if (this.isHeard) this.tell({ _tag: "Closed", session: snapshot(record, now()) })
  }
}

const buffer = 4096

/** Reads a registry's changes until the scope closes, or `end` is run: the stream then ends after those that came. */
export const subscribe = (changes: Changes): Effect.Effect<
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
      Effect.sync(() => changes.listen(listener)),
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
