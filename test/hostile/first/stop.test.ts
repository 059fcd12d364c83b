import { Caller, Deadline, Session, SessionRegistry, Shutdown, Tasks } from "@clawback/core"
import type * as ShutdownReport from "@clawback/core/ShutdownReport"
import { expect, it } from "@effect/vitest"
import { Clock, Context, Deferred, Duration, Effect, Exit, Fiber, Latch, Layer, Schedule, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { apart as apartRegistry, endsWithin, settle, tagOf, Things, wrong } from "./bench.ts"

const job = { kind: "job", name: "nightly" }

/** With a registry and a shutdown of its own. */
const apart = <A, E, R>(self: Effect.Effect<A, E, R>, options: Shutdown.Options = {}) =>
  apartRegistry(Effect.provide(self, Layer.fresh(Shutdown.layer(options))))

const stop = Shutdown.shutdown("the end")
const ended = (exit: Exit.Exit<ShutdownReport.Report, unknown>): ShutdownReport.Report => {
  if (Exit.isFailure(exit)) expect.fail(`a shutdown failed: ${tagOf(exit)}`)
  return exit.value
}
const names = (held: ReadonlyArray<ShutdownReport.Item>) => held.map(({ name }) => name).toSorted()

// Shutdown

it.effect("limits of phases that are no finite durations are refused by name", () =>
  Effect.gen(function*() {
    for (const phase of ["unready", "stop", "drain", "persist", "interrupt", "close"]) {
      for (const value of [Number.NaN, -1, "soon", Infinity, {}, [], "Infinity"]) {
        const exit = yield* Effect.exit(
          Effect.scoped(Effect.suspend(() => Layer.build(Shutdown.layer(wrong({ [phase]: value })))))
        )
        expect([phase, value, tagOf(exit)]).toEqual([phase, value, expect.stringContaining(phase)])
      }
    }
  }))

it.effect("finalizers that throw, die, fail with nothing, interrupt themselves and are none are named, and hold nothing up", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    const add = (name: string, finalizer: unknown) =>
      Shutdown.addFinalizer({ phase: "persist", name })(wrong(finalizer) as Effect.Effect<void>)
    yield* add(
      "throws",
      Effect.suspend(() => {
        throw new Error("no")
      })
    )
    yield* add("dies", Effect.die("dead"))
    yield* add("fails", Effect.fail(undefined))
    yield* add("interrupts", Effect.interrupt)
    yield* add("none", undefined)
    yield* add("number", 42)
    yield* add("good", Effect.void)
    const report = ended(yield* endsWithin("1 minute")(stop))
    const persist = report.phases.find(({ phase }) => phase === "persist")!
    expect(names(persist.finished)).toEqual(["good"])
    expect([...names(report.failed.map(({ finalizer }) => finalizer)), ...names(report.stuck)].toSorted())
      .toEqual(["dies", "fails", "interrupts", "none", "number", "throws"])
    expect(report.exitCode).toBe(1)
  }))))

it.effect("a shutdown of which every part hangs ends within its limit, and names every part", () =>
  apart(Effect.gen(function*() {
    const outer = yield* Scope.make()
    const phases = ["stop", "drain", "persist", "interrupt"] as const
    for (const phase of phases) {
      yield* Shutdown.addFinalizer({ phase, name: `hangs in ${phase}` })(Effect.uninterruptible(Effect.never)).pipe(
        Scope.provide(outer)
      )
    }
    const hanging = yield* Latch.make()
    const work = yield* Effect.forkDetach(
      Shutdown.admit({ kind: "work", name: "hangs" })(Effect.uninterruptible(hanging.await)),
      { startImmediately: true }
    )
    yield* Session.acquire({ kind: "file", name: "hangs" }, Effect.void, () => hanging.await).pipe(Scope.provide(outer))
    const at = yield* Clock.currentTimeMillis
    const fiber = yield* Effect.forkChild(stop, { startImmediately: true })
    for (let i = 0; i < 28; i++) {
      yield* TestClock.adjust("1 second")
      yield* settle
    }
    const report = ended(fiber.pollUnsafe() ?? Exit.die("still going"))
    expect(Duration.toMillis(report.duration)).toBeLessThanOrEqual(27_000)
    expect((yield* Clock.currentTimeMillis) - at).toBe(28_000)
    expect(names(report.stuck)).toEqual(
      expect.arrayContaining(phases.map((phase) => `hangs in ${phase}`).filter((name) => !name.includes("drain")))
    )
    expect(report.exitCode).toBe(1)
    yield* hanging.open
    yield* Fiber.await(work)
    yield* settle
  })))

