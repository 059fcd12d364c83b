import * as Caller from "@clawback/core/Caller"
import * as Session from "@clawback/core/Session"
import * as SessionError from "@clawback/core/SessionError"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import { assert, describe, it } from "@effect/vitest"
import { type Cause, Deferred, Effect, Exit, Fiber, Queue, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { atEach, turn } from "./Moments.ts"
import { Stock } from "./Stock.ts"

const info = { kind: "thing", name: "one" }
const isolated = Effect.provide(SessionRegistry.layer())
const revokeAll = SessionRegistry.revoke({}, { reason: "test" })

const holdForever = (stock: Stock, session: Session.Info = info) =>
  Session.use(session, stock.take, stock.put, () => Effect.never)

const whole = Session.scoped({ kind: "whole", name: "outer" })

const broken = (): Effect.Effect<void> => {
  throw new Error("broken")
}

const tagOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>) =>
  Exit.isSuccess(exit) ?
    "Success" :
    exit.cause.reasons.map((reason) => reason._tag === "Fail" ? reason.error._tag : reason._tag)
      .join()

describe("SessionRegistry.revoke", () => {
  it.effect("interrupts a function and fails it with SessionRevoked, after what it held came back", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const fiber = yield* Effect.forkChild(holdForever(stock))
      yield* turn(5)
      const { forced, revoked, stuck } = yield* revokeAll
      const error = yield* Effect.flip(Fiber.join(fiber))
      assert.instanceOf(error, SessionError.SessionRevoked)
      assert.deepInclude(error, { kind: "thing", session: "one", reason: "test" })
      // By which errors are grouped.
      assert.strictEqual(error.name, "@clawback/core/SessionRevoked")
      assert.deepStrictEqual([stock.returned, revoked.length, forced, stuck], [[1], 1, [], []])
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(isolated))

  it.effect("fails the reader of a stream, even one that waits for an element that never comes", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(
        Stream.runDrain(Session.scopedStream(info)(Stream.concat(Stream.make(1), Stream.never)))
      )
      yield* turn(5)
      yield* revokeAll
      assert.strictEqual(tagOf(yield* Fiber.await(fiber)), "SessionRevoked")
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(isolated))

  it.effect("notifies a handle's user, and releases a session whose user ignores it", () =>
    Effect.gen(function*() {
      const [listening, deaf] = [new Stock(), new Stock()]
      const listener = Effect.scoped(Effect.gen(function*() {
        const handle = yield* Session.acquire(info, listening.take, listening.put)
        return yield* handle.awaitRevoked
      }))
      const careless = Effect.scoped(Effect.andThen(Session.acquire(info, deaf.take, deaf.put), Effect.never))
      const fibers = yield* Effect.forEach([listener, careless], (program) => Effect.forkChild(program))
      yield* turn(5)
      const revoking = yield* Effect.forkChild(SessionRegistry.revoke({}, { reason: "test", deadline: "1 second" }))
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual([listening.returned, deaf.returned], [[1], []])
      yield* TestClock.adjust("1 millis")
      const { forced } = yield* Fiber.join(revoking)
      assert.deepStrictEqual([deaf.returned, forced.length], [[1], 1])
      yield* Fiber.interruptAll(fibers)
      assert.deepStrictEqual(deaf.returned, [1])
    }).pipe(isolated))

  it.effect("releases children before their parent, and the whole subtree with it", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const hold = <A, E, R>(name: string, inside: Effect.Effect<A, E, R>) =>
        Session.use(
          { kind: "node", name },
          Effect.void,
          () => Effect.sync(() => void order.push(name)),
          () => inside
        )
      const tree = hold(
        "root",
        Effect.all([hold("left", hold("leaf", Effect.never)), hold("right", Effect.never)], { concurrency: 2 })
      )
      const fibers = yield* Effect.forEach(
        [tree, hold("stranger", Effect.never)],
        (program) => Effect.forkChild(program)
      )
      yield* turn(10)
      const { revoked } = yield* SessionRegistry.revoke({ name: "root" }, { reason: "test" })
      assert.deepStrictEqual(revoked.map(({ name }) => name).toSorted(), ["leaf", "left", "right", "root"])
      assert.isBelow(order.indexOf("leaf"), order.indexOf("left"))
      assert.strictEqual(order.at(-1), "root")
      assert.deepStrictEqual((yield* SessionRegistry.list()).map(({ name }) => name), ["stranger"])
      yield* Fiber.interruptAll(fibers)
    }).pipe(isolated))

  it.effect("gives each work of a subtree the error of its own session", () =>
    Effect.gen(function*() {
      const told: Record<string, number> = {}
      const ids: Record<string, number> = {}
      const nested = (name: string, inside: Effect.Effect<unknown, SessionError.SessionError>) =>
        Session.use(
          { kind: "part", name },
          Effect.void,
          () => Effect.void,
          () => Effect.andThen(Effect.map(Session.Current, (own) => ids[name] = own?.id ?? 0), inside)
        ).pipe(
          Effect.tapErrorTag("SessionRevoked", ({ id }) => Effect.sync(() => told[name] = id))
        )
      const streamed = Stream.runDrain(Session.scopedStream({ kind: "part", name: "stream" })(Stream.never)).pipe(
        Effect.tapErrorTag(
          "SessionRevoked",
          (error) => Effect.sync(() => assert.deepInclude(error, { kind: "part", session: "stream" }))
        )
      )
      const both = Effect.all([streamed, nested("inner", Effect.never)], { concurrency: 2 })
      const fiber = yield* Effect.forkChild(nested("outer", nested("middle", both)))
      yield* turn(10)
      yield* SessionRegistry.revoke({ name: "outer" }, { reason: "test" })
      const error = yield* Effect.flip(Fiber.join(fiber))
      assert.deepInclude(error, { _tag: "SessionRevoked", kind: "part", session: "outer" })
      assert.deepStrictEqual(told, ids)
    }).pipe(isolated))

  it.effect("of a part alone, fails the whole with the part's error, unless that is caught where the part is used", () =>
    Effect.gen(function*() {
      const part = Session.use({ kind: "part", name: "inner" }, Effect.void, () => Effect.void, () => Effect.never)
      const caught = Effect.catchTag(part, "SessionRevoked", ({ session }) => Effect.succeed(`without ${session}`))
      const failing = yield* Effect.forkChild(whole(part))
      const going = yield* Effect.forkChild(whole(caught))
      yield* turn(5)
      yield* SessionRegistry.revoke({ kind: "part" }, { reason: "test" })
      assert.deepInclude(yield* Effect.flip(Fiber.join(failing)), { kind: "part", session: "inner" })
      assert.strictEqual(yield* Fiber.join(going), "without inner")
    }).pipe(isolated))

  it.effect("lets nothing new be opened inside of what is revoked", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const stubborn = Session.use(
        info,
        Effect.void,
        () => Effect.void,
        () => Effect.onInterrupt(Effect.never, () => Effect.exit(holdForever(stock)).pipe(Effect.asVoid))
      )
      const fiber = yield* Effect.forkChild(stubborn)
      yield* turn(5)
      yield* revokeAll
      assert.strictEqual(tagOf(yield* Fiber.await(fiber)), "SessionRevoked")
      assert.strictEqual(stock.taken, 0)
    }).pipe(isolated))

  it.effect("by tenant, subject, conversation and tag takes exactly what is theirs", () =>
    Effect.gen(function*() {
      const callers: ReadonlyArray<Caller.Caller> = [
        { tenant: "a", subject: "x" },
        { tenant: "a", conversation: "c" },
        { tenant: "b", tags: { team: "blue" } },
        {}
      ]
      const fibers = yield* Effect.forEach(
        callers,
        (caller) => Effect.forkChild(holdForever(new Stock()).pipe(Caller.provide(caller)))
      )
      yield* turn(5)
      const taken = (filter: SessionRegistry.Filter) =>
        Effect.map(SessionRegistry.revoke(filter, { reason: "test" }), ({ revoked }) =>
          revoked.map(({ owner }) =>
            callers.findIndex((caller) =>
              JSON.stringify(caller) === JSON.stringify(owner.caller)
            )
          ))
      assert.deepStrictEqual(yield* taken({ tenant: "nobody" }), [])
      assert.deepStrictEqual(yield* taken({ tags: { team: "blue" } }), [2])
      assert.deepStrictEqual(yield* taken({ subject: "x" }), [0])
      assert.deepStrictEqual(yield* taken({ conversation: "c", tenant: "b" }), [])
      assert.deepStrictEqual(yield* taken({ tenant: "a" }), [1])
      assert.strictEqual((yield* SessionRegistry.list()).length, 1)
      yield* Fiber.interruptAll(fibers)
    }).pipe(isolated))

  it.effect("ends also for a fiber that revokes its own session", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const exit = yield* Effect.exit(Session.use(info, stock.take, stock.put, () => revokeAll))
      assert.strictEqual(tagOf(exit), "SessionRevoked")
      assert.deepStrictEqual([stock.returned, yield* SessionRegistry.list()], [[1], []])
    }).pipe(isolated))

  it.effect("waits for an acquisition, and releases its result at once", () =>
    Effect.gen(function*() {
      const [stock, gate] = [new Stock(), yield* Deferred.make<void>()]
      const slow = Effect.andThen(Deferred.await(gate), stock.take)
      const programs = [
        Session.use(info, slow, stock.put, () => Effect.die("must not run")),
        Effect.scoped(Effect.andThen(Session.acquire(info, slow, stock.put), Effect.die("must not run")))
      ]
      const fibers = yield* Effect.forEach(programs, (program) => Effect.forkChild(program))
      yield* turn(5)
      const revoking = yield* Effect.forkChild(revokeAll)
      yield* turn(5)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* Fiber.join(revoking)).stuck.length, 0)
      const exits = yield* Effect.forEach(fibers, (fiber) => Fiber.await(fiber))
      assert.deepStrictEqual(exits.map(tagOf), ["SessionRevoked", "SessionRevoked"])
      assert.deepStrictEqual(stock.returned.toSorted(), [1, 2])
    }).pipe(isolated))

  it.effect("ends the part of an acquisition that only waits, and fails it with SessionRevoked", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const queued = (restore: Session.Restore) => Effect.andThen(restore(Effect.never), stock.take)
      const programs = [
        Session.use(info, queued, stock.put, () => Effect.die("must not run")),
        Effect.scoped(Effect.andThen(Session.acquire(info, queued, stock.put), Effect.die("must not run")))
      ]
      const fibers = yield* Effect.forEach(programs, (program) => Effect.forkChild(program))
      yield* turn(5)
      const { forced, revoked, stuck } = yield* revokeAll
      assert.deepStrictEqual([revoked.length, forced, stuck], [2, [], []])
      const exits = yield* Effect.forEach(fibers, (fiber) => Fiber.await(fiber))
      assert.deepStrictEqual(exits.map(tagOf), ["SessionRevoked", "SessionRevoked"])
      assert.deepStrictEqual([stock.taken, yield* SessionRegistry.list()], [0, []])
    }).pipe(isolated))

  it.effect("and an interruption may come at any moment of an acquisition, and its result is released", () =>
    atEach(({ turns }) =>
      Effect.gen(function*() {
        const stock = new Stock()
        const slow = (restore: Session.Restore) =>
          Effect.andThen(restore(turn(2)), Effect.tap(stock.take, () => Effect.exit(restore(turn(2)))))
        const programs = [
          Session.use(info, slow, stock.put, () => turn(2)),
          Effect.scoped(Effect.andThen(Session.acquire(info, slow, stock.put), turn(2)))
        ]
        const fibers = yield* Effect.forEach([...programs, ...programs], (program) => Effect.forkChild(program))
        yield* turn(turns)
        yield* Effect.forEach(fibers.slice(2), (fiber) => Effect.forkChild(Fiber.interrupt(fiber)))
        yield* revokeAll
        for (const [i, fiber] of fibers.entries()) {
          const tag = tagOf(yield* Fiber.await(fiber))
          if (i < 2) assert.include(["Success", "SessionRevoked"], tag)
        }
        assert.deepStrictEqual([stock.out.size, yield* SessionRegistry.list()], [0, []])
      }).pipe(isolated)
    ))

  it.effect("does not end an acquisition where interruption is not allowed", () =>
    Effect.gen(function*() {
      const [stock, gate] = [new Stock(), yield* Deferred.make<void>()]
      const queued = (restore: Session.Restore) => Effect.andThen(restore(Deferred.await(gate)), stock.take)
      const fiber = yield* Effect.forkChild(
        Effect.uninterruptible(Session.use(info, queued, stock.put, () => Effect.void))
      )
      yield* turn(5)
      const revoking = yield* Effect.forkChild(revokeAll)
      yield* turn(5)
      assert.isUndefined(fiber.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(tagOf(yield* Fiber.await(fiber)), "SessionRevoked")
      yield* Fiber.join(revoking)
      assert.deepStrictEqual([stock.taken, stock.out.size], [1, 0])
    }).pipe(isolated))

  it.effect("waits for a release that hangs until the release deadline", () =>
    Effect.gen(function*() {
      const gate = yield* Effect.acquireRelease(Deferred.make<void>(), (gate) => Deferred.succeed(gate, undefined))
      const hangs = Session.use(info, Effect.void, () => Deferred.await(gate), () => Effect.never)
      yield* Effect.forkDetach(hangs)
      yield* turn(5)
      const options = { reason: "test", deadline: "1 second", releaseDeadline: "2 seconds" } as const
      const revoking = yield* Effect.forkChild(SessionRegistry.revoke({}, options))
      yield* TestClock.adjust("2999 millis")
      assert.isUndefined(revoking.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.lengthOf((yield* Fiber.join(revoking)).stuck, 1)
    }).pipe(Effect.scoped, isolated))

  it.effect("finds nothing of an acquisition that threw", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Session.use(info, broken, () => Effect.void, () => Effect.void))
      assert.strictEqual(tagOf(exit), "Die")
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(isolated))

  it.effect("names what is stuck: an acquisition or a release that does not end", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const stuckReleasing = Session.use(
        { kind: "thing", name: "releases" },
        Effect.void,
        () => Deferred.await(gate),
        () => Effect.never
      )
      const stuckAcquiring = Session.use({ kind: "thing", name: "acquires" }, Deferred.await(gate), () =>
        Effect.void, () =>
        Effect.void)
      yield* Effect.forEach([stuckReleasing, stuckAcquiring], (program) =>
        Effect.forkDetach(program))
      yield* turn(5)
      const revoking = yield* Effect.forkChild(SessionRegistry.revoke({}, { reason: "test", deadline: "1 second" }))
      yield* TestClock.adjust("7 seconds")
      const { stuck } = yield* Fiber.join(revoking)
      assert.deepStrictEqual(stuck.map(({ name, state }) => [name, state]).toSorted(), [
        ["acquires", "acquiring"],
        ["releases", "releasing"]
      ])
      yield* Deferred.succeed(gate, undefined)
      yield* turn(20)
      assert.deepStrictEqual(yield* SessionRegistry.list(), [])
    }).pipe(isolated))

  it.effect("leaves a result that came before it, and an error of the function's own", () =>
    Effect.gen(function*() {
      const own = Session.use(
        info,
        Effect.void,
        () => Effect.void,
        () => Effect.onInterrupt(Effect.never, () => Effect.void).pipe(Effect.ensuring(Effect.die("own defect")))
      )
      const fiber = yield* Effect.forkChild(own)
      yield* turn(5)
      yield* revokeAll
      assert.include(tagOf(yield* Fiber.await(fiber)), "Die")
    }).pipe(isolated))

  it.effect("at any moment gives everything back once, and is never a bare interruption", () =>
    atEach(({ turns }) =>
      Effect.gen(function*() {
        const stock = new Stock()
        const nested = Session.scoped({ kind: "outer", name: "one" })(Effect.gen(function*() {
          yield* Session.acquire(info, stock.take, stock.put)
          yield* Session.use(info, stock.take, stock.put, () => turn(3))
          const held = Stream.unwrap(Effect.as(Session.acquire(info, stock.take, stock.put), Stream.make(1, 2)))
          yield* Stream.runForEach(Session.scopedStream(info)(held), () => turn(2))
        }))
        const fiber = yield* Effect.forkChild(nested)
        yield* turn(turns)
        yield* revokeAll
        const exit = yield* Fiber.await(fiber)
        assert.include(["Success", "SessionRevoked"], tagOf(exit))
        assert.deepStrictEqual([stock.out.size, yield* SessionRegistry.list()], [0, []])
      }).pipe(isolated)
    ))
})

