import { Deadline, Retry, Session, SessionRegistry, Timeouts, TransportError } from "@clawback/core"
import { expect, it } from "@effect/vitest"
import { Cause, Clock, Deferred, Duration, Effect, Exit, Fiber, Latch, Random, Schedule, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { apart, endsWithin, settle, tagOf, Things, wrong } from "./bench.ts"

const job = { kind: "job", name: "nightly" }
const bad = [Number.NaN, -1, "soon", null, undefined, {}, [], "1 fortnight", { second: 1 }, "-1 second", true]

const thrown = (f: () => unknown): string => {
  try {
    const value = f()
    return Effect.isEffect(value) ? "an effect" : `nothing, but ${String(value)}`
  } catch (error) {
    return String(error)
  }
}

// Deadline

it("a deadline that is no duration is refused where it is set, by name", () => {
  for (const value of bad) {
    expect([value, thrown(() => Deadline.within(wrong(value)))]).toEqual([value, expect.stringContaining("RangeError")])
    expect([value, thrown(() => Deadline.withinStream(wrong(value)))]).toEqual([
      value,
      expect.stringContaining("RangeError")
    ])
  }
})

it.effect("no time at all ends work that waits, and takes nothing that it does not give back", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    for (const none of [0, "0 seconds", Duration.zero, { seconds: 0 }] as const) {
      const exit = yield* endsWithin("1 second")(
        Deadline.within(none)(Session.use(job, things.take, things.give, () => Effect.never))
      )
      expect(tagOf(exit)).toBe("DeadlineExceeded")
    }
    things.settled()
  }))
})

it.live("deadlines, limits and looks in the far future do not come at once", () =>
  Effect.gen(function*() {
    for (const far of ["60 days", "100000 weeks", Number.MAX_SAFE_INTEGER, 2 ** 31, Infinity] as const) {
      const work = Effect.as(Effect.sleep("3 millis"), "done")
      expect(yield* Deadline.within(far)(work)).toBe("done")
      const stream = Stream.fromEffect(work)
      expect(yield* Stream.runHead(Deadline.withinStream(far)(stream))).toMatchObject({ value: "done" })
      expect(yield* Stream.runHead(stream.pipe(Timeouts.applyStream({ timeouts: { firstToken: far, idle: far } }))))
        .toMatchObject({ value: "done" })
    }
  }))

it.effect("two hundred deadlines inside of each other end with the error of the earliest", () =>
  apart(Effect.gen(function*() {
    let work: Effect.Effect<unknown, unknown> = Effect.never
    for (let i = 1; i <= 200; i++) work = Deadline.within(`${i === 100 ? 7 : 100 + i} seconds`)(work)
    const exit = yield* endsWithin("10 seconds")(work)
    expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ budget: Duration.seconds(7) })
  })))

it.effect("work that comes to its end in the moment of its deadline is a success or in time, and never both", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    for (let i = 0; i < 20; i++) {
      const exit = yield* endsWithin("2 seconds")(
        Deadline.within("1 second")(
          Session.use(job, things.take, things.give, () => Effect.as(Effect.sleep("1 second"), i))
        )
      )
      expect(["success", "DeadlineExceeded"]).toContain(tagOf(exit))
    }
    things.settled(20)
  }))
})

it.effect("a deadline ends work in a region that nothing interrupts around it", () =>
  apart(Effect.gen(function*() {
    const exit = yield* endsWithin("2 seconds")(Effect.uninterruptible(Deadline.within("1 second")(Effect.never)))
    expect(tagOf(exit)).toBe("DeadlineExceeded")
  })))

it.effect("a deadline waits for what does not listen, and says so with its error or its value", () =>
  apart(Effect.gen(function*() {
    const exit = yield* endsWithin("11 seconds")(
      Deadline.within("1 second")(Effect.uninterruptible(Effect.as(Effect.sleep("10 seconds"), "late")))
    )
    expect(["success", "DeadlineExceeded"]).toContain(tagOf(exit))
  })))

