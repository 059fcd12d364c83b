import * as Deadline from "@clawback/core/Deadline"
import * as Retry from "@clawback/core/Retry"
import * as SessionError from "@clawback/core/SessionError"
import * as TransportError from "@clawback/core/TransportError"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Channel, Clock, Duration, Effect, Exit, Fiber, Option, Random, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"

class Trouble extends Schema.TaggedError<Trouble>()("Trouble", {
  reach: Schema.Literals(["unsent", "unanswered", "answered", "delivered"]),
  isTransient: Schema.Boolean,
  retryAfter: Schema.UndefinedOr(Schema.Duration)
}) {
  get retry(): Retry.Advice {
    return { reach: this.reach, isTransient: this.isTransient, retryAfter: this.retryAfter }
  }
}

const trouble = (reach: Retry.Reach, retryAfter?: Duration.Duration, isTransient = true) =>
  new Trouble({ reach, isTransient, retryAfter })
const unsent = trouble("unsent")

/** Notes when it is run, and ends as it is told, the last way from then on. */
const attempts = <A, E>(...ends: ReadonlyArray<Effect.Effect<A, E>>) => {
  const at: Array<number> = []
  const effect = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    at.push(now)
    return ends[Math.min(at.length, ends.length) - 1] ?? Effect.die("no end was given")
  })
  return { at, effect }
}

/** Chance always draws this. */
const drawing = (draw: number) =>
  Effect.provideService(Random.Random, { nextDoubleUnsafe: () => draw, nextIntUnsafe: () => draw })

const policy = (options: Retry.Options = {}) =>
  Retry.jittered({ base: "1 second", budget: Retry.unlimited, ...options })

/** Runs to the end, however long that takes on the test's clock. */
const run = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(drawing(0.999)(effect))
    yield* TestClock.adjust("1 day")
    return yield* Fiber.await(fiber)
  })

const endedOf = (exit: Exit.Exit<unknown, unknown>) => Exit.isFailure(exit) ? Retry.ended(exit.cause) : undefined

const errorOf = (exit: Exit.Exit<unknown, unknown>) => Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

const isDone = Effect.succeed("done")

const classify = (error: string): Retry.Advice | undefined =>
  error === "busy" ? { reach: "answered", isTransient: true } : undefined

