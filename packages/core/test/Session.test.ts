import * as Session from "@clawback/core/Session"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { atEach, interruptAt, turn } from "./Moments.ts"
import { Stock } from "./Stock.ts"

const kinds = Effect.map(SessionRegistry.list(), (sessions) => sessions.map((session) => session.kind))
const info = { kind: "thing", name: "one" }
const isolated = Effect.provide(SessionRegistry.layer())

const reasons = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isSuccess(exit) ? [] : exit.cause.reasons.map((reason) => {
    if (Cause.isFailReason(reason)) return reason.error
    return Cause.isDieReason(reason) ? reason.defect : "interrupted"
  })

const held = (stock: Stock, kind = "thing") => Session.acquire({ kind, name: "one" }, stock.take, stock.put)

describe("Session.use", () => {
  it.effect("is open while its function runs, and closed after", () =>
    Effect.gen(function*() {
      const during = yield* Session.use(info, Effect.void, () => Effect.void, () => kinds)
      assert.deepStrictEqual([during, yield* kinds], [["thing"], []])
    }).pipe(isolated))

  it.effect("is open until its release has ended", () =>
    Effect.gen(function*() {
      let during: ReadonlyArray<string> = []
      const look = Effect.map(kinds, (now) => {
        during = now
      })
      yield* Session.use(info, Effect.void, () => look, () => Effect.void)
      assert.deepStrictEqual(during, ["thing"])
    }).pipe(isolated))

  it.effect("never opens where nothing was acquired", () =>
    Effect.gen(function*() {
      let released = false
      const release = () =>
        Effect.sync(() => {
          released = true
        })
      const exit = yield* Effect.exit(Session.use(info, Effect.fail("none left"), release, () => Effect.void))
      assert.deepStrictEqual([exit, released, yield* kinds], [Exit.fail("none left"), false, []])
    }).pipe(isolated))

  it.effect("passes its exit to its release", () =>
    Effect.gen(function*() {
      const ended: Array<Exit.Exit<number, unknown>> = []
      const run = (f: Effect.Effect<number, string>) =>
        Effect.exit(Session.use(
          info,
          Effect.void,
          (_, exit) =>
            Effect.sync(() => {
              ended.push(exit)
            }),
          () => f
        ))
      yield* run(Effect.succeed(1))
      yield* run(Effect.fail("no"))
      yield* run(Effect.die("defect"))
      const fiber = yield* Effect.forkChild(run(Effect.never), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(ended.slice(0, 3), [Exit.succeed(1), Exit.fail("no"), Exit.die("defect")])
      assert.isTrue(Exit.hasInterrupts(ended[3]!))
      assert.deepStrictEqual(yield* kinds, [])
    }).pipe(isolated))

  it.effect("releases once, at any moment of interruption", () =>
    atEach((moment) =>
      Effect.gen(function*() {
        const stock = new Stock()
        const work = Effect.andThen(Effect.yieldNow, Effect.yieldNow)
        yield* interruptAt(moment)(Session.use(info, stock.take, stock.put, () => work))
        assert.deepStrictEqual([stock.out.size, stock.returned.length, yield* kinds], [0, stock.taken, []])
      })
    ).pipe(isolated), 20_000)

  it.effect("releases once if its function throws before it returns an effect", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const exit = yield* Effect.exit(Session.use(info, stock.take, stock.put, (): Effect.Effect<void> => {
        throw new Error("not even an effect")
      }))
      assert.isTrue(Exit.hasDies(exit))
      assert.deepStrictEqual([stock.returned, yield* kinds], [[1], []])
    }).pipe(isolated))

  it.effect("closes when its release dies, and the first error stands beside the defect", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(
        Session.use(info, Effect.void, () => Effect.die("release"), () => Effect.fail("first"))
      )
      // Beside a defect, Effect turns a typed failure into a defect as well.
      assert.deepStrictEqual(reasons(exit), ["first", "release"])
      assert.deepStrictEqual(yield* kinds, [])
    }).pipe(isolated))

  it.effect("closes when its release throws before it returns an effect", () =>
    Effect.gen(function*() {
      const bug = new Error("not even an effect")
      const exit = yield* Effect.exit(Session.use(info, Effect.void, (): Effect.Effect<void> => {
        throw bug
      }, () => Effect.fail("first")))
      assert.deepStrictEqual(reasons(exit), ["first", bug])
      assert.deepStrictEqual(yield* kinds, [])
    }).pipe(isolated))

  it.effect("can be interrupted in its function, not in its acquisition", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const stock = new Stock()
      const fiber = yield* Effect.forkChild(
        Session.use(info, Effect.andThen(Deferred.await(gate), stock.take), stock.put, () => Effect.never)
      )
      yield* turn(3)
      const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* turn(3)
      assert.isUndefined(fiber.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(interruption)
      assert.deepStrictEqual(stock.returned, [1])
    }).pipe(isolated))
})