it.effect("work that catches everything and goes on can be ended by a deadline", () => {
  let rounds = 0
  return apart(Effect.gen(function*() {
    const stubborn: Effect.Effect<never> = Effect.catchCause(Effect.never, () =>
      Effect.suspend(() => {
        rounds++
        return stubborn
      }))
    const exit = yield* endsWithin("1 minute")(Deadline.within("1 second")(stubborn))
    expect(tagOf(exit)).toBe("DeadlineExceeded")
    expect(rounds).toBeLessThan(10)
  }))
})

it.effect("work that turns its end into a success keeps its caller from nothing", () =>
  apart(Effect.gen(function*() {
    const exit = yield* endsWithin("1 minute")(
      Deadline.within("1 second")(Effect.catchCause(Effect.never, () => Effect.succeed("saved")))
    )
    expect(["success", "DeadlineExceeded"]).toContain(tagOf(exit))
  })))

it.effect("a clock that stands still lets work end, and one that jumps ahead ends what waits", () =>
  apart(Effect.gen(function*() {
    const still = yield* Clock.Clock
    const stopped: Clock.Clock = Object.assign(Object.create(still) as Clock.Clock, {
      monotonicTimeNanosUnsafe: () => 5n,
      currentTimeMillisUnsafe: () => 5,
      sleep: () => Effect.never
    })
    const work = Deadline.within("1 second")(
      Session.use(job, Effect.void, () => Effect.void, () => Effect.succeed("done"))
    )
    expect(yield* Effect.provideService(work, Clock.Clock, stopped)).toBe("done")
    const waiting = yield* Effect.forkChild(Effect.exit(Deadline.within("1 second")(Effect.never)), {
      startImmediately: true
    })
    yield* settle
    yield* TestClock.adjust("10000 days")
    expect(tagOf(yield* Fiber.join(waiting))).toBe("DeadlineExceeded")
  })))

it.effect("a clock that goes back does not give more time, nor less than none", () =>
  apart(Effect.gen(function*() {
    const clock = yield* Clock.Clock
    let now = 1_000_000_000_000n
    const back: Clock.Clock = Object.assign(Object.create(clock) as Clock.Clock, {
      monotonicTimeNanosUnsafe: () => now -= 1_000_000_000n
    })
    const exit = yield* endsWithin("1 minute")(
      Effect.provideService(
        Deadline.within("5 seconds")(Effect.andThen(Deadline.remaining, (left) => Effect.as(Effect.yieldNow, left))),
        Clock.Clock,
        back
      )
    )
    expect(Exit.isSuccess(exit) && Duration.toMillis(exit.value)).toBeGreaterThanOrEqual(0)
  })))

it.effect("a deadline that is put in place by hand is obeyed, or at least harms nobody", () =>
  apart(Effect.gen(function*() {
    for (const at of [Number.NaN, -1, Infinity, -Infinity, wrong("5")]) {
      const exit = yield* endsWithin("1 hour")(
        Effect.provideService(
          Deadline.within("1 minute")(Effect.sleep("10 minutes")),
          Deadline.Current,
          { at, budget: Duration.seconds(1) }
        )
      )
      expect([at, tagOf(exit)]).toEqual([at, "DeadlineExceeded"])
    }
  })))

it.effect("what a stream under a deadline holds is given back on time though its reader sleeps", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* Stream.fromIterable([1, 2, 3]).pipe(
      Stream.rechunk(1),
      Stream.concat(Stream.never),
      (self) => Stream.unwrap(Effect.as(Session.acquire(job, things.take, things.give), self)),
      Deadline.withinStream("5 seconds"),
      Stream.runForEach((n) =>
        n === 2 ? Effect.andThen(Effect.sleep("20 seconds"), Effect.sync(() => things.settled(1))) : Effect.void
      ),
      endsWithin("1 minute")
    )
    expect(tagOf(exit)).toBe("DeadlineExceeded")
    things.settled(1)
  }))
})

