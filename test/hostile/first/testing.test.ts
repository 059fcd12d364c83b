import { Deadline, Retry, Session, SessionRegistry, Shutdown, Tasks, Timeouts, TransportError } from "@clawback/core"
import { LeakCheck, Simulation } from "@clawback/testing"
import { expect, it } from "@effect/vitest"
import { Cause, Clock, Deferred, Effect, Exit, Fiber, Layer, Queue, Random, Scope, Stream } from "effect"
import { tagOf, Things, wrong } from "./bench.ts"

const job = { kind: "job", name: "nightly" }
const properties = (outcome: Simulation.Outcome) => outcome.failures.map(({ property }) => property)

// Simulation

it("seeds, steps and numbers of runs that are none are refused by name", () => {
  for (const seed of [-1, 1.5, Number.NaN, Infinity, 2 ** 60, wrong("1"), wrong(undefined)]) {
    expect(() => Simulation.run(Effect.void, { seed })).toThrow(/seed/)
    expect(() => Simulation.replay({ name: "x", program: Effect.void }, seed)).toThrow(/seed/)
  }
  for (const maxSteps of [0, -1, 1.5, Number.NaN]) {
    expect(() => Simulation.run(Effect.void, { seed: 1, maxSteps })).toThrow(/maxSteps/)
  }
  for (const seeds of [0, -1, 1.5, Number.NaN, wrong("5")]) {
    expect(() => Simulation.explore({ name: "x", program: Effect.void }, { seeds })).toThrow(/seeds/)
  }
})

it("a program that is none, throws, dies, fails or interrupts itself is told of, and the next one runs", () => {
  const programs: ReadonlyArray<readonly [unknown, boolean]> = [
    [
      Effect.suspend(() => {
        throw new Error("thrown")
      }),
      true
    ],
    [Effect.die("dead"), true],
    [
      Effect.gen(function*() {
        yield* Effect.yieldNow
        throw new Error("thrown later")
      }),
      true
    ]
  ]
  for (const [program, crashes] of programs) {
    const outcome = Simulation.run(wrong(program) as Effect.Effect<void>, { seed: 1 })
    expect(outcome.failures.length > 0).toBe(crashes)
    expect(Simulation.run(Effect.void, { seed: 1 }).failures).toEqual([])
  }
  for (const nothing of [undefined, null, 42, {}]) {
    let outcome: Simulation.Outcome | undefined
    try {
      outcome = Simulation.run(wrong(nothing) as Effect.Effect<void>, { seed: 1 })
    } catch {
      // It may say so at once.
    }
    if (outcome !== undefined) expect(outcome.failures.length).toBeGreaterThan(0)
    expect(Simulation.run(Effect.void, { seed: 1 }).failures).toEqual([])
  }
})

it("a program that never ends, with and without waits, is ended by its steps and leaves the next one alone", () => {
  for (
    const program of [
      Effect.forever(Effect.void),
      Effect.forever(Effect.yieldNow),
      Effect.forever(Effect.sleep("1 second")),
      Effect.forever(Simulation.latency(0, 0)),
      Effect.uninterruptible(Effect.forever(Effect.yieldNow)),
      Effect.never,
      Effect.uninterruptible(Effect.never)
    ]
  ) {
    expect(Simulation.run(program, { seed: 1, maxSteps: 2000 }).failures.length).toBeGreaterThan(0)
    expect(Simulation.run(Effect.sleep("1 hour"), { seed: 1 }).failures).toEqual([])
  }
})

it("effects of a simulation die outside of one, and say why", async () => {
  for (
    const effect of [
      Simulation.heal,
      Simulation.note("x"),
      Simulation.check("x", true),
      Simulation.latency(0, 1),
      Simulation.choose([1]),
      Simulation.fault("x", 1),
      Simulation.fork(Effect.void)
    ] as ReadonlyArray<Effect.Effect<unknown>>
  ) {
    const exit = await Effect.runPromiseExit(effect)
    expect(tagOf(exit)).toContain("works in a simulation only")
  }
})

it("numbers of a simulation's effects that are wrong are told of", () => {
  for (
    const effect of [
      () => Simulation.latency(Number.NaN, 1),
      () => Simulation.latency(-1, 1),
      () => Simulation.latency(5, 1),
      () => Simulation.latency(0, Infinity),
      () => Simulation.fault("x", Number.NaN),
      () => Simulation.fault("x", 2),
      () => Simulation.fault("x", -1)
    ]
  ) {
    let isTold = false
    try {
      isTold = Simulation.run(effect() as Effect.Effect<unknown>, { seed: 1 }).failures.length > 0
    } catch {
      isTold = true
    }
    expect([String(effect), isTold]).toEqual([String(effect), true])
  }
})