describe("Sessions inside of sessions", () => {
  it.effect("what is opened inside is a child, and lists its parent's id", () =>
    Effect.gen(function*() {
      const listed = yield* Session.scoped({ kind: "outer", name: "o" })(
        Session.scoped({ kind: "middle", name: "m" })(
          Session.scoped({ kind: "inner", name: "i" })(SessionRegistry.list())
        )
      )
      const ids = listed.map((session) => session.id)
      assert.deepStrictEqual(listed.map((session) => session.kind), ["outer", "middle", "inner"])
      assert.deepStrictEqual(listed.map((session) => session.parent), [undefined, ids[0], ids[1]])
    }).pipe(isolated))

  it.effect("a session opened after a child has ended is a child of the same parent", () =>
    Effect.gen(function*() {
      const current = Effect.map(Session.Current, (session) => session?.kind)
      const seen = yield* Session.scoped({ kind: "outer", name: "o" })(
        Effect.all([current, Session.scoped({ kind: "inner", name: "i" })(current), current])
      )
      assert.deepStrictEqual([...seen, yield* current], ["outer", "inner", "outer", undefined])
    }).pipe(isolated))

  it.effect("a child of a child of a fiber that was forked inside belongs to the session too", () =>
    Effect.gen(function*() {
      const parents = yield* Session.scoped({ kind: "outer", name: "o" })(
        Effect.flatMap(Effect.forkChild(Session.scoped(info)(SessionRegistry.list())), Fiber.join)
      )
      assert.strictEqual(parents[1]?.parent, parents[0]?.id)
    }).pipe(isolated))

  it.effect("children are released before their parent, the last one first", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const leave = (name: string) =>
        Effect.sync(() => {
          order.push(name)
        })
      const child = (name: string) => Session.acquire({ kind: "child", name }, Effect.void, () => leave(name))
      yield* Session.use({ kind: "parent", name: "p" }, Effect.void, () =>
        leave("parent"), () =>
        Session.scoped({ kind: "group", name: "g" })(Effect.andThen(child("a"), child("b"))))
      assert.deepStrictEqual(order, ["b", "a", "parent"])
    }).pipe(isolated))

  it.effect(
    "while a parent lets go, none of its children is open any more",
    () =>
      atEach((moment) =>
        Effect.gen(function*() {
          const stock = new Stock()
          let left: ReadonlyArray<string> | undefined
          const parent = Session.use(
            { kind: "parent", name: "p" },
            Effect.void,
            () =>
              Effect.map(kinds, (now) => {
                left = now
              }),
            () => Session.scoped({ kind: "group", name: "g" })(Effect.andThen(held(stock), held(stock)))
          )
          yield* interruptAt(moment)(parent)
          assert.include([undefined, "parent"], left?.join())
          assert.deepStrictEqual([stock.out.size, stock.returned.length, yield* kinds], [0, stock.taken, []])
        })
      ).pipe(isolated),
    20_000
  )
})

