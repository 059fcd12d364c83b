import * as Deadline from "@clawback/core/Deadline"
import * as Session from "@clawback/core/Session"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Shutdown from "@clawback/core/Shutdown"
import type * as ShutdownReport from "@clawback/core/ShutdownReport"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { turn } from "./Moments.ts"

const isolated = (options?: Shutdown.Options) =>
  Effect.provide(Layer.merge(Shutdown.layer(options), SessionRegistry.layer()))
const request = (name = "one") => ({ kind: "request", name })
const job = (name: string) => ({ kind: "job", name })
const names = (held: ReadonlyArray<ShutdownReport.Item>) => held.map(({ name }) => name)
const phase = (report: ShutdownReport.Report, name: ShutdownReport.Phase) =>
  report.phases.find(({ phase }) => phase === name)

/** Begins a shutdown, lets so much time pass, and joins its report. */
const shutDown = (after: Duration.Input = "30 seconds") =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Shutdown.shutdown("test"), { startImmediately: true })
    yield* TestClock.adjust(after)
    return yield* Fiber.join(fiber)
  })

const read = (name: string, every: Duration.Input, elements: number) =>
  Stream.range(1, elements).pipe(
    Stream.mapEffect((n) => Effect.as(Effect.sleep(every), String(n))),
    Shutdown.admitStream(request(name)),
    Stream.catchTag("SessionRevoked", ({ reason }) => Stream.make(`error: ${reason}`)),
    Stream.runCollect
  )

const asks = (signal: ShutdownReport.Signal) => Shutdown.escalate({ reason: signal, signal })

const hold = (name: string, release: Effect.Effect<unknown>) =>
  Effect.forkDetach(Effect.scoped(
    Effect.andThen(Session.acquire({ kind: "socket", name }, Effect.void, () => release), Effect.never)
  ))