describe("Retry.apply: how far an attempt got", () => {
  it.effect("what was not sent is sent again, until it goes well", () =>
    Effect.gen(function*() {
      const { at, effect } = attempts(Effect.fail(unsent), Effect.fail(unsent), isDone)
      assert.deepStrictEqual(yield* run(Retry.apply(policy())(effect)), Exit.succeed("done"))
      assert.strictEqual(at.length, 3)
    }))

  it.effect("no more attempts are made than allowed, and the last error comes, and knows how many there were", () =>
    Effect.gen(function*() {
      const last = trouble("answered")
      const { at, effect } = attempts(Effect.fail(unsent), Effect.fail(unsent), Effect.fail(last))
      const exit = yield* run(Retry.apply(policy())(effect))
      assert.strictEqual(errorOf(exit), last)
      assert.strictEqual(at.length, 3)
      assert.deepStrictEqual(endedOf(exit), { attempts: 3, why: "attempts" })
    }))

  it.effect("what cannot be helped is not tried again", () =>
    Effect.gen(function*() {
      for (
        const error of [
          trouble("unsent", undefined, false),
          new Deadline.DeadlineExceeded({ budget: Duration.seconds(1) }),
          new SessionError.SessionRevoked({ id: 1, kind: "call", session: "a", reason: "told so" }),
          new SessionError.QuotaExceeded({ tenant: "a", kind: "call", limit: 1 }),
          new TransportError.InvalidUrl({ url: "" })
        ]
      ) {
        const { at, effect } = attempts(Effect.fail(error), Effect.fail(error))
        const exit = yield* run(Retry.apply(policy({ resend: "always" }))(effect))
        assert.deepStrictEqual([at.length, endedOf(exit)], [1, { attempts: 1, why: "permanent" }])
      }
    }))

  it.effect("what may have been processed is sent again only where that is known to be harmless, or allowed", () =>
    Effect.gen(function*() {
      const outcome = Effect.fnUntraced(function*(
        options: Retry.Options,
        within: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = (self) => self
      ) {
        const { effect } = attempts(Effect.fail(trouble("unanswered")), isDone)
        return endedOf(yield* run(within(Retry.apply(policy(options))(effect))))?.why ?? "done"
      })
      assert.strictEqual(yield* outcome({}), "unanswered")
      assert.strictEqual(yield* outcome({}, Retry.idempotent()), "done")
      assert.strictEqual(yield* outcome({}, Retry.idempotent("order 17")), "done")
      assert.strictEqual(yield* outcome({ resend: "always" }), "done")
      assert.strictEqual(yield* outcome({ resend: "never" }, Retry.idempotent()), "unanswered")
    }))

  it.effect("output that was delivered is never repeated, whatever else is allowed", () =>
    Effect.gen(function*() {
      const { at, effect } = attempts(Effect.fail(trouble("delivered")), isDone)
      const exit = yield* run(Retry.idempotent()(Retry.apply(policy({ resend: "always" }))(effect)))
      assert.deepStrictEqual([at.length, endedOf(exit)], [1, { attempts: 1, why: "delivered" }])
    }))

  it.effect("an error that gives no advice is tried again only if the policy knows it", () =>
    Effect.gen(function*() {
      const first = attempts(Effect.fail("busy"), isDone)
      assert.deepStrictEqual(endedOf(yield* run(Retry.apply(policy())(first.effect))), {
        attempts: 1,
        why: "permanent"
      })
      const second = attempts(Effect.fail("busy"), Effect.fail("wrong"))
      const exit = yield* run(Retry.apply(Retry.jittered({ classify }))(second.effect))
      assert.deepStrictEqual([second.at.length, endedOf(exit)], [2, { attempts: 2, why: "permanent" }])
    }))

  it.effect("a defect is not tried again, not even one beside an error", () =>
    Effect.gen(function*() {
      const beside = Effect.ensuring(Effect.fail(unsent), Effect.die("broken"))
      for (const end of [Effect.die("broken"), beside]) {
        const { at, effect } = attempts<string, Trouble>(end, isDone)
        assert.isTrue(Exit.hasDies(yield* run(Retry.apply(policy())(effect))))
        assert.strictEqual(at.length, 1)
      }
    }))

  it.effect("of several errors at once the least hopeful decides", () =>
    Effect.gen(function*() {
      const causes = [
        Cause.combine(Cause.fail(unsent), Cause.fail(trouble("delivered"))),
        Cause.combine(Cause.fail(trouble("unanswered")), Cause.fail(unsent)),
        Cause.combine(Cause.fail(unsent), Cause.fail(trouble("answered", undefined, false)))
      ]
      const whys: Array<string | undefined> = []
      for (const cause of causes) {
        const { effect } = attempts<string, Trouble>(Effect.failCause(cause), isDone)
        whys.push(endedOf(yield* run(Retry.apply(policy())(effect)))?.why)
      }
      assert.deepStrictEqual(whys, ["delivered", "unanswered", "permanent"])
    }))
})

const needs = (minimum: Duration.Input) => {
  const { at, effect } = attempts(Effect.andThen(Effect.sleep("6 seconds"), Effect.fail(unsent)), isDone)
  return Effect.map(
    run(effect.pipe(Retry.apply(policy({ minimum })), Deadline.within("10 seconds"))),
    (exit) => [at.length, endedOf(exit)?.why]
  )
}