describe("What a review has found", () => {
  it.effect("a fiber that revokes its own tenant releases the sessions of others, also those that ignore it", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const holder = Effect.scoped(Effect.andThen(Session.acquire(info, stock.take, stock.put), Effect.never))
      const other = yield* Effect.forkChild(holder)
      yield* turn(5)
      const own = yield* Effect.forkChild(
        Session.scoped(info)(SessionRegistry.revoke({ tenant: "t" }, { reason: "test", deadline: "50 millis" }))
      )
      yield* TestClock.adjust("100 millis")
      yield* turn(10)
      assert.deepStrictEqual(tagOf(yield* Fiber.await(own)), "SessionRevoked")
      assert.deepStrictEqual([stock.returned, yield* SessionRegistry.list()], [[1], []])
      yield* Fiber.interrupt(other)
    }).pipe(Caller.provide({ tenant: "t" }), isolated))

  it.effect("a subtree goes on below a session in it that has closed", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const outside = yield* Effect.scope
      const fiber = yield* Effect.forkChild(
        Session.scoped({ kind: "grand", name: "G" })(Effect.andThen(
          Session.scoped({ kind: "parent", name: "P" })(
            Scope.provide(Session.acquire(info, stock.take, stock.put), outside)
          ),
          Effect.never
        ))
      )
      yield* turn(10)
      const [grand] = yield* SessionRegistry.list({ kind: "grand" })
      yield* Effect.forkChild(SessionRegistry.revoke({ id: grand?.id }, { reason: "test", deadline: 0 }))
      yield* turn(30)
      assert.deepStrictEqual([stock.returned, yield* SessionRegistry.list()], [[1], []])
      yield* Fiber.await(fiber)
    }).pipe(Effect.scoped, isolated))

  it.effect("sessions nest thousands deep, and are revoked and interrupted so", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const take = Effect.sync(() => {
        stock.out.add(++stock.taken)
        return stock.taken
      })
      const put = (thing: number) => Effect.sync(() => void stock.out.delete(thing))
      const nest = (depth: number): Effect.Effect<number, SessionError.SessionError> =>
        depth === 0 ? Effect.succeed(0) : Session.use(info, take, put, () => nest(depth - 1))
      const depth = 2000
      yield* nest(depth)
      assert.deepStrictEqual([stock.taken, stock.out.size], [depth, 0])
      const chain = (depth: number): Effect.Effect<never, SessionError.SessionError> =>
        depth === 0 ? Effect.never : Session.use(info, take, put, () => chain(depth - 1))
      const open = Effect.map(SessionRegistry.list(), ({ length }) => length)
      for (const end of [() => revokeAll, (fiber: Fiber.Fiber<unknown, unknown>) => Fiber.interrupt(fiber)]) {
        const fiber = yield* Effect.forkChild(chain(depth))
        yield* turn(depth)
        assert.strictEqual(yield* open, depth)
        yield* end(fiber)
        const exit = yield* Fiber.await(fiber)
        assert.isFalse(Exit.hasDies(exit), String(exit))
        assert.deepStrictEqual([stock.out.size, yield* open], [0, 0])
      }
    }).pipe(isolated))

  it.effect(
    "thousands are taken back at once, from those who listen and those who do not",
    () =>
      Effect.gen(function*() {
        const many = 5_000
        const outer = yield* Scope.make()
        const context = yield* Effect.context<never>()
        const hold = Scope.provide(Session.acquire(info, Effect.void, () => Effect.void), outer)
        for (let i = 0; i < many; i++) {
          yield* hold
          Effect.runForkWith(context)(Session.use(info, Effect.void, () => Effect.void, () => Effect.never))
        }
        const { forced, revoked, stuck } = yield* SessionRegistry.revoke({}, { reason: "test", deadline: 0 })
        assert.deepStrictEqual([revoked.length, forced.length, stuck.length], [2 * many, many, 0])
        assert.deepStrictEqual(yield* SessionRegistry.counts, {})
      }).pipe(isolated),
    30_000
  )

  it.effect("what a stream forks in one pull lives on to the next", () =>
    Effect.gen(function*() {
      const produced = Stream.unwrap(Effect.gen(function*() {
        const queue = yield* Queue.make<number, Cause.Done>()
        yield* Effect.forkChild(Effect.gen(function*() {
          for (const n of [1, 2, 3]) {
            yield* turn(2)
            yield* Queue.offer(queue, n)
          }
          yield* Queue.end(queue)
        }))
        return Stream.fromQueue(queue)
      }))
      const seen = yield* Stream.runCollect(Session.scopedStream(info)(produced))
      assert.deepStrictEqual(Array.from(seen), [1, 2, 3])
    }).pipe(isolated))

  it.effect("a stream is taken from under a reader that is busy, and so is one that is not set up yet", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const held = Stream.unwrap(Effect.as(Effect.acquireRelease(stock.take, stock.put), Stream.make(1, 2)))
      const busy = yield* Effect.forkChild(Stream.runForEach(Session.scopedStream(info)(held), () => Effect.never))
      const idle = yield* Effect.forkChild(
        Stream.runDrain(Session.scopedStream(info)(Stream.fromPull<never, never, never, never, never>(Effect.never)))
      )
      yield* turn(10)
      const { revoked, stuck } = yield* SessionRegistry.revoke({}, { reason: "test", deadline: 0 })
      assert.deepStrictEqual([revoked.length, stuck, stock.out.size], [2, [], 0])
      assert.strictEqual(tagOf(yield* Fiber.await(idle)), "SessionRevoked")
      yield* Fiber.interrupt(busy)
    }).pipe(isolated))

  it.effect("a release that fails under a revocation is said to be stuck", () =>
    Effect.gen(function*() {
      const deaf = Effect.scoped(
        Effect.andThen(Session.acquire(info, Effect.void, () => Effect.die("no")), Effect.never)
      )
      yield* Effect.forkChild(deaf)
      yield* turn(5)
      const { stuck } = yield* SessionRegistry.revoke({}, { reason: "test", deadline: 0 })
      assert.lengthOf(stuck, 1)
    }).pipe(isolated))

  it.effect("a defect of interrupted work is reported beside the interruption", () =>
    Effect.gen(function*() {
      const work = Effect.ensuring(Effect.never, Effect.die("own defect"))
      const fiber = yield* Effect.forkChild(Session.use(info, Effect.void, () => Effect.void, () => work))
      yield* turn(5)
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.hasDies(exit) && Exit.hasInterrupts(exit))
    }).pipe(isolated))

  it.effect("a filter with a forgotten value never means everything", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(holdForever(new Stock()).pipe(Caller.provide({ tenant: "t" })))
      yield* turn(5)
      for (
        const filter of [{ tenant: undefined }, { id: undefined }, { ids: undefined }, { within: undefined }, {
          kind: undefined
        }]
      ) {
        assert.deepStrictEqual((yield* SessionRegistry.revoke(filter, { reason: "test" })).revoked, [])
      }
      yield* Fiber.interrupt(fiber)
    }).pipe(isolated))

  it.effect("a closed registry opens nothing more", () =>
    Effect.gen(function*() {
      const registry = yield* Effect.provide(SessionRegistry.SessionRegistry, SessionRegistry.layer())
      const opening = Session.scoped(info)(Effect.void)
      const exit = yield* Effect.exit(Effect.provideService(opening, SessionRegistry.SessionRegistry, registry))
      assert.strictEqual(tagOf(exit), "SessionRevoked")
    }))
})

