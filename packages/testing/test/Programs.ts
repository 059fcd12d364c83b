/** Programs to simulate. */
import { Simulation } from "@clawback/testing"
import { Effect, Fiber } from "effect"

export const property = "what is opened is closed"

/** Five users open and close one counted thing each, by `open` and `use`, and are interrupted at any step. */
const counting = (
  name: string,
  withOpen: (count: { open: number }) => <A>(use: Effect.Effect<A>) => Effect.Effect<A>
): Simulation.Scenario => ({
  name,
  program: Effect.gen(function*() {
    const count = { open: 0 }
    const use = Simulation.phase("using")(Simulation.latency(1, 5))
    const fibers = yield* Effect.forEach([1, 2, 3, 4, 5], () => Simulation.fork(withOpen(count)(use), "user"))
    for (const fiber of fibers) yield* Fiber.await(fiber)
    yield* Simulation.check(property, count.open === 0, () => `${count.open} open`)
  }),
  phases: ["using", "other"]
})

const close = (count: { open: number }) =>
  Effect.sync(() => {
    count.open--
  })

/** The mistake that owns the field: the state is raised in one step, and its cleanup registered in a later one. */
export const leaky = counting("leaky", (count) => (use) =>
  Effect.andThen(
    Effect.sync(() => {
      count.open++
    }),
    Effect.ensuring(use, close(count))
  ))

/** The same, done right. */
export const tight = counting("tight", (count) => (use) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      count.open++
    }),
    () => use,
    () => close(count)
  ))
