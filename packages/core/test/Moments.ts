/** Interruption at each of the moments at which it can come, which is at every place where a fiber yields. */
import { Effect, type Exit, Fiber, Scheduler } from "effect"

export interface Moment {
  /** For how many turns of the scheduler the victim runs before it is interrupted. */
  readonly turns: number
  /** How many steps a fiber takes in one turn. */
  readonly steps: number
}

/** Each number of turns up to `last`, with turns of 3 to 10 steps and of the usual length. */
const moments = (last: number): ReadonlyArray<Moment> =>
  [3, 4, 5, 6, 7, 8, 9, 10, 2048].flatMap((steps) => Array.from({ length: last + 1 }, (_, turns) => ({ turns, steps })))

/** Runs a scenario once for each moment. All of its fibers take turns of that length. */
export const atEach = <A, E, R>(
  scenario: (moment: Moment) => Effect.Effect<A, E, R>,
  last = 30
): Effect.Effect<void, E, R> =>
  Effect.forEach(
    moments(last),
    (moment) => Effect.provideService(scenario(moment), Scheduler.MaxOpsBeforeYield, moment.steps),
    { discard: true }
  )

/** Lets the scheduler turn. */
export const turn = (times: number): Effect.Effect<void> =>
  Effect.repeat(Effect.yieldNow, { times }).pipe(Effect.asVoid)

/** Interrupts an effect at a moment and waits for what it comes to. */
export const interruptAt =
  ({ turns }: Moment) => <A, E, R>(victim: Effect.Effect<A, E, R>): Effect.Effect<Exit.Exit<A, E>, never, R> =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(victim)
      for (let i = 0; i < turns; i++) yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      return yield* Fiber.await(fiber)
    })

/** What a fiber comes to without any more time; undefined where it would wait for ever. */
export const settled = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<Exit.Exit<A, E> | undefined> =>
  Effect.gen(function*() {
    for (let i = 0; i < 2_000 && fiber.pollUnsafe() === undefined; i++) yield* Effect.yieldNow
    return fiber.pollUnsafe()
  })