it.effect("one stream under a deadline that is run again has its whole time again", () =>
  apart(Effect.gen(function*() {
    const stream = Stream.fromEffect(Effect.as(Effect.sleep("3 seconds"), 1)).pipe(Deadline.withinStream("5 seconds"))
    for (let i = 0; i < 3; i++) expect(tagOf(yield* endsWithin("4 seconds")(Stream.runDrain(stream)))).toBe("success")
    const twice = Stream.concat(stream, stream).pipe(Stream.runCount)
    expect(tagOf(yield* endsWithin("10 seconds")(twice))).toBe("success")
  })))

it.effect("a stream under a deadline is interrupted in a pull, and can be pulled again", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    const latch = yield* Latch.make()
    const pull = yield* Stream.toPull(Deadline.withinStream("1 minute")(Stream.fromEffect(Effect.as(latch.await, 1))))
    for (let i = 0; i < 3; i++) {
      const fiber = yield* Effect.forkChild(pull, { startImmediately: true })
      yield* settle
      yield* Fiber.interrupt(fiber)
    }
    yield* latch.open
    const exit = yield* endsWithin("2 minutes")(pull)
    expect(["success", "DeadlineExceeded", "interrupt", "Done"]).toContain(tagOf(exit))
  }))))

it.effect("a release under a deadline still has the time that it needs, and sees none left", () => {
  const seen: Array<number> = []
  return apart(Effect.gen(function*() {
    const exit = yield* Session.use(
      job,
      Effect.void,
      () =>
        Effect.gen(function*() {
          yield* Effect.sleep("5 seconds")
          seen.push(1)
          // A release that sets a limit of its own is not cut off by one that has passed.
          yield* Effect.exit(
            Deadline.within("10 seconds")(Effect.andThen(Effect.sleep("5 seconds"), Effect.sync(() => seen.push(2))))
          )
        }),
      () => Effect.never
    ).pipe(Deadline.within("1 second"), endsWithin("1 minute"))
    expect(tagOf(exit)).toBe("DeadlineExceeded")
    expect(seen).toEqual([1, 2])
  }))
})

it.effect("a deadline inside of a release has effect although the one around has passed", () => {
  return apart(Effect.gen(function*() {
    const exit = yield* Effect.never.pipe(
      Effect.ensuring(Effect.ignore(Deadline.within("2 seconds")(Effect.never))),
      Deadline.within("1 second"),
      endsWithin("1 minute")
    )
    expect(tagOf(exit)).toBe("DeadlineExceeded")
  }))
})

// Timeouts

it("limits of time that are no durations are refused where they are set", () => {
  for (const value of bad) {
    if (value === undefined) continue
    for (const name of ["firstToken", "idle"]) {
      const made = thrown(() => Timeouts.applyStream(wrong({ timeouts: { [name]: value } }))(Stream.empty))
      // What is null is not set.
      expect([name, value, made]).toEqual([
        name,
        value,
        value === null ? expect.anything() : expect.stringContaining("RangeError")
      ])
    }
    for (const name of ["queue", "connect", "firstToken", "idle", "total"]) {
      expect([name, value, thrown(() => Timeouts.check(wrong({ [name]: value })))])
        .toEqual([name, value, expect.stringContaining("RangeError")])
    }
  }
})

it.effect("a judge of output that throws fails the stream with a defect, and what it holds is given back", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* Stream.unwrap(Effect.as(Session.acquire(job, things.take, things.give), Stream.make(1, 2)))
      .pipe(
        Timeouts.applyStream<number>({
          timeouts: {},
          isOutput: () => {
            throw new Error("cannot judge")
          }
        }),
        Stream.runDrain,
        endsWithin("1 minute")
      )
    expect(tagOf(exit)).toContain("cannot judge")
    things.settled(1)
  }))
})