describe("Shutdown", () => {
  it.effect("takes no time and exits with 0 if nothing is in flight", () =>
    Effect.gen(function*() {
      const report = yield* Shutdown.shutdown("test")
      assert.deepInclude(report, { reason: "test", signal: undefined, ended: 0, stuck: [], failed: [], exitCode: 0 })
      assert.deepStrictEqual(report.phases.map(({ phase, outcome }) => [phase, outcome]), [
        ["unready", "completed"],
        ["stop", "completed"],
        ["drain", "completed"],
        ["persist", "completed"],
        ["interrupt", "completed"],
        ["close", "completed"]
      ])
    }).pipe(isolated()))

  it.effect("is not ready from its beginning, and still admits work in the phase `unready`", () =>
    Effect.gen(function*() {
      const states = yield* Effect.forkChild(Stream.runCollect(Shutdown.changes), { startImmediately: true })
      assert.isTrue(yield* Shutdown.isReady)
      const fiber = yield* Effect.forkChild(Shutdown.shutdown("test"), { startImmediately: true })
      assert.isFalse(yield* Shutdown.isReady)
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual(yield* Shutdown.admit(request())(Effect.succeed("answer")), "answer")
      yield* TestClock.adjust("1 millis")
      assert.instanceOf(yield* Effect.flip(Shutdown.admit(request())(Effect.void)), Shutdown.ShuttingDown)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(Array.from(yield* Fiber.join(states)), [
        "running",
        "unready",
        "stop",
        "drain",
        "persist",
        "interrupt",
        "close",
        "done"
      ])
    }).pipe(isolated({ unready: "5 seconds" })))

  it.effect("drains work in flight and the work inside of it, and rejects other work before it begins", () =>
    Effect.gen(function*() {
      const inner = Shutdown.admit(request("inner"))(Effect.as(Effect.sleep("2 seconds"), "inner"))
      const outer = Shutdown.admit(request("outer"))(Effect.andThen(Effect.sleep("5 seconds"), inner))
      const work = yield* Effect.forkChild(outer, { startImmediately: true })
      const ending = yield* Effect.forkChild(Shutdown.shutdown("test"), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      let hasBegun = false
      const late = Shutdown.admit(request("late"))(Effect.sync(() => hasBegun = true))
      const refused = yield* Effect.flip(late)
      assert.deepInclude(refused, { _tag: "ShuttingDown", kind: "request", work: "late" })
      const stream = Shutdown.admitStream(request("late"))(Stream.fromEffect(Effect.sync(() => hasBegun = true)))
      assert.instanceOf(yield* Effect.flip(Stream.runDrain(stream)), Shutdown.ShuttingDown)
      assert.isFalse(hasBegun)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(work), "inner")
      const report = yield* Fiber.join(ending)
      assert.deepInclude(report, { ended: 2, interrupted: [], exitCode: 0 })
      assert.deepInclude(phase(report, "drain"), { outcome: "completed", ended: 2 })
    }).pipe(isolated()))

  it.effect("drains a stream until it ends; a stream that is cut short can still send a last element", () =>
    Effect.gen(function*() {
      const fibers = yield* Effect.forEach(
        [read("short", "1 second", 3), read("long", "4 seconds", 9)],
        (reader) => Effect.forkChild(reader, { startImmediately: true })
      )
      const report = yield* shutDown()
      const said = (yield* Effect.forEach(fibers, Fiber.join)).map((parts) => Array.from(parts))
      assert.deepStrictEqual(said, [["1", "2", "3"], ["1", "2", "error: the process is shutting down: test"]])
      assert.deepInclude(report, { ended: 1, stuck: [], forced: [], exitCode: 1 })
      assert.deepStrictEqual(names(report.interrupted), ["long"])
      assert.deepInclude(phase(report, "drain"), { outcome: "overran" })
    }).pipe(isolated({ drain: "10 seconds" })))

  it.effect("fails work that is left after the drain with `SessionRevoked`, after its resources were released", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const work = yield* Effect.forkChild(
        Shutdown.admit(request())(
          Session.use(
            { kind: "call", name: "model" },
            Effect.void,
            () => Effect.sync(() => order.push("released")),
            () => Effect.never
          )
        )
      )
      yield* turn(5)
      const report = yield* shutDown()
      const error = yield* Effect.flip(Fiber.join(work))
      assert.strictEqual(error._tag, "SessionRevoked")
      assert.deepStrictEqual([order, names(report.interrupted)], [["released"], ["one"]])
    }).pipe(isolated()))

  it.effect("names work that was not admitted if the end of its program cuts it short", () =>
    Effect.gen(function*() {
      const program = [
        Session.scoped(job("outer"))(Session.scoped(job("inner"))(Effect.never)),
        Stream.runDrain(Session.scopedStream(job("stream"))(Stream.never)),
        Effect.uninterruptible(Session.scoped(job("ends"))(Effect.sleep("15100 millis"))),
        Session.scoped(job("over"))(Effect.sleep("1 second")),
        Effect.scoped(Effect.andThen(Session.acquire(job("held"), Effect.void, () => Effect.void), Effect.never)),
        Shutdown.admit(request())(Session.scoped(job("admitted"))(Effect.uninterruptible(Effect.sleep("15200 millis"))))
      ]
      const fibers = yield* Effect.forEach(program, (part) => Effect.forkChild(part, { startImmediately: true }))
      yield* Shutdown.addFinalizer({ phase: "interrupt", name: "the program" })(Fiber.interruptAll(fibers))
      yield* asks("SIGTERM")
      yield* TestClock.adjust("30 seconds")
      const report = yield* Shutdown.Shutdown.use((service) => service.report)
      assert.sameMembers(names(phase(report, "interrupt")?.interrupted ?? []), ["one", "outer", "stream"])
      assert.deepInclude(report, { forced: [], stuck: [], exitCode: 143 })
    }).pipe(Effect.scoped, isolated()))

  it.effect("runs the finalizers of one phase concurrently, and the phases one after another", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const add = (phase: ShutdownReport.Phase, name: string, takes: Duration.Input) =>
        Shutdown.addFinalizer({ phase, name })(
          Effect.andThen(Effect.sleep(takes), Effect.sync(() => void order.push(name)))
        )
      yield* add("close", "socket", 0)
      yield* add("persist", "slow", "2 seconds")
      yield* add("persist", "quick", "1 second")
      yield* add("stop", "listener", 0)
      yield* add("drain", "queue", "1 second")
      const report = yield* shutDown("4 seconds")
      assert.deepStrictEqual(order, ["listener", "queue", "quick", "slow", "socket"])
      assert.deepStrictEqual(names(phase(report, "persist")?.finished ?? []), ["quick", "slow"])
      assert.strictEqual(report.exitCode, 0)
    }).pipe(Effect.scoped, isolated()))

  it.effect("names finalizers that hang or fail, runs all others, and ends in time", () =>
    Effect.gen(function*() {
      let hasRun = false
      yield* Shutdown.addFinalizer({ phase: "persist", name: "hangs" })(Effect.never)
      yield* Shutdown.addFinalizer({ phase: "persist", name: "deaf" })(Effect.uninterruptible(Effect.sleep("1 hour")))
      yield* Shutdown.addFinalizer({ phase: "persist", name: "fails" })(Effect.fail("no disk"))
      yield* Shutdown.addFinalizer({ phase: "persist", name: "dies" })(Effect.die("bug"))
      yield* Shutdown.addFinalizer({ phase: "persist", name: "works" })(Effect.sync(() => hasRun = true))
      yield* Shutdown.addFinalizer({ phase: "close", name: "own deadline", deadline: "10 millis" })(Effect.never)
      yield* TestClock.adjust("1 minute")
      const report = yield* shutDown("5010 millis")
      assert.isTrue(hasRun)
      assert.sameMembers(names(report.stuck), ["hangs", "deaf", "own deadline"])
      assert.deepStrictEqual(report.stuck.find(({ name }) => name === "hangs")?.kind, "finalizer")
      assert.sameMembers(report.failed.map(({ finalizer }) => finalizer.name), ["fails", "dies"])
      assert.strictEqual(report.exitCode, 1)
      const text = Shutdown.format(report)
      for (const told of ["hangs, for 1m 5s", "fails", "no disk", "exit code 1"]) assert.include(text, told)
    }).pipe(Effect.scoped, isolated()))

  it.effect("reports where a stuck item was registered, if that was sampled", () =>
    Effect.gen(function*() {
      yield* Shutdown.addFinalizer({ phase: "persist", name: "hangs" })(Effect.never)
      yield* Effect.forkDetach(
        Session.scoped({ kind: "lock", name: "hangs" })(Effect.uninterruptible(Effect.never))
      )
      yield* turn(5)
      const { forced, stuck } = yield* shutDown()
      assert.deepStrictEqual([...stuck, ...forced].map(({ kind }) => kind), ["finalizer", "lock"])
      for (const { site } of [...stuck, ...forced]) assert.include(site, "Shutdown.test.ts")
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(SessionRegistry.layer({ sampleAll: true }), Shutdown.layer()))
    ))

  it.effect("releases by force what sessions still hold, and names what cannot be released", () =>
    Effect.gen(function*() {
      const released: Array<string> = []
      yield* hold("forgotten", Effect.sync(() => released.push("forgotten")))
      const gate = yield* Effect.acquireRelease(Deferred.make<void>(), (gate) => Deferred.succeed(gate, undefined))
      yield* hold("hangs", Deferred.await(gate))
      const deaf = Effect.uninterruptible(Effect.sleep("1 hour"))
      yield* Effect.forkDetach(Shutdown.admit(request("deaf"))(deaf))
      yield* turn(5)
      const report = yield* shutDown()
      assert.deepStrictEqual(released, ["forgotten"])
      assert.sameMembers(names(report.stuck), ["hangs"])
      assert.includeMembers(names(report.forced), ["deaf", "forgotten"])
      assert.deepStrictEqual(names(report.interrupted), ["deaf"])
      assert.strictEqual(report.exitCode, 1)
    }).pipe(Effect.scoped, isolated()))

  it.effect("runs once: all callers get the same report, and an interrupted caller does not stop it", () =>
    Effect.gen(function*() {
      let runs = 0
      yield* Shutdown.addFinalizer({ phase: "persist", name: "journal" })(
        Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => runs++))
      )
      const first = yield* Effect.forkChild(Shutdown.shutdown("first"), { startImmediately: true })
      const [second, third] = yield* Effect.forEach(
        ["second", "third"],
        (reason) => Effect.forkChild(Shutdown.shutdown(reason), { startImmediately: true })
      )
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 second")
      const report = yield* Fiber.join(second!)
      assert.strictEqual(report, yield* Fiber.join(third!))
      assert.strictEqual(report, yield* Shutdown.shutdown("late"))
      assert.deepStrictEqual([report.reason, runs, report.exitCode], ["first", 1, 0])
    }).pipe(Effect.scoped, isolated()))

  it.effect("does not drain work that waits for the shutdown, nor the work around it", () =>
    Effect.gen(function*() {
      const asks = Shutdown.admit(request("admin"))(Shutdown.shutdown("asked by a request"))
      const fiber = yield* Effect.forkChild(Shutdown.admit(request("outer"))(asks), { startImmediately: true })
      yield* turn(100)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
      const report = yield* Shutdown.shutdown("late")
      assert.deepInclude(phase(report, "drain"), { outcome: "completed" })
      assert.sameMembers(names(report.interrupted), ["admin", "outer"])
    }).pipe(isolated()))

  it.effect("fails a finalizer that waits for the shutdown", () =>
    Effect.gen(function*() {
      yield* Shutdown.addFinalizer({ phase: "persist", name: "waits" })(Shutdown.shutdown("again"))
      const report = yield* Shutdown.shutdown("test")
      assert.deepStrictEqual(report.failed.map(({ finalizer }) => finalizer.name), ["waits"])
    }).pipe(Effect.scoped, isolated()))
})

