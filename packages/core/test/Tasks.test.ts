import * as Session from "@clawback/core/Session"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Shutdown from "@clawback/core/Shutdown"
import * as Tasks from "@clawback/core/Tasks"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Schedule, Scope } from "effect"
import { TestClock } from "effect/testing"
import { turn } from "./Moments.ts"

const isolated = Effect.provide(Layer.merge(Shutdown.layer(), SessionRegistry.layer()))
const drained = (name: string) => ({ name, atShutdown: "drain" as const })
const cancelled = (name: string) => ({ name, atShutdown: "cancel" as const })

const tagOf = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isSuccess(exit) ?
    "Success" :
    exit.cause.reasons.map((reason) =>
      reason._tag === "Fail" && typeof reason.error === "object" && reason.error !== null && "_tag" in reason.error
        ? reason.error._tag
        : reason._tag
    ).join()

const made = (options: Partial<Tasks.Options>) =>
  Effect.runSync(Effect.exit(Effect.scoped(Tasks.make({ name: "t", ...options }))))

describe("Tasks", () => {
  it.effect("runs up to `concurrency`, queues up to `capacity`, and rejects the next; each task is a session of its owner", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let running = 0
      const work = Effect.andThen(Effect.sync(() => ++running), Deferred.await(gate))
      const [tasks, owner] = yield* Session.scoped({ kind: "job", name: "owner" })(Effect.gen(function*() {
        const scope = yield* Scope.make()
        const tasks = yield* Scope.provide(Tasks.make({ name: "t", concurrency: 2, capacity: 1 }), scope)
        const started = yield* Effect.forEach(["a", "b", "c"], (name) => tasks.start(drained(name))(work))
        yield* turn(5)
        assert.strictEqual(running, 2)
        const refused = yield* Effect.flip(tasks.start(drained("d"))(work))
        assert.deepInclude(refused, { _tag: "TasksFull", tasks: "t", task: "d", concurrency: 2, capacity: 1 })
        const sessions = yield* SessionRegistry.list({ kind: "task" })
        assert.deepStrictEqual(sessions.map(({ name }) => name), ["a", "b", "c"])
        const [job] = yield* SessionRegistry.list({ kind: "job" })
        assert.deepStrictEqual(new Set(sessions.map(({ parent }) => parent)), new Set([job?.id]))
        yield* Deferred.succeed(gate, undefined)
        for (const task of started) assert.deepStrictEqual(yield* task.await, Exit.succeed(undefined))
        assert.strictEqual(running, 3)
        yield* Scope.close(scope, Exit.void)
        return [tasks, job] as const
      }))
      assert.isDefined(owner)
      assert.deepInclude(yield* Effect.flip(tasks.start(drained("late"))(work)), { _tag: "TasksClosed", task: "late" })
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(isolated))

  it.effect("reports each failure, and restarts the task after its resources were released", () =>
    Effect.gen(function*() {
      const failures: Array<Tasks.TaskFailed> = []
      const tasks = yield* Tasks.make({ name: "t", onFailure: (failure) => Effect.sync(() => failures.push(failure)) })
      let open = 0
      let attempts = 0
      const flaky = Effect.gen(function*() {
        yield* Effect.acquireRelease(Effect.sync(() => ++open), () => Effect.sync(() => --open))
        assert.strictEqual(open, 1)
        attempts++
        if (attempts === 1) return yield* Effect.fail("no luck")
        if (attempts === 2) return yield* Effect.die("bug")
        return "done"
      })
      const task = yield* tasks.start({ ...drained("flaky"), restart: Schedule.spaced("1 second") })(flaky)
      yield* TestClock.adjust("1999 millis")
      assert.strictEqual(attempts, 2)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* task.await, Exit.succeed("done"))
      assert.deepStrictEqual(failures.map(({ attempt, cause, task, tasks }) => [tasks, task, attempt, cause]), [
        ["t", "flaky", 1, "no luck"],
        ["t", "flaky", 2, "bug"]
      ])
      const alone = yield* tasks.start(drained("alone"))(Effect.fail("once"))
      assert.deepStrictEqual(yield* alone.await, Exit.fail("once"))
      assert.deepInclude(failures[2], { task: "alone", attempt: 1, cause: "once" })
      assert.strictEqual(open, 0)
    }).pipe(Effect.scoped, isolated))

  it.effect("outlives its starter, and ends when it is cancelled", () =>
    Effect.gen(function*() {
      const tasks = yield* Tasks.make({ name: "t" })
      const starter = yield* Effect.forkChild(
        Session.scoped({ kind: "request", name: "r" })(
          Effect.andThen(tasks.start(cancelled("poll"))(Effect.never), (task) => Effect.as(Effect.yieldNow, task))
        )
      )
      const task = yield* Fiber.join(starter)
      assert.deepStrictEqual((yield* SessionRegistry.list()).map(({ kind, parent }) => [kind, parent]), [
        ["task", undefined]
      ])
      yield* task.cancel
      assert.strictEqual(tagOf(yield* task.await), "TaskCancelled")
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(Effect.scoped, isolated))

  it.effect("a scope that closes cancels and drains tasks as declared, and does not wait for one that ignores interruption", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const tasks = yield* Scope.provide(Tasks.make({ name: "t", drain: "10 seconds" }), scope)
      const poll = yield* tasks.start(cancelled("poll"))(Effect.never)
      const write = yield* tasks.start(drained("write"))(Effect.as(Effect.sleep("9 seconds"), "written"))
      const endless = yield* tasks.start(drained("endless"))(Effect.never)
      yield* tasks.start(drained("deaf"))(Effect.uninterruptible(Effect.sleep("1 hour")))
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* turn(5)
      assert.strictEqual(tagOf(yield* poll.await), "TaskCancelled")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* write.await, Exit.succeed("written"))
      assert.strictEqual(tagOf(yield* endless.await), "TaskCancelled")
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
      assert.deepStrictEqual((yield* SessionRegistry.list()).map(({ name }) => name), ["deaf"])
      yield* TestClock.adjust("1 hour")
    }).pipe(isolated))

  it.effect("a shutdown drains promised tasks, also those in the queue, and cancels the others at once", () =>
    Effect.gen(function*() {
      const tasks = yield* Tasks.make({ name: "t", concurrency: 2 })
      const poll = yield* tasks.start(cancelled("poll"))(Effect.never)
      const work = Effect.as(Effect.sleep("2 seconds"), "done")
      const [first, second] = yield* Effect.forEach(["first", "second"], (name) => tasks.start(drained(name))(work))
      const ending = yield* Effect.forkChild(Shutdown.shutdown("test"), { startImmediately: true })
      yield* turn(20)
      assert.strictEqual(tagOf(yield* poll.await), "TaskCancelled")
      for (const late of [drained("late"), cancelled("late")]) {
        assert.strictEqual((yield* Effect.flip(tasks.start(late)(Effect.void)))._tag, "ShuttingDown")
      }
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* first!.await, Exit.succeed("done"))
      assert.deepStrictEqual(yield* second!.await, Exit.succeed("done"))
      assert.deepInclude(yield* Fiber.join(ending), { ended: 2, interrupted: [], stuck: [], exitCode: 0 })
    }).pipe(Effect.scoped, isolated))

  it.effect("a task that outlasts the drain fails with SessionRevoked", () =>
    Effect.gen(function*() {
      const tasks = yield* Tasks.make({ name: "t" })
      const endless = yield* tasks.start(drained("endless"))(Effect.never)
      const ending = yield* Effect.forkChild(Shutdown.shutdown("test"), { startImmediately: true })
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(tagOf(yield* endless.await), "SessionRevoked")
      const report = yield* Fiber.join(ending)
      assert.deepStrictEqual(report.interrupted.map(({ kind, name }) => [kind, name]), [["task", "endless"]])
    }).pipe(Effect.scoped, isolated))

  it("an invalid option is an error that names it", () => {
    assert.include(String(made({ concurrency: 0 })), "concurrency")
    assert.include(String(made({ capacity: -1 })), "capacity")
  })
})
