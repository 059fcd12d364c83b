import { Deadline, Session, SessionRegistry } from "@clawback/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber, Layer, Predicate, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"

const info: Session.Info = { kind: "call", name: "a" }
const limit = 100

type Work = Effect.Effect<string, string, Scope.Scope>

const joined = (work: Work) => Session.scopedWithin(work, info, limit)
const nested = (work: Work) => work.pipe(Session.scoped(info), Deadline.within(limit))

/** What happens to one call. Times are in milliseconds. */
const World = fc.record({
  works: fc.constantFrom(0, 40, 99, 100, 150),
  ends: fc.constantFrom("succeeds" as const, "fails" as const, "dies" as const),
  releases: fc.constantFrom(0, 30, 200),
  releaseDies: fc.boolean(),
  /** The deadline around the call. */
  outer: fc.constantFrom(undefined, 80, 100, 120),
  interruptedAt: fc.constantFrom(undefined, 0, 60, 100, 130),
  revokedAt: fc.constantFrom(undefined, 0, 40, 100, 110),
  isUninterruptible: fc.boolean()
})

const reasonOf = (reason: Cause.Reason<unknown>): string => {
  if (Cause.isInterruptReason(reason)) return "interrupted"
  if (Cause.isDieReason(reason)) return `died of ${String(reason.defect)}`
  return `failed with ${Predicate.hasProperty(reason.error, "_tag") ? reason.error._tag : reason.error}`
}

/** The order of reasons depends on how deep the fibers are nested. */
const endOf = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<string> =>
  Exit.isSuccess(exit) ? ["succeeded"] : [...new Set(exit.cause.reasons.map(reasonOf))].toSorted()

const at = (millis: number | undefined, act: Effect.Effect<unknown>) =>
  millis === undefined ? Effect.void : Effect.asVoid(Effect.forkChild(Effect.delay(act, millis)))

/** Runs one call in a world, and returns what can be seen of it. */
const observe = (call: typeof joined, world: typeof World extends fc.Arbitrary<infer A> ? A : never) =>
  Effect.gen(function*() {
    const seen: Array<string> = []
    const startedAt = yield* Clock.currentTimeMillis
    const note = (what: string) =>
      Effect.map(Clock.currentTimeMillis, (now) => void seen.push(`${now - startedAt}: ${what}`))
    const ending = { succeeds: Effect.succeed("done"), fails: Effect.fail("no"), dies: Effect.die("oh") }[world.ends]
    const release = Effect.gen(function*() {
      yield* note("releasing")
      if (world.releases > 0) yield* Effect.sleep(world.releases)
      yield* note("released")
      if (world.releaseDies) return yield* Effect.die("release")
    })
    const work = Effect.gen(function*() {
      yield* Effect.addFinalizer((exit) => Effect.andThen(note(`end: ${endOf(exit).join()}`), release))
      const session = yield* Session.Current
      yield* note(`working in ${session?.kind}`)
      if (world.works > 0) yield* Effect.sleep(world.works)
      return yield* ending
    })
    const within = world.outer === undefined ? call(work) : Deadline.within(call(work), world.outer)
    const fiber = yield* Effect.forkChild(world.isUninterruptible ? Effect.uninterruptible(within) : within, {
      startImmediately: true
    })
    yield* at(world.interruptedAt, Effect.sync(() => fiber.interruptUnsafe()))
    yield* at(world.revokedAt, SessionRegistry.revoke({}, { reason: "test", deadline: "1 second" }))
    yield* TestClock.adjust("5 seconds")
    const exit = yield* Fiber.await(fiber)
    return { seen, end: endOf(exit), open: yield* SessionRegistry.counts }
  }).pipe(Effect.scoped, Effect.provide(Layer.fresh(SessionRegistry.layer())))

describe("Session.scopedWithin", () => {
  it.effect("does what Deadline.within around Session.scoped does, in 1,000 generated worlds", () =>
    Effect.forEach(
      fc.sample(World, { numRuns: 1000, seed: 17 }),
      (world) =>
        Effect.gen(function*() {
          const expected = yield* observe(nested, world)
          assert.deepStrictEqual(yield* observe(joined, world), expected, JSON.stringify(world))
        }),
      { discard: true }
    ), 30_000)

  it.effect("ends as Deadline.within does where there is no time at all, inside of another limit", () =>
    Effect.gen(function*() {
      const works: ReadonlyArray<Work> = [
        Effect.succeed("done"),
        Effect.fail("no"),
        Effect.die("oh"),
        Effect.as(Effect.sleep(50), "slept"),
        Effect.never,
        Effect.andThen(Effect.addFinalizer(() => Effect.sleep(30)), Effect.succeed("done"))
      ]
      const forms = {
        joined: (work: Work, millis: number) => Session.scopedWithin(work, info, millis),
        nested: (work: Work, millis: number) => work.pipe(Session.scoped(info), Deadline.within(millis))
      }
      const endsOf = (form: typeof forms.joined) =>
        Effect.forEach(works, (work) =>
          Effect.gen(function*() {
            const inner = Effect.map(Effect.exit(form(work, 0)), (exit) => endOf(exit).join())
            const fiber = yield* Effect.forkChild(form(inner, 60_000), { startImmediately: true })
            yield* TestClock.adjust("2 minutes")
            return yield* Fiber.join(fiber)
          }))
      assert.deepStrictEqual(yield* endsOf(forms.joined), yield* endsOf(forms.nested))
    }))

  it.effect("does not limit work whose duration is infinite", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Session.scopedWithin(Effect.sleep("1 day"), info, "Infinity"))
      yield* TestClock.adjust("1 day")
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(fiber)))
    }))
})
