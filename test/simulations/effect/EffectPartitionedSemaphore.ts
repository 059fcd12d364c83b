/** Effect's `PartitionedSemaphore`: a permit that a waiter was woken with is lost when the waiter is interrupted. */
import { Simulation } from "@clawback/testing"
import { Effect, Fiber, Option, PartitionedSemaphore, Semaphore } from "effect"

const permits = 2

interface Permits {
  readonly withPermit: (key: number) => <A>(self: Effect.Effect<A>) => Effect.Effect<A>
  readonly available: Effect.Effect<number>
}

const program = (make: () => Permits) =>
  Effect.gen(function*() {
    const semaphore = make()
    const fibers = yield* Effect.forEach(
      [1, 2, 3, 4, 5],
      (key) =>
        Simulation.fork(Effect.repeat(semaphore.withPermit(key % 2)(Simulation.latency(0, 2)), { times: 3 }), "user")
    )
    for (const fiber of fibers) yield* Fiber.await(fiber)
    const left = yield* semaphore.available
    yield* Simulation.check("every permit comes back", left === permits, () => `${left} of ${permits}`)
  })

export default {
  name: "EffectPartitionedSemaphore",
  program: program(() => {
    const semaphore = PartitionedSemaphore.makeUnsafe<number>({ permits })
    return { withPermit: semaphore.withPermit, available: semaphore.available }
  })
} satisfies Simulation.Scenario

export const control: Simulation.Scenario = {
  name: "Semaphore",
  program: program(() => {
    const semaphore = Semaphore.makeUnsafe(permits)
    const available = Effect.map(
      semaphore.withPermitsIfAvailable(permits)(Effect.void),
      (all) => Option.isSome(all) ? permits : 0
    )
    return { withPermit: () => semaphore.withPermit, available }
  })
}
