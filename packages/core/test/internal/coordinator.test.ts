import * as Session from "@clawback/core/Session"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Admission } from "../../src/internal/shutdown/admission.ts"
import { Coordinator, coordinatorOf } from "../../src/internal/shutdown/coordinator.ts"
import * as Shutdown from "../../src/Shutdown.ts"
import { turn } from "../Moments.ts"

const limits = { unready: 0, stop: 1000, drain: 15_000, persist: 5000, interrupt: 3000, close: 3000 }

const admitted = (name: string) =>
  Effect.map(SessionRegistry.SessionRegistry, (registry) => ({
    registry,
    session: { id: 0, kind: "work", name, openedAt: 0, revoked: undefined } as never
  }))

describe("The coordinator of a shutdown", () => {
  it.effect("counts work that leaves twice once, and ignores another shutdown's work", () =>
    Effect.gen(function*() {
      const [ours, theirs] = [new Coordinator(limits), new Coordinator(limits)]
      const mine = ours.admit(yield* admitted("mine"), undefined)!
      const stays = ours.admit(yield* admitted("stays"), undefined)!
      const strange = theirs.admit(yield* admitted("strange"), undefined)!
      ours.leave(mine, false)
      ours.leave(mine, false)
      ours.leave(strange, false)
      const report = yield* Effect.forkChild(
        Effect.withFiber((fiber) => ours.shutdown(fiber, "test")),
        { startImmediately: true }
      )
      yield* turn(20)
      yield* TestClock.adjust("10 seconds")
      yield* turn(20)
      // One piece of work has not left: the drain waits for it.
      assert.strictEqual(ours.state, "drain")
      ours.leave(stays, false)
      yield* turn(20)
      assert.deepInclude(yield* Fiber.join(report), { ended: 1, interrupted: [], stuck: [], exitCode: 0 })
      assert.isTrue(Duration.toMillis(ours.limit) === 27_000)
    }).pipe(Effect.provide(SessionRegistry.layer())))

  it.effect("rejects work whose session was released by force before it began, and blames no shutdown", () =>
    Effect.gen(function*() {
      const info = { kind: "work", name: "late" }
      const admission = new Admission(info, new Coordinator(limits))
      admission.leave(false)
      const error = yield* Effect.flip(Session.scoped(info)(admission.enter))
      assert.deepInclude(error, { _tag: "SessionRevoked", reason: "its scope was closed" })
    }).pipe(Effect.provide(SessionRegistry.layer())))

  it("is found only in a shutdown that was made by ours", () => {
    const shutdown = Shutdown.makeUnsafe()
    assert.instanceOf(coordinatorOf({ ...shutdown }), Coordinator)
    assert.throws(() => coordinatorOf({} as Shutdown.Shutdown), TypeError, "Shutdown.layer")
  })
})