describe("Session.scoped", () => {
  it.effect("holds what its effect acquires until that ends", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const out = yield* Session.scoped({ kind: "group", name: "g" })(
        Effect.map(Effect.andThen(held(stock), held(stock)), () => stock.out.size)
      )
      assert.deepStrictEqual([out, stock.returned, yield* kinds], [2, [2, 1], []])
    }).pipe(isolated))

  it.effect("passes the failure of its effect on, and still gives everything back", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const failing = (end: Effect.Effect<never, string>) =>
        Effect.exit(Session.scoped({ kind: "group", name: "g" })(Effect.andThen(held(stock), end)))
      assert.deepStrictEqual(yield* failing(Effect.fail("no")), Exit.fail("no"))
      assert.deepStrictEqual(yield* failing(Effect.die("defect")), Exit.die("defect"))
      assert.deepStrictEqual([stock.taken, stock.returned, yield* kinds], [2, [1, 2], []])
    }).pipe(isolated))
})

describe("Session.acquire", () => {
  it.effect("is open until the surrounding scope closes", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const scope = yield* Scope.make()
      const handle = yield* Scope.provide(held(stock), scope)
      assert.deepStrictEqual([handle.value, handle.session.isOpen, yield* kinds], [1, true, ["thing"]])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([stock.returned, handle.session.isOpen, yield* kinds], [[1], false, []])
    }).pipe(isolated))

  it.effect("releases at once in a scope that is already closed", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      const handle = yield* Scope.provide(held(stock), scope)
      assert.deepStrictEqual([stock.returned, handle.session.isOpen, yield* kinds], [[1], false, []])
    }).pipe(isolated))

  it.effect("releases once, at any moment of interruption", () =>
    atEach((moment) =>
      Effect.gen(function*() {
        const stock = new Stock()
        yield* interruptAt(moment)(Effect.scoped(Effect.andThen(held(stock), held(stock))))
        assert.deepStrictEqual([stock.out.size, stock.returned.length, yield* kinds], [0, stock.taken, []])
      })
    ).pipe(isolated), 20_000)

  it.effect(
    "an interrupted acquisition leaves nothing that the scope does not give back",
    () =>
      atEach((moment) =>
        Effect.gen(function*() {
          const stock = new Stock()
          const scope = yield* Scope.make()
          yield* interruptAt(moment)(Scope.provide(held(stock), scope))
          assert.lengthOf(yield* kinds, stock.out.size)
          yield* Scope.close(scope, Exit.void)
          assert.deepStrictEqual([stock.out.size, stock.returned.length, yield* kinds], [0, stock.taken, []])
        })
      ).pipe(isolated),
    20_000
  )

  it.effect("closes when its release throws or dies, and the scope goes on with the others", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const dying = Session.acquire(info, Effect.void, () => Effect.die("release"))
      const throwing = Session.acquire(info, Effect.void, (): Effect.Effect<void> => {
        throw new Error("not even an effect")
      })
      yield* Effect.exit(Effect.scoped(Effect.all([held(stock), dying, throwing])))
      assert.deepStrictEqual([stock.returned, yield* kinds], [[1], []])
    }).pipe(isolated))
})

const acquiring = (stock: Stock) =>
  Stream.unwrap(
    Effect.as(held(stock, "inner"), Stream.range(1, 3).pipe(Stream.rechunk(1), Stream.tap(() => Effect.yieldNow)))
  )