it.effect("a finalizer that waits for the shutdown that it is part of dies, in each phase", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    for (const phase of ["unready", "stop", "drain", "persist", "interrupt", "close"] as const) {
      yield* Shutdown.addFinalizer({ phase, name: phase })(Shutdown.shutdown("again"))
    }
    const report = ended(yield* endsWithin("1 minute")(stop))
    expect(names(report.failed.map(({ finalizer }) => finalizer))).toEqual(
      ["close", "drain", "interrupt", "persist", "stop", "unready"]
    )
  }))))

it.effect("a finalizer that waits for the report by way of a fiber of its own ends in its time", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    yield* Shutdown.addFinalizer({ phase: "persist", name: "sly" })(
      Effect.flatMap(Effect.forkDetach(stop), Fiber.join)
    )
    const report = ended(yield* endsWithin("1 minute")(stop))
    expect(Duration.toMillis(report.duration)).toBeLessThanOrEqual(27_000)
  }))))

it.effect("a finalizer that adds finalizers, to its own phase and to all others, is not lost in them", () => {
  const ran: Array<string> = []
  return apart(Effect.scoped(Effect.gen(function*() {
    const scope = yield* Effect.scope
    yield* Shutdown.addFinalizer({ phase: "drain", name: "parent" })(
      Effect.forEach(
        ["stop", "drain", "persist", "close"] as const,
        (phase) =>
          Shutdown.addFinalizer({ phase, name: phase })(Effect.sync(() => ran.push(phase))).pipe(Scope.provide(scope))
      )
    )
    const report = ended(yield* endsWithin("1 minute")(stop))
    expect(ran.toSorted()).toEqual(["close", "drain", "persist", "stop"])
    expect(report.exitCode).toBe(0)
  })))
})

it.effect("a scope that a finalizer closes, of which it is part itself, closes", () =>
  apart(Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Shutdown.addFinalizer({ phase: "persist", name: "closer" })(Scope.close(scope, Exit.void)).pipe(
      Scope.provide(scope)
    )
    const report = ended(yield* endsWithin("1 minute")(stop))
    // It waits for itself: then it is named, in time, and nothing after it is late.
    expect(Duration.toMillis(report.duration)).toBeLessThanOrEqual(27_000)
    expect(tagOf(yield* endsWithin("1 minute")(Scope.close(scope, Exit.void)))).toBe("success")
  })))

it.effect("work that asks for the shutdown itself gets the report, and is given back", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* endsWithin("1 minute")(
      Shutdown.admit({ kind: "work", name: "asks" })(Session.use(job, things.take, things.give, () => stop))
    )
    expect(tagOf(exit)).toMatch(/success|SessionRevoked/)
    things.settled(1)
    const report = ended(yield* endsWithin("1 minute")(stop))
    expect(Duration.toMillis(report.duration)).toBeLessThanOrEqual(27_000)
  }))
})

it.effect("work that catches the end and goes on for ever is released under its user, in time", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const stubborn = (): Effect.Effect<never> => Effect.catchCause(Effect.never, stubborn)
    const work = yield* Effect.forkDetach(
      Shutdown.admit({ kind: "work", name: "stubborn" })(Session.use(job, things.take, things.give, stubborn)),
      { startImmediately: true }
    )
    const report = ended(yield* endsWithin("28 seconds")(stop))
    expect(report.exitCode).toBe(1)
    things.settled(1)
    work.interruptUnsafe()
    yield* settle
  }))
})

