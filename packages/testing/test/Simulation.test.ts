import { LeakProbe } from "@clawback/core/LeakProbe"
import { Simulation } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Random, Scope } from "effect"
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { execPath } from "node:process"
import { isDeepStrictEqual } from "node:util"
import { leaky, property, tight } from "./Programs.ts"

const { properties } = Simulation

const scenario = (program: Effect.Effect<unknown, unknown>, rest?: Partial<Simulation.Scenario>) => ({
  name: "test",
  program,
  ...rest
})

const failed = ({ failures }: { readonly failures: ReadonlyArray<Simulation.Failure> }) =>
  failures.map(({ property }) => property)

describe("A seed", () => {
  it("decides everything that happens", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const [one, other] = [Simulation.run(tight.program, { seed }), Simulation.run(tight.program, { seed })]
      assert.deepStrictEqual(one, other)
      assert.strictEqual(Simulation.replay(tight, seed).hash, one.hash)
    }
  })

  it("gives another run than its neighbours", () => {
    const { distinctTraces, seeds } = Simulation.explore(tight, { seeds: 500 })
    assert.isAtLeast(distinctTraces, seeds * 0.99)
  })

  it("gives the same trace in every process", () => {
    const program = `
      import { Simulation } from "@clawback/testing"
      import { leaky } from ${JSON.stringify(join(import.meta.dirname, "Programs.ts"))}
      console.log(Array.from({ length: 20 }, (_, i) => Simulation.replay(leaky, i + 1).hash).join())`
    const inChild = () =>
      execFileSync(execPath, ["--conditions=@clawback/source", "--input-type=module", "--eval", program], {
        encoding: "utf8"
      }).trim()
    const here = Array.from({ length: 20 }, (_, i) => Simulation.replay(leaky, i + 1).hash).join()
    assert.deepStrictEqual([inChild(), inChild()], [here, here])
  })

  it("draws the numbers of Random", () => {
    const numbers = Effect.tap(
      Effect.all([Random.next, Random.nextInt, Random.nextIntBetween(0, 10)]),
      (drawn) => Simulation.note(drawn.join())
    )
    const [one, same, other] = [1, 1, 2].map((seed) => Simulation.run(numbers, { seed, trace: true }).trace)
    assert.deepStrictEqual(one, same)
    assert.notDeepEqual(one, other)
  })

  it("that does not decide everything is reported", () => {
    let runs = 0
    const { failures } = Simulation.explore(scenario(Effect.suspend(() => Simulation.note(String(++runs)))), {
      seeds: 1
    })
    assert.deepStrictEqual(failed({ failures }), [properties.isDeterministic])
  })
})

describe("Time", () => {
  it("passes without waiting", () => {
    const program = Effect.gen(function*() {
      const wall = yield* Clock.currentTimeMillis
      const monotonic = yield* Clock.monotonicTimeNanos
      yield* Effect.all([Effect.sleep("30 days"), Effect.sleep("1 hour")], { concurrency: "unbounded" })
      const days = 30 * 24 * 60 * 60 * 1000
      yield* Simulation.check("wall clock", (yield* Clock.currentTimeMillis) - wall === days)
      yield* Simulation.check("monotonic", (yield* Clock.monotonicTimeNanos) - monotonic === BigInt(days) * 1_000_000n)
    })
    assert.deepStrictEqual(failed(Simulation.run(program, { seed: 1 })), [])
  })

  it("stands still while anything can run", () => {
    const program = Effect.gen(function*() {
      yield* Effect.forkChild(Effect.sleep(1))
      const before = yield* Clock.currentTimeMillis
      yield* Effect.repeat(Effect.yieldNow, { times: 100 })
      yield* Simulation.check("no time passed", before === (yield* Clock.currentTimeMillis))
    })
    assert.deepStrictEqual(failed(Simulation.explore(scenario(program), { seeds: 50 })), [])
  })

  it("runs what is due at the same moment in any order", () => {
    const program = Effect.all(
      ["a", "b"].map((name) => Effect.andThen(Effect.sleep(1), Simulation.note(name))),
      { concurrency: "unbounded" }
    )
    const orders = Array.from({ length: 20 }, (_, i) =>
      Simulation.run(program, { seed: i + 1, trace: true }).trace
        .filter((line) => /: [ab]$/.test(line)).map((line) => line.at(-1)).join(""))
    assert.deepStrictEqual(new Set(orders), new Set(["ab", "ba"]))
  })

  it("drops a sleep that was interrupted", () => {
    const program = Effect.gen(function*() {
      const start = yield* Clock.currentTimeMillis
      yield* Effect.timeoutOption(Effect.sleep("1 day"), "1 second")
      yield* Effect.timeoutOption(Effect.never, "1 second")
      yield* Simulation.check("two seconds", (yield* Clock.currentTimeMillis) - start === 2000)
    })
    assert.deepStrictEqual(failed(Simulation.explore(scenario(program), { seeds: 20 })), [])
  })
})