describe("Shutdown.escalate", () => {
  it.effect("begins the shutdown, then skips the drain, then abandons it", () =>
    Effect.gen(function*() {
      const work = yield* Effect.forkChild(Effect.exit(Shutdown.admit(request())(Effect.never)))
      yield* Shutdown.addFinalizer({ phase: "drain", name: "queue" })(Effect.never)
      yield* Shutdown.addFinalizer({ phase: "persist", name: "journal" })(Effect.never)
      yield* Shutdown.addFinalizer({ phase: "close", name: "never run" })(Effect.void)
      yield* turn(5)
      assert.strictEqual(yield* asks("SIGTERM"), "begun")
      yield* turn(20)
      assert.strictEqual(yield* Shutdown.Shutdown.use((service) => service.state), "drain")
      assert.strictEqual(yield* asks("SIGTERM"), "hurried")
      yield* turn(20)
      assert.strictEqual(yield* Shutdown.Shutdown.use((service) => service.state), "persist")
      assert.strictEqual(yield* asks("SIGINT"), "abandoned")
      const report = yield* Shutdown.Shutdown.use((service) => service.report)
      assert.deepInclude(report, { reason: "SIGTERM", signal: "SIGINT", exitCode: 130 })
      assert.deepStrictEqual(report.phases.map(({ outcome }) => outcome), [
        "completed",
        "completed",
        "skipped",
        "skipped",
        "skipped",
        "skipped"
      ])
      assert.sameMembers(names(report.stuck), ["journal", "never run", "one"])
      assert.strictEqual(yield* asks("SIGTERM"), "over")
      yield* Fiber.interrupt(work)
    }).pipe(Effect.scoped, isolated()))

  it.effect("gives the signal's exit code if work is cut short", () =>
    Effect.gen(function*() {
      yield* Effect.forkChild(Effect.exit(Shutdown.admit(request())(Effect.never)))
      yield* turn(5)
      yield* asks("SIGTERM")
      yield* asks("SIGTERM")
      const cut = yield* Shutdown.Shutdown.use((service) => service.report)
      assert.deepStrictEqual([cut.exitCode, names(cut.interrupted)], [143, ["one"]])
    }).pipe(isolated()))

  it.effect("takes the exit code from the first signal", () =>
    Effect.gen(function*() {
      yield* Effect.forkChild(Effect.exit(Shutdown.admit(request())(Effect.never)))
      yield* turn(5)
      yield* asks("SIGTERM")
      yield* asks("SIGINT")
      const report = yield* Shutdown.Shutdown.use((service) => service.report)
      assert.deepInclude(report, { signal: "SIGTERM", exitCode: 143 })
    }).pipe(isolated()))

  it.effect("without a signal, work that is cut short gives 1, and work that succeeds all the same gives 0", () =>
    Effect.gen(function*() {
      yield* Effect.forkChild(Effect.exit(Shutdown.admit(request())(Effect.never)))
      yield* turn(5)
      const cut = yield* shutDown()
      assert.deepStrictEqual([cut.exitCode, names(cut.interrupted)], [1, ["one"]])
    }).pipe(
      isolated(),
      Effect.andThen(
        Effect.gen(function*() {
          yield* Effect.forkChild(
            Shutdown.admit(request())(
              Effect.catchTag(
                Session.scoped(job("inner"))(Effect.never),
                "SessionRevoked",
                () => Effect.succeed("partial")
              )
            )
          )
          yield* turn(5)
          const ended = yield* shutDown()
          assert.deepInclude(ended, { exitCode: 0, ended: 1, interrupted: [] })
        }).pipe(isolated())
      )
    ))

  it.effect("joins a shutdown that the program began", () =>
    Effect.gen(function*() {
      const work = yield* Effect.forkChild(Shutdown.admit(request())(Effect.sleep("3 seconds")))
      yield* turn(5)
      const fiber = yield* Effect.forkChild(Shutdown.shutdown("own"), { startImmediately: true })
      assert.strictEqual(yield* asks("SIGTERM"), "joined")
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(work)
      assert.deepInclude(yield* Fiber.join(fiber), { reason: "own", signal: "SIGTERM", ended: 1, exitCode: 0 })
    }).pipe(isolated()))
})

