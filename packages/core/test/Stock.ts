import { assert } from "@effect/vitest"
import { Effect } from "effect"

/** Things to take and to give back. It knows which are out, and objects to one that is given back twice. */
export class Stock {
  taken = 0
  readonly out = new Set<number>()
  /** In the order in which they came back. */
  readonly returned: Array<number> = []

  /** Yields before and after, so that an interruption finds a place on either side. */
  readonly take: Effect.Effect<number> = Effect.gen({ self: this }, function*() {
    yield* Effect.yieldNow
    const thing = ++this.taken
    this.out.add(thing)
    yield* Effect.yieldNow
    return thing
  })

  readonly put = (thing: number): Effect.Effect<void> =>
    Effect.gen({ self: this }, function*() {
      yield* Effect.yieldNow
      assert.isTrue(this.out.delete(thing), `${thing} came back twice`)
      this.returned.push(thing)
      yield* Effect.yieldNow
    })
}
