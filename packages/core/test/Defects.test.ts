import * as Deadline from "@clawback/core/Deadline"
import * as Session from "@clawback/core/Session"
import * as Timeouts from "@clawback/core/Timeouts"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { turn } from "./Moments.ts"

const info = { kind: "thing", name: "one" }
const dying = Session.use(info, Effect.void, () => Effect.die("release"), () => Effect.never)
const dyingStream = Stream.concat(Stream.make(1), Stream.never).pipe(Stream.ensuring(Effect.die("release")))

/** What it came to after a second. */
const outcome = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    yield* turn(10)
    yield* TestClock.adjust("1 second")
    return yield* Fiber.await(fiber)
  })

const told = (exit: Exit.Exit<unknown, { readonly _tag: string }>) =>
  Exit.isSuccess(exit) ? [] : exit.cause.reasons.map((reason) => {
    if (Cause.isFailReason(reason)) return reason.error._tag
    return Cause.isDieReason(reason) ? reason.defect : "interrupted"
  })

describe("A release that dies while work is ended", () => {
  it.effect("by a deadline is reported beside the error", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(told(yield* outcome(Deadline.within("1 second")(dying))), ["DeadlineExceeded", "release"])
    }))

  it.effect("by an interruption of a deadline's caller is reported beside the interruption", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Deadline.within("1 minute")(dying))
      yield* turn(10)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(told(yield* Fiber.await(fiber)), ["interrupted", "release"])
    }))

  it.effect("by a limit of a stream is reported beside the error", () =>
    Effect.gen(function*() {
      const stream = Timeouts.applyStream({ timeouts: { idle: "1 second" } })(dyingStream)
      assert.deepStrictEqual(told(yield* outcome(Stream.runDrain(stream))), ["IdleTimeout", "release"])
    }))

  it.effect("by a reader that stops is reported to the reader of a session's stream", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(dyingStream.pipe(Session.scopedStream(info), Stream.take(1), Stream.runDrain))
      assert.deepStrictEqual(told(exit), ["release"])
    }))
})
