import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { besideDefects, defectsOf } from "../session/defects.ts"
import * as Timers from "./timers.ts"

/** Interrupts one fiber at a moment in monotonic milliseconds. */
export class CutOff implements Timers.Timer {
  readonly at: number
  slot = Timers.unset
  private readonly timers: Timers.Timers
  private fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private isNew = true
  private hasFired = false

  constructor(at: number, timers: Timers.Timers) {
    this.at = at
    this.timers = timers
  }

  /** Whether the moment came while the cut-off was set. */
  get isOver(): boolean {
    return this.hasFired
  }

  /**
   * Call this before the fiber starts. Sets the timer if there are others: the fiber may clear the last of them, which
   * would stop the timers, and start them again for this one.
   */
  prepare(): void {
    if (this.timers.areSet) this.set()
  }

  start(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.fiber = fiber
    this.set()
  }

  /** Sets the timer, unless it was set or stopped before. */
  set(): void {
    if (this.isNew) this.timers.set(this)
    this.isNew = false
  }

  stop(): void {
    this.isNew = false
    this.timers.clear(this)
  }

  fire(): void {
    this.hasFired = true
    this.fiber?.interruptUnsafe()
  }
}

/**
 * Runs an effect until a moment in monotonic milliseconds, on a fiber of its own. When the moment comes, interrupts the
 * effect, waits for its releases, and continues with `orElse`. Adds the defects of the releases to the result.
 *
 * It does what `Effect.timeoutOrElse` does, for a moment instead of a duration, and without a fiber and a platform timer
 * for the time. Call it inside of an effect, on `fiber`, where interruption is not allowed.
 */
export const cutOff = <A, E, R, A2, E2, R2>(
  self: Effect.Effect<A, E, R>,
  { at, context, fiber: parent, orElse, restore }: {
    readonly at: number
    /** What the effect runs in. */
    readonly context: Context.Context<R>
    readonly orElse: () => Effect.Effect<A2, E2, R2>
    readonly fiber: Fiber.Fiber<unknown, unknown>
    readonly restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  }
): Effect.Effect<A | A2, E | E2, R2> => {
  const end = new CutOff(at, Timers.of(parent))
  end.prepare()
  const fiber = Effect.runForkWith(context)(self)
  const exit = fiber.pollUnsafe()
  if (exit !== undefined) {
    end.stop()
    return exit
  }
  end.start(fiber)
  return Effect.flatMap(
    Effect.onExitPrimitive(restore(Fiber.await(fiber)), () => {
      end.stop()
      return fiber.pollUnsafe() === undefined ? Effect.andThen(Fiber.interrupt(fiber), defectsOf(fiber)) : undefined
    }),
    (exit): Effect.Effect<A | A2, E | E2, R2> => end.isOver ? besideDefects(exit, restore(orElse())) : exit
  )
}