it.effect("whoever waits for the report gets the same one, interrupted or not, early or late", () =>
  apart(Effect.gen(function*() {
    const service = yield* Shutdown.Shutdown
    const early = yield* Effect.forkChild(service.report, { startImmediately: true })
    const gone = yield* Effect.forkChild(stop, { startImmediately: true })
    yield* Fiber.interrupt(gone)
    const first = ended(yield* endsWithin("1 minute")(stop))
    expect(yield* Fiber.join(early)).toBe(first)
    expect(yield* stop).toBe(first)
    expect(yield* Shutdown.shutdown("another reason")).toBe(first)
    expect(first.reason).toBe("the end")
    expect(yield* Shutdown.escalate({ reason: "late" })).toBe("over")
  })))

it.effect("signals that come ten times at once, of no kind that there is, end it and nothing else", () =>
  apart(Effect.gen(function*() {
    const work = yield* Effect.forkDetach(
      Shutdown.admit({ kind: "work", name: "long" })(Effect.sleep("1 hour")),
      { startImmediately: true }
    )
    yield* settle
    const answers: Array<string> = []
    for (let i = 0; i < 10; i++) answers.push(yield* Shutdown.escalate({ reason: "x", signal: wrong("SIGNOTHING") }))
    expect(answers.slice(0, 2)).toEqual(["begun", "hurried"])
    expect(["abandoned", "over"]).toContain(answers[2])
    const report = ended(yield* endsWithin("1 minute")(Effect.flatMap(Shutdown.Shutdown, ({ report }) => report)))
    expect(Number.isInteger(report.exitCode)).toBe(true)
    expect(tagOf(yield* endsWithin("1 minute")(Fiber.await(work)))).toBe("success")
  })))

it.effect("a reason that is no text stops the process as any other", () =>
  apart(Effect.gen(function*() {
    const work = yield* Effect.forkDetach(
      Shutdown.admit({ kind: "work", name: "long" })(Effect.never),
      { startImmediately: true }
    )
    const report = ended(yield* endsWithin("1 minute")(Shutdown.shutdown(wrong(undefined))))
    expect(Shutdown.format(report)).toContain("Shut down")
    yield* settle
    expect(tagOf(work.pollUnsafe() ?? Exit.succeed("still going"))).toBe("SessionRevoked")
  })))

it.effect("a reader of states who never reads on, and one that stops it again, do not hold it up", () =>
  apart(Effect.gen(function*() {
    const seen: Array<string> = []
    yield* Effect.forkChild(Stream.runForEach(Shutdown.changes, () => Effect.never), { startImmediately: true })
    const reader = yield* Effect.forkChild(
      Stream.runForEach(
        Shutdown.changes,
        (state) =>
          Effect.andThen(
            Effect.sync(() => seen.push(state)),
            state === "running" ? Effect.void : Shutdown.escalate({ reason: "me too" })
          )
      ),
      { startImmediately: true }
    )
    yield* settle
    ended(yield* endsWithin("1 minute")(stop))
    yield* endsWithin("1 minute")(Fiber.await(reader))
    expect(seen[0]).toBe("running")
    expect(seen.at(-1)).toBe("done")
    expect(yield* Stream.runCollect(Shutdown.changes)).toEqual(["done"])
  })))

it.effect(
  "three hundred pieces of work are drained, and the last of them ends the drain",
  () =>
    apart(Effect.gen(function*() {
      const go = yield* Latch.make()
      const fibers = yield* Effect.forEach(
        Array.from({ length: 300 }),
        () => Effect.forkDetach(Shutdown.admit({ kind: "work", name: "x" })(go.await), { startImmediately: true })
      )
      const fiber = yield* Effect.forkChild(stop, { startImmediately: true })
      yield* settle
      yield* go.open
      const report = ended(yield* endsWithin("1 second")(Fiber.join(fiber)))
      expect(report.ended).toBe(300)
      expect(report.exitCode).toBe(0)
      yield* Fiber.awaitAll(fibers)
    }))
)

