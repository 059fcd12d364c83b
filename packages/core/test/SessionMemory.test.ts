/** What the registry's records keep alive: nothing of whoever opened the session. Asked of the collector. */
import * as Caller from "@clawback/core/Caller"
import * as Session from "@clawback/core/Session"
import * as SessionObserver from "@clawback/core/SessionObserver"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, ManagedRuntime, Option, Schedule, Scope } from "effect"
import { collectUntil } from "./Garbage.ts"

const info = { kind: "thing", name: "lost" }
/** Made anew each time: a session is sampled as it is asked for. */
const hold = () => Session.acquire(info, Effect.succeed(1), () => Effect.void)
const quiet = Logger.layer([])

/** Acquires in a scope that is answered, and that whoever gets it forgets. */
const open = Effect.gen(function*() {
  const scope = yield* Scope.make()
  const handle = yield* Scope.provide(hold(), scope)
  return { scope, handle }
})

/** How many of ten are noticed once everybody has forgotten them. */
const noticed = <E>(lose: Effect.Effect<unknown, E>) =>
  Effect.gen(function*() {
    for (let i = 0; i < 10; i++) yield* Effect.asVoid(lose)
    const count = Effect.map(SessionRegistry.leaks, (leaks) => leaks.length)
    yield* collectUntil(Effect.map(count, (count) => count >= 10))
    return yield* count
  }).pipe(Effect.provide(SessionRegistry.layer({ sampleAll: true }).pipe(Layer.provideMerge(quiet))))

const waysOfLosing: Record<string, Effect.Effect<unknown, unknown>> = {
  "plain": open,
  "under a span": Effect.withSpan(open, "open"),
  "under spans inside of each other": open.pipe(Effect.withSpan("inner"), Effect.withSpan("outer")),
  "by a traced function": Effect.suspend(Effect.fn("open")(() => open)),
  "under a span that links to another": Effect.useSpan(
    "linked",
    (span) => Effect.map(open.pipe(Effect.withSpan("open"), Effect.linkSpans(span)), (opened) => [opened, span])
  ).pipe(Effect.tap(([opened, span]) => Effect.sync(() => Object.assign(span as object, { opened })))),
  "on a fiber that ended with it": Effect.flatMap(Effect.forkChild(Effect.suspend(() => open)), Fiber.join),
  "in a session that has ended": Session.scoped({ kind: "group", name: "outer" })(Effect.withSpan(open, "open")),
  "in a session that is lost with it": Effect.withSpan(
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const outer = yield* Scope.provide(hold(), scope)
      const inner = yield* Scope.provide(hold(), scope).pipe(Effect.provideService(Session.Current, outer.session))
      yield* outer.close
      return { scope, outer, inner }
    }),
    "open"
  ),
  "for a caller who knows of it": Effect.gen(function*() {
    const scope = yield* Scope.make()
    const user = { tenant: "acme", tags: { team: "blue" }, scope }
    return yield* Scope.provide(hold(), scope).pipe(Caller.provide(user))
  }),
  "by a runtime that nobody disposed of": Effect.flatMap(
    Effect.context(),
    (context) =>
      Effect.promise(() =>
        ManagedRuntime.make(Layer.provide(Layer.effectDiscard(Effect.suspend(hold)), Layer.succeedContext(context)))
          .runPromise(Effect.void)
      )
  )
}

describe("A session that is lost", () => {
  it.live.each(Object.keys(waysOfLosing))(
    "is noticed: %s",
    (way) => Effect.map(noticed(waysOfLosing[way] ?? Effect.void), (count) => assert.strictEqual(count, 10))
  )
})

/** Something of a user's, and whether anybody still has it. */
const treasure = () => {
  const value = { gold: 1 }
  const ref = new WeakRef(value)
  return { value, isLost: Effect.sync(() => ref.deref() === undefined) }
}