describe("Quotas", () => {
  const limited = Effect.provide(SessionRegistry.layer({ quota: (tenant) => tenant === "small" ? 2 : 100 }))

  it.effect("refuse a tenant's next session before anything is acquired, and admit it when one has ended", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const held = yield* Effect.forEach([1, 2], () => Effect.forkChild(holdForever(stock)))
      yield* turn(5)
      const refused = yield* Effect.flip(Effect.scoped(Session.acquire(info, stock.take, stock.put)))
      assert.deepInclude(refused, { _tag: "QuotaExceeded", tenant: "small", limit: 2 })
      assert.strictEqual(stock.taken, 2)
      yield* Effect.scoped(Session.acquire(info, stock.take, stock.put)).pipe(Caller.provide({ tenant: "large" }))
      yield* Fiber.interrupt(held[0]!)
      yield* Effect.scoped(Session.acquire(info, stock.take, stock.put))
      yield* Fiber.interruptAll(held)
      assert.strictEqual(stock.out.size, 0)
    }).pipe(Caller.provide({ tenant: "small" }), limited))

  it.effect("do not apply to work without a tenant", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      yield* Effect.scoped(Effect.forEach([1, 2, 3], () => Session.acquire(info, stock.take, stock.put)))
      assert.strictEqual(stock.returned.length, 3)
    }).pipe(limited))
})