it.effect("a stream of nothing but comments runs into the limit of the first output", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const comments = Stream.repeat(Stream.make("ping"), Schedule.spaced("1 second"))
    const exit = yield* Stream.unwrap(Effect.as(Session.acquire(job, things.take, things.give), comments)).pipe(
      Timeouts.applyStream<string>({
        timeouts: { firstToken: "10 seconds" },
        isOutput: (element) => element !== "ping"
      }),
      Stream.runDrain,
      endsWithin("11 seconds")
    )
    expect(tagOf(exit)).toBe("FirstTokenTimeout")
    things.settled(1)
  }))
})

it.effect("a reader who is away for a year has not made the stream idle", () =>
  apart(Effect.gen(function*() {
    const exit = yield* Stream.range(1, 3).pipe(
      Stream.rechunk(1),
      Timeouts.applyStream({ timeouts: { firstToken: "1 second", idle: "1 second" } }),
      Stream.runForEach(() => Effect.sleep("365 days")),
      endsWithin("2000 days")
    )
    expect(tagOf(exit)).toBe("success")
  })))

it.effect("limits of zero let through what has come already, and nothing that has not", () =>
  apart(Effect.gen(function*() {
    const none = Timeouts.applyStream<number>({ timeouts: { firstToken: 0, idle: 0 } })
    expect(yield* Stream.runCollect(none(Stream.rechunk(Stream.range(1, 100), 1)))).toHaveLength(100)
    const exit = yield* endsWithin("1 second")(Stream.runDrain(none(Stream.concat(Stream.make(1), Stream.never))))
    expect(tagOf(exit)).toBe("IdleTimeout")
  })))

it.effect("a start in the past, the future and beyond time gives a typed end", () =>
  apart(Effect.gen(function*() {
    for (const startedAt of [-Infinity, -1, 0, 1]) {
      const exit = yield* Stream.never.pipe(
        Timeouts.applyStream({ timeouts: { firstToken: "1 second" }, startedAt }),
        Stream.runDrain,
        endsWithin("5 seconds")
      )
      expect([startedAt, tagOf(exit)]).toEqual([startedAt, "FirstTokenTimeout"])
    }
    for (const startedAt of [Number.NaN, wrong("12"), wrong(null)]) {
      const exit = yield* Effect.suspend(() =>
        Stream.never.pipe(Timeouts.applyStream({ timeouts: { firstToken: "1 second" }, startedAt }), Stream.runDrain)
      ).pipe(endsWithin("1 hour"))
      expect([startedAt, tagOf(exit)]).toEqual([startedAt, expect.stringMatching(/RangeError|FirstTokenTimeout/)])
    }
  })))

it.effect("limits inside of limits and of deadlines end at the first that passes, in every order", () =>
  apart(Effect.gen(function*() {
    const silent = Stream.never
    const limit = Timeouts.applyStream({ timeouts: { firstToken: "3 seconds" } })
    const shorter = Timeouts.applyStream({ timeouts: { firstToken: "2 seconds" } })
    const deadline = Deadline.withinStream("1 second")
    const longer = Deadline.withinStream("9 seconds")
    const tag = (stream: Stream.Stream<unknown, unknown>) =>
      Effect.map(endsWithin("20 seconds")(Stream.runDrain(stream)), tagOf)
    expect(yield* tag(deadline(limit(silent)))).toBe("DeadlineExceeded")
    expect(yield* tag(limit(deadline(silent)))).toBe("DeadlineExceeded")
    expect(yield* tag(longer(limit(silent)))).toBe("FirstTokenTimeout")
    expect(yield* tag(limit(longer(silent)))).toBe("FirstTokenTimeout")
    expect(yield* tag(limit(shorter(longer(deadline(silent)))))).toBe("DeadlineExceeded")
  })))

// Retry

const refused = () => new TransportError.ConnectFailed({ origin: "https://x.example", reason: "refused", cause: "" })