describe("Session.scopedStream", () => {
  const stream = Session.scopedStream({ kind: "stream", name: "s" })

  it.effect("is not open before the first pull, and closed after the end", () =>
    Effect.gen(function*() {
      const numbers = stream(Stream.fromArray([1, 2, 3]).pipe(Stream.rechunk(1), Stream.mapEffect(() => kinds)))
      assert.deepStrictEqual(yield* kinds, [])
      assert.deepStrictEqual(yield* Stream.runCollect(numbers), [["stream"], ["stream"], ["stream"]])
      assert.deepStrictEqual(yield* kinds, [])
    }).pipe(isolated))

  it.effect("is one session for each run", () =>
    Effect.gen(function*() {
      const ids = stream(Stream.fromEffect(Effect.map(Session.Current, (session) => session?.id)))
      assert.deepStrictEqual([yield* Stream.runCollect(ids), yield* Stream.runCollect(ids)], [[1], [2]])
    }).pipe(isolated))

  it.effect("is closed when the stream fails, when the reader takes no more, and when the reader fails", () =>
    Effect.gen(function*() {
      const naturals = Stream.iterate(0, (n) => n + 1).pipe(Stream.rechunk(1))
      const failed = yield* Effect.exit(Stream.runDrain(stream(Stream.concat(Stream.make(1), Stream.fail("no")))))
      assert.deepStrictEqual([failed, yield* kinds], [Exit.fail("no"), []])
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(stream(naturals), 1)), [0])
      assert.deepStrictEqual(yield* kinds, [])
      yield* Effect.exit(Stream.runForEach(stream(naturals), () => Effect.fail("reader")))
      assert.deepStrictEqual(yield* kinds, [])
    }).pipe(isolated))

  it.effect("what the stream acquires is a child, and released before it", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const [listed] = yield* Stream.runCollect(
        stream(Stream.mapEffect(acquiring(stock), () => SessionRegistry.list()))
      )
      assert.deepStrictEqual(listed?.map((session) => session.parent), [undefined, listed?.[0]?.id])
      const closed = yield* SessionRegistry.changes.pipe(
        Stream.filter((change) => change._tag === "Closed"),
        Stream.map((change) => change.session.kind),
        Stream.take(2),
        Stream.runCollect,
        Effect.forkChild
      )
      yield* turn(3)
      yield* Stream.runDrain(Stream.take(stream(acquiring(stock)), 1))
      assert.deepStrictEqual(yield* Fiber.join(closed), ["inner", "stream"])
      assert.deepStrictEqual([stock.out.size, yield* kinds], [0, []])
    }).pipe(isolated))

  it.effect("what the effects of its elements acquire ends with it as well", () =>
    Effect.gen(function*() {
      const stock = new Stock()
      const out = Stream.range(1, 3).pipe(
        Stream.rechunk(1),
        Stream.mapEffect(() => held(stock)),
        Stream.map(() => stock.out.size)
      )
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(stream(out), 2)), [1, 2])
      assert.deepStrictEqual([stock.out.size, yield* kinds], [0, []])
    }).pipe(isolated))

  it.effect(
    "gives everything back whatever the moment of interruption",
    () =>
      atEach((moment) =>
        Effect.gen(function*() {
          const stock = new Stock()
          yield* interruptAt(moment)(Stream.runDrain(stream(acquiring(stock))))
          assert.deepStrictEqual([stock.out.size, stock.returned.length, yield* kinds], [0, stock.taken, []])
        })
      ).pipe(isolated),
    20_000
  )

  it.effect("what its reader opens while it has an element is not the stream's", () =>
    Effect.gen(function*() {
      const parents: Array<number | undefined> = []
      yield* Stream.runForEach(stream(Stream.make(1)), () =>
        Session.scoped(info)(
          Effect.map(Session.Current, (session) => {
            parents.push(session?.parent?.id)
          })
        ))
      assert.deepStrictEqual(parents, [undefined])
    }).pipe(isolated))
})

describe("The sweep over moments", () => {
  it.effect("finds the leak of a release that is registered a step too late", () =>
    Effect.gen(function*() {
      let leaks = 0
      yield* atEach((moment) =>
        Effect.gen(function*() {
          const stock = new Stock()
          const naive = Effect.flatMap(stock.take, (thing) => Effect.ensuring(Effect.yieldNow, stock.put(thing)))
          yield* interruptAt(moment)(Effect.repeat(naive, { times: 3 }))
          if (stock.out.size > 0) leaks++
        })
      )
      assert.isAbove(leaks, 0)
    }))
})
