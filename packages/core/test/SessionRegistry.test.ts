import * as Session from "@clawback/core/Session"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { kernelOf } from "../src/internal/session/kernel.ts"
import { turn } from "./Moments.ts"

const openIn = (
  registry: SessionRegistry.SessionRegistry,
  info: Session.Info,
  fiber: Fiber.Fiber<unknown, unknown>
): Session.Session => {
  const opened = kernelOf(registry).open(info, fiber, undefined)
  return "isOpen" in opened ? opened : assert.fail(opened.message)
}

const isolated = Effect.provide(SessionRegistry.layer())
const open = (kind: string, name = "one") => Session.acquire({ kind, name }, Effect.void, () => Effect.void)
const names = (filter?: SessionRegistry.Filter) =>
  Effect.map(SessionRegistry.list(filter), (sessions) => sessions.map(({ name }) => name))

const kindsAndNames = (filter: SessionRegistry.Filter) =>
  Effect.map(SessionRegistry.list(filter), (sessions) => sessions.map(({ kind, name }) => kind + name))

const group = (name: string) => Session.scoped({ kind: "group", name })

describe("SessionRegistry.list", () => {
  it.effect("lists what is open, oldest first, without what was closed", () =>
    Effect.gen(function*() {
      yield* open("a", "first")
      yield* Effect.scoped(open("a", "closed"))
      yield* open("b", "second")
      yield* open("a", "third")
      assert.deepStrictEqual(yield* names(), ["first", "second", "third"])
    }).pipe(isolated))

  it.effect("filters by kind, by name, and by both", () =>
    Effect.gen(function*() {
      yield* open("a", "x")
      yield* open("b", "x")
      yield* open("a", "y")
      assert.deepStrictEqual(yield* kindsAndNames({ kind: "a" }), ["ax", "ay"])
      assert.deepStrictEqual(yield* kindsAndNames({ name: "x" }), ["ax", "bx"])
      assert.deepStrictEqual(yield* kindsAndNames({ kind: "a", name: "x" }), ["ax"])
      assert.deepStrictEqual(yield* kindsAndNames({ kind: "c" }), [])
    }).pipe(isolated))

  it.effect("filters by age, the limit included", () =>
    Effect.gen(function*() {
      yield* open("a", "old")
      yield* TestClock.adjust("10 seconds")
      yield* open("a", "young")
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* names({ olderThan: "15 seconds" }), ["old"])
      assert.deepStrictEqual(yield* names({ olderThan: "15001 millis" }), [])
      assert.deepStrictEqual(yield* names({ olderThan: "5 seconds" }), ["old", "young"])
      const ages = (yield* SessionRegistry.list()).map(({ age }) => Duration.toMillis(age))
      assert.deepStrictEqual(ages, [15_000, 5_000])
    }).pipe(isolated))

  it.effect("finds what was opened within a session, at any depth, and the session itself", () =>
    Effect.gen(function*() {
      yield* open("a", "outside")
      const [all, inner] = yield* group("outer")(Effect.andThen(
        open("a", "child"),
        group("inner")(Effect.andThen(
          open("a", "grandchild"),
          Effect.flatMap(SessionRegistry.list(), (listed) => {
            const within = (name: string) => names({ within: listed.find((session) => session.name === name)!.id })
            return Effect.all([within("outer"), within("inner")])
          })
        ))
      ))
      assert.deepStrictEqual(all, ["outer", "child", "inner", "grandchild"])
      assert.deepStrictEqual(inner, ["inner", "grandchild"])
    }).pipe(isolated))

  it.effect("finds a grandchild whose parent is closed already", () =>
    Effect.gen(function*() {
      const left = yield* Scope.make()
      const within = yield* Session.scoped({ kind: "group", name: "outer" })(Effect.gen(function*() {
        const outer = yield* Session.Current
        yield* Session.use({ kind: "group", name: "inner" }, Effect.void, () =>
          Effect.void, () =>
          Scope.provide(open("a", "left over"), left))
        return yield* names({ within: outer!.id })
      }))
      assert.deepStrictEqual(within, ["outer", "left over"])
      yield* Scope.close(left, Exit.void)
    }).pipe(isolated))

  it.effect("lists its opener: the fiber and the span", () =>
    Effect.gen(function*() {
      yield* open("a", "alone")
      const span = yield* Effect.andThen(open("a", "traced"), Effect.currentSpan).pipe(Effect.withSpan("work"))
      const fiber = yield* Effect.withFiber((self) => Effect.succeed(self.id))
      assert.deepStrictEqual((yield* SessionRegistry.list()).map(({ owner: { fiber, span } }) => ({ fiber, span })), [
        { fiber, span: undefined },
        { fiber, span: { traceId: span.traceId, spanId: span.spanId } }
      ])
    }).pipe(isolated))

  it.effect("shows attributes, an empty record where there are none", () =>
    Effect.gen(function*() {
      yield* open("a")
      yield* Session.acquire(
        { kind: "b", name: "one", attributes: { model: "m" } },
        Effect.void,
        () => Effect.void
      )
      assert.deepStrictEqual((yield* SessionRegistry.list()).map(({ attributes }) => attributes), [{}, { model: "m" }])
    }).pipe(isolated))
})