describe("Retry.apply: waiting", () => {
  it.effect("waits are drawn from zero up to a limit that doubles, and that has a limit itself", () =>
    Effect.gen(function*() {
      const starts = Effect.fnUntraced(function*(draw: number) {
        const { at, effect } = attempts(Effect.fail(unsent))
        const call = Retry.apply(policy({ attempts: 6, max: "5 seconds" }))(effect)
        const start = yield* Clock.currentTimeMillis
        const fiber = yield* Effect.forkChild(Effect.exit(drawing(draw)(call)))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
        return at.map((time) => time - start)
      })
      assert.deepStrictEqual(yield* starts(0), [0, 0, 0, 0, 0, 0])
      assert.deepStrictEqual(yield* starts(0.5), [0, 500, 1500, 3500, 6000, 8500])
      assert.deepStrictEqual(yield* starts(0.9999), [0, 1000, 3000, 7000, 12_000, 17_000])
    }))

  it.effect("waits all of Retry-After, even beyond its own limit, and adds the jitter", () =>
    Effect.gen(function*() {
      const { at, effect } = attempts(Effect.fail(trouble("answered", Duration.seconds(30))), isDone)
      const start = yield* Clock.currentTimeMillis
      yield* run(Retry.apply(policy({ max: "2 seconds" }))(effect))
      assert.deepStrictEqual(at.map((time) => time - start), [0, 30_999])
    }))

  it.effect("a wait longer than the policy has patience for ends the call at once", () =>
    Effect.gen(function*() {
      const { at, effect } = attempts(Effect.fail(trouble("answered", Duration.seconds(61))), isDone)
      const fiber = yield* Effect.forkChild(Effect.exit(Retry.apply(policy())(effect)))
      yield* TestClock.adjust(0)
      const exit = yield* Fiber.join(fiber)
      assert.deepStrictEqual([at.length, endedOf(exit)], [1, { attempts: 1, why: "retryAfter" }])
    }))

  it.effect("a wait that the deadline does not leave time for ends the call at once, with the error that it has", () =>
    Effect.gen(function*() {
      const last = trouble("answered", Duration.seconds(10))
      const { effect } = attempts(Effect.fail(last), isDone)
      const fiber = yield* Effect.forkChild(
        Effect.exit(effect.pipe(Retry.apply(policy()), Deadline.within("10 seconds")))
      )
      yield* TestClock.adjust(0)
      const exit = fiber.pollUnsafe()
      assert.isDefined(exit)
      const call = yield* Fiber.join(fiber)
      assert.deepStrictEqual(endedOf(call), { attempts: 1, why: "deadline" })
      assert.strictEqual(errorOf(call), last)
    }))

  it.effect("chance alone never draws a wait past the deadline", () =>
    Effect.gen(function*() {
      const { at, effect } = attempts(Effect.fail(unsent), isDone)
      const start = yield* Clock.currentTimeMillis
      const call = effect.pipe(Retry.apply(policy({ base: "1 hour", max: "1 hour" })), Deadline.within("10 seconds"))
      assert.deepStrictEqual(yield* run(call), Exit.succeed("done"))
      assert.deepStrictEqual(at.map((time) => time - start), [0, 9990])
    }))

  it.effect("no attempt begins with less time left than it needs", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* needs("4 seconds"), [2, undefined])
      assert.deepStrictEqual(yield* needs("4001 millis"), [1, "deadline"])
    }))

  it.effect("not even a first attempt begins where there is no time for one", () =>
    Effect.gen(function*() {
      const { at, effect } = attempts(isDone)
      const exit = yield* run(
        effect.pipe(Retry.apply(policy({ minimum: "11 seconds" })), Deadline.within("10 seconds"))
      )
      assert.deepStrictEqual(exit, Exit.fail(new Deadline.DeadlineExceeded({ budget: Duration.seconds(10) })))
      assert.isEmpty(at)
    }))

  it.effect("a call that is interrupted while it waits ends at once, and returns its unused retry to the budget", () =>
    Effect.gen(function*() {
      const budget = Retry.budget({ reserve: 5 })
      const { at, effect } = attempts(Effect.fail(unsent))
      const fiber = yield* Effect.forkChild(drawing(0.999)(Retry.apply(policy({ budget }))(effect)))
      yield* TestClock.adjust("900 millis")
      assert.strictEqual(budget.left, 4)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      assert.deepStrictEqual([at.length, budget.left], [1, 5])
    }))
})

