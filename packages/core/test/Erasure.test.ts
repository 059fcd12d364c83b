import * as Erasure from "@clawback/core/Erasure"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"

const isolated = Effect.provide(Layer.merge(Erasure.layer, SessionRegistry.layer()))

/** Keeps things of subjects, and erases them. */
const kept = (name: string, things: Array<string>): Erasure.Erasable => ({
  name,
  erase: (subject) =>
    Effect.sync(() => {
      const count = things.length
      things.splice(0, count, ...things.filter((owner) => owner !== subject))
      return count - things.length
    })
})

describe("Erasure", () => {
  it.effect("asks every registered store, and reports how much each has erased", () =>
    Effect.gen(function*() {
      const files = ["ann", "bob", "ann"]
      const notes = ["bob"]
      yield* Erasure.register(kept("files", files))
      yield* Erasure.register(kept("notes", notes))
      const report = yield* Erasure.erase("ann")
      assert.deepStrictEqual(report.erased, [{ name: "files", count: 2 }, { name: "notes", count: 0 }])
      assert.deepStrictEqual([files, notes], [["bob"], ["bob"]])
      assert.deepStrictEqual((yield* Erasure.erase("ann")).erased.map(({ count }) => count), [0, 0])
    }).pipe(Effect.scoped, isolated))

  it.effect("asks the others if one fails, dies or hangs, and then fails itself without naming the subject", () =>
    Effect.gen(function*() {
      const files = ["ann"]
      yield* Erasure.register({ name: "broken", erase: () => Effect.fail({ _tag: "NoConnection", subject: "ann" }) })
      yield* Erasure.register({ name: "dead", erase: () => Effect.die("defect about ann") })
      yield* Erasure.register({
        name: "thrown",
        erase: (): Effect.Effect<number> => {
          throw new TypeError("ann")
        }
      })
      yield* Erasure.register({ name: "stuck", erase: () => Effect.uninterruptible(Effect.never) })
      yield* Erasure.register(kept("files", files))
      const fiber = yield* Effect.forkChild(Effect.flip(Erasure.erase("ann", { limit: "5 seconds" })))
      yield* TestClock.adjust("5 seconds")
      const error = yield* Fiber.join(fiber)
      assert.deepStrictEqual(files, [])
      assert.deepStrictEqual(error.erased, [{ name: "files", count: 1 }])
      assert.deepStrictEqual(error.failed.map(({ name }) => name), ["broken", "dead", "thrown", "stuck"])
      assert.strictEqual(error.failed[3]?.reason, "DeadlineExceeded")
      assert.notInclude(error.message, "ann")
    }).pipe(Effect.scoped, isolated))

  it.effect("forgets a store when its scope closes, and asks it with the services of its registration", () =>
    Effect.gen(function*() {
      class Disk extends Context.Service<Disk, { readonly owners: Array<string> }>()(
        "@clawback/core/test/Erasure.test/Disk"
      ) {}
      const owners = ["ann"]
      const scope = yield* Scope.make()
      const onDisk: Erasure.Erasable<never, Disk> = {
        name: "disk",
        erase: (subject) =>
          Effect.flatMap(Disk, (disk) => kept("disk", disk.owners).erase(subject) as Effect.Effect<number>)
      }
      yield* Erasure.register(onDisk).pipe(Scope.provide(scope), Effect.provideService(Disk, { owners }))
      assert.deepStrictEqual((yield* Erasure.erase("ann")).erased, [{ name: "disk", count: 1 }])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual((yield* Erasure.erase("ann")).erased, [])
    }).pipe(isolated))

  it.effect("an interrupted erasure interrupts the stores that it asks", () =>
    Effect.gen(function*() {
      let interrupted = false
      yield* Erasure.register({
        name: "slow",
        erase: () =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              interrupted = true
            }))
      })
      const fiber = yield* Effect.forkChild(Erasure.erase("ann"), { startImmediately: true })
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.isTrue(interrupted)
    }).pipe(Effect.scoped, isolated))
})