it.effect("work inside of work is admitted during the drain, and what it forks apart is not", () =>
  apart(Effect.gen(function*() {
    const go = yield* Latch.make()
    const tags: Array<string> = []
    const admitted = Shutdown.admit({ kind: "inner", name: "x" })(Effect.void)
    const work = yield* Effect.forkDetach(
      Shutdown.admit({ kind: "outer", name: "x" })(Effect.gen(function*() {
        yield* go.await
        tags.push(tagOf(yield* Effect.exit(admitted)))
        tags.push(tagOf(yield* Effect.exit(Stream.runDrain(Shutdown.admitStream(job)(Stream.make(1))))))
      })),
      { startImmediately: true }
    )
    const fiber = yield* Effect.forkChild(stop, { startImmediately: true })
    yield* settle
    yield* TestClock.adjust("2 seconds")
    expect(tagOf(yield* Effect.exit(admitted))).toBe("ShuttingDown")
    yield* go.open
    const report = ended(yield* endsWithin("1 minute")(Fiber.join(fiber)))
    yield* Fiber.await(work)
    expect(tags).toEqual(["success", "success"])
    expect(report.exitCode).toBe(0)
  })))

it.effect("what work leaves behind on a detached fiber does not pass as work in flight after the work has ended", () =>
  apart(Effect.gen(function*() {
    const go = yield* Latch.make()
    let late: Fiber.Fiber<unknown, unknown> | undefined
    yield* Shutdown.admit({ kind: "outer", name: "x" })(Effect.gen(function*() {
      late = yield* Effect.forkDetach(
        Effect.andThen(go.await, Shutdown.admit({ kind: "late", name: "x" })(Effect.never))
      )
    }))
    ended(yield* endsWithin("1 minute")(stop))
    yield* go.open
    yield* settle
    expect(tagOf(late!.pollUnsafe() ?? Exit.succeed("admitted"))).toBe("ShuttingDown")
  })))

it.effect("an admitted stream that nobody pulls holds nothing up, and is refused when it is pulled late", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    const stream = Shutdown.admitStream({ kind: "answer", name: "x" })(Stream.make(1, 2))
    const pull = yield* Stream.toPull(stream)
    // Not in flight, so that it is not drained; but its session is open, and taken back at last.
    const report = ended(yield* endsWithin("2 seconds")(stop))
    expect(report.exitCode).toBe(0)
    expect(tagOf(yield* endsWithin("1 second")(pull))).toBe("SessionRevoked")
    expect(tagOf(yield* endsWithin("1 second")(Stream.runDrain(stream)))).toBe("ShuttingDown")
  }))))

it.effect("a deadline around work, in a finalizer and around the shutdown itself keep out of each other's way", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    const left: Array<number> = []
    yield* Deadline.within("1 second")(
      Shutdown.addFinalizer({ phase: "persist", name: "x" })(
        Effect.map(Deadline.remaining, (d) => left.push(Duration.toMillis(d)))
      )
    )
    const work = yield* Effect.forkDetach(
      Shutdown.admit({ kind: "work", name: "x" })(Deadline.within("5 seconds")(Effect.never)),
      { startImmediately: true }
    )
    yield* TestClock.adjust("2 seconds")
    const exit = yield* endsWithin("1 minute")(Deadline.within("1 second")(stop))
    expect(tagOf(exit)).toBe("DeadlineExceeded")
    const report = ended(yield* endsWithin("1 minute")(stop))
    expect(report.exitCode).toBe(0)
    // That of its phase.
    expect(left).toEqual([5000])
    expect(tagOf(work.pollUnsafe() ?? Exit.void)).toBe("DeadlineExceeded")
  }))))

it.effect("options of a finalizer that are wrong are refused where it is added", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    for (
      const options of [
        { phase: "Persist", name: "x" },
        { phase: undefined, name: "x" },
        { phase: "__proto__", name: "x" },
        { phase: "persist", name: "x", deadline: -1 },
        { phase: "persist", name: "x", deadline: Number.NaN },
        { phase: "persist", name: "x", deadline: "later" }
      ]
    ) {
      const exit = yield* Effect.exit(Effect.suspend(() => Shutdown.addFinalizer(wrong(options))(Effect.void)))
      expect([options, tagOf(exit)]).toEqual([options, expect.stringContaining("RangeError")])
    }
    expect(ended(yield* endsWithin("1 minute")(stop)).exitCode).toBe(0)
  }))))

