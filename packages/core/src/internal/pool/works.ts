/** What a pool's fibers do at this moment, by the item that it is done with. */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Timers } from "../time/timers.ts"
import { Work, type WorkOptions } from "./work.ts"

export class Works<in out Key> {
  private readonly underWay = new Map<Key, { readonly stop: () => void }>()
  private readonly timers: Timers
  private readonly runFork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

  constructor(timers: Timers, runFork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>) {
    this.timers = timers
    this.runFork = runFork
  }

  run<A, E>(
    key: Key,
    effect: Effect.Effect<A, E>,
    { grace, limit, onEnd, onLate }: Pick<WorkOptions<A, E>, "limit" | "grace" | "onEnd" | "onLate">
  ): void {
    const { runFork, timers, underWay } = this
    const work: Work<A, E> = new Work({
      timers,
      runFork,
      limit,
      grace,
      onLate,
      onEnd: (exit, isOverdue) => {
        underWay.delete(key)
        onEnd(exit, isOverdue)
      }
    })
    underWay.set(key, work)
    work.start(effect)
  }

  stop(key: Key): void {
    this.underWay.get(key)?.stop()
  }
}