describe("A program that never ends", () => {
  it("is stuck when it waits for itself", () => {
    const deadlock = Effect.gen(function*() {
      const [one, other] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const fiber = yield* Effect.forkChild(Effect.andThen(Deferred.await(one), Deferred.succeed(other, undefined)))
      yield* Deferred.await(other)
      yield* Deferred.succeed(one, undefined)
      yield* Fiber.join(fiber)
    })
    assert.deepStrictEqual(failed(Simulation.run(deadlock, { seed: 1 })), [properties.progresses])
  })

  it("is stuck when it waits for something that is not simulated", () => {
    const promise = Effect.promise(() => Promise.resolve(1))
    assert.deepStrictEqual(failed(Simulation.run(promise, { seed: 1 })), [properties.progresses])
  })

  it("is cut off after the maximum of steps", () => {
    const outcome = Simulation.run(Effect.forever(Effect.sleep(1)), { seed: 1, maxSteps: 1000 })
    assert.deepStrictEqual([failed(outcome), outcome.steps], [[properties.ends], 1000])
  })
})

describe("The nemesis", () => {
  it("finds state that is acquired in one step and protected in a later one", () => {
    const { failures } = Simulation.explore(leaky, { seeds: 2000, stopAtFirst: true })
    assert.deepStrictEqual(failed({ failures }), [property])
    const [{ seed } = { seed: undefined }] = failures
    assert.isDefined(seed)
    if (seed !== undefined) assert.deepStrictEqual(Simulation.replay(leaky, seed).failures, failures)
  })

  it("finds nothing if both are one step", () => {
    assert.deepStrictEqual(Simulation.explore(tight, { seeds: 2000 }).failures, [])
  })

  it("counts interrupts by phase, also in fibers that were forked for the work", () => {
    const inner = Simulation.phase("inner")(Effect.timeout(Simulation.latency(1, 9), "1 minute"))
    const work = Simulation.phase("outer")(Effect.andThen(Effect.timeout(inner, "1 minute"), Effect.sleep(5)))
    const program = Effect.flatMap(Simulation.fork(work), Fiber.await)
    const { interrupts } = Simulation.explore(scenario(program), { seeds: 500 })
    assert.sameMembers(Object.keys(interrupts), ["inner", "outer", "other"])
    for (const count of Object.values(interrupts)) assert.isAbove(count, 10)
  })

  it("leaps with both clocks, and wakes those that sleep until a moment in the leap, but no others", () => {
    const program = Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
      const wall = clock.currentTimeMillisUnsafe()
      const sleepers = yield* Effect.forEach(
        [100, 60_001, 60_002],
        (millis) => Effect.forkChild(Effect.map(Effect.sleep(millis), now))
      )
      yield* Effect.sleep(1)
      yield* Simulation.leap("1 minute")
      yield* Simulation.check("moved on", now() === 60_001 && clock.currentTimeMillisUnsafe() === wall + 60_001)
      yield* Simulation.check(
        "woken",
        isDeepStrictEqual(yield* Effect.forEach(sleepers, Fiber.join), [60_001, 60_001, 60_002])
      )
    })
    assert.deepStrictEqual(Simulation.explore(scenario(program), { seeds: 100 }).failures, [])
  })

  it("interrupts only exposed fibers, and reports which", () => {
    const program = Effect.gen(function*() {
      const safe = yield* Effect.forkChild(Effect.sleep(10))
      const exposed = yield* Simulation.fork(Effect.sleep(10))
      const [first, second] = [yield* Fiber.await(safe), yield* Fiber.await(exposed)]
      yield* Simulation.check("safe", Exit.isSuccess(first) && !(yield* Simulation.isStruck(safe)))
      yield* Simulation.check("said", Exit.isSuccess(second) !== (yield* Simulation.isStruck(exposed)))
    })
    const { failures, interrupts } = Simulation.explore(scenario(program), { seeds: 200 })
    assert.deepStrictEqual(failures, [])
    assert.isAbove(interrupts["other"] ?? 0, 10)
  })
})

