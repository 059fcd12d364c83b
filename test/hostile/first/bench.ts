/** What the programs in this folder share: something to hold that counts, and a watch on what never ends. */
import { SessionRegistry } from "@clawback/core"
import { Duration, Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"

/** Something to be taken and given back, each exactly once. */
export class Things {
  taken = 0
  given = 0
  readonly twice: Array<number> = []
  private readonly back = new Set<number>()

  readonly take = Effect.sync(() => ++this.taken)
  readonly give = (id: number) =>
    Effect.sync(() => {
      this.given++
      if (this.back.has(id)) this.twice.push(id)
      this.back.add(id)
    })

  /** All that was taken was given back, once. */
  settled(taken?: number) {
    expect({ given: this.given, twice: this.twice }).toEqual({ given: taken ?? this.taken, twice: [] })
    if (taken !== undefined) expect(this.taken).toBe(taken)
  }
}

/** In a registry of its own, which must be empty in the end. Whatever hangs at its close has an hour to give up. */
export const apart = <A, E, R>(self: Effect.Effect<A, E, R>, options: SessionRegistry.Options = {}) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const registry = yield* Layer.buildWithScope(SessionRegistry.layer(options), scope)
    const exit = yield* Effect.exit(Effect.provide(
      Effect.gen(function*() {
        const value = yield* self
        yield* settle
        expect(yield* SessionRegistry.counts).toEqual({})
        return value
      }),
      registry
    ))
    const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true })
    for (let i = 0; closing.pollUnsafe() === undefined && i < 5; i++) {
      yield* settle
      yield* TestClock.adjust("12 minutes")
    }
    return yield* exit
  })

/** Lets whatever can go on without time passing go on. */
export const settle: Effect.Effect<void> = Effect.gen(function*() {
  for (let i = 0; i < 5; i++) {
    for (let j = 0; j < 10; j++) yield* Effect.yieldNow
    yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
  }
})

/** How it ends within so much virtual time. One that does not fails the test, and is left behind. */
export const endsWithin =
  (time: Duration.Input) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<Exit.Exit<A, E>, never, R> =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkDetach(self, { startImmediately: true })
      yield* settle
      // One that goes round for ever without a wait would keep the clock from going on.
      const isRound = TestClock.withLive(Effect.sleep("1 second"))
      if (fiber.pollUnsafe() === undefined) yield* Effect.raceFirst(TestClock.adjust(time), isRound)
      yield* settle
      const exit = fiber.pollUnsafe()
      if (exit === undefined) {
        fiber.interruptUnsafe()
        expect.fail(`did not end within ${Duration.format(Duration.fromInputUnsafe(time))}`)
      }
      return exit
    })

/** The tag of the typed error with which it failed; what else it came to otherwise. */
export const tagOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") {
      const { error } = reason
      return typeof error === "object" && error !== null && "_tag" in error
        ? String(error._tag)
        : `fail ${String(error)}`
    }
  }
  for (const reason of exit.cause.reasons) if (reason._tag === "Die") return `die ${String(reason.defect)}`
  return "interrupt"
}

/** For a value that no type allows. */
export const wrong = (value: unknown): never => value as never
