/**
 * One fiber on which effects run, one after another, for those who wait for them.
 *
 * What such an effect forks as a child lives until the fiber is ended, as it would if the whole work were one effect.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { besideDefects, defectsOf } from "./defects.ts"

/** The fiber of ours that a fiber is, or was forked by, be it through others. */
const Around = Context.Reference<WorkFiber<unknown> | undefined>("@clawback/core/WorkFiber/Around", {
  defaultValue: () => undefined
})

interface Job {
  readonly run: Effect.Effect<Exit.Exit<unknown, unknown>>
  readonly answer: (exit: Effect.Effect<unknown, unknown>) => void
}

export class WorkFiber<out E> {
  private readonly outer: WorkFiber<unknown> | undefined
  /** What whoever waits gets once the fiber has been ended. */
  private readonly ended: () => E
  private fiber: Fiber.Fiber<unknown, unknown> | undefined
  private isOver = false
  private current: Job | undefined
  private readonly waiting: Array<Job> = []
  /** Wakes the fiber, which waits for work. */
  private wake: (() => void) | undefined

  constructor(ended: () => E) {
    this.ended = ended
    this.outer = Fiber.getCurrent()?.getRef(Around)
  }

  /** Runs an effect on the fiber, in the context of who waits for it. Whoever is interrupted while waiting ends the fiber. */
  run<A, E2, R>(effect: Effect.Effect<A, E2, R>): Effect.Effect<A, E | E2, R> {
    return Effect.contextWith((context: Context.Context<R>) =>
      Effect.callback<A, E | E2>((resume) => {
        if (this.isOver) return resume(Effect.suspend(() => Effect.fail(this.ended())))
        const own = Context.add(context, Around, this)
        const run = Effect.withFiber<A, E2>((fiber) => {
          fiber.setContext(own)
          return effect as Effect.Effect<A, E2>
        })
        this.waiting.push({ run: Effect.exit(run), answer: resume as Job["answer"] })
        if (this.fiber === undefined) this.start(own)
        else {
          const wake = this.wake
          this.wake = undefined
          wake?.()
        }
        return Effect.suspend(() => this.end())
      })
    )
  }

  /**
   * Ends the fiber and all that was forked on it, and waits for that, unless who asks is a part of it. To be called by who
   * wants that.
   */
  end(): Effect.Effect<void> {
    this.isOver = true
    const { fiber } = this
    if (fiber === undefined || fiber.pollUnsafe() !== undefined) return Effect.void
    for (let at = Fiber.getCurrent()?.getRef(Around); at !== undefined; at = at.outer) {
      if (at === this) return Effect.sync(() => fiber.interruptUnsafe())
    }
    return Effect.andThen(Fiber.interrupt(fiber), defectsOf(fiber))
  }

  private start(context: Context.Context<never>) {
    const next = Effect.callback<Job>((resume) => {
      const take = () => {
        this.current = this.waiting.shift()
        if (this.current !== undefined) return resume(Effect.succeed(this.current))
        this.wake = take
      }
      take()
    })
    const serve = Effect.forever(
      Effect.flatMap(next, ({ answer, run }) =>
        Effect.map(run, (exit) => {
          this.current = undefined
          answer(exit)
        })),
      { disableYield: true }
    )
    const working = Effect.withFiber((fiber) => {
      // Before the first piece of work, which may come to its end, and to ours, before this is left.
      this.fiber = fiber
      return serve
    })
    Effect.runForkWith(context)(working).addObserver((exit) => {
      this.isOver = true
      const left = [...this.current === undefined ? [] : [this.current], ...this.waiting.splice(0)]
      this.current = undefined
      for (const { answer } of left) answer(besideDefects(exit, Effect.suspend(() => Effect.fail(this.ended()))))
    })
  }
}