describe("A session that has ended", () => {
  it.live("keeps nothing of its value and its options, though a handle and a child refer to it", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      // On a fiber of its own, whose stack is gone when it has ended.
      const acquiring = Effect.gen(function*() {
        const held = treasure()
        const told = treasure()
        const retry = treasure()
        const outer = yield* Session.acquire(
          {
            ...info,
            attributes: { told: told.value },
            releaseRetry: Schedule.map(Schedule.recurs(1), () => Effect.succeed(retry.value))
          },
          Effect.succeed({ value: held.value }),
          (box) => Effect.sync(() => Reflect.deleteProperty(box, "value"))
        ).pipe(Scope.provide(scope))
        const inner = yield* Scope.provide(hold(), scope).pipe(
          Effect.provideService(Session.Current, outer.session)
        )
        yield* outer.close
        return { handles: [outer, inner], lost: [held.isLost, told.isLost, retry.isLost] }
      })
      const { handles, lost } = yield* Fiber.join(yield* Effect.forkChild(Effect.suspend(() => acquiring)))
      const areLost = Effect.map(Effect.all(lost), (lost) => lost.every(Boolean))
      assert.isTrue(yield* collectUntil(areLost))
      assert.deepStrictEqual(handles.map(({ session }) => session.isOpen), [false, true])
      assert.strictEqual(handles[0]?.session.attributes, undefined)
    }).pipe(Effect.provide(SessionRegistry.layer().pipe(Layer.provideMerge(quiet)))))

  it.live("keeps nothing of the changes for a slow reader", () =>
    Effect.gen(function*() {
      const { SessionRegistry: registry } = SessionRegistry
      const changes: Array<SessionRegistry.Change> = []
      const stop = SessionObserver.onChange(yield* registry, (change) => void changes.push(change))
      const opening = Effect.gen(function*() {
        const { isLost, value } = treasure()
        const attributes = { value, list: [value], made: () => value }
        yield* Effect.scoped(Session.acquire({ ...info, attributes }, Effect.void, () => Effect.void))
        return isLost
      })
      const isLost = yield* Fiber.join(yield* Effect.forkChild(Effect.suspend(() => opening)))
      assert.isTrue(yield* collectUntil(isLost))
      assert.deepStrictEqual(changes.map(({ _tag }) => _tag), ["Opened", "Closed"])
      stop()
    }).pipe(Effect.provide(SessionRegistry.layer())))
})

describe("A record", () => {
  it.effect("has the ids of the span around, and of a caller the known fields, however it was set", () =>
    Effect.gen(function*() {
      const user = { tenant: "acme", tags: { team: "blue" }, password: "sesame" }
      const span = yield* Effect.currentSpan
      const open = Effect.scoped(Effect.andThen(hold(), SessionRegistry.list()))
      const snapshots = yield* Effect.all([
        Caller.provide(user)(open),
        Effect.provideService(open, Caller.Current, user),
        open.pipe(Caller.provide({ subject: "s1" }), Caller.provide(user))
      ])
      const { password: _, ...caller } = user
      assert.deepStrictEqual(snapshots.flat().map(({ owner }) => owner.caller), [
        caller,
        caller,
        { ...caller, subject: "s1" }
      ])
      for (const { owner } of snapshots.flat()) {
        assert.deepStrictEqual(owner.span, { traceId: span.traceId, spanId: span.spanId })
      }
    }).pipe(Effect.withSpan("open"), Effect.provide(SessionRegistry.layer())))

  it.effect("lets a release see the span around as its parent, and the scope, however it was sampled", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const release = () =>
        Effect.gen(function*() {
          yield* Effect.addFinalizer(() => Effect.sync(() => seen.push("a finalizer")))
          const { parent, traceId } = yield* Effect.makeSpan("release")
          seen.push(traceId, Option.map(parent, ({ spanId }) => spanId))
        })
      const open = Effect.gen(function*() {
        yield* Session.acquire(info, Effect.void, release)
        return yield* Effect.currentSpan
      })
      const expected: Array<unknown> = []
      for (const sampleAll of [false, true]) {
        const { spanId, traceId } = yield* Effect.scoped(Effect.suspend(() => open)).pipe(
          Effect.withSpan("open"),
          Effect.provide(SessionRegistry.layer({ sampleAll }))
        )
        expected.push("a finalizer", traceId, Option.some(spanId))
      }
      assert.sameDeepMembers(seen, expected)
    }))
})
