/** What the streams have in common that run on a fiber of their own: in a session, under a limit, admitted. */
import * as Deadline from "@clawback/core/Deadline"
import * as Session from "@clawback/core/Session"
import * as SessionError from "@clawback/core/SessionError"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Shutdown from "@clawback/core/Shutdown"
import * as Timeouts from "@clawback/core/Timeouts"
import { assert, describe, it } from "@effect/vitest"
import { type Cause, Effect, Exit, Fiber, Layer, Option, Pull, Queue, Schema, Scope, Stream } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { TestClock } from "effect/testing"
import { atEach, settled, turn } from "./Moments.ts"
import { Stock } from "./Stock.ts"

const info = { kind: "feed", name: "numbers" }
const long = "1 hour"

type Streamed = Stream.Stream<number, unknown>

const session = Session.scopedStream(info)
const admitted = Shutdown.admitStream(info)
const timed = Timeouts.applyStream<number>({ timeouts: { firstToken: long, idle: long } })
const within = Deadline.withinStream(long)

const wrappers: ReadonlyArray<readonly [string, (stream: Streamed) => Streamed]> = [
  ["Session.scopedStream", (stream) => session(stream)],
  ["Shutdown.admitStream", (stream) => admitted(stream)],
  ["Timeouts.applyStream", (stream) => timed(stream)],
  ["Deadline.withinStream", (stream) => within(stream)],
  ["all of them", (stream) => within(session(admitted(timed(stream))))]
]

const isolated = Effect.provide(Layer.merge(SessionRegistry.layer(), Shutdown.layer()))

const none = Effect.map(SessionRegistry.counts, (counts) => assert.deepStrictEqual(counts, {}))

/** A stream that holds one thing for all of its elements and one for each. */
const holding = (stock: Stock): Streamed => {
  const hold = Effect.acquireRelease(stock.take, stock.put)
  const each = (n: number) => Stream.unwrap(Effect.as(hold, Stream.make(n)))
  return Stream.unwrap(Effect.as(hold, Stream.flatMap(Stream.rechunk(Stream.range(1, 3), 1), each)))
}

/** A pull of a stream in a scope of its own, which anyone can close. */
const opened = (stream: Streamed) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    return { scope, pull: yield* Scope.provide(Stream.toPull(stream), scope) }
  })

const isScopeClosed = (exit: Exit.Exit<unknown, unknown> | undefined): boolean => {
  const error = exit && Option.getOrUndefined(Exit.findErrorOption(exit))
  return error instanceof SessionError.SessionRevoked && error.reason === "its scope was closed"
}

const isDone = (exit: Exit.Exit<unknown, unknown> | undefined) =>
  exit !== undefined && Exit.isFailure(exit) && Pull.isDoneCause(exit.cause)

describe.each(wrappers)("%s, whose scope is closed by another fiber", (_, wrap) => {
  it.effect(
    "gives back everything whatever the moment, and ends its reader",
    () =>
      atEach(({ turns }) =>
        Effect.gen(function*() {
          const stock = new Stock()
          const scope = yield* Scope.make()
          const reader = yield* Effect.forkChild(Effect.gen(function*() {
            const pull = yield* Scope.provide(Stream.toPull(wrap(holding(stock))), scope)
            return yield* Effect.forever(pull)
          }))
          yield* turn(turns)
          yield* Scope.close(scope, Exit.void)
          const exit = yield* settled(reader)
          assert.isTrue(isDone(exit) || isScopeClosed(exit), String(exit))
          assert.deepStrictEqual([stock.out.size, stock.returned.length], [0, stock.taken])
          yield* none
        })
      ).pipe(isolated),
    20_000
  )

  it.effect("does not start after that, and its error says why", () =>
    Effect.gen(function*() {
      let hasBegun = false
      const { pull, scope } = yield* opened(wrap(Stream.fromEffect(Effect.sync(() => {
        hasBegun = true
        return 1
      }))))
      yield* Scope.close(scope, Exit.void)
      const exits = [yield* Effect.exit(pull), yield* Effect.exit(pull)]
      assert.deepStrictEqual([exits.every(isScopeClosed), hasBegun], [true, false])
      yield* none
    }).pipe(isolated))

  it.effect("ends while its reader waits, or is away", () =>
    Effect.gen(function*() {
      const busy = yield* opened(wrap(Stream.concat(Stream.make(1), Stream.never)))
      yield* busy.pull
      const idle = yield* opened(wrap(Stream.never))
      const waiting = yield* Effect.forkChild(idle.pull)
      yield* turn(10)
      for (const { scope } of [busy, idle]) yield* Scope.close(scope, Exit.void)
      assert.isTrue(isScopeClosed(yield* settled(waiting)))
      assert.isTrue(isScopeClosed(yield* Effect.exit(busy.pull)))
      yield* none
    }).pipe(isolated))

  it.effect("ends also where it is the stream itself that closes it", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const stream = wrap(Stream.fromEffect(Effect.as(Scope.close(scope, Exit.void), 1)))
      const reader = yield* Effect.forkChild(
        Effect.flatMap(Scope.provide(Stream.toPull(stream), scope), (pull) => pull)
      )
      assert.isTrue(isScopeClosed(yield* settled(reader)))
      yield* none
    }).pipe(isolated))

  it.effect("has what it holds released as the scope is: with success, where it succeeded", () =>
    Effect.gen(function*() {
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      const hold = Effect.acquireRelease(Effect.void, (_, exit) => Effect.sync(() => exits.push(exit)))
      const stream = wrap(Stream.unwrap(Effect.as(hold, Stream.rechunk(Stream.range(1, 2), 1))))
      yield* Stream.runDrain(Stream.take(stream, 1))
      yield* Stream.runDrain(stream)
      assert.deepStrictEqual(exits, [Exit.void, Exit.void])
    }).pipe(isolated))
})

