/** A fiber that outlives the effect that runs on it: what the effect forks as a child lives until the fiber is ended. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { besideDefects, defectsOf } from "../session/defects.ts"

/** The nearest host of a fiber: the fiber runs on it, or was forked on it, be it through others. */
const Around = Context.Reference<HostFiber<unknown> | undefined>("@clawback/core/HostFiber/Around", {
  defaultValue: () => undefined
})

export class HostFiber<out E> {
  private readonly ended: () => E
  private around: HostFiber<unknown> | undefined
  private fiber: Fiber.Fiber<unknown, unknown> | undefined
  private isOver = false

  /** `ended` makes the error of an effect that still runs when the fiber is ended. */
  constructor(ended: () => E) {
    this.ended = ended
  }

  /** Runs an effect on the fiber, once, and waits for its exit. An interruption of the wait ends the fiber. */
  run<A, E2, R>(effect: Effect.Effect<A, E2, R>): Effect.Effect<A, E | E2, R> {
    const failed = Effect.suspend(() => Effect.fail(this.ended()))
    return Effect.withFiber((waiter) =>
      Effect.callback<A, E | E2>((resume) => {
        if (this.isOver) return resume(failed)
        this.around = waiter.getRef(Around)
        let isDone = false
        const done = (exit: Exit.Exit<A, E2>) => {
          isDone = true
          resume(exit)
        }
        const context = this.hosted(waiter.context as Context.Context<R>)
        const work = Effect.withFiber<never, never, R>((fiber) => {
          // `end` knows the fiber from its first step on.
          this.fiber = fiber
          return Effect.flatMap(Effect.exit(effect), (exit) => {
            done(exit)
            return Effect.never
          })
        })
        Effect.runForkWith(context)(work).addObserver((exit) => {
          this.isOver = true
          if (!isDone) resume(besideDefects(exit, failed))
        })
        return this.end
      })
    )
  }

  /** Ends the fiber and everything that was forked on it, and waits for that. */
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    this.isOver = true
    const { fiber } = this
    return fiber === undefined ? Effect.void : Effect.andThen(Fiber.interrupt(fiber), defectsOf(fiber))
  })

  /** A context for work that belongs to the fiber without being forked on it. */
  hosted<R>(context: Context.Context<R>): Context.Context<R> {
    return Context.add(context, Around, this)
  }

  /** Whether the calling fiber belongs to this one, so that it cannot wait for its end. */
  get isCalledFromWithin(): boolean {
    let at = Fiber.getCurrent()?.getRef(Around)
    while (at !== undefined && at !== this) at = at.around
    return at !== undefined
  }
}