describe("The garbage collector", () => {
  /** An object that is watched, and whether it was collected. */
  const watched = Effect.gen(function*() {
    const probe = yield* LeakProbe
    const target = {}
    const seen = { isLost: false }
    const forget = probe.watch(target, () => {
      seen.isLost = true
    })
    return { target, seen, forget }
  })

  it("collects what was lost at a random later step, before heal or right after", () => {
    const program = Effect.gen(function*() {
      const kept = yield* watched
      const dropped = yield* watched
      yield* Effect.sleep("1 hour")
      yield* Simulation.check("not before it is lost", !dropped.seen.isLost)
      yield* Simulation.lose(dropped.target)
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      yield* Simulation.heal
      yield* Effect.yieldNow
      yield* Simulation.check("in the end", dropped.seen.isLost && !kept.seen.isLost)
    })
    const { failures, faults, seeds } = Simulation.explore(scenario(program, { faults: ["collection"] }), {
      seeds: 500
    })
    assert.deepStrictEqual(failures, [])
    assert.isAbove(faults["collection"] ?? 0, seeds / 4)
    assert.isBelow(faults["collection"] ?? 0, seeds * 0.9)
  })

  it("does not notify a watcher that has stopped, even if the object was lost before", () => {
    const program = Effect.gen(function*() {
      const { forget, seen, target } = yield* watched
      yield* Simulation.lose(target)
      forget()
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      yield* Simulation.heal
      yield* Effect.yieldNow
      yield* Simulation.check("forgotten", !seen.isLost)
    })
    const { failures, faults } = Simulation.explore(scenario(program), { seeds: 100 })
    assert.deepStrictEqual({ failures, faults }, { failures: [], faults: {} })
  })

  it("collects what is watched only after it was lost", () => {
    const program = Effect.gen(function*() {
      const { watch } = yield* LeakProbe
      const target = {}
      let isLost = false
      yield* Simulation.lose(target)
      watch(target, () => isLost = true)
      yield* Simulation.heal
      yield* Effect.yieldNow
      yield* Simulation.check("in the end", isLost)
    })
    assert.deepStrictEqual(failed(Simulation.explore(scenario(program), { seeds: 50 })), [])
  })

  it("notifies each watcher in its own step, in any order", () => {
    const orders = new Set<string>()
    const program = Effect.gen(function*() {
      const { watch } = yield* LeakProbe
      const target = {}
      const seen: Array<string> = []
      watch(target, () => seen.push("a"))
      watch(target, () => seen.push("b"))
      yield* Simulation.lose(target, "reader dropped")
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      orders.add(seen.join(""))
    })
    const { faults } = Simulation.explore(scenario(program), { seeds: 200 })
    assert.sameMembers([...orders], ["", "a", "b", "ab", "ba"])
    assert.deepStrictEqual(Object.keys(faults), ["reader dropped"])
  })

  it("collects the objects of a dropped owner, which the program cannot name", () => {
    const program = Effect.gen(function*() {
      const owner = yield* Simulation.makeOwner()
      const inside = yield* owner.own(Effect.flatMap(Effect.forkChild(watched), Fiber.join))
      const outside = yield* watched
      yield* owner.lose
      yield* Simulation.heal
      yield* Effect.yieldNow
      yield* Simulation.check("only what it owned", inside.seen.isLost && !outside.seen.isLost)
    })
    assert.deepStrictEqual(failed(Simulation.explore(scenario(program), { seeds: 50 })), [])
  })

  it("is reported if a callback throws", () => {
    const program = Effect.gen(function*() {
      const target = {}
      const { watch } = yield* LeakProbe
      watch(target, () => {
        throw new Error("thrown by a watcher")
      })
      yield* Simulation.lose(target)
      yield* Simulation.heal
      yield* Effect.sleep("1 second")
    })
    assert.deepStrictEqual(failed(Simulation.run(program, { seed: 1 })), [properties.succeeds])
  })
})

