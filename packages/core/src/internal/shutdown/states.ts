import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { State } from "./phases.ts"

/** The states of a shutdown, for all fibers that watch them. */
export class States {
  private readonly current: () => State
  private readonly listeners = new Set<(state: State) => void>()

  constructor(current: () => State) {
    this.current = current
  }

  emit(state: State): void {
    for (const listener of this.listeners) listener(state)
  }

  /** Emits the present state, then each later one, and ends with `"done"`. */
  readonly changes: Stream.Stream<State> = Stream.unwrap(Effect.gen({ self: this }, function*() {
    const queue = yield* Queue.unbounded<State, Cause.Done>()
    const listener = (state: State) => {
      Queue.offerUnsafe(queue, state)
      if (state === "done") Queue.endUnsafe(queue)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        this.listeners.add(listener)
        listener(this.current())
      }),
      () => Effect.sync(() => this.listeners.delete(listener))
    )
    return Stream.fromQueue(queue)
  }))
}
