import { Deadline, Pool, Session, SessionRegistry } from "@clawback/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import { turn } from "./Moments.ts"
import { PoolServer } from "./PoolServer.ts"

const isolated = Effect.provide(SessionRegistry.layer())

/** A caller that holds an item until the gate opens. */
const holder = <A, E>(pool: Pool.Pool<A, E>, gate: Deferred.Deferred<void>) =>
  Effect.forkChild(Pool.use(pool, (item) => Effect.as(Deferred.await(gate), item)), { startImmediately: true })

describe("Pool", () => {
  it.effect("a service lends items of the pool in its layer, and closes them with the layer", () => {
    const server = new PoolServer(2)
    class Db extends Pool.Service<Db>()("app/Db", { acquire: server.connect, max: 2 }) {}
    return Effect.gen(function*() {
      const ids = yield* Effect.forEach(
        [1, 2, 3, 4, 5],
        () => Db.use((connection) => Effect.as(Effect.yieldNow, connection.id)),
        { concurrency: "unbounded" }
      )
      assert.sameMembers(ids, [1, 2, 1, 2, 1])
      assert.strictEqual((yield* Effect.scoped(Db.get)).id, 1)
      const pool = yield* Db
      assert.strictEqual(pool.name, "app/Db")
      yield* Db.refresh
      assert.deepInclude(yield* Db.stats, { total: 0, opened: 2 })
    }).pipe(
      Effect.provide(Db.layer),
      Effect.ensuring(Effect.sync(() => assert.strictEqual(server.open, 0))),
      isolated
    )
  })

  it.effect("what an item and its checks need is a need of the layer", () => {
    class Url extends Context.Service<Url, string>()("@clawback/core/test/Pool.test/Url") {}
    class Db extends Pool.Service<Db>()("app/Db", {
      acquire: Effect.map(Url, (url) => ({ url })),
      reset: () => Effect.asVoid(Url),
      max: 1
    }) {}
    return Effect.gen(function*() {
      assert.strictEqual(yield* Db.use(({ url }) => Effect.succeed(url)), "postgres://localhost")
    }).pipe(Effect.provide(Layer.provide(Db.layer, Layer.succeed(Url, "postgres://localhost"))), isolated)
  })

  it.effect("serves waiters in the order in which they came, and not a newcomer before them", () =>
    Effect.gen(function*() {
      const server = new PoolServer(1)
      const pool = yield* Pool.make({ acquire: server.connect, max: 1 })
      const served: Array<number> = []
      yield* Effect.forEach(
        [1, 2, 3, 4],
        (n) => Pool.use(pool, () => Effect.andThen(Effect.sync(() => served.push(n)), Effect.yieldNow)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(served, [1, 2, 3, 4])
    }).pipe(isolated))

  it.effect("serves any number of waiters that need no time, one after the other", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed(1), max: 1, maxWaiters: Infinity })
      const gate = yield* Deferred.make<void>()
      yield* holder(pool, gate)
      let served = 0
      const work = Pool.use(pool, () => Effect.sync(() => served++))
      const all = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 5000 }), () => work, { concurrency: "unbounded", discard: true }),
        { startImmediately: true }
      )
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(all)
      assert.strictEqual(served, 5000)
    }).pipe(isolated))

  it.effect("returns the item if `f` fails, dies, throws or is interrupted", () =>
    Effect.gen(function*() {
      const server = new PoolServer(1)
      const pool = yield* Pool.make({ acquire: server.connect, max: 1 })
      assert.strictEqual(yield* Effect.flip(Pool.use(pool, () => Effect.fail("no"))), "no")
      for (
        const f of [
          () => Effect.die("dead"),
          (): Effect.Effect<void> => {
            throw new Error("thrown")
          },
          () => Effect.interrupt
        ]
      ) {
        assert.isTrue(Exit.isFailure(yield* Effect.exit(Pool.use(pool, f))))
      }
      const fiber = yield* Effect.forkChild(Pool.use(pool, () => Effect.never), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.deepInclude(yield* Pool.stats(pool), { total: 1, idle: 1, busy: 0, opened: 1 })
      assert.deepStrictEqual(yield* SessionRegistry.counts, { resource: 1 })
    }).pipe(isolated))

  it.effect("a loan is a session from the request to the return, inside of which `f` works", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new PoolServer(1).connect, max: 1, name: "db" })
      const gate = yield* Deferred.make<void>()
      yield* holder(pool, gate)
      yield* holder(pool, gate)
      yield* turn(3)
      const sessions = yield* SessionRegistry.list({ kind: "borrow" })
      assert.deepStrictEqual(sessions.map(({ name, state }) => [name, state]), [["db", "open"], ["db", "acquiring"]])
      yield* Deferred.succeed(gate, undefined)
      yield* Pool.use(pool, () =>
        Effect.gen(function*() {
          const current = yield* Session.Current
          assert.strictEqual(current?.kind, "borrow")
        }))
      assert.deepStrictEqual(yield* SessionRegistry.counts, { resource: 1 })
    }).pipe(isolated))

  it.effect("a caller fails at its time limit, which says what the pool had and why connecting failed", () =>
    Effect.gen(function*() {
      const server = new PoolServer()
      const pool = yield* Pool.make({ acquire: server.connect, max: 2, name: "db", acquireTimeout: "3 seconds" })
      const gate = yield* Deferred.make<void>()
      yield* holder(pool, gate)
      yield* turn(2)
      server.connecting = Effect.fail("refused")
      const late = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)), { startImmediately: true })
      yield* turn(2)
      yield* TestClock.adjust("3 seconds")
      const error = yield* Fiber.join(late)
      assert.instanceOf(error, Pool.AcquireTimeout)
      assert.deepInclude(error, {
        pool: "db",
        total: 1,
        busy: 1,
        idle: 0,
        waiting: 0,
        max: 2,
        held: 0,
        cause: "refused"
      })
      assert.isTrue(error.retry.isTransient)
      yield* Deferred.succeed(gate, undefined)
    }).pipe(isolated))

  it.effect("a caller that waited for a slow connect is not advised to return items", () =>
    Effect.gen(function*() {
      const server = new PoolServer()
      server.connecting = Effect.never
      const pool = yield* Pool.make({ acquire: server.connect, max: 1, acquireTimeout: "1 second" })
      const late = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(late)
      assert.deepInclude(error, { _tag: "AcquireTimeout", total: 1, busy: 0 })
      assert.include(String(error), "Opening or checking items takes too long")
    }).pipe(isolated))

  it.effect("a deadline around the caller ends its wait", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed(1), max: 1 })
      yield* Pool.get(pool)
      const work = Deadline.within(Effect.uninterruptible(Pool.use(pool, () => Effect.void)), "1 second")
      const late = yield* Effect.forkChild(Effect.flip(work), { startImmediately: true })
      yield* TestClock.adjust("1010 millis")
      assert.strictEqual((yield* Fiber.join(late))._tag, "DeadlineExceeded")
      assert.deepInclude(yield* Pool.stats(pool), { waiting: 0 })
    }).pipe(isolated))

  it.effect("a nested borrow by the holder of the last item fails at its time limit, and says so", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed(1), max: 1, acquireTimeout: "1 second" })
      const nested = Pool.use(
        pool,
        () => Session.scoped({ kind: "step", name: "inner" })(Pool.use(pool, () => Effect.void))
      )
      const fiber = yield* Effect.forkChild(Effect.flip(nested), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(fiber)
      assert.deepInclude(error, { _tag: "AcquireTimeout", held: 1 })
      assert.include(error instanceof Pool.AcquireTimeout ? error.message : "", "nested borrow")
      const scoped = Effect.scoped(Effect.andThen(Pool.get(pool), Pool.use(pool, () => Effect.void)))
      const second = yield* Effect.forkChild(Effect.flip(scoped), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(second), { _tag: "AcquireTimeout", held: 1 })
    }).pipe(isolated))

  it.effect("rejects callers beyond `maxWaiters`, but none that a free place is meant for", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const pool = yield* Pool.make({ acquire: Effect.succeed(1), max: 2, maxWaiters: 1 })
      yield* holder(pool, gate)
      yield* holder(pool, gate)
      yield* holder(pool, gate)
      const error = yield* Effect.flip(Pool.use(pool, () => Effect.void))
      assert.deepInclude(error, { _tag: "PoolFull", max: 2, waiting: 1 })
      yield* Deferred.succeed(gate, undefined)
    }).pipe(isolated))

  it.effect("an interrupted waiter leaves the queue, and its connect serves the next caller", () =>
    Effect.gen(function*() {
      const server = new PoolServer(1)
      server.connecting = Effect.sleep("1 second")
      const pool = yield* Pool.make({ acquire: server.connect, max: 1 })
      const first = yield* Effect.forkChild(Pool.use(pool, () => Effect.void), { startImmediately: true })
      yield* turn(2)
      yield* Fiber.interrupt(first)
      assert.deepInclude(yield* Pool.stats(pool), { waiting: 0, opening: 1 })
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Pool.stats(pool), { idle: 1, opened: 1 })
      assert.strictEqual(yield* Pool.use(pool, ({ id }) => Effect.succeed(id)), 1)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { resource: 1 })
    }).pipe(isolated))

  it.effect("a waiter that is interrupted at any moment passes on what it was lent", () =>
    Effect.gen(function*() {
      for (let turns = 0; turns < 8; turns++) {
        const server = new PoolServer(1)
        const pool = yield* Pool.make({ acquire: server.connect, max: 1 })
        const gate = yield* Deferred.make<void>()
        const first = yield* holder(pool, gate)
        yield* turn(2)
        const second = yield* Effect.forkChild(Pool.use(pool, () => Effect.void), { startImmediately: true })
        const third = yield* Effect.forkChild(Pool.use(pool, () => Effect.succeed("served")), {
          startImmediately: true
        })
        yield* turn(2)
        yield* Deferred.succeed(gate, undefined)
        yield* turn(turns)
        yield* Fiber.interrupt(second)
        assert.strictEqual(yield* Fiber.join(third), "served")
        yield* Fiber.join(first)
        assert.deepInclude(yield* Pool.stats(pool), { total: 1, idle: 1, waiting: 0 })
      }
      assert.deepStrictEqual(Object.keys(yield* SessionRegistry.counts), ["resource"])
    }).pipe(isolated))

  it.effect("`get` returns the item when its scope closes, from wherever, and at once if that is closed already", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new PoolServer(1).connect, max: 1 })
      const scope = yield* Scope.make()
      yield* Scope.provide(Pool.get(pool), scope)
      assert.deepInclude(yield* Pool.stats(pool), { busy: 1 })
      yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      assert.deepInclude(yield* Pool.stats(pool), { busy: 0, idle: 1 })
      yield* Scope.provide(Pool.get(pool), scope)
      assert.deepInclude(yield* Pool.stats(pool), { busy: 0, idle: 1 })
    }).pipe(isolated))

  it.effect("the error of a connect reaches one caller, and the pool backs off before it connects again", () =>
    Effect.gen(function*() {
      const server = new PoolServer()
      server.connecting = Effect.fail("refused")
      const pool = yield* Pool.make({ acquire: server.connect, max: 2, backoff: { base: "1 second" } })
      const call = Pool.use(pool, ({ id }) => Effect.succeed(id))
      assert.strictEqual(yield* Effect.flip(call), "refused")
      const second = yield* Effect.forkChild(Effect.exit(call), { startImmediately: true })
      yield* turn(3)
      assert.isUndefined(second.pollUnsafe())
      server.connecting = Effect.void
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(second), Exit.succeed(1))
    }).pipe(isolated))

  it.effect("a connect that nobody waits for is counted where it fails, and logged once until one succeeds", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ message }) => void lines.push(...[message].flat()))
    return Effect.gen(function*() {
      const server = new PoolServer()
      server.connecting = Effect.fail("refused")
      const pool = yield* Pool.make({
        acquire: server.connect,
        min: 1,
        max: 1,
        name: "db",
        backoff: { max: "1 second" }
      })
      for (let i = 0; i < 5; i++) yield* Effect.andThen(TestClock.adjust("1 second"), turn(3))
      const { failed } = yield* Pool.stats(pool)
      assert.isAbove(failed, 4)
      const warning = "The pool db cannot connect, and tries again until it can"
      assert.deepStrictEqual(lines.filter((line) => line === warning), [warning])
      server.connecting = Effect.void
      yield* Effect.andThen(TestClock.adjust("1 second"), turn(3))
      assert.deepInclude(yield* Pool.stats(pool), { idle: 1, failed })
      server.connecting = Effect.fail("refused")
      yield* Pool.refresh(pool)
      for (let i = 0; i < 3; i++) yield* Effect.andThen(TestClock.adjust("1 second"), turn(3))
      assert.deepStrictEqual(lines.filter((line) => line === warning), [warning, warning])
    }).pipe(isolated, Effect.provide(Logger.layer([logger])))
  })

  it.effect("a caller whose deadline has passed, such as in a finalizer, hears that it did not wait", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed(1), max: 1 })
      yield* Pool.get(pool)
      let error: unknown
      const late = Effect.flatMap(
        Effect.flip(Pool.use(pool, () => Effect.void)),
        (failure) => Effect.sync(() => error = failure)
      )
      const work = yield* Effect.never.pipe(
        Effect.ensuring(Effect.ignore(late)),
        Deadline.within("1 second"),
        Effect.exit,
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("1 second")
      yield* Effect.andThen(TestClock.adjust("1 second"), turn(5))
      yield* Fiber.join(work)
      assert.deepInclude(error, { _tag: "AcquireTimeout", isPastDeadline: true, waited: Duration.millis(10) })
      assert.include((error as Pool.AcquireTimeout).message, "deadline had passed")
    }).pipe(isolated))

  it.effect("the JSON of a caller's error does not tell what the driver said", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({
        // Drivers throw such errors.
        // @effect-diagnostics-next-line globalErrorInEffectFailure:off
        acquire: Effect.fail(new TypeError("password hunter2 is wrong")),
        min: 1,
        max: 1,
        acquireTimeout: "50 millis",
        backoff: { base: "4 seconds" }
      })
      yield* turn(3)
      const call = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)), { startImmediately: true })
      yield* TestClock.adjust("50 millis")
      const error = yield* Fiber.join(call)
      assert.deepInclude(error, { _tag: "AcquireTimeout" })
      const text = JSON.stringify(error)
      assert.notInclude(text, "hunter2")
      assert.deepInclude(JSON.parse(text), { cause: "TypeError" })
    }).pipe(isolated))

  it.effect("a connect that hangs and ignores interruption holds up nobody longer than the limits say", () =>
    Effect.gen(function*() {
      const open = yield* Deferred.make<void>()
      const steps: Array<string> = []
      const pool = yield* Pool.make({
        // Not interruptible, as `acquireRelease` is.
        acquire: Effect.acquireRelease(
          Effect.andThen(Deferred.await(open), Effect.sync(() => steps.push("opened"))),
          () => Effect.sync(() => steps.push("closed"))
        ),
        max: 1,
        connectTimeout: "2 seconds",
        closeTimeout: "1 second",
        acquireTimeout: "10 seconds"
      })
      const call = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)), { startImmediately: true })
      yield* turn(2)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* Fiber.join(call))._tag, "PoolConnectTimeout")
      assert.deepInclude(yield* Pool.stats(pool), { total: 0, abandoned: 1 })
      yield* Deferred.succeed(open, undefined)
      yield* turn(5)
      assert.deepStrictEqual(steps, ["opened", "closed"])
    }).pipe(isolated))

  it.effect("an acquire effect that dies or interrupts itself is a defect of its caller, and costs no place", () =>
    Effect.gen(function*() {
      for (const acquire of [Effect.die("dead"), Effect.interrupt]) {
        const pool = yield* Pool.make({ acquire, max: 1 })
        const exit = yield* Effect.exit(Pool.use(pool, () => Effect.void))
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        assert.deepInclude(yield* Pool.stats(pool), { total: 0, waiting: 0 })
      }
    }).pipe(isolated))

  it.effect("a child fiber that the user of an item forks ends before the item is lent again", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed(1), max: 1 })
      let isEnded = false
      const ending = Effect.onInterrupt(Effect.never, () => Effect.sync(() => isEnded = true))
      yield* Pool.use(pool, () => Effect.forkChild(ending, { startImmediately: true }))
      yield* Pool.use(pool, () => Effect.sync(() => assert.isTrue(isEnded)))
    }).pipe(isolated))

  it.effect("a wrong option is a defect that names it", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [string, object]> = [
        ["max", { max: 0 }],
        ["min", { min: 2 }],
        ["maxUses", { maxUses: 0 }],
        ["maxWaiters", { maxWaiters: -1 }],
        ["validateTimeout", { validateTimeout: "Infinity" }],
        ["closeTimeout", { closeTimeout: "soon" }],
        ["idleTimeToLive", { idleTimeToLive: 0 }],
        ["keepAlive", { keepAlive: "1 minute" }],
        ["backoff.base", { backoff: { base: 0 } }],
        ["backoff.base", { backoff: { base: "6 seconds" } }],
        ["backoff.base", { backoff: { base: "2 seconds", max: "1 second" } }],
        ["backoff.max", { backoff: { max: "10 nanos" } }],
        ["maxLifetime", { maxLifetime: "1 nano" }],
        ["keepAlive", { keepAlive: "900 micros", validate: () => Effect.void }],
        ["name", { name: 1 }],
        ["acquire", { acquire: () => Effect.succeed(1) }],
        ["validate", { validate: Effect.void }],
        ["reset", { reset: Effect.void }],
        ["acquireTimout", { acquireTimout: "1 second" }],
        ["backoff", { backoff: "1 second" }],
        ["first", { backoff: { first: "1 second" } }]
      ]
      for (const [name, options] of wrong) {
        const exit = yield* Effect.exit(Effect.scoped(Pool.make({ acquire: Effect.succeed(1), max: 1, ...options })))
        assert.isTrue(Exit.isFailure(exit))
        const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.instanceOf(defect, RangeError)
        assert.include(String(defect), `\`${name}\``)
      }
    }).pipe(isolated))
})
