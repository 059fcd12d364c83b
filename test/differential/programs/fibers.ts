/** Programs that fork, share and hand over. */
import { type Cause, Deferred, Effect, Fiber, FiberSet, Queue, Semaphore, Stream } from "effect"
import { effect, type Program, stream } from "../program.ts"

/** Puts a number into a queue every 20 milliseconds, and ends it. */
const producer = (queue: Queue.Queue<number, Cause.Done>, count = 4) =>
  Effect.gen(function*() {
    for (let i = 1; i <= count; i++) {
      yield* Effect.sleep(20)
      yield* Queue.offer(queue, i)
    }
    yield* Queue.end(queue)
  })

const fromFork = (fork: (work: Effect.Effect<void>) => Effect.Effect<unknown, never, never>) =>
  Stream.unwrap(Effect.gen(function*() {
    const queue = yield* Queue.unbounded<number, Cause.Done>()
    yield* fork(producer(queue))
    return Stream.fromQueue(queue)
  }))

export const programs: ReadonlyArray<Program> = [
  stream("fork", "a producer that is a child of who opens", () => fromFork(Effect.forkChild)),
  stream("fork", "a producer in the stream's scope", ({ hold }) =>
    Stream.unwrap(Effect.gen(function*() {
      const queue = yield* Queue.unbounded<number, Cause.Done>()
      yield* Effect.forkScoped(Effect.scoped(Effect.andThen(hold("pen"), producer(queue))))
      return Stream.fromQueue(queue)
    }))),
  stream("fork", "a producer on its own", () => fromFork(Effect.forkDetach)),
  stream("fork", "a child that holds something", ({ hold }) =>
    Stream.unwrap(Effect.gen(function*() {
      const queue = yield* Queue.bounded<number, Cause.Done>(1)
      yield* Effect.forkChild(Effect.scoped(Effect.andThen(hold("pen"), producer(queue))))
      return Stream.fromQueue(queue)
    }))),
  stream("fork", "a child for each element", ({ hold }) =>
    Stream.make(1, 2, 3).pipe(
      Stream.rechunk(1),
      Stream.mapEffect((n) =>
        Effect.flatMap(
          Effect.forkChild(Effect.scoped(Effect.andThen(hold(`of ${n}`), Effect.as(Effect.sleep(10 * n), n)))),
          Fiber.join
        )
      )
    )),
  stream("fork", "a child that the next pull asks", () =>
    Stream.unwrap(Effect.gen(function*() {
      const questions = yield* Queue.unbounded<number>()
      const answers = yield* Queue.unbounded<string>()
      yield* Effect.forkChild(
        Effect.forever(Effect.flatMap(Queue.take(questions), (n) => Queue.offer(answers, `answer ${n}`)))
      )
      return Stream.make(1, 2, 3).pipe(
        Stream.rechunk(1),
        Stream.mapEffect((n) => Effect.andThen(Queue.offer(questions, n), Queue.take(answers)))
      )
    }))),
  stream(
    "callback",
    "pushed from a fiber",
    ({ hold }) =>
      Stream.callback<number>((queue) =>
        Effect.andThen(Effect.orDie(hold("listener")), Effect.andThen(producer(queue, 3), Effect.never))
      )
  ),
  stream("callback", "pushed at once, through a narrow buffer", ({ hold }) =>
    Stream.callback<number>(
      (queue) =>
        Effect.andThen(
          Effect.orDie(hold("listener")),
          Effect.andThen(Queue.offerAll(queue, [1, 2, 3, 4]), Queue.end(queue))
        ),
      { bufferSize: 1, strategy: "suspend" }
    )),
  stream("broadcast", "read by two", ({ hold }) =>
    Stream.unwrap(Effect.gen(function*() {
      const [one, other] = yield* Stream.broadcastN(
        Stream.unwrap(Effect.as(hold("source"), Stream.make(1, 2, 3).pipe(Stream.tap(() => Effect.sleep(5))))),
        { n: 2, capacity: 4 }
      )
      return Stream.concat(one, other)
    }))),
  stream(
    "broadcast",
    "a wrapped source, read by two at a time",
    ({ hold, wrap }) =>
      Stream.unwrap(Effect.gen(function*() {
        const source = Stream.unwrap(
          Effect.as(hold("source"), Stream.make(1, 2, 3).pipe(Stream.tap(() => Effect.sleep(5))))
        )
        const [one, other] = yield* Stream.broadcastN(wrap.stream(source), { n: 2, capacity: 4 })
        return Stream.zip(one, other)
      }))
  ),
  stream("share", "one source for who comes and goes", ({ hold, wrap }) =>
    Stream.unwrap(Effect.gen(function*() {
      const source = Stream.unwrap(Effect.as(hold("source"), Stream.tick(10).pipe(Stream.map((_, i) => i))))
      const shared = yield* Stream.share(wrap.stream(source), { capacity: 4 })
      return Stream.concat(Stream.take(shared, 2), Stream.take(shared, 1))
    }))),
  stream("queue", "a stream that is read into a queue", ({ hold, wrap }) =>
    Stream.unwrap(Effect.gen(function*() {
      const source = Stream.unwrap(
        Effect.as(hold("source"), Stream.make(1, 2, 3).pipe(Stream.tap(() => Effect.sleep(5))))
      )
      return Stream.fromQueue(yield* Stream.toQueue(wrap.stream(source), { capacity: 2 }))
    }))),
  effect("fork", "children that are joined", ({ hold, say }) =>
    Effect.gen(function*() {
      const fibers = yield* Effect.forEach(
        [["one", 20], ["other", 10]] as const,
        ([name, wait]) =>
          Effect.forkChild(Effect.scoped(Effect.andThen(hold(name), Effect.andThen(Effect.sleep(wait), say(name)))))
      )
      yield* Fiber.joinAll(fibers)
    })),
  effect("fork", "a child that nobody joins", ({ hold, say }) =>
    Effect.gen(function*() {
      yield* Effect.forkChild(Effect.scoped(Effect.andThen(hold("child"), Effect.never)))
      yield* Effect.sleep(10)
      yield* say("done")
    })),
  effect("fork", "a fiber of the scope", ({ hold, say }) =>
    Effect.gen(function*() {
      yield* Effect.forkScoped(Effect.scoped(Effect.andThen(hold("child"), Effect.sleep(20))))
      yield* Effect.sleep(10)
      yield* say("done")
    }), { modes: ["interrupt", "close", "revoke"] }),
  effect("fork", "a fiber on its own", ({ hold, say }) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkDetach(Effect.scoped(Effect.andThen(hold("child"), Effect.sleep(20))))
      yield* Effect.sleep(10)
      yield* say("done")
      yield* Fiber.join(fiber)
    })),
  effect("fork", "a set of fibers", ({ hold, say }) =>
    Effect.gen(function*() {
      const set = yield* FiberSet.make()
      for (const n of [1, 2, 3]) {
        yield* FiberSet.run(set, Effect.scoped(Effect.andThen(hold(`${n}`), Effect.sleep(10 * n))))
      }
      yield* FiberSet.awaitEmpty(set)
      yield* say("all done")
    }), { modes: ["interrupt", "close", "revoke"] }),
  effect("hand-over", "a value that another fiber sets", ({ hold, say, wrap }) =>
    Effect.gen(function*() {
      const box = yield* Deferred.make<number>()
      yield* Effect.forkChild(Effect.andThen(Effect.sleep(10), Deferred.succeed(box, 7)))
      yield* Effect.scoped(Effect.andThen(hold("a"), Effect.flatMap(Deferred.await(box), say))).pipe(wrap.effect)
    })),
  effect("hand-over", "a queue between two fibers", ({ hold, say, wrap }) =>
    Effect.gen(function*() {
      const queue = yield* Queue.bounded<number, Cause.Done>(1)
      const writer = Effect.scoped(Effect.andThen(hold("writer"), Queue.offerAll(queue, [1, 2, 3])))
      yield* Effect.forkChild(Effect.andThen(wrap.effect(writer), Queue.end(queue)))
      yield* Stream.runForEach(Stream.fromQueue(queue), say)
    })),
  effect("hand-over", "a permit that is passed on", ({ hold, say, wrap }) =>
    Effect.gen(function*() {
      const semaphore = yield* Semaphore.make(1)
      const work = (n: number) =>
        semaphore.withPermit(
          wrap.effect(Effect.scoped(Effect.andThen(hold(`${n}`), Effect.andThen(Effect.sleep(5), say(n)))))
        )
      yield* Effect.all([work(1), work(2), work(3)], { concurrency: "unbounded", discard: true })
    })),
  effect("cached", "computed once for two", ({ hold, say, wrap }) =>
    Effect.gen(function*() {
      const cached = yield* Effect.cached(
        wrap.effect(Effect.scoped(Effect.andThen(hold("a"), Effect.as(Effect.sleep(10), 7))))
      )
      const both = yield* Effect.all([cached, cached], { concurrency: "unbounded" })
      yield* say(both)
    })),
  effect("cached", "computed by one who is interrupted", ({ hold, say, wrap }) =>
    Effect.gen(function*() {
      const cached = yield* Effect.cached(
        wrap.effect(Effect.scoped(Effect.andThen(hold("a"), Effect.as(Effect.sleep(10), 7))))
      )
      const first = yield* Effect.forkChild(cached, { startImmediately: true })
      yield* Effect.sleep(5)
      yield* Fiber.interrupt(first)
      yield* say(yield* Effect.exit(Effect.timeoutOption(cached, 100)))
    }))
]