/** Holds something in the scope that it is in, and fails the first times. */
const holding = (failures: number) => {
  const held = new Set<number>()
  let number = 0
  const effect = Effect.gen(function*() {
    const own = ++number
    yield* Effect.acquireRelease(
      Effect.sync(() => held.add(own)),
      () => Effect.sync(() => held.delete(own))
    )
    if (own <= failures) return yield* unsent
    return own
  })
  return { held, effect }
}

describe("Retry.apply: what attempts hold", () => {
  it.effect("nothing is held during a wait, and what the last attempt holds stays until the scope closes", () =>
    Effect.gen(function*() {
      const { effect, held } = holding(2)
      const scope = yield* Scope.make()
      const fiber = yield* Retry.apply(policy())(effect).pipe(Scope.provide(scope), drawing(0.999), Effect.forkChild)
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual([fiber.pollUnsafe(), held.size], [undefined, 0])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([yield* Fiber.join(fiber), [...held]], [3, [3]])
      yield* Scope.close(scope, Exit.void)
      assert.isEmpty(held)
    }))

  it.effect("calls that hold nothing leave nothing in the scope that they ran in", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const call = Retry.apply(policy())(Effect.void)
      for (let i = 0; i < 3; i++) yield* Scope.provide(call, scope)
      assert.strictEqual(scope.state._tag, "Empty")
    }))
})

const failing = (budget: Retry.Budget) =>
  Effect.map(run(Retry.apply(policy({ budget, attempts: 4 }))(Effect.fail(unsent))), endedOf)

describe("Retry.budget", () => {
  it.effect("all policies that share one are limited together", () =>
    Effect.gen(function*() {
      const budget = Retry.budget({ reserve: 4 })
      assert.deepStrictEqual(yield* failing(budget), { attempts: 4, why: "attempts" })
      assert.deepStrictEqual(yield* failing(budget), { attempts: 2, why: "budget" })
      assert.deepStrictEqual(yield* failing(budget), { attempts: 1, why: "budget" })
    }))

  it.effect("successes allow retries again, by the ratio", () =>
    Effect.gen(function*() {
      const budget = Retry.budget({ reserve: 2, ratio: 0.1 })
      yield* failing(budget)
      const succeed = Retry.apply(policy({ budget }))(Effect.void)
      yield* Effect.repeat(succeed, { times: 8 })
      assert.strictEqual(budget.left, 0)
      yield* succeed
      assert.strictEqual(budget.left, 1)
    }))

  it("a wrong option is named where it is set", () => {
    assert.throws(() => Retry.budget({ ratio: 1.5 }), /`ratio`/)
    assert.throws(() => Retry.budget({ reserve: -1 }), /`reserve`/)
    assert.throws(() => Retry.jittered({ attempts: 0 }), /`attempts`/)
    assert.throws(() => Retry.jittered({ base: -1 }), /`base`/)
  })
})