it("a simulation inside of a simulation goes its own way, and the outer one stays as it was", () => {
  const inner = Effect.gen(function*() {
    yield* Simulation.latency(1, 100)
    yield* Simulation.check("inner", false)
  })
  const program = Effect.gen(function*() {
    const before = yield* Clock.currentTimeMillis
    const outcome = Simulation.run(inner, { seed: 7 })
    yield* Simulation.check("the inner failure is the inner one's", properties(outcome).includes("inner"))
    yield* Simulation.check("time stood still", (yield* Clock.currentTimeMillis) === before)
    yield* Simulation.latency(1, 2)
  })
  expect(Simulation.run(program, { seed: 3 }).failures).toEqual([])
  expect(Simulation.run(program, { seed: 3 }).hash).toBe(Simulation.run(program, { seed: 3 }).hash)
})

it("a property that throws when it is looked at is told of, and does not take the explorer with it", () => {
  const always = Effect.andThen(
    Simulation.always("watched", () => {
      throw new Error("cannot look")
    }),
    Simulation.latency(1, 5)
  )
  const detail = Simulation.check("checked", false, () => {
    throw new Error("cannot say")
  })
  for (const program of [always, detail]) {
    let told = 0
    try {
      told = Simulation.run(program, { seed: 1 }).failures.length
    } catch {
      told = 1
    }
    expect(told).toBeGreaterThan(0)
    expect(Simulation.run(Effect.sleep("1 hour"), { seed: 1 }).failures).toEqual([])
  }
})

it("a program that looks at nothing but chance and time is the same each time it is run by its seed", () => {
  const program = Effect.gen(function*() {
    const queue = yield* Queue.unbounded<number>()
    for (let i = 0; i < 5; i++) {
      yield* Simulation.fork(Effect.gen(function*() {
        yield* Simulation.latency(0, 3)
        yield* Queue.offer(queue, (yield* Random.nextInt) % 100)
      }))
    }
    yield* Effect.sleep("1 second")
    for (const n of yield* Queue.clear(queue)) yield* Simulation.note(String(n))
  })
  const scenario = { name: "chance", program }
  expect(Simulation.explore(scenario, { seeds: 60 }).failures).toEqual([])
  expect(Simulation.replay(scenario, 5).trace).toEqual(Simulation.replay(scenario, 5).trace)
})

const refused = () => new TransportError.ConnectFailed({ origin: "https://x.example", reason: "refused", cause: "" })

it("sessions, deadlines, limits, retries and tasks under a nemesis leave nothing, in thirty schedules", () => {
  const program = Effect.gen(function*() {
    const things = new Things()
    const work = Session.use(
      job,
      (restore) => Effect.andThen(restore(Simulation.latency(0, 3)), things.take),
      (id) => Effect.andThen(Simulation.latency(0, 3), things.give(id)),
      () =>
        Effect.gen(function*() {
          yield* Simulation.latency(0, 5)
          if (yield* Simulation.fault("refused", 0.3)) return yield* refused()
          yield* Stream.range(1, 3).pipe(
            Stream.tap(() => Simulation.latency(0, 4)),
            Session.scopedStream({ kind: "feed", name: "x" }),
            Timeouts.applyStream({ timeouts: { firstToken: "20 millis", idle: "20 millis" } }),
            Stream.runDrain
          )
        })
    ).pipe(Retry.apply(Retry.jittered({ base: "2 millis" })), Deadline.within("15 millis"))
    yield* Effect.gen(function*() {
      const users = yield* Effect.forEach([1, 2, 3, 4], () => Simulation.fork(Effect.exit(work)))
      const tasks = yield* Effect.forkChild(Effect.scoped(Effect.gen(function*() {
        const tasks = yield* Tasks.make({ name: "x", concurrency: 2 })
        for (const atShutdown of ["drain", "cancel"] as const) {
          yield* Effect.exit(tasks.start({ name: "t", atShutdown })(Effect.exit(work)))
        }
        yield* Simulation.latency(0, 10)
      })))
      yield* Simulation.latency(0, 10)
      yield* SessionRegistry.revoke({ kind: "job" }, { reason: "x", deadline: "5 millis" })
      yield* Effect.forEach(users, Fiber.await)
      yield* Fiber.await(tasks)
      const counts = yield* SessionRegistry.counts
      yield* Simulation.check("nothing is open", Object.keys(counts).length === 0, () => JSON.stringify(counts))
      yield* Simulation.check(
        "all was given back",
        things.taken === things.given && things.twice.length === 0,
        () => `${things.taken} ${things.given}`
      )
    }).pipe(Effect.provide([SessionRegistry.layer(), Shutdown.layer()]))
  })
  const report = Simulation.explore({ name: "all", program, maxSteps: 20_000 }, { seeds: 30 })
  expect(report.failures.slice(0, 3)).toEqual([])
})

