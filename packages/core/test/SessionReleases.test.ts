/** Releases that use sessions and deadlines themselves, as one that takes a call to give something back does. */
import * as Caller from "@clawback/core/Caller"
import * as Deadline from "@clawback/core/Deadline"
import * as Session from "@clawback/core/Session"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Latch, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { turn } from "./Moments.ts"

const info = { kind: "thing", name: "one" }
const outer = { kind: "outer", name: "around" }
const call = { kind: "call", name: "farewell" }
const isolated = Effect.provide(SessionRegistry.layer())
const reason = "test"

/** Tells another machine, in a session of its own, and notes what came of it. */
const farewell = (told: Array<string>) =>
  Session.use(call, Effect.void, () => Effect.void, () => Effect.sleep("1 second")).pipe(
    Effect.exit,
    Effect.map((exit) => void told.push(exit._tag))
  )

/** Every form of release there is. */
const forms: Record<string, (release: Effect.Effect<void>) => Effect.Effect<unknown, unknown>> = {
  "of `use`": (release) => Session.use(info, Effect.void, () => release, () => Effect.never),
  "of `acquire`": (release) =>
    Effect.scoped(Effect.andThen(Session.acquire(info, Effect.void, () => release), Effect.never)),
  "in the scope of `scoped`": (release) =>
    Session.scoped(info)(Effect.andThen(Effect.addFinalizer(() => release), Effect.never)),
  "of an acquisition in `scoped`, under a deadline in there": (release) =>
    Session.scoped(info)(
      Effect.andThen(Effect.acquireRelease(Effect.void, () => release), Effect.never).pipe(Deadline.within("1 minute"))
    ),
  "in a stream that is pulled": (release) =>
    Stream.runDrain(Session.scopedStream(info)(Stream.ensuring(Stream.never, release))),
  "in a stream whose reader is away": (release) =>
    Session.scopedStream(info)(
      Stream.concat(Stream.scoped(Stream.fromEffect(Effect.addFinalizer(() => release))), Stream.never)
    )
      .pipe(Stream.runForEach(() => Effect.never))
}