describe("Retry.CurrentKey", () => {
  const readKey = Effect.map(Retry.CurrentKey, (key) => key?.value)

  /** The keys that so many attempts saw. */
  const keysOf = Effect.fnUntraced(function*(
    wrap: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Deadline.DeadlineExceeded, R>
  ) {
    const seen: Array<string | undefined> = []
    const attempt = Effect.flatMap(readKey, (key) => {
      seen.push(key)
      return Effect.fail(unsent)
    })
    const fiber = yield* Effect.forkChild(Effect.exit(wrap(attempt)))
    yield* TestClock.adjust("1 day")
    yield* Fiber.join(fiber)
    return seen
  })

  it.effect("is made once for a call, the same on every attempt, and another for another call", () =>
    Effect.gen(function*() {
      const first = yield* keysOf(Retry.apply(policy()))
      const second = yield* keysOf(Retry.apply(policy()))
      assert.strictEqual(first.length, 3)
      assert.match(first[0] ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      assert.deepStrictEqual([new Set(first).size, new Set(second).size, new Set([...first, ...second]).size], [
        1,
        1,
        2
      ])
    }))

  it.effect("is not made anew by retries inside of retries", () =>
    Effect.gen(function*() {
      const seen = yield* keysOf((self) => Retry.apply(policy())(Retry.apply(policy())(self)))
      assert.deepStrictEqual([seen.length, new Set(seen).size], [9, 1])
    }))

  it.effect("that comes from outside makes a call idempotent only if it was declared so", () =>
    Effect.gen(function*() {
      const { at, effect } = attempts(Effect.fail(trouble("unanswered")), isDone)
      const nested = Retry.apply(policy())(Retry.apply(policy())(effect))
      assert.strictEqual(endedOf(yield* run(nested))?.why, "unanswered")
      assert.strictEqual(at.length, 1)
    }))

  it.effect("is the caller's, if the caller has one", () =>
    Effect.gen(function*() {
      const seen = yield* keysOf((self) => Retry.idempotent("order 17")(Retry.apply(policy())(self)))
      assert.deepStrictEqual(seen, ["order 17", "order 17", "order 17"])
    }))

  it.effect("is not in force outside of the call", () =>
    Effect.gen(function*() {
      yield* Retry.apply(policy())(Effect.void)
      assert.isUndefined(yield* readKey)
    }))
})

/** The attempts at a stream, each of which ends as it is told. */
const streams = <A, E>(...ends: ReadonlyArray<Stream.Stream<A, E>>) => {
  const at: Array<number> = []
  const stream = Stream.unwrap(Effect.map(Clock.currentTimeMillis, (now) => {
    at.push(now)
    return ends[Math.min(at.length, ends.length) - 1] ?? Stream.die("no end was given")
  }))
  return { at, stream }
}

const read = <A, E>(stream: Stream.Stream<A, E>) => {
  const seen: Array<A> = []
  return Effect.map(
    run(Stream.runForEach(stream, (element) => Effect.sync(() => seen.push(element)))),
    (exit) => ({ exit, seen })
  )
}

describe("Retry.applyStream", () => {
  it.effect("a stream that fails before its first element is tried again, after a wait", () =>
    Effect.gen(function*() {
      const { at, stream } = streams(Stream.fail(unsent), Stream.fail(unsent), Stream.make("a", "b"))
      const start = yield* Clock.currentTimeMillis
      const { exit, seen } = yield* read(Retry.applyStream(policy())(stream))
      assert.deepStrictEqual([exit, seen], [Exit.void, ["a", "b"]])
      assert.deepStrictEqual(at.map((time) => time - start), [0, 999, 2997])
    }))

  it.effect("a stream that fails after its first element is not, whatever else is allowed", () =>
    Effect.gen(function*() {
      const { at, stream } = streams(Stream.concat(Stream.make("a"), Stream.fail(unsent)), Stream.make("b"))
      const { exit, seen } = yield* read(
        stream.pipe(Retry.applyStream(policy({ resend: "always" })), Retry.idempotentStream())
      )
      assert.deepStrictEqual([at.length, seen, endedOf(exit)], [1, ["a"], { attempts: 1, why: "delivered" }])
    }))

  it.effect("a stream without elements is whole", () =>
    Effect.gen(function*() {
      const { at, stream } = streams(Stream.empty)
      const { exit, seen } = yield* read(Retry.applyStream(policy())(stream))
      assert.deepStrictEqual([exit, seen, at.length], [Exit.void, [], 1])
    }))

  it.effect("its last error comes, and knows how many attempts there were", () =>
    Effect.gen(function*() {
      const { exit } = yield* read(Retry.applyStream(policy())(Stream.fail(unsent)))
      assert.deepStrictEqual(endedOf(exit), { attempts: 3, why: "attempts" })
    }))

  it.effect("a request that may have been processed is sent again only in an idempotent call", () =>
    Effect.gen(function*() {
      const lost = trouble("unanswered")
      const first = yield* read(Retry.applyStream(policy())(streams(Stream.fail(lost), Stream.make("a")).stream))
      assert.strictEqual(endedOf(first.exit)?.why, "unanswered")
      const { stream } = streams(Stream.fail(lost), Stream.make("a"))
      const second = yield* read(stream.pipe(Retry.applyStream(policy()), Retry.idempotentStream()))
      assert.deepStrictEqual(second.seen, ["a"])
    }))

  it.effect("all attempts read the same key, and so does what is pulled later", () =>
    Effect.gen(function*() {
      const keys: Array<string | undefined> = []
      const readKey = Effect.map(Retry.CurrentKey, (key) => void keys.push(key?.value))
      const { stream } = streams(
        Stream.fromEffect(Effect.andThen(readKey, Effect.fail(unsent))),
        Stream.mapEffect(Stream.rechunk(Stream.make("a", "b"), 1), () => readKey)
      )
      yield* read(Retry.applyStream(policy())(stream))
      assert.deepStrictEqual([keys.length, new Set(keys).size, keys[0] === undefined], [3, 1, false])
    }))

  it.effect("nothing of a failed attempt is held during the wait, and nothing of the last one after the end", () =>
    Effect.gen(function*() {
      let held = 0
      const hold = Effect.acquireRelease(Effect.sync(() => void held++), () => Effect.sync(() => void held--))
      const { stream } = streams(
        Stream.unwrap(Effect.as(hold, Stream.fail(unsent))),
        Stream.unwrap(Effect.as(hold, Stream.concat(Stream.make("a"), Stream.never)))
      )
      const fiber = yield* Stream.runDrain(Retry.applyStream(policy())(stream)).pipe(drawing(0.999), Effect.forkChild)
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(held, 0)
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(held, 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(held, 0)
    }))

  it.effect("waits and attempts share the stream's deadline", () =>
    Effect.gen(function*() {
      const asks = trouble("answered", Duration.seconds(10))
      const { at, stream } = streams(Stream.fail(asks), Stream.make("a"))
      const { exit } = yield* read(stream.pipe(Retry.applyStream(policy()), Deadline.withinStream("10 seconds")))
      assert.deepStrictEqual([at.length, endedOf(exit)], [1, { attempts: 1, why: "deadline" }])
    }))

  it.effect("a first element is a success, which the budget counts once", () =>
    Effect.gen(function*() {
      const budget = Retry.budget({ reserve: 2, ratio: 0.5 })
      const { stream } = streams(Stream.fail(unsent), Stream.fail(unsent), Stream.rechunk(Stream.make(1, 2, 3, 4), 1))
      yield* read(Retry.applyStream(policy({ budget }))(stream))
      assert.strictEqual(budget.left, 0)
      yield* read(Retry.applyStream(policy({ budget }))(Stream.rechunk(Stream.make(1, 2, 3), 1)))
      assert.strictEqual(budget.left, 1)
    }))

  it.effect("an interrupted wait returns its unused retry to the budget", () =>
    Effect.gen(function*() {
      const budget = Retry.budget({ reserve: 5 })
      const stream = Retry.applyStream(policy({ budget }))(Stream.fail(unsent))
      const fiber = yield* Stream.runDrain(stream).pipe(drawing(0.999), Effect.forkChild)
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(budget.left, 4)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(budget.left, 5)
    }))

  it.effect("a pull after an interrupted wait gets the rest of the wait, the same budget and the same end", () =>
    Effect.gen(function*() {
      const { at, stream } = streams(Stream.fail(unsent))
      const budget = Retry.budget({ reserve: 1, ratio: 0 })
      const pull = yield* Stream.toPull(Retry.applyStream(policy({ budget }))(stream))
      const impatient = drawing(0.999)(Effect.exit(Effect.timeout(pull, "100 millis")))
      const pulls = yield* Effect.forkChild(Effect.all(Array.from({ length: 20 }, () => impatient)))
      yield* TestClock.adjust("10 seconds")
      const exits = yield* Fiber.join(pulls)
      assert.deepStrictEqual(at, [0, 999])
      const ends = exits.filter((exit) => Option.getOrUndefined(Exit.findErrorOption(exit)) === unsent)
      assert.isAtLeast(ends.length, 9)
    }).pipe(Effect.scoped))

  it.effect("a wait is counted from the end of a failed attempt's release, also after an interrupted pull", () =>
    Effect.gen(function*() {
      const slow = Effect.acquireRelease(Effect.void, () => Effect.sleep("2 seconds"))
      const { at, stream } = streams(
        Stream.unwrap(Effect.as(slow, Stream.fail(trouble("answered", Duration.seconds(10))))),
        Stream.make("a")
      )
      const pull = yield* Stream.toPull(Retry.applyStream(policy())(stream))
      const impatient = drawing(0)(Effect.exit(Effect.timeout(pull, "1 second")))
      yield* Effect.forkChild(Effect.andThen(impatient, drawing(0)(pull)))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(at, [0, 12_000])
    }).pipe(Effect.scoped))

  it.effect("a pull that comes too late for the next attempt does not change the budget", () =>
    Effect.gen(function*() {
      const budget = Retry.budget({ reserve: 5 })
      const retried = Retry.applyStream(policy({ budget, minimum: "5 seconds" }))(Stream.fail(unsent))
      const pull = yield* Stream.toPull(retried)
      const fiber = yield* Effect.forkChild(drawing(0.999)(pull))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 second")
      const exit = yield* Effect.exit(drawing(0.999)(pull))
      assert.deepStrictEqual([endedOf(exit), budget.left], [{ attempts: 1, why: "deadline" }, 5])
    }).pipe(Effect.scoped, Deadline.within("6 seconds")))

  it.effect("an attempt whose opening was interrupted is released, and opened again by the next pull", () =>
    Effect.gen(function*() {
      let held = 0
      let openings = 0
      const hold = Effect.acquireRelease(Effect.sync(() => void held++), () => Effect.sync(() => void held--))
      const stream = Stream.fromChannel(Channel.fromTransform((_, scope) =>
        Effect.andThen(
          Scope.provide(hold, scope),
          Effect.map(Effect.sleep("3 seconds"), () => Effect.sync(() => ["a", ++openings] as const))
        )
      ))
      const pull = yield* Stream.toPull(Retry.applyStream(policy())(stream))
      const first = yield* Effect.forkChild(pull)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(held, 1)
      yield* Fiber.interrupt(first)
      assert.strictEqual(held, 0)
      const second = yield* Effect.forkChild(pull)
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual([yield* Fiber.join(second), held], [["a", 1], 1])
    }).pipe(Effect.scoped))

  it.effect("an attempt that dies in its release ends the call", () =>
    Effect.gen(function*() {
      const broken = Effect.acquireRelease(Effect.void, () => Effect.die("broken"))
      const { at, stream } = streams(Stream.unwrap(Effect.as(broken, Stream.fail(unsent))))
      const { exit } = yield* read(Retry.applyStream(policy())(stream))
      assert.deepStrictEqual([at.length, endedOf(exit)], [1, { attempts: 1, why: "permanent" }])
      assert.isTrue(Exit.isFailure(exit) && Exit.hasDies(exit))
    }))

  it.effect("each run is a call of its own", () =>
    Effect.gen(function*() {
      const { at, stream } = streams(Stream.fail(unsent))
      const retried = Retry.applyStream(policy())(stream)
      yield* read(retried)
      yield* read(retried)
      assert.strictEqual(at.length, 6)
    }))
})