describe("SessionRegistry.get", () => {
  it.effect("finds an open session by its id, and no other", () =>
    Effect.gen(function*() {
      const { session } = yield* Session.acquire({ kind: "a", name: "one" }, Effect.void, () => Effect.void)
      const found = yield* SessionRegistry.get(session.id)
      assert.strictEqual(Option.getOrThrow(found).name, "one")
      assert.isTrue(Option.isNone(yield* SessionRegistry.get(session.id + 1)))
    }).pipe(Effect.scoped, isolated))
})

describe("SessionRegistry.counts", () => {
  it.effect("counts by kind, and leaves out what has come to none", () =>
    Effect.gen(function*() {
      yield* open("a")
      yield* open("b")
      yield* open("a")
      yield* Effect.scoped(open("c"))
      assert.deepStrictEqual(yield* SessionRegistry.counts, { a: 2, b: 1 })
    }).pipe(isolated))

  it.effect("counts any kind, even one that is named like a member of every object", () =>
    Effect.gen(function*() {
      yield* open("constructor")
      yield* open("__proto__")
      assert.deepStrictEqual(Object.entries(yield* SessionRegistry.counts), [["constructor", 1], ["__proto__", 1]])
    }).pipe(isolated))
})

describe("SessionRegistry.changes", () => {
  it.effect("emits openings and closings in order", () =>
    Effect.gen(function*() {
      const reader = yield* SessionRegistry.changes.pipe(
        Stream.map((change) => change._tag === "Missed" ? "" : `${change._tag} ${change.session.name}`),
        Stream.take(4),
        Stream.runCollect,
        Effect.forkChild
      )
      yield* turn(3)
      yield* Session.scoped({ kind: "a", name: "outer" })(open("a", "inner"))
      assert.deepStrictEqual(yield* Fiber.join(reader), [
        "Opened outer",
        "Opened inner",
        "Closed inner",
        "Closed outer"
      ])
    }).pipe(isolated))

  it.effect("emits the age of a session when it closes", () =>
    Effect.gen(function*() {
      const reader = yield* SessionRegistry.changes.pipe(
        Stream.filter((change) => change._tag === "Closed"),
        Stream.runHead,
        Effect.forkChild
      )
      yield* turn(3)
      yield* Effect.scoped(Effect.andThen(open("a"), TestClock.adjust("3 seconds")))
      const change = yield* Effect.flatMap(Fiber.join(reader), Effect.fromOption)
      assert.deepStrictEqual(change.session.age, Duration.seconds(3))
    }).pipe(isolated))

  it.effect("two readers each see everything", () =>
    Effect.gen(function*() {
      const read = SessionRegistry.changes.pipe(Stream.map(({ _tag }) => _tag), Stream.take(2), Stream.runCollect)
      const readers = yield* Effect.forkChild(Effect.all([read, read], { concurrency: 2 }))
      yield* turn(3)
      yield* Effect.scoped(open("a"))
      assert.deepStrictEqual(yield* Fiber.join(readers), [["Opened", "Closed"], ["Opened", "Closed"]])
    }).pipe(isolated))

  it.effect("a reader that lags by more than 4,096 learns how many changes it missed, and where", () =>
    Effect.gen(function*() {
      const registry = yield* SessionRegistry.SessionRegistry
      const pull = yield* Stream.toPull(registry.changes)
      const first = yield* Effect.forkChild(pull)
      yield* turn(3)
      const openAndClose = Effect.withFiber((fiber) =>
        Effect.sync(() => {
          kernelOf(registry).close(openIn(registry, { kind: "a", name: "one" }, fiber))
        })
      )
      yield* openAndClose
      const early = yield* Fiber.join(first)
      yield* Effect.forEach(Array.from({ length: 2_999 }), () => openAndClose, { discard: true })
      const kept = yield* pull
      yield* openAndClose
      const late = yield* pull
      assert.deepStrictEqual(kept.at(-1), { _tag: "Missed", count: 6_000 - early.length - 4_096 })
      assert.deepStrictEqual([...early, ...kept].filter((change) => change._tag === "Missed").length, 1)
      assert.deepStrictEqual(late.map((change) => change._tag), ["Opened", "Closed"])
    }).pipe(isolated))

  it.effect("makes no changes after the reader has left", () =>
    Effect.gen(function*() {
      // Whether somebody listens shows in this: only then does the registry look at a session's span.
      let looks = 0
      const registry = yield* SessionRegistry.SessionRegistry
      const openOne = Effect.withFiber((fiber) =>
        Effect.sync(() => {
          const session = openIn(registry, { kind: "a", name: "one" }, fiber)
          Object.defineProperty(session, "span", {
            get: () => {
              looks++
            }
          })
          kernelOf(registry).close(session)
        })
      )
      const reader = yield* Effect.forkChild(Stream.runDrain(SessionRegistry.changes))
      yield* turn(3)
      yield* openOne
      const whileRead = looks
      yield* Fiber.interrupt(reader)
      yield* openOne
      yield* Stream.runDrain(Stream.take(SessionRegistry.changes, 0))
      yield* openOne
      assert.isAbove(whileRead, 0)
      assert.strictEqual(looks, whileRead)
    }).pipe(isolated))
})

