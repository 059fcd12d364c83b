import * as Deadline from "@clawback/core/Deadline"
import { LeakProbe } from "@clawback/core/LeakProbe"
import * as Session from "@clawback/core/Session"
import * as SessionLeaks from "@clawback/core/SessionLeaks"
import * as SessionLog from "@clawback/core/SessionLog"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Shutdown from "@clawback/core/Shutdown"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, Redacted, References, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { collectUntil } from "./Garbage.ts"
import { turn } from "./Moments.ts"
import { Stock } from "./Stock.ts"

const info = { kind: "slow", name: "one" }

/** What was logged, in words and annotations. */
const logged = () => {
  const entries: Array<{ readonly message: unknown; readonly annotations: unknown }> = []
  const logger = Logger.make(({ fiber, message }) => {
    entries.push({ message, annotations: fiber.getRef(References.CurrentLogAnnotations) })
  })
  return { entries, layer: Logger.layer([logger]) }
}

/** A collector that loses an object when it is told to. */
const fakeProbe = () => {
  const watched = new Map<object, () => void>()
  const layer = Layer.succeed(LeakProbe, {
    watch: (target, onLost) => {
      watched.set(target, onLost)
      return () => void watched.delete(target)
    }
  })
  return { watched, layer }
}

describe("SessionRegistry.leaks", () => {
  it.effect("finds what is held for longer than its kind may be", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Session.use(info, Effect.void, () => Effect.void, () => Effect.never))
      yield* turn(3)
      yield* TestClock.adjust("59 seconds")
      assert.deepStrictEqual(yield* SessionRegistry.leaks, [])
      yield* TestClock.adjust("1 second")
      const [leak] = yield* SessionRegistry.leaks
      assert.deepInclude(leak, { reason: "too old" })
      assert.include(leak?.session.owner.site, "SessionLeaks.test.ts")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* SessionRegistry.leaks, [])
    }).pipe(Effect.provide(
      SessionRegistry.layer({ leakThreshold: (kind) => kind === "slow" ? "1 minute" : undefined, sampleAll: true })
    )))

  it.effect("shows where each session was opened, the caller's code first", () =>
    Effect.gen(function*() {
      const site = Effect.map(SessionRegistry.list(), ([session]) => session?.owner.site?.split("\n")[0])
      const sites = [
        yield* Session.use(info, Effect.void, () => Effect.void, () => site),
        yield* site.pipe(Session.scoped(info)),
        yield* Session.scoped(site, info),
        yield* Stream.runHead(Stream.fromEffect(site).pipe(Session.scopedStream(info))),
        yield* Stream.runHead(Session.scopedStream(Stream.fromEffect(site), info)),
        yield* Effect.scoped(Effect.andThen(Session.acquire(info, Effect.void, () => Effect.void), site)),
        yield* site.pipe(Session.scopedWithin(info, "1 minute")),
        yield* Session.scopedWithin(site, info, Infinity),
        yield* site.pipe(Shutdown.admit(info)),
        yield* Stream.runHead(Stream.fromEffect(site).pipe(Shutdown.admitStream(info)))
      ]
      for (const site of sites) assert.include(JSON.stringify(site), "SessionLeaks.test.ts")
    }).pipe(Effect.provide([SessionRegistry.layer({ sampleAll: true }), Shutdown.layer()])))

  it.effect("shows up to four frames of a caller, also around `pipe`", () =>
    Effect.gen(function*() {
      const frames = Effect.map(SessionRegistry.list(), (open) => open.at(-1)?.owner.site?.split("\n").length)
      const asks = [
        () => Session.use(info, Effect.void, () => Effect.void, () => frames),
        () => frames.pipe(Session.scoped(info)),
        () => frames.pipe(Session.scopedWithin(info, "1 minute")),
        () => frames.pipe(Shutdown.admit(info))
      ]
      const deep = (ask: (typeof asks)[number], depth: number): ReturnType<typeof ask> =>
        depth === 0 ? ask() : deep(ask, depth - 1)
      for (const ask of asks) assert.strictEqual(yield* deep(ask, 4), 4)
    }).pipe(Effect.provide([SessionRegistry.layer({ sampleAll: true }), Shutdown.layer()])))

  it.effect("finds a session whose owner is lost, and does not watch released sessions", () => {
    const probe = fakeProbe()
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.provide(Session.acquire(info, Effect.void, () => Effect.void), scope)
      yield* Effect.scoped(Session.acquire({ kind: "slow", name: "two" }, Effect.void, () => Effect.void))
      assert.deepStrictEqual([...probe.watched.keys()], [scope])
      probe.watched.get(scope)?.()
      assert.deepStrictEqual((yield* SessionRegistry.leaks).map(({ reason }) => reason), ["owner gone"])
    }).pipe(Effect.provide([SessionRegistry.layer({ sampleAll: true }), probe.layer]))
  })

  it.effect("are taken back once where that is the policy, and only reported where it is not", () => {
    const stock = new Stock()
    const log = logged()
    const hold = Session.use(info, stock.take, stock.put, () => Effect.never)
    const run = (onLeak: SessionLeaks.OnLeak) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(hold)
        yield* TestClock.adjust("2 minutes")
        const isOpen = (yield* SessionRegistry.list()).length
        yield* Fiber.interrupt(fiber)
        return isOpen
      }).pipe(Effect.provide(
        SessionLeaks.layer({ every: "10 seconds", onLeak }).pipe(
          Layer.provideMerge(SessionRegistry.layer({ leakThreshold: () => "1 minute" }))
        )
      ))
    return Effect.gen(function*() {
      assert.strictEqual(yield* run(SessionLeaks.report), 1)
      assert.strictEqual(log.entries.length, 1)
      assert.include(String(log.entries[0]?.message), "slow one, for 1m")
      assert.strictEqual(yield* run(SessionLeaks.reclaim), 0)
      assert.strictEqual(stock.out.size, 0)
    }).pipe(Effect.provide(log.layer))
  })

  it.effect("at the close of a registry are reported, then taken back", () => {
    const stock = new Stock()
    const log = logged()
    return Effect.gen(function*() {
      const abandoned = yield* Scope.make()
      yield* Effect.provide(
        Scope.provide(Session.acquire(info, stock.take, stock.put), abandoned),
        SessionRegistry.layer()
      )
      assert.deepStrictEqual([stock.returned, log.entries.length], [[1], 1])
    }).pipe(Effect.provide(log.layer))
  })
})