it.effect("a shutdown that a session asks for which nobody admitted ends, and so does the session", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* endsWithin("1 minute")(Session.use(job, things.take, things.give, () => stop))
    expect(tagOf(exit)).toMatch(/success|SessionRevoked/)
    things.settled(1)
    expect(Duration.toMillis(ended(yield* endsWithin("1 minute")(stop)).duration)).toBeLessThanOrEqual(27_000)
  }))
})

it.effect("work that calls the end from a region that nothing interrupts gets its report", () =>
  apart(Effect.gen(function*() {
    const exit = yield* endsWithin("1 minute")(
      Effect.uninterruptible(Shutdown.admit({ kind: "work", name: "asks" })(stop))
    )
    expect(tagOf(exit)).toMatch(/success|SessionRevoked/)
  })))

// Tasks

it.effect("options of tasks that are wrong are refused by name", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    for (
      const [name, value] of [
        ...[0, -1, 1.5, Number.NaN, Infinity, "4", {}].map((value) => ["concurrency", value] as const),
        ...[-1, 1.5, Number.NaN, Infinity, "4"].map((value) => ["capacity", value] as const),
        ...[-1, Number.NaN, "later", {}].map((value) => ["drain", value] as const)
      ]
    ) {
      const exit = yield* Effect.exit(Effect.suspend(() => Tasks.make(wrong({ name: "x", [name]: value }))))
      expect([name, value, tagOf(exit)]).toEqual([name, value, expect.stringContaining(name)])
    }
    const tasks = yield* Tasks.make({ name: "x", concurrency: 1, capacity: 0 })
    for (const atShutdown of ["Drain", undefined, null, true]) {
      const exit = yield* Effect.exit(Effect.suspend(() => tasks.start(wrong({ name: "x", atShutdown }))(Effect.never)))
      expect([atShutdown, tagOf(exit)]).toEqual([atShutdown, expect.stringContaining("atShutdown")])
    }
    // And none of those has taken the only place.
    const task = yield* tasks.start({ name: "good", atShutdown: "drain" })(Effect.succeed(1))
    expect(tagOf(yield* task.await)).toBe("success")
  }))))

it.effect("a task whose options throw when they are read takes no place", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    const tasks = yield* Tasks.make({ name: "x", concurrency: 1, capacity: 0 })
    for (const field of ["name", "atShutdown", "restart"]) {
      for (const after of [0, 1, 2]) {
        let reads = 0
        const options = { name: "x", atShutdown: "cancel", restart: undefined }
        const value = options[field as "name"]
        Object.defineProperty(options, field, {
          get: () => {
            if (reads++ >= after) throw new Error("a getter threw")
            return value
          }
        })
        const started = yield* endsWithin("1 minute")(Effect.suspend(() => tasks.start(wrong(options))(Effect.void)))
        if (Exit.isSuccess(started)) yield* endsWithin("1 minute")(started.value.await)
      }
    }
    const task = yield* tasks.start({ name: "good", atShutdown: "drain" })(Effect.succeed(1))
    expect(tagOf(yield* task.await)).toBe("success")
  }))))

it.effect("a task that cancels itself ends", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    const tasks = yield* Tasks.make({ name: "x" })
    const own = yield* Deferred.make<Tasks.Task<unknown, unknown>>()
    const task = yield* tasks.start({ name: "x", atShutdown: "drain" })(
      Effect.andThen(Effect.flatMap(Deferred.await(own), ({ cancel }) => cancel), Effect.never)
    )
    yield* Deferred.succeed(own, task)
    const exit = yield* endsWithin("1 minute")(task.await)
    expect(Exit.isSuccess(exit) && tagOf(exit.value)).toBe("TaskCancelled")
  }))))