const Search = Tool.make("search", {
  description: "searches",
  parameters: Schema.Struct({ q: Schema.String }),
  success: Schema.String
})
const tools = Toolkit.make(Search)
const handlers = tools.toLayer({
  search: ({ q }, { preliminary }) =>
    Effect.gen(function*() {
      for (const part of ["1 of 2", "2 of 2"]) {
        yield* turn(3)
        yield* preliminary(part)
      }
      yield* turn(3)
      return `found ${q}`
    })
})

const results = (wrap: (stream: Streamed) => Streamed) =>
  Effect.gen(function*() {
    const seen: Array<unknown> = []
    const { handle } = yield* tools
    const numbered = Stream.unwrap(handle("search", { q: "leaks" })).pipe(
      Stream.map(({ result }) => seen.push(result))
    )
    yield* Stream.runDrain(wrap(numbered as Streamed))
    return seen
  })

describe.each(wrappers)("%s", (_, wrap) => {
  it.effect("lets live what the stream forks, for as long as it is read and no longer", () =>
    Effect.gen(function*() {
      let ended = ""
      const numbers = Stream.unwrap(Effect.gen(function*() {
        const queue = yield* Queue.make<number, Cause.Done>()
        yield* Effect.forkChild(
          Effect.gen(function*() {
            for (let n = 1;; n++) {
              yield* turn(3)
              yield* Queue.offer(queue, n)
            }
          }).pipe(Effect.onInterrupt(() => Effect.sync(() => ended = "interrupted")))
        )
        return Stream.fromQueue(queue)
      }))
      const seen = yield* Stream.runCollect(Stream.take(wrap(Stream.rechunk(numbers, 1)), 3))
      assert.deepStrictEqual([seen, ended], [[1, 2, 3], "interrupted"])
    }).pipe(isolated))

  it.effect("passes on all results of a tool, whose handler Effect forks", () =>
    Effect.gen(function*() {
      const plain = yield* results((stream) => stream)
      assert.deepStrictEqual(plain, ["1 of 2", "2 of 2", "found leaks"])
      assert.deepStrictEqual(yield* results(wrap), plain)
    }).pipe(isolated, Effect.provide(handlers)))

  it.effect("goes on where it was when a pull is interrupted", () =>
    Effect.gen(function*() {
      const numbers = Stream.rechunk(Stream.range(1, 4), 1).pipe(Stream.tap(() => Effect.sleep("1 second")))
      const { pull, scope } = yield* opened(wrap(numbers))
      const seen: Array<number> = []
      for (const stay of [500, 300, 1200, 1000, 200, 5000]) {
        const reader = yield* Effect.forkChild(pull)
        yield* TestClock.adjust(stay)
        yield* Fiber.interrupt(reader)
        const exit = yield* Fiber.await(reader)
        if (Exit.isSuccess(exit)) seen.push(...exit.value)
      }
      assert.deepStrictEqual(seen, [1, 2, 3])
      yield* Scope.close(scope, Exit.void)
      yield* none
    }).pipe(isolated))
})

describe("Session.scopedStream", () => {
  it.effect("is released when the stream ends, though its reader is away", () =>
    Effect.gen(function*() {
      const { pull } = yield* opened(
        session(Stream.fromEffect(Effect.andThen(Effect.sleep("1 second"), Effect.fail("no"))))
      )
      const reader = yield* Effect.forkChild(pull)
      yield* TestClock.adjust(500)
      yield* Fiber.interrupt(reader)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { feed: 1 })
      yield* TestClock.adjust(500)
      yield* none
      assert.deepStrictEqual(yield* Effect.exit(pull), Exit.fail("no"))
    }).pipe(isolated))
})