it("options of a policy that are wrong are refused by name", () => {
  const wrongs: ReadonlyArray<readonly [string, unknown]> = [
    ...[0, -1, 1.5, Number.NaN, Infinity, "3", {}].map((value) => ["attempts", value] as const),
    ...[Number.NaN, -1, "soon", {}, Infinity].map((value) => ["base", value] as const),
    ...[Number.NaN, -1, "soon", {}].flatMap((value) =>
      ["max", "maxRetryAfter", "minimum"].map((name) => [name, value] as const)
    ),
    ...["sometimes", true, 1, {}].map((value) => ["resend", value] as const)
  ]
  for (const [name, value] of wrongs) {
    expect([name, value, thrown(() => Retry.jittered(wrong({ [name]: value })))])
      .toEqual([name, value, expect.stringContaining(name)])
  }
  for (
    const options of [{ ratio: 2 }, { ratio: -0.1 }, { ratio: Number.NaN }, { reserve: -1 }, { reserve: 1.5 }, {
      reserve: Infinity
    }, { reserve: Number.NaN }]
  ) {
    expect([options, thrown(() => Retry.budget(wrong(options)))]).toEqual([
      options,
      expect.stringContaining("RangeError")
    ])
  }
})

it.effect("errors that look as if they gave advice, and do not, pass through as they are", () =>
  apart(Effect.gen(function*() {
    const policy = Retry.jittered({ base: 1 })
    const odd = [
      undefined,
      null,
      "text",
      42,
      Symbol("s"),
      { retry: true },
      { retry: null },
      { retry: () => ({ isTransient: true }) },
      { retry: { isTransient: true } },
      { retry: { reach: "moon", isTransient: true } },
      { retry: { reach: "unsent" } },
      Object.freeze({ retry: Object.freeze({ reach: "delivered", isTransient: true }) }),
      {
        get retry(): never {
          throw new Error("a getter threw")
        }
      },
      new Proxy({}, {
        get: () => {
          throw new Error("a proxy threw")
        }
      })
    ]
    for (const [i, error] of odd.entries()) {
      let attempts = 0
      const exit = yield* endsWithin("1 hour")(
        Retry.apply(policy)(Effect.suspend(() => {
          attempts++
          return Effect.fail(wrong(error))
        }))
      )
      const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
      // Who throws when he is looked at gets what he throws.
      const isAsItWas = reason?._tag === "Fail" ? reason.error === error : i >= odd.length - 2 && reason?._tag === "Die"
      expect([i, isAsItWas, attempts <= 3]).toEqual([i, true, true])
      let runs = 0
      const fails = Stream.suspend(() => ++runs > 10 ? Stream.die("again and again") : Stream.fail(wrong(error)))
      const stream = yield* endsWithin("1 hour")(Stream.runDrain(Retry.applyStream(policy)(fails)))
      expect([i, runs <= 3]).toEqual([i, true])
      expect([i, Exit.isFailure(stream) && stream.cause.reasons[0]?._tag]).toEqual([i, reason?._tag])
    }
  })))

it.effect("advice to wait that is no time fails at once or waits in bounds, and is never a hang", () =>
  apart(Effect.gen(function*() {
    for (
      const retryAfter of [
        Duration.infinity,
        Duration.negativeInfinity,
        Duration.millis(-5000),
        Duration.zero,
        Duration.weeks(1000),
        5,
        "5 seconds",
        Number.NaN,
        null,
        {}
      ]
    ) {
      const error = { retry: { reach: "answered", isTransient: true, retryAfter } }
      const exit = yield* endsWithin("10 minutes")(Retry.apply(Retry.jittered())(Effect.fail(wrong(error))))
      const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
      expect([retryAfter, reason?._tag === "Die" || reason?._tag === "Fail" && reason.error === error]).toEqual([
        retryAfter,
        true
      ])
      let runs = 0
      const fails = Stream.suspend(() => ++runs > 10 ? Stream.die("again and again") : Stream.fail(wrong(error)))
      const stream = yield* endsWithin("10 minutes")(Stream.runDrain(Retry.applyStream(Retry.jittered())(fails)))
      expect([retryAfter, runs <= 3]).toEqual([retryAfter, true])
      expect([retryAfter, Exit.isFailure(stream) && stream.cause.reasons[0]?._tag]).toEqual([retryAfter, reason?._tag])
    }
  })))