it.effect("a task that closes the scope of its owner ends, and so does the scope", () =>
  apart(Effect.gen(function*() {
    for (const atShutdown of ["drain", "cancel"] as const) {
      const scope = yield* Scope.make()
      const tasks = yield* Scope.provide(Tasks.make({ name: "x" }), scope)
      const task = yield* tasks.start({ name: "x", atShutdown })(Scope.close(scope, Exit.void))
      const exit = yield* endsWithin("1 minute")(task.await)
      expect(tagOf(exit)).toBe("success")
      expect(tagOf(yield* endsWithin("1 minute")(Scope.close(scope, Exit.void)))).toBe("success")
      expect(tagOf(yield* Effect.exit(tasks.start({ name: "late", atShutdown })(Effect.void)))).toBe("TasksClosed")
    }
  })))

it.effect("a task that waits until no task is left is interrupted at the end, and holds up no longer than the drain", () =>
  apart(Effect.gen(function*() {
    const scope = yield* Scope.make()
    const tasks = yield* Scope.provide(Tasks.make({ name: "x", drain: "3 seconds" }), scope)
    const task = yield* tasks.start({ name: "x", atShutdown: "drain" })(tasks.awaitEmpty)
    yield* settle
    expect(tagOf(yield* endsWithin("10 seconds")(Scope.close(scope, Exit.void)))).toBe("success")
    const exit = yield* endsWithin("1 second")(task.await)
    expect(Exit.isSuccess(exit) && tagOf(exit.value)).toMatch(/success|TaskCancelled|SessionRevoked/)
  })))

it.effect("what is done about a failure may throw, die, hang or start tasks, and keeps no place for ever", () => {
  const started: Array<string> = []
  return apart(Effect.scoped(Effect.gen(function*() {
    let failures = 0
    const tasks: Tasks.Tasks = yield* Tasks.make({
      name: "x",
      concurrency: 1,
      onFailure: () => {
        failures++
        if (failures === 1) throw new Error("no effect")
        if (failures === 2) return Effect.die("dead")
        if (failures === 3) return wrong(undefined)
        return Effect.orDie(
          Effect.asVoid(tasks.start({ name: "follow-up", atShutdown: "drain" })(Effect.sync(() => started.push("ran"))))
        )
      }
    })
    for (let i = 0; i < 4; i++) {
      const task = yield* tasks.start({ name: "fails", atShutdown: "drain" })(Effect.fail("x"))
      expect(tagOf(yield* endsWithin("1 minute")(task.await))).toBe("success")
    }
    yield* endsWithin("1 minute")(tasks.awaitEmpty)
    expect(started).toEqual(["ran"])
  })))
})

it.effect("a task that fails at once and is begun again without a wait can still be cancelled", () => {
  let runs = 0
  return apart(Effect.scoped(Effect.gen(function*() {
    const tasks = yield* Tasks.make({ name: "x", onFailure: () => Effect.void })
    const task = yield* tasks.start({ name: "x", atShutdown: "cancel", restart: Schedule.forever })(
      Effect.suspend(() => {
        runs++
        return Effect.fail("at once")
      })
    )
    yield* settle
    expect(tagOf(yield* endsWithin("1 minute")(task.cancel))).toBe("success")
    expect(tagOf(yield* task.await)).toBe("TaskCancelled")
    expect(runs).toBeGreaterThan(1)
  })))
})

it.effect("a schedule of restarts that dies, or is over, ends the task with what it came to", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    const tasks = yield* Tasks.make({ name: "x", onFailure: () => Effect.void })
    for (
      const [restart, tag] of [
        [Schedule.recurs(0), "fail x"],
        [Schedule.recurs(2), "fail x"],
        [Schedule.map(Schedule.forever, () => Effect.die("broken schedule")), "die broken schedule"]
      ] as const
    ) {
      const task = yield* tasks.start({ name: "x", atShutdown: "drain", restart: wrong(restart) })(Effect.fail("x"))
      const exit = yield* endsWithin("1 minute")(task.await)
      expect(Exit.isSuccess(exit) && tagOf(exit.value)).toBe(tag)
    }
    expect(tagOf(yield* endsWithin("1 second")(tasks.awaitEmpty))).toBe("success")
  }))))