describe("SessionLog", () => {
  it.effect("logs the life of a session, with secrets redacted", () => {
    const log = logged()
    const attributes = { apiKey: "sk-1", key: Redacted.make("sk-2"), region: "eu" }
    return Effect.gen(function*() {
      yield* Session.scoped({ kind: "call", name: "a", attributes })(TestClock.adjust("63000345678 nanos"))
      yield* turn(5)
      const text = JSON.stringify(log.entries)
      assert.deepStrictEqual(log.entries.map(({ message }) => String(message)), [
        "opened call a",
        "closed call a after 1m 3s"
      ])
      assert.notInclude(text, "sk-")
      assert.include(text, "\"region\":\"eu\"")
      // A logger would print a duration as nanoseconds.
      assert.include(text, "\"age\":\"1m 3s\"")
      assert.deepStrictEqual((yield* SessionRegistry.list()).length, 0)
    }).pipe(
      Effect.provide(SessionLog.layer().pipe(Layer.provideMerge([SessionRegistry.layer(), log.layer]))),
      Effect.provideService(References.MinimumLogLevel, "All")
    )
  })

  it.effect("has logged everything when it is closed", () => {
    const log = logged()
    return Effect.gen(function*() {
      const group = Session.scoped({ kind: "call", name: "a" })(Effect.void)
      yield* Effect.repeat(group, { times: 99 }).pipe(Effect.provide(SessionLog.layer()))
      assert.lengthOf(log.entries, 100)
    }).pipe(Effect.provide([SessionRegistry.layer(), log.layer]))
  })

  it.effect("leaves out what is not significant", () => {
    const log = logged()
    return Effect.gen(function*() {
      yield* Session.scoped({ kind: "call", name: "a" })(Effect.void)
      yield* Session.scoped({ kind: "connection", name: "b" })(Effect.void)
      yield* turn(5)
      assert.deepStrictEqual(log.entries.map(({ message }) => String(message)), ["closed connection b after 0ms"])
    }).pipe(
      Effect.provide(
        SessionLog.layer({ isSignificant: ({ kind }) => kind === "connection" }).pipe(
          Layer.provideMerge([SessionRegistry.layer(), log.layer])
        )
      )
    )
  })
})

describe("The garbage collector", () => {
  it.live("finds what an abandoned scope holds, which is then taken back", () => {
    const stock = new Stock()
    const abandon = Effect.gen(function*() {
      const forgotten = yield* Scope.make()
      const kept = yield* Scope.make()
      yield* Scope.provide(Session.acquire({ kind: "slow", name: "forgotten" }, stock.take, stock.put), forgotten)
      yield* Scope.provide(Session.acquire({ kind: "slow", name: "kept" }, stock.take, stock.put), kept)
      return kept
    })
    return Effect.gen(function*() {
      const kept = yield* Fiber.join(yield* Effect.forkChild(abandon))
      let found: ReadonlyArray<SessionRegistry.Leak> = []
      yield* collectUntil(Effect.map(SessionRegistry.leaks, (leaks) => (found = leaks).length > 0))
      assert.deepStrictEqual(found.map(({ reason, session }) => [reason, session.name]), [["owner gone", "forgotten"]])
      yield* Effect.forEach(found, SessionLeaks.reclaim)
      assert.deepStrictEqual(stock.returned, [1])
      yield* Scope.close(kept, Exit.void)
      assert.strictEqual(stock.out.size, 0)
    }).pipe(Effect.provide([SessionRegistry.layer({ sampleAll: true }), logged().layer]))
  }, 20_000)

  it.live.each<readonly [string, (stream: Stream.Stream<number>) => Stream.Stream<number, unknown>]>([
    ["a stream", Session.scopedStream(info)],
    ["one inside of a limit", (stream) => Deadline.withinStream("1 hour")(Session.scopedStream(info)(stream))],
    ["one around a limit", (stream) => Session.scopedStream(info)(Deadline.withinStream("1 hour")(stream))]
  ])("finds that the reader of %s is gone", ([, wrap]) => {
    const stock = new Stock()
    const numbers = Stream.rechunk(Stream.range(1, 3), 1)
    const held = Stream.unwrap(Effect.as(Effect.acquireRelease(stock.take, stock.put), numbers))
    const read = Effect.gen(function*() {
      const pull = yield* Scope.provide(Stream.toPull(wrap(held)), yield* Scope.make())
      yield* pull
      return pull
    })
    return Effect.gen(function*() {
      yield* Effect.asVoid(read)
      const kept = yield* read
      let found: ReadonlyArray<SessionRegistry.Leak> = []
      yield* collectUntil(Effect.map(SessionRegistry.leaks, (leaks) => (found = leaks).length > 0))
      yield* Effect.forEach(found, SessionLeaks.reclaim)
      assert.deepStrictEqual([found.map(({ reason }) => reason), stock.returned], [["owner gone"], [1]])
      yield* kept
      assert.strictEqual(stock.out.size, 1)
    }).pipe(Effect.provide([SessionRegistry.layer({ sampleAll: true }), logged().layer]))
  }, 20_000)
})