it.effect("a classifier that throws ends the call with a defect, and leaves nothing of an attempt behind", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const policy = Retry.jittered<string>({
      classify: () => {
        throw new Error("no idea")
      }
    })
    const exit = yield* Effect.scoped(
      Retry.apply(policy)(
        Effect.andThen(Session.acquire(job, things.take, things.give), Effect.fail("x"))
      )
    ).pipe(endsWithin("1 hour"))
    expect(tagOf(exit)).toMatch(/no idea|fail x/)
    things.settled()
  }))
})

it.effect("a classifier that throws ends a stream with a defect, and leaves nothing of an attempt behind", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const policy = Retry.jittered<{ status: number } | undefined>({
      classify: (error) => error!.status > 500 ? { reach: "answered", isTransient: true } : undefined
    })
    const exit = yield* Stream.unwrap(
      Effect.andThen(
        Session.acquire(job, things.take, things.give),
        Effect.suspend((): Effect.Effect<Stream.Stream<number>, undefined> =>
          things.taken > 100 ? Effect.die("again and again") : Effect.fail(undefined)
        )
      )
    ).pipe(
      Stream.mapError((error) => error as undefined),
      Retry.applyStream(policy),
      Stream.runDrain,
      endsWithin("1 hour")
    )
    expect(tagOf(exit)).toMatch(/TypeError/)
    things.settled(1)
  }))
})

it.effect("two hundred calls that share a budget make no more retries than it has", () => {
  let attempts = 0
  return apart(Effect.gen(function*() {
    const policy = Retry.jittered({
      attempts: 1_000_000,
      base: 0,
      max: 0,
      budget: Retry.budget({ ratio: 1, reserve: 10 })
    })
    const call = Retry.apply(policy)(Effect.suspend(() => {
      attempts++
      return Effect.fail(refused())
    }))
    yield* endsWithin("1 minute")(
      Effect.all(Array.from({ length: 200 }, () => Effect.exit(call)), { concurrency: "unbounded" })
    )
    expect(attempts).toBe(210)
  }))
})

it.effect("two thousand attempts without a wait neither overflow nor keep others from their turn", () => {
  let attempts = 0
  let turns = 0
  return apart(Effect.gen(function*() {
    const policy = Retry.jittered({ attempts: 2000, base: 0, max: 0, budget: Retry.unlimited })
    const other = yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sync(() => turns++), Effect.yieldNow)))
    const exit = yield* Effect.exit(
      Retry.apply(policy)(Effect.suspend(() => {
        attempts++
        return Effect.fail(refused())
      }))
    )
    yield* Fiber.interrupt(other)
    expect(tagOf(exit)).toBe("ConnectFailed")
    expect(Retry.ended((exit as Exit.Failure<never, unknown>).cause)).toEqual({ attempts: 2000, why: "attempts" })
    expect(attempts).toBe(2000)
    expect(turns).toBeGreaterThan(0)
  }))
})

it.effect("nothing is held between two attempts, and one attempt's worth at the end", () => {
  const things = new Things()
  let tries = 0
  return apart(Effect.gen(function*() {
    yield* Effect.scoped(Effect.gen(function*() {
      yield* Retry.apply(Retry.jittered({ base: "1 second", attempts: 5 }))(
        Effect.gen(function*() {
          expect(yield* SessionRegistry.counts).toEqual({})
          yield* Session.acquire(job, things.take, things.give)
          yield* Session.acquire(job, things.take, things.give)
          if (++tries < 4) return yield* refused()
        })
      ).pipe(endsWithin("1 minute"))
      expect(yield* SessionRegistry.counts).toEqual({ job: 2 })
    }))
    things.settled(8)
  }))
})

it.effect("an attempt that interrupts itself, or dies, is not tried again", () =>
  apart(Effect.gen(function*() {
    for (const end of [Effect.interrupt, Effect.die("bad"), Effect.sync((): never => wrong(undefined as never))]) {
      let attempts = 0
      yield* endsWithin("1 hour")(
        Retry.apply(Retry.jittered())(Effect.suspend(() => {
          attempts++
          return end
        }))
      )
      expect(attempts).toBe(1)
    }
  })))