describe("A scope that the nemesis may close", () => {
  it("is closed at any step, from elsewhere, and counted", () => {
    const closed = { before: 0, within: 0, never: 0 }
    const program = Effect.gen(function*() {
      const scope = yield* Scope.make()
      const nemesis = yield* Simulation.closeAtAnyStep(scope, { fault: "owner closes" })
      const isOpen = () => scope.state._tag !== "Closed"
      const wasOpen = isOpen()
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      const isStruck = yield* nemesis
      yield* Simulation.check("said", isStruck !== isOpen())
      closed[isStruck ? "within" : wasOpen ? "never" : "before"]++
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      yield* Simulation.check("taken back", isStruck !== isOpen())
    })
    const { failures, faults } = Simulation.explore(scenario(program, { faults: ["owner closes"] }), { seeds: 500 })
    assert.deepStrictEqual(failures, [])
    assert.isAbove(closed.within, 100)
    assert.isAbove(closed.never, 100)
    // One seed is run twice to compare, which its report does not count.
    assert.closeTo(faults["owner closes"] ?? 0, closed.within, 2)
  })

  it("finds code that assumes a scope is still open a step later", () => {
    const program = Effect.gen(function*() {
      const scope = yield* Scope.make()
      const nemesis = yield* Simulation.closeAtAnyStep(scope)
      const naive = Effect.gen(function*() {
        const { state } = scope
        if (state._tag === "Closed") return
        yield* Effect.yieldNow
        yield* Simulation.check("still open", scope.state._tag !== "Closed")
      })
      yield* Fiber.await(yield* Effect.forkChild(naive))
      yield* nemesis
    })
    const { failures } = Simulation.explore(scenario(program), { seeds: 500 })
    assert.deepStrictEqual(new Set(failed({ failures })), new Set(["still open"]))
  })

  it("has closed when the program continues, and reports a finalizer that died", () => {
    const program = Effect.gen(function*() {
      const scope = yield* Scope.make()
      let isReleased = false
      yield* Scope.addFinalizerExit(scope, (exit) =>
        Effect.gen(function*() {
          yield* Effect.sleep("1 second")
          isReleased = true
          if (Exit.isFailure(exit)) return yield* Effect.die("broken")
        }))
      const nemesis = yield* Simulation.closeAtAnyStep(scope, { exit: Exit.fail("closed") })
      yield* Effect.sleep(1)
      const exit = yield* Effect.exit(nemesis)
      yield* Simulation.check("waited", isReleased === Exit.isFailure(exit))
    })
    const { failures, faults } = Simulation.explore(scenario(program), { seeds: 500 })
    assert.deepStrictEqual(failures, [])
    assert.isAbove(faults["scope closes"] ?? 0, 10)
  })

  it("is left alone after heal, and if it was already closed", () => {
    const program = Effect.gen(function*() {
      const [closed, open] = [yield* Scope.make(), yield* Scope.make()]
      yield* Scope.close(closed, Exit.void)
      const nemesis = yield* Simulation.closeAtAnyStep(closed)
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      yield* Simulation.heal
      yield* Effect.asVoid(Simulation.closeAtAnyStep(open))
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      yield* Simulation.check("left alone", !(yield* nemesis) && open.state._tag !== "Closed")
    })
    const { failures, faults } = Simulation.explore(scenario(program), { seeds: 200 })
    assert.deepStrictEqual({ failures, faults }, { failures: [], faults: {} })
  })
})

describe("Faults", () => {
  const flaky = Effect.repeat(Simulation.fault("flaky", 0.5), { times: 9 })

  it("occur with their probability, and are counted", () => {
    const { faults } = Simulation.explore(scenario(flaky), { seeds: 1000 })
    assert.closeTo(faults["flaky"] ?? 0, 5000, 300)
  })

  it("and interrupts end with heal", () => {
    const program = Effect.gen(function*() {
      yield* Simulation.heal
      yield* flaky
      const fiber = yield* Simulation.fork(Effect.repeat(Effect.yieldNow, { times: 50 }))
      yield* Fiber.join(fiber)
    })
    const { failures, faults, interrupts } = Simulation.explore(scenario(program), { seeds: 200 })
    assert.deepStrictEqual({ failures, faults, interrupts }, { failures: [], faults: {}, interrupts: {} })
  })
})