it("two who revoke each other's sessions from inside of them both end, in a hundred and fifty schedules", () => {
  const program = Effect.gen(function*() {
    const things = new Things()
    const one = (mine: string, other: string) =>
      Session.use({ kind: mine, name: mine }, things.take, things.give, () =>
        Effect.andThen(
          Simulation.latency(0, 2),
          SessionRegistry.revoke({ kind: other }, { reason: "you first", deadline: "10 millis" })
        ))
    yield* Effect.gen(function*() {
      const fibers = [yield* Simulation.fork(one("a", "b")), yield* Simulation.fork(one("b", "a"))]
      yield* Effect.forEach(fibers, Fiber.await)
      yield* Effect.sleep("1 second")
      const counts = yield* SessionRegistry.counts
      yield* Simulation.check("nothing is open", Object.keys(counts).length === 0, () => JSON.stringify(counts))
      yield* Simulation.check("all was given back", things.taken === things.given && things.twice.length === 0)
    }).pipe(Effect.provide(SessionRegistry.layer()))
  })
  expect(Simulation.explore({ name: "duel", program }, { seeds: 150 }).failures.slice(0, 3)).toEqual([])
})

it("a shutdown and a revocation of everything at the same moment both end, in thirty schedules", () => {
  const program = Effect.gen(function*() {
    const things = new Things()
    yield* Effect.gen(function*() {
      const work = Shutdown.admit({ kind: "work", name: "x" })(
        Session.use(
          job,
          things.take,
          (id) => Effect.andThen(Simulation.latency(0, 5), things.give(id)),
          () => Simulation.latency(0, 50)
        )
      )
      const fibers = yield* Effect.forEach([1, 2, 3], () => Simulation.fork(Effect.exit(work)))
      const both = yield* Effect.all([
        Shutdown.shutdown("x"),
        Effect.andThen(Simulation.latency(0, 1200), SessionRegistry.revoke({}, { reason: "x" }))
      ], { concurrency: "unbounded" })
      yield* Effect.forEach(fibers, Fiber.await)
      const counts = yield* SessionRegistry.counts
      yield* Simulation.check("nothing is open", Object.keys(counts).length === 0, () => JSON.stringify(counts))
      yield* Simulation.check("nothing is stuck", both[0].stuck.length === 0 && both[1].stuck.length === 0)
      yield* Simulation.check("all was given back", things.taken === things.given && things.twice.length === 0)
    }).pipe(Effect.provide([SessionRegistry.layer(), Shutdown.layer()]))
  })
  expect(Simulation.explore({ name: "both", program }, { seeds: 30 }).failures.slice(0, 3)).toEqual([])
})

// LeakCheck

const quick = { grace: "20 millis" } as const
const leakSession = Effect.flatMap(
  Scope.make(),
  (scope) => Scope.provide(Session.acquire(job, Effect.void, () => Effect.void), scope)
)
const left = (exit: Exit.Exit<unknown, unknown>) => {
  const found = Exit.isFailure(exit)
    ? exit.cause.reasons.map((reason) => Cause.isFailReason(reason) ? reason.error : undefined).find((error) =>
      error instanceof LeakCheck.LeaksFound
    )
    : undefined
  return found === undefined ? tagOf(exit) : found.leaks.map(({ kind }) => kind).toSorted().join()
}

it.effect("a leak is found with the test's own failure, defect and interruption beside it", () =>
  Effect.gen(function*() {
    for (
      const end of [Effect.fail("mine"), Effect.die("mine"), Effect.interrupt] as ReadonlyArray<
        Effect.Effect<void, string>
      >
    ) {
      const exit = yield* Effect.exit(LeakCheck.check(Effect.andThen(leakSession, end), quick))
      expect(left(exit)).toBe("session")
      expect(Exit.isFailure(exit) && exit.cause.reasons.length).toBe(2)
    }
  }))