it.effect("chance that is one, below none or no number makes no wait longer than its limit", () =>
  apart(Effect.gen(function*() {
    for (const n of [0, 1, 0.5, -1, Number.NaN]) {
      const random = { nextDoubleUnsafe: () => n, nextIntUnsafe: () => n }
      const exit = yield* endsWithin("1 minute")(
        Effect.provideService(
          Retry.apply(Retry.jittered({ base: "1 second", attempts: 4 }))(Effect.fail(refused())),
          Random.Random,
          wrong(random)
        )
      )
      expect([n, tagOf(exit)]).toEqual([n, "ConnectFailed"])
    }
  })))

it.effect("a wait between attempts can be interrupted, and in a region that forbids it, it ends", () =>
  apart(Effect.gen(function*() {
    const call = Retry.apply(Retry.jittered({ base: "5 seconds" }))(Effect.fail(refused()))
    const fiber = yield* Effect.forkChild(call, { startImmediately: true })
    yield* settle
    expect(tagOf(yield* endsWithin("1 second")(Fiber.interrupt(fiber)))).toBe("success")
    expect(tagOf(yield* endsWithin("1 hour")(Effect.uninterruptible(call)))).toBe("ConnectFailed")
  })))

it.effect("one call that is made by many at once counts for each by itself, with a key of its own", () => {
  const keys = new Set<string>()
  return apart(Effect.gen(function*() {
    const call = Effect.flatMap(Retry.CurrentKey, (key) => {
      keys.add(key!.value)
      return Effect.fail(refused())
    }).pipe(Retry.apply(Retry.jittered({ base: 1, budget: Retry.unlimited })))
    const exits = yield* endsWithin("1 hour")(
      Effect.all(Array.from({ length: 50 }, () => Effect.exit(call)), { concurrency: "unbounded" })
    )
    for (const exit of Exit.isSuccess(exits) ? exits.value : []) {
      expect(Retry.ended((exit as Exit.Failure<never, unknown>).cause)).toEqual({ attempts: 3, why: "attempts" })
    }
    expect(keys.size).toBe(50)
  }))
})

it.effect("one failure that two calls share tells of each call what became of that one", () =>
  apart(Effect.gen(function*() {
    const failure = Exit.fail(refused())
    const often = yield* endsWithin("1 hour")(Retry.apply(Retry.jittered({ attempts: 5, base: 1 }))(failure))
    const once = yield* endsWithin("1 hour")(Retry.apply(Retry.jittered({ attempts: 1 }))(failure))
    expect(Retry.ended((often as Exit.Failure<never, unknown>).cause)).toEqual({ attempts: 5, why: "attempts" })
    expect(Retry.ended((once as Exit.Failure<never, unknown>).cause)).toEqual({ attempts: 1, why: "attempts" })
    expect(Retry.ended((failure as Exit.Failure<never, unknown>).cause)).toBe(undefined)
    expect(Retry.ended(Cause.empty)).toBe(undefined)
    expect(Retry.ended(Cause.interrupt())).toBe(undefined)
  })))

it.effect("a deadline ends a call at the wait that does not fit, with the error that it has", () =>
  apart(Effect.gen(function*() {
    const call = Effect.fail({
      retry: { reach: "answered", isTransient: true, retryAfter: Duration.seconds(30) } as const
    })
    const at = yield* Clock.currentTimeMillis
    const exit = yield* endsWithin("1 hour")(Effect.exit(call.pipe(
      Retry.apply(Retry.jittered()),
      Deadline.within("10 seconds"),
      Effect.ensuring(Effect.map(Clock.currentTimeMillis, (now) => expect(now - at).toBeLessThan(2000)))
    )))
    const cause = Exit.isSuccess(exit) && Exit.isFailure(exit.value) ? exit.value.cause : Cause.empty
    expect(Retry.ended(cause)?.why).toBe("deadline")
  })))

