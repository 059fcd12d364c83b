/** One effect that a pool runs on a fiber of its own, with a limit that holds even where the effect ignores interruption. */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Timers from "../time/timers.ts"

export interface WorkOptions<A, E> {
  readonly timers: Timers.Timers
  readonly runFork: (effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  /** In milliseconds. After this, the effect is interrupted. */
  readonly limit: number
  /** How long it then gets to end, before it is abandoned. */
  readonly grace: number
  /** Called once, with the exit, or without one if the effect was abandoned. */
  readonly onEnd: (exit: Exit.Exit<A, E> | undefined, isOverdue: boolean) => void
  /** Called with the exit of an effect that was abandoned before. */
  readonly onLate?: ((exit: Exit.Exit<A, E>) => void) | undefined
}

export class Work<A, E> implements Timers.Timer {
  at: number
  slot = Timers.unset
  private readonly options: WorkOptions<A, E>
  private fiber: Fiber.Fiber<A, E> | undefined = undefined
  private hasBegun = false
  private isStopping = false
  private isOverdue = false
  private isOver = false

  constructor(options: WorkOptions<A, E>) {
    this.options = options
    this.at = options.timers.now + options.limit
  }

  /** Whether it has ended or was abandoned. */
  get hasEnded(): boolean {
    return this.isOver
  }

  start(effect: Effect.Effect<A, E>): void {
    const { runFork, timers } = this.options
    const begun = Effect.suspend(() => {
      this.hasBegun = true
      return effect
    })
    const fiber = this.fiber = runFork(begun)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return this.end(exit)
    if (this.isStopping) fiber.interruptUnsafe()
    timers.set(this)
    fiber.addObserver((exit) => this.end(exit))
  }

  /** Interrupts it. It is abandoned if it does not end within `grace`. */
  stop(): void {
    if (this.isStopping || this.isOver) return
    this.isStopping = true
    const { grace, timers } = this.options
    this.at = timers.now + grace
    // It may not have been started, or be the fiber that calls this.
    if (this.fiber === undefined) return
    timers.set(this)
    this.fiber.interruptUnsafe()
  }

  fire(): void {
    if (this.isOver) return
    // The machine was suspended, or very busy: its time has not begun.
    if (!this.hasBegun) {
      this.at = this.options.timers.now + this.options.limit
      this.options.timers.set(this)
      return
    }
    if (this.isStopping) return this.finish(undefined)
    this.isOverdue = true
    this.stop()
  }

  private end(exit: Exit.Exit<A, E>): void {
    if (this.isOver) return this.options.onLate?.(exit)
    this.options.timers.clear(this)
    this.finish(exit)
  }

  private finish(exit: Exit.Exit<A, E> | undefined): void {
    this.isOver = true
    this.options.onEnd(exit, this.isOverdue)
  }
}