it.effect("options of a check that are wrong are refused, and the next check works", () =>
  Effect.gen(function*() {
    for (const grace of [Number.NaN, -1, Infinity, "a while", {}]) {
      const exit = yield* Effect.exit(Effect.suspend(() => LeakCheck.check(Effect.void, wrong({ grace }))))
      expect([grace, tagOf(exit)]).toEqual([grace, expect.stringContaining("grace")])
    }
    expect(left(yield* Effect.exit(LeakCheck.check(leakSession, { grace: 0 })))).toBe("session")
    expect(left(yield* Effect.exit(LeakCheck.check(Effect.succeed(1), { grace: 0 })))).toBe("success")
  }))

it.effect("a check whose `ignore` throws ends, and takes back what was left", () => {
  const things = new Things()
  return Effect.gen(function*() {
    const exit = yield* Effect.exit(LeakCheck.check(
      Effect.flatMap(Scope.make(), (scope) => Scope.provide(Session.acquire(job, things.take, things.give), scope)),
      {
        ...quick,
        ignore: () => {
          throw new Error("cannot judge")
        }
      }
    ))
    expect(tagOf(exit)).not.toBe("success")
    things.settled(1)
  })
})

it.effect("checks inside of checks find each their own", () =>
  Effect.gen(function*() {
    const inner = Effect.exit(LeakCheck.check(leakSession, quick))
    const exit = yield* Effect.exit(LeakCheck.check(Effect.map(inner, left), quick))
    expect(Exit.isSuccess(exit) && exit.value).toBe("session")
    const both = yield* Effect.exit(LeakCheck.check(Effect.andThen(inner, leakSession), quick))
    expect(left(both)).toBe("session")
  }))

it.effect("a fiber that nothing can interrupt and a release that hangs are told of, and do not hang the check", () =>
  Effect.gen(function*() {
    const go = yield* Deferred.make<void>()
    const exit = yield* Effect.exit(LeakCheck.check(
      Effect.forkDetach(Effect.uninterruptible(Deferred.await(go))),
      quick
    ))
    expect(left(exit)).toBe("fiber")
    yield* Deferred.succeed(go, undefined)
  }))

it.live("a session whose release hangs is told of, and the check ends", () =>
  Effect.gen(function*() {
    const go = yield* Deferred.make<void>()
    const hanging = Effect.flatMap(
      Scope.make(),
      (scope) => Scope.provide(Session.acquire(job, Effect.void, () => Deferred.await(go)), scope)
    )
    const fiber = yield* Effect.forkChild(Effect.exit(LeakCheck.check(hanging, quick)))
    yield* Effect.sleep("100 millis")
    yield* Deferred.succeed(go, undefined)
    expect(left(yield* Fiber.join(fiber))).toBe("session")
  }))

it.effect("two hundred leaks are one error with a message", () =>
  Effect.gen(function*() {
    const exit = yield* Effect.exit(LeakCheck.check(Effect.all(Array.from({ length: 200 }, () => leakSession)), quick))
    const error = Exit.isFailure(exit) && Cause.squash(exit.cause)
    expect(String((error as Error).message)).toContain("200 left behind")
  }))

it("hooks that are called in the wrong order, twice, or around a test that failed, go on working", async () => {
  const hooks: Array<() => Promise<void>> = []
  LeakCheck.each({ beforeEach: (run) => hooks.push(run), afterEach: (run) => hooks.push(run) }, {
    ...quick,
    ignore: ({ kind }) => kind !== "session"
  })
  const [before, after] = hooks as [() => Promise<void>, () => Promise<void>]
  await after()
  await before()
  const scope = Scope.makeUnsafe()
  await Effect.runPromise(Scope.provide(Session.acquire(job, Effect.void, () => Effect.void), scope))
  await expect(after()).rejects.toThrow("1 left behind")
  // What the last test left is not laid at the door of the next.
  await before()
  await after()
  await before()
  await before()
  await after()
  await after()
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

it.effect("a check of an effect that replaces the registry sees what is in its own, and is not fooled twice", () =>
  Effect.gen(function*() {
    const exit = yield* Effect.exit(LeakCheck.check(
      Effect.provide(
        Effect.scoped(Session.acquire(job, Effect.void, () => Effect.void)),
        Layer.fresh(SessionRegistry.layer())
      ),
      quick
    ))
    expect(left(exit)).toBe("success")
  }))