it.effect("a task that waits for its turn and is cancelled never begins, and leaves its place to others", () => {
  let began = 0
  return apart(Effect.scoped(Effect.gen(function*() {
    const tasks = yield* Tasks.make({ name: "x", concurrency: 1, capacity: 1 })
    const first = yield* tasks.start({ name: "first", atShutdown: "drain" })(Effect.never)
    for (let i = 0; i < 5; i++) {
      const waiting = yield* tasks.start({ name: "waits", atShutdown: "drain" })(Effect.sync(() => began++))
      expect(tagOf(yield* Effect.exit(tasks.start({ name: "one too many", atShutdown: "drain" })(Effect.void)))).toBe(
        "TasksFull"
      )
      yield* endsWithin("1 second")(waiting.cancel)
      expect(tagOf(yield* waiting.await)).toBe("TaskCancelled")
      yield* endsWithin("1 second")(waiting.cancel)
    }
    yield* first.cancel
    expect(began).toBe(0)
    const last = yield* tasks.start({ name: "last", atShutdown: "drain" })(Effect.sync(() => began++))
    yield* last.await
    expect(began).toBe(1)
  })))
})

it.effect("a task in a revoked session ends with the error of that, and its place is free", () =>
  apart(Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Scope.provide(
      Effect.gen(function*() {
        const tasks = yield* Tasks.make({ name: "x", concurrency: 1, capacity: 5 })
        const [one, two] = [
          yield* tasks.start({ name: "one", atShutdown: "drain" })(Effect.never),
          yield* tasks.start({ name: "two", atShutdown: "drain" })(Effect.succeed("second"))
        ]
        yield* SessionRegistry.revoke({ name: "one" }, { reason: "x" }).pipe(endsWithin("1 minute"))
        const exits = yield* endsWithin("1 minute")(Effect.all([one.await, two.await]))
        expect(Exit.isSuccess(exits) && exits.value.map(tagOf)).toEqual(["SessionRevoked", "success"])
      }),
      scope
    )
    yield* endsWithin("1 minute")(Scope.close(scope, Exit.void))
  })))

it.effect("a task of a tenant whose quota is used up is refused in a typed way, and keeps no place", () =>
  apartRegistry(
    Effect.scoped(Effect.gen(function*() {
      const tasks = yield* Tasks.make({ name: "x", concurrency: 1, capacity: 0 })
      for (let i = 0; i < 3; i++) {
        for (const atShutdown of ["drain", "cancel"] as const) {
          const exit = yield* endsWithin("1 minute")(
            Caller.provide({ tenant: "none" })(tasks.start({ name: "x", atShutdown })(Effect.void))
          )
          expect(tagOf(exit)).toBe("QuotaExceeded")
        }
      }
      const task = yield* tasks.start({ name: "x", atShutdown: "drain" })(Effect.succeed(1))
      expect(tagOf(yield* task.await)).toBe("success")
    })).pipe(Effect.provide(Layer.fresh(Shutdown.layer()))),
    { quota: () => 0 }
  ))

it.effect("whoever starts a task and is interrupted in any step of it leaves it, or it never was", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const scope = yield* Scope.make()
    const tasks = yield* Scope.provide(Tasks.make({ name: "x", concurrency: 2 }), scope)
    for (let steps = 0; steps < 20; steps++) {
      const starter = yield* Effect.forkChild(
        tasks.start({ name: "x", atShutdown: "drain" })(
          Session.use(job, things.take, things.give, () => Effect.yieldNow)
        )
      )
      for (let i = 0; i < steps; i++) yield* Effect.yieldNow
      yield* Fiber.interrupt(starter)
    }
    yield* endsWithin("1 minute")(tasks.awaitEmpty)
    yield* endsWithin("1 minute")(Scope.close(scope, Exit.void))
    things.settled()
  }))
})