describe("An exploration", () => {
  it("of no seeds is rejected, since it would look like one without failures", () => {
    for (const seeds of [0, -1, 1.5, NaN]) {
      assert.throws(
        () => Simulation.explore({ name: "empty", program: Effect.void }, { seeds }),
        RangeError,
        "The option `seeds` must be a whole number from 1 up"
      )
    }
  })

  it("fails if a declared phase or fault never occurred in enough seeds", () => {
    const empty = scenario(Effect.void, { phases: ["connecting"], faults: ["refused"] })
    assert.deepStrictEqual(failed(Simulation.explore(empty, { seeds: 10 })), [])
    const { failures } = Simulation.explore(empty, { seeds: 500 })
    assert.deepStrictEqual(failures.map(({ property, seed }) => ({ property, seed })), [
      { property: properties.covers, seed: undefined },
      { property: properties.covers, seed: undefined }
    ])
  })

  it("ends when its caller has enough, and is judged by the seeds that it ran", () => {
    const empty = scenario(Effect.void, { phases: ["connecting"] })
    const [few, many] = [20, 600].map((most) =>
      Simulation.explore(empty, { seeds: 10_000, isEnough: (seeds) => seeds === most })
    )
    assert.deepStrictEqual([few?.seeds, few?.failures], [20, []])
    assert.deepStrictEqual([many?.seeds, many && failed(many)], [600, [properties.covers]])
  })

  it("reports each property once a seed, and distinguishes a crash from a property", () => {
    const program = Effect.gen(function*() {
      yield* Simulation.check("one", false, "first")
      yield* Simulation.check("one", false, "second")
      yield* Simulation.check("other", false)
      return yield* Effect.die("crash")
    })
    const { failures } = Simulation.explore(scenario(program), { seeds: 1, from: 7 })
    assert.deepStrictEqual(failures.slice(0, 2), [
      { seed: 7, property: "one", detail: "first" },
      { seed: 7, property: "other", detail: "" }
    ])
    assert.deepStrictEqual(failed({ failures }).at(-1), properties.succeeds)
  })

  it("survives an exception outside every effect", () => {
    const program = Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.yieldNow)
      fiber.addObserver(() => {
        throw new Error("thrown by an observer")
      })
      yield* Fiber.await(fiber)
    })
    const { failures } = Simulation.explore(scenario(program), { seeds: 3 })
    assert.deepStrictEqual(new Set(failed({ failures })), new Set([properties.succeeds]))
    assert.include(failures[0]?.detail, "thrown by an observer")
  })

  it("checks a law after every step", () => {
    const program = Effect.gen(function*() {
      let level = 0
      yield* Simulation.always("stays low", () => level === 0, () => String(level))
      level = 1
      yield* Effect.yieldNow
      level = 0
    })
    assert.deepStrictEqual(Simulation.run(program, { seed: 1 }).failures, [
      { seed: 1, property: "stays low", detail: "1" }
    ])
  })
})

describe("A replay", () => {
  it("shows what happened, in words", () => {
    const program = Effect.gen(function*() {
      const fiber = yield* Simulation.fork(Effect.andThen(Effect.sleep(5), Simulation.note("a note")), "client")
      yield* Effect.logInfo("a log line")
      yield* Fiber.await(fiber)
      yield* Simulation.check("nothing is wrong", false, "but it is")
    })
    const seed = Array.from({ length: 50 }, (_, i) => i + 1)
      .find((seed) => Object.keys(Simulation.run(program, { seed }).interrupts).length === 0) ?? 0
    const trace = Simulation.replay(scenario(program), seed).trace.join("\n")
    assert.match(trace, /^0 ms {2}step \d+: log Info: a log line$/m)
    assert.match(trace, /^0 ms {2}step \d+: client 1 starts$/m)
    assert.match(trace, /^5 ms {2}step \d+: client 1 runs, \d more are ready$/m)
    assert.match(trace, /^5 ms {2}step \d+: a note$/m)
    assert.match(trace, /VIOLATED nothing is wrong: but it is/)
  })
})

describe("Outside of a simulation", () => {
  it.effect("its effects fail with an explanation", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Simulation.note("nobody listens"))
      assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes("Simulation.run"))
    }))
})