describe("Session.Handle", () => {
  it.effect("closes once, whether by hand, by `await using` or by its scope", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      yield* Effect.scoped(Effect.gen(function*() {
        const handle = yield* Session.acquire(info, stock.take, stock.put)
        yield* handle.close
        assert.deepStrictEqual([stock.returned, yield* SessionRegistry.list()], [[1], []])
        yield* handle.close
        yield* Effect.promise(async () => {
          await using again = handle
          assert.isFalse(again.session.isOpen)
        })
      }))
      assert.deepStrictEqual(stock.returned, [1])
    }).pipe(isolated))
})

const failing = (failures: number, tries: { count: number }) => () =>
  Effect.suspend(() => ++tries.count <= failures ? Effect.fail("not yet") : Effect.void)

describe("A release that fails", () => {
  it.effect("is tried again, three times by default", () =>
    Effect.gen(function*() {
      const tries = { count: 0 }
      const fiber = yield* Effect.forkChild(
        Session.use(info, Effect.void, failing(3, tries), () => Effect.succeed("done"))
      )
      yield* TestClock.adjust("350 millis")
      assert.strictEqual(yield* Fiber.join(fiber), "done")
      assert.strictEqual(tries.count, 4)
    }).pipe(isolated))

  it.effect("to the end stands beside the first error, and the session is closed", () =>
    Effect.gen(function*() {
      const tries = { count: 0 }
      const fiber = yield* Effect.forkChild(
        Session.use(info, Effect.void, failing(9, tries), () => Effect.fail("first"))
      )
      yield* TestClock.adjust("1 second")
      const exit = yield* Fiber.await(fiber)
      const reasons = Exit.isFailure(exit) ? exit.cause.reasons : []
      const said = reasons.map((reason) =>
        reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : "?"
      )
      assert.strictEqual(said[0], "first")
      assert.instanceOf(said[1], SessionError.ReleaseFailed)
      assert.strictEqual((said[1] as SessionError.ReleaseFailed).name, "@clawback/core/ReleaseFailed")
      assert.deepStrictEqual([tries.count, yield* SessionRegistry.list()], [4, []])
    }).pipe(isolated))
})