describe("A filter's `within`", () => {
  const another = Effect.provide(SessionRegistry.layer())

  it.effect("interprets an id in its own registry only", () =>
    Effect.gen(function*() {
      // Both registries count from 1: inside of the outer session 1 stands the inner registry's session 1.
      yield* Session.scoped({ kind: "outer", name: "outer" })(
        Effect.gen(function*() {
          yield* open("a", "before")
          const { parent } = yield* group("inner")(Effect.gen(function*() {
            yield* open("a", "child")
            assert.deepStrictEqual(yield* names({ within: 1 }), ["before"])
            assert.deepStrictEqual(yield* names({ within: 2 }), ["inner", "child"])
            return (yield* SessionRegistry.list({ name: "inner" }))[0]!
          }))
          assert.isUndefined(parent)
        }).pipe(Effect.scoped, another)
      )
    }).pipe(isolated))

  it.effect("may be a session, of whatever registry", () =>
    Effect.gen(function*() {
      yield* Session.scoped({ kind: "outer", name: "outer" })(Effect.gen(function*() {
        const outer = yield* Session.Current
        yield* Effect.gen(function*() {
          yield* open("a", "child")
          yield* Effect.provideService(open("a", "stranger"), Session.Current, undefined)
          assert.deepStrictEqual(yield* names({ within: outer }), ["child"])
        }).pipe(Effect.scoped, another)
        assert.deepStrictEqual(yield* names({ within: outer }), ["outer"])
      }))
    }).pipe(isolated))
})

describe("SessionRegistry", () => {
  it.effect("closing a session twice changes nothing the second time", () =>
    Effect.gen(function*() {
      const registry = yield* SessionRegistry.SessionRegistry
      yield* open("a", "stays")
      const closed = yield* registry.changes.pipe(
        Stream.map((change) => change._tag),
        Stream.take(3),
        Stream.runCollect,
        Effect.forkChild
      )
      yield* turn(3)
      const twice = yield* Effect.withFiber((fiber) =>
        Effect.sync(() => {
          const session = openIn(registry, { kind: "a", name: "goes" }, fiber)
          return [kernelOf(registry).close(session), kernelOf(registry).close(session)]
        })
      )
      assert.deepStrictEqual([twice, yield* names()], [[true, false], ["stays"]])
      yield* open("a", "next")
      assert.deepStrictEqual(yield* Fiber.join(closed), ["Opened", "Closed", "Opened"])
    }).pipe(isolated))

  it.effect("a session of another registry is a stranger: closing it there changes nothing in either", () =>
    Effect.gen(function*() {
      const { session } = yield* open("a", "mine")
      yield* Effect.gen(function*() {
        const other = yield* SessionRegistry.SessionRegistry
        yield* open("a", "theirs")
        assert.isFalse(kernelOf(other).close(session))
        assert.deepStrictEqual(yield* names(), ["theirs"])
      }).pipe(Effect.provide(SessionRegistry.layer(), { local: true }))
      assert.deepStrictEqual([session.isOpen, yield* names()], [true, ["mine"]])
    }).pipe(isolated))

  it.effect("a layer of its own sees nothing from outside, and shows nothing to it", () =>
    Effect.gen(function*() {
      yield* open("a", "default")
      const inside = yield* Effect.andThen(open("a", "inside"), names()).pipe(Effect.scoped, isolated)
      assert.deepStrictEqual(inside, ["inside"])
      assert.include(yield* names(), "default")
      assert.notInclude(yield* names(), "inside")
    }))
})