describe("A release", () => {
  it.effect.each(Object.keys(forms))(
    "opens a session of its own though one around was revoked: %s",
    (form) =>
      Effect.gen(function*() {
        const told: Array<string> = []
        yield* Effect.forkDetach(
          Session.use(outer, Effect.void, () => Effect.void, () => forms[form]?.(farewell(told)) ?? Effect.void)
        )
        yield* turn(10)
        const revoking = yield* Effect.forkChild(
          SessionRegistry.revoke({ kind: "outer" }, { reason, deadline: "3 seconds" })
        )
        yield* TestClock.adjust("10 seconds")
        const { stuck } = yield* Fiber.join(revoking)
        assert.deepStrictEqual([told, stuck], [["Success"], []])
        assert.deepStrictEqual(yield* SessionRegistry.counts, {})
      }).pipe(isolated)
  )

  it.effect.each(Object.keys(forms))("has none of the deadlines of the work: %s", (form) =>
    Effect.gen(function*() {
      const left: Array<unknown> = []
      const look = Effect.map(Deadline.remaining, (time) => void left.push(Duration.toMillis(time)))
      const release = Effect.all([look, Deadline.within("1 minute")(look), Deadline.within("10 seconds")(look)])
      const fiber = yield* Effect.forkChild(
        Deadline.within("5 seconds")(forms[form]?.(Effect.orDie(Effect.asVoid(release))) ?? Effect.void)
      )
      yield* TestClock.adjust("5 seconds")
      assert.include(String(yield* Fiber.await(fiber)), "DeadlineExceeded")
      assert.deepStrictEqual(left, [Infinity, 60_000, 10_000])
    }).pipe(isolated))

  it.effect("opens a session of its own while the registry closes, and when its tenant's quota is used up", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const scope = yield* Scope.make()
      const registry = yield* Layer.buildWithScope(SessionRegistry.layer({ quota: () => 1 }), scope)
      yield* Session.acquire(info, Effect.void, () => farewell(told)).pipe(
        Caller.provide({ tenant: "acme" }),
        Scope.provide(yield* Scope.make()),
        Effect.provideContext(registry)
      )
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2 seconds")
      assert.isDefined(closing.pollUnsafe())
      assert.deepStrictEqual(told, ["Success"])
    }))

  it.effect("leaves running what can open nothing once it has ended", () =>
    Effect.gen(function*() {
      const go = yield* Latch.make()
      let late: Fiber.Fiber<Exit.Exit<unknown, unknown>> | undefined
      const release = Effect.map(
        Effect.forkDetach(Effect.andThen(go.await, Effect.exit(Session.scoped(call)(Effect.void)))),
        (fiber) => void (late = fiber)
      )
      yield* Effect.forkDetach(Session.scoped(outer)(Session.use(info, Effect.void, () => release, () => Effect.never)))
      yield* turn(10)
      yield* SessionRegistry.revoke({ kind: "outer" }, { reason })
      yield* go.open
      assert.include(String(yield* Fiber.join(late!)), "SessionRevoked")
    }).pipe(isolated))

  it.effect("is not disturbed by a revocation that comes meanwhile", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const revokedIn = (filter: SessionRegistry.Filter) =>
        Effect.gen(function*() {
          yield* Effect.forkDetach(
            Session.scoped(outer)(Session.use(info, Effect.void, () => farewell(told), () => Effect.void))
          )
          yield* turn(10)
          assert.deepStrictEqual(yield* SessionRegistry.counts, { outer: 1, thing: 1, call: 1 })
          const revoking = yield* Effect.forkChild(SessionRegistry.revoke(filter, { reason }))
          yield* TestClock.adjust("10 seconds")
          return (yield* Fiber.join(revoking)).revoked.map(({ kind }) => kind)
        })
      assert.deepStrictEqual(yield* revokedIn({}), ["outer", "thing"])
      assert.deepStrictEqual(yield* revokedIn({ kind: "thing" }), ["thing"])
      // By itself, it is a session like any other of work that nothing may interrupt.
      assert.deepStrictEqual(yield* revokedIn({ kind: "call" }), ["call"])
      assert.deepStrictEqual(told, ["Success", "Success", "Success"])
    }).pipe(isolated))

  it.effect("of a stream includes what that still opens after it was told to end", () =>
    Effect.gen(function*() {
      const [go, done] = [yield* Latch.make(), yield* Latch.make()]
      const late = Session.acquire(call, Effect.void, () => done.await)
      const stream = Stream.unwrap(Effect.uninterruptible(Effect.andThen(go.await, Effect.as(late, Stream.never))))
      const scope = yield* Scope.make()
      const pull = yield* Scope.provide(Stream.toPull(Session.scopedStream(info)(stream)), scope)
      yield* Effect.forkChild(pull)
      yield* turn(10)
      yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* turn(10)
      yield* go.open
      yield* turn(10)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { thing: 1, call: 1 })
      const revoking = yield* Effect.forkChild(SessionRegistry.revoke({}, { reason }))
      yield* turn(10)
      yield* done.open
      assert.deepStrictEqual((yield* Fiber.join(revoking)).revoked.map(({ kind }) => kind), ["thing"])
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(isolated))

  it.effect("closes its own handle in vain, also from a release inside of it", () =>
    Effect.gen(function*() {
      const own = yield* Deferred.make<Session.Handle<void>>()
      const closing = Effect.flatMap(Deferred.await(own), ({ close }) => close)
      let ended = 0
      const count = Effect.sync(() => void ended++)
      const handle = yield* Session.acquire(info, Effect.void, () =>
        Effect.andThen(
          closing,
          Session.use(call, Effect.void, () => Effect.andThen(closing, count), () => Effect.void)
        ))
      yield* Deferred.succeed(own, handle)
      yield* Effect.all([handle.close, handle.close], { concurrency: 2 })
      assert.deepStrictEqual([ended, handle.session.isOpen], [1, false])
    }).pipe(Effect.scoped, isolated))
})

describe("A session", () => {
  it.effect("is shown without the rest of the ledger, and without secrets", () =>
    Effect.gen(function*() {
      const attributes = { apiKey: "sk-1", model: "gpt-5" }
      const handle = yield* Session.acquire(outer, Effect.void, () => Effect.void)
      const inner = yield* Session.acquire({ ...info, attributes }, Effect.succeed("sk-2"), () => Effect.void).pipe(
        Effect.provideService(Session.Current, handle.session)
      )
      assert.deepStrictEqual(JSON.parse(JSON.stringify(inner)), {
        session: {
          id: 2,
          kind: "thing",
          name: "one",
          state: "open",
          parent: 1,
          attributes: { apiKey: "<redacted>", model: "gpt-5" }
        }
      })
    }).pipe(Effect.scoped, isolated))

  it.effect("keeps the kind and the name, and its caller, with which it was opened", () =>
    Effect.gen(function*() {
      const mine = { ...info }
      const caller = { tenant: "acme", tags: { team: "blue" } }
      const { session } = yield* Session.acquire(mine, Effect.void, () => Effect.void).pipe(
        Effect.provideService(Caller.Current, caller)
      )
      Object.assign(mine, { kind: "other", name: "two" })
      Object.assign(caller.tags, { team: "red" })
      assert.deepStrictEqual([session.kind, session.name, session.caller?.tags], ["thing", "one", { team: "blue" }])
      const [listed] = yield* SessionRegistry.list()
      assert.isTrue(Object.isFrozen(listed?.owner.caller) && Object.isFrozen(listed?.owner.caller?.tags))
    }).pipe(Effect.scoped, isolated))
})
