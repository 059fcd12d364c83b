import { Simulation } from "@clawback/testing"
import { Effect, type Scope } from "effect"

/** Things that must be released, and a count of those that are not. */
export class Ledger {
  private readonly out = new Set<number>()
  private count = 0

  /** Takes a while to acquire a thing, which is out until the scope closes, in a while again. */
  readonly acquire: Effect.Effect<number, never, Scope.Scope> = Effect.andThen(
    Simulation.latency(0, 3),
    Effect.acquireRelease(
      Effect.suspend(() => {
        const thing = ++this.count
        this.out.add(thing)
        return Effect.as(Simulation.note(`${thing} is acquired`), thing)
      }),
      (thing) =>
        Effect.andThen(
          Simulation.latency(0, 1),
          Effect.suspend(() => {
            this.out.delete(thing)
            return Simulation.note(`${thing} is released`)
          })
        )
    )
  )

  readonly allBack: Effect.Effect<void> = Effect.suspend(() =>
    Simulation.check(
      "everything acquired is released",
      this.out.size === 0,
      () => `${this.out.size} of ${this.count} are still out`
    )
  )
}