it.effect("a stream that is retried and whose pulls are interrupted again and again leaves nothing", () => {
  const things = new Things()
  let tries = 0
  return apart(Effect.gen(function*() {
    yield* Effect.scoped(Effect.gen(function*() {
      const stream = Stream.unwrap(Effect.gen(function*() {
        yield* Session.acquire(job, things.take, things.give)
        yield* Effect.sleep("1 second")
        return ++tries < 3 ? Stream.fail(refused()) : Stream.concat(Stream.make(1), Stream.never)
      })).pipe(Retry.applyStream(Retry.jittered({ base: "1 second", attempts: 10 })))
      const pull = yield* Stream.toPull(stream)
      for (let i = 0; i < 10; i++) {
        const fiber = yield* Effect.forkChild(pull, { startImmediately: true })
        yield* settle
        yield* TestClock.adjust(`${i * 300} millis`)
        yield* settle
        const exit = fiber.pollUnsafe()
        if (exit !== undefined && Exit.isSuccess(exit)) break
        yield* Fiber.interrupt(fiber)
      }
    }))
    things.settled()
  }))
})

it.effect("a call that is made at a moment between two milliseconds is tried again as at any other", () =>
  apart(Effect.gen(function*() {
    const call = Effect.andThen(Effect.sleep(0.3), Effect.fail(refused())).pipe(
      Retry.apply(Retry.jittered({ base: "2 millis", attempts: 6 }))
    )
    const exit = yield* Effect.andThen(Effect.sleep(1 / 7), call).pipe(Random.withSeed(1), endsWithin("1 hour"))
    expect(tagOf(exit)).toBe("ConnectFailed")
  })))

it.effect("a stream that fails after its first element is not run again, whatever the error says", () => {
  let runs = 0
  return apart(Effect.gen(function*() {
    const stream = Stream.suspend(() => {
      runs++
      return Stream.concat(Stream.make(1), Stream.fail(refused()))
    })
    const exit = yield* endsWithin("1 hour")(
      Stream.runDrain(Retry.applyStream(Retry.jittered({ resend: "always" }))(stream))
    )
    expect(tagOf(exit)).toBe("ConnectFailed")
    expect(runs).toBe(1)
  }))
})

it.effect("an attempt whose scope hangs at its close can be interrupted no more than any release", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const go = yield* Deferred.make<void>()
    const scope = yield* Scope.make()
    const call = Effect.andThen(
      Session.acquire(job, things.take, (id) => Effect.andThen(Deferred.await(go), things.give(id))),
      Effect.fail(refused())
    ).pipe(Retry.apply(Retry.jittered({ base: 1 })), Scope.provide(scope))
    const fiber = yield* Effect.forkChild(call, { startImmediately: true })
    yield* settle
    fiber.interruptUnsafe()
    yield* Deferred.succeed(go, undefined)
    yield* endsWithin("1 minute")(Fiber.await(fiber))
    yield* Scope.close(scope, Exit.void)
    things.settled()
  }))
})

it.effect("a key that is empty, or odd, names the call all the same", () =>
  apart(Effect.gen(function*() {
    for (const key of ["", " ", "ü\n", "x".repeat(100_000)]) {
      expect((yield* Retry.idempotent(key)(Retry.CurrentKey))?.value).toBe(key)
      const [inside] = yield* Stream.runCollect(Retry.idempotentStream(key)(Stream.fromEffect(Retry.CurrentKey)))
      expect(inside?.value).toBe(key)
    }
  })))

it.effect("retries around retries around sessions end, and every session with them", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const policy = () => Retry.jittered({ attempts: 3, base: 1, budget: Retry.unlimited })
    const work = Session.use(job, things.take, things.give, () => Effect.fail(refused()))
    const exit = yield* work.pipe(
      Retry.apply(policy()),
      Retry.apply(policy()),
      Retry.apply(policy()),
      endsWithin("1 hour")
    )
    expect(tagOf(exit)).toBe("ConnectFailed")
    things.settled(27)
  }))
})