describe("Shutdown.addFinalizer", () => {
  it.effect("withdraws the finalizer when its scope closes, which waits for one that runs", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const add = (name: string, takes: Duration.Input) =>
        Shutdown.addFinalizer({ phase: "persist", name })(
          Effect.andThen(Effect.sleep(takes), Effect.sync(() => void order.push(name)))
        )
      yield* Effect.scoped(add("gone", 0))
      const owner = yield* Effect.forkChild(
        Effect.scoped(Effect.andThen(add("running", "2 seconds"), Effect.sleep("1 second"))).pipe(
          Effect.tap(Effect.sync(() => void order.push("closed")))
        )
      )
      yield* turn(5)
      yield* shutDown("2 seconds")
      yield* Fiber.join(owner)
      assert.deepStrictEqual(order, ["running", "closed"])
    }).pipe(isolated()))

  it.effect("runs the finalizer at once if its phase has begun", () =>
    Effect.gen(function*() {
      yield* Shutdown.shutdown("test")
      let hasRun = false
      yield* Effect.scoped(Shutdown.addFinalizer({ phase: "stop", name: "late" })(Effect.sync(() => hasRun = true)))
      assert.isTrue(hasRun)
    }).pipe(isolated()))

  it.effect("runs the finalizer with the services of its registration, outside of any session, with its own deadline", () =>
    Effect.gen(function*() {
      let seen: readonly [number, Session.Session | undefined] | undefined
      const look = Effect.all([Effect.map(Deadline.remaining, Duration.toMillis), Session.Current])
      const registered = Shutdown.addFinalizer({ phase: "persist", name: "looks", deadline: "2 seconds" })(
        Effect.map(look, (found) => seen = found)
      )
      yield* registered.pipe(
        Deadline.within("1 millis"),
        Effect.andThen(Shutdown.escalate({ reason: "test" })),
        Effect.andThen(Shutdown.Shutdown.use((service) => service.report)),
        Session.scoped(request()),
        Effect.exit
      )
      assert.deepStrictEqual(seen, [2000, undefined])
    }).pipe(isolated()))
})

describe("Options", () => {
  it("that are invalid or infinite throw an error that names them", () => {
    assert.throws(() => Shutdown.makeUnsafe({ drain: "Infinity" }), /drain/)
    assert.throws(() => Shutdown.makeUnsafe({ persist: -1 }), /persist/)
  })
})