it.effect("two hundred tasks of one owner are done, so many at a time", () => {
  let now = 0
  let most = 0
  return apart(Effect.scoped(Effect.gen(function*() {
    const tasks = yield* Tasks.make({ name: "x", concurrency: 7, capacity: 10_000 })
    const all = yield* Effect.forEach(
      Array.from({ length: 200 }),
      (_, i) =>
        tasks.start({ name: String(i), atShutdown: "drain" })(Effect.gen(function*() {
          most = Math.max(most, ++now)
          yield* Effect.yieldNow
          now--
          return i
        }))
    )
    yield* tasks.awaitEmpty
    const exits = yield* Effect.forEach(all, (task) => task.await)
    expect(exits.every(Exit.isSuccess)).toBe(true)
    expect(most).toBeLessThanOrEqual(7)
  })))
})

it.effect("a task that nothing can interrupt does not keep its owner's scope open for ever", () =>
  apart(Effect.gen(function*() {
    const go = yield* Latch.make()
    const scope = yield* Scope.make()
    const tasks = yield* Scope.provide(Tasks.make({ name: "x", drain: "2 seconds" }), scope)
    const task = yield* tasks.start({ name: "x", atShutdown: "cancel" })(Effect.uninterruptible(go.await))
    yield* settle
    expect(tagOf(yield* endsWithin("20 seconds")(Scope.close(scope, Exit.void)))).toBe("success")
    yield* go.open
    yield* endsWithin("1 minute")(task.await)
  })))

it.effect("a task that forks, detaches and acquires gives back what is in its scope", () => {
  const things = new Things()
  return apart(Effect.scoped(Effect.gen(function*() {
    const tasks = yield* Tasks.make({ name: "x" })
    const task = yield* tasks.start({ name: "x", atShutdown: "cancel" })(Effect.gen(function*() {
      yield* Session.acquire(job, things.take, things.give)
      yield* Effect.forkScoped(Session.use(job, things.take, things.give, () => Effect.never))
      yield* Effect.forkChild(Session.use(job, things.take, things.give, () => Effect.never))
      yield* Effect.never
    }))
    yield* settle
    yield* endsWithin("1 minute")(task.cancel)
    things.settled(3)
  })))
})

it.effect("tasks that are started while a shutdown stops and drains are refused or ended, and none stays", () => {
  const tags = new Set<string>()
  return apart(
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const tasks = yield* Scope.provide(Tasks.make({ name: "x" }), scope)
      const slow = yield* tasks.start({ name: "slow", atShutdown: "drain" })(Effect.sleep("10 seconds"))
      const fiber = yield* Effect.forkChild(stop, { startImmediately: true })
      for (let i = 0; i < 30; i++) {
        for (const atShutdown of ["drain", "cancel"] as const) {
          const exit = yield* Effect.exit(tasks.start({ name: "late", atShutdown })(Effect.never))
          tags.add(tagOf(exit))
        }
        yield* TestClock.adjust("1 second")
        yield* settle
      }
      expect(ended(fiber.pollUnsafe() ?? Exit.die("still going")).exitCode).toBe(0)
      expect(tagOf(yield* slow.await)).toBe("success")
      expect(tags).toEqual(new Set(["ShuttingDown"]))
      yield* endsWithin("1 minute")(Scope.close(scope, Exit.void))
    }),
    { unready: 0 }
  )
})

it.effect("a registry that a shutdown has emptied can be used by the next program", () =>
  apart(Effect.gen(function*() {
    const leaked = yield* Scope.make()
    yield* Session.acquire(job, Effect.void, () => Effect.void).pipe(Scope.provide(leaked))
    ended(yield* endsWithin("1 minute")(stop))
    expect(yield* SessionRegistry.counts).toEqual({})
    const next = Context.get(yield* Layer.build(Layer.fresh(Shutdown.layer())), Shutdown.Shutdown)
    const exit = yield* endsWithin("1 minute")(
      Effect.provideService(Shutdown.admit(job)(Effect.succeed("again")), Shutdown.Shutdown, next)
    )
    expect(tagOf(exit)).toBe("success")
    yield* Scope.close(leaked, Exit.void)
  })))
