/** Streams that are put together out of others. */
import { Effect, Schedule, Stream } from "effect"
import { type Program, stream, type Tools } from "../program.ts"

/** Numbers, one after each wait. Different waits keep two of them from ever coming at the same moment. */
const ticks = (wait: number, from: number, to: number) =>
  Stream.fromIterable(Array.from({ length: to - from + 1 }, (_, i) => from + i)).pipe(
    Stream.rechunk(1),
    Stream.tap(() => Effect.sleep(wait))
  )

/** Numbers, and something that is held while they come. */
const held = ({ hold }: Tools, name: string, numbers: Stream.Stream<number, unknown>) =>
  Stream.unwrap(Effect.as(hold(name), numbers))

export const programs: ReadonlyArray<Program> = [
  stream(
    "merge",
    "two sources merged",
    (tools) => Stream.merge(held(tools, "a", ticks(10, 1, 3)), held(tools, "b", ticks(7, 11, 13)))
  ),
  stream("merge", "three sources merged, of which one fails", (tools) =>
    Stream.mergeAll([
      held(tools, "a", ticks(10, 1, 4)),
      held(tools, "b", Stream.concat(ticks(12, 11, 12), Stream.fail("b is broken"))),
      held(tools, "c", Stream.never)
    ], { concurrency: 3 })),
  stream(
    "merge",
    "merged until the left one ends",
    (tools) => Stream.merge(held(tools, "a", ticks(10, 1, 2)), held(tools, "b", Stream.never), { haltStrategy: "left" })
  ),
  stream("merge", "each of the merged is wrapped", ({ wrap, ...tools }) =>
    Stream.merge(
      wrap.stream(held({ wrap, ...tools }, "a", ticks(10, 1, 3))),
      wrap.stream(held({ wrap, ...tools }, "b", ticks(7, 11, 13)))
    )),
  stream(
    "race",
    "the faster of two",
    (tools) => Stream.race(held(tools, "a", ticks(10, 1, 3)), held(tools, "b", ticks(7, 11, 13)))
  ),
  stream(
    "race",
    "the one of three that says anything",
    (tools) =>
      Stream.raceAll(held(tools, "a", Stream.never), held(tools, "b", ticks(5, 1, 2)), held(tools, "c", Stream.never))
  ),
  stream(
    "zip",
    "two sources in step",
    (tools) => Stream.zip(held(tools, "a", ticks(10, 1, 3)), held(tools, "b", ticks(7, 11, 15)))
  ),
  stream(
    "zip",
    "the latest of two",
    (tools) => Stream.zipLatest(held(tools, "a", ticks(10, 1, 3)), held(tools, "b", ticks(7, 11, 13)))
  ),
  stream(
    "buffer",
    "read ahead into a buffer",
    (tools) => held(tools, "a", ticks(5, 1, 5)).pipe(Stream.buffer({ capacity: 2 }), Stream.tap(() => Effect.sleep(8)))
  ),
  stream(
    "buffer",
    "read ahead without bound, and cut short",
    (tools) => held(tools, "a", ticks(5, 1, 8)).pipe(Stream.buffer({ capacity: "unbounded" }), Stream.take(3))
  ),
  stream(
    "switch",
    "each new one ends the last",
    (tools) => ticks(10, 1, 3).pipe(Stream.switchMap((n) => held(tools, `inner ${n}`, ticks(4, 10 * n, 10 * n + 4))))
  ),
  stream("switch", "each inner one is wrapped", (tools) =>
    ticks(10, 1, 3).pipe(
      Stream.switchMap((n) => tools.wrap.stream(held(tools, `inner ${n}`, ticks(4, 10 * n, 10 * n + 4))))
    )),
  stream("groupBy", "odd and even apart", (tools) =>
    held(tools, "a", ticks(5, 1, 6)).pipe(
      Stream.groupByKey((n) => n % 2),
      Stream.flatMap(([key, group]) => Stream.map(group, (n) => `${key}: ${n}`), { concurrency: "unbounded" })
    )),
  stream("groupBy", "a group that is given up", (tools) =>
    held(tools, "a", ticks(5, 1, 6)).pipe(
      Stream.groupByKey((n) => n % 2),
      Stream.flatMap(([, group]) => Stream.take(group, 1), { concurrency: "unbounded" }),
      Stream.take(2)
    )),
  stream("flatMap", "an inner scope for each element", (tools) =>
    held(tools, "a", ticks(3, 1, 3)).pipe(
      Stream.flatMap((n) => held(tools, `inner ${n}`, Stream.make(10 * n, 10 * n + 1)))
    )),
  stream("flatMap", "inner scopes side by side", (tools) =>
    ticks(3, 1, 4).pipe(
      Stream.flatMap((n) => held(tools, `inner ${n}`, ticks(7, 10 * n, 10 * n + 1)), { concurrency: 2 })
    )),
  stream("flatMap", "each inner one is wrapped, and one fails", (tools) =>
    ticks(3, 1, 4).pipe(
      Stream.flatMap((n) =>
        tools.wrap.stream(held(tools, `inner ${n}`, n === 3 ? Stream.fail("three") : Stream.make(n, n)))
      )
    )),
  stream("take", "the first three", (tools) => held(tools, "a", ticks(5, 1, 9)).pipe(Stream.take(3))),
  stream(
    "take",
    "until one is large",
    (tools) => held(tools, "a", Stream.fromIterable([1, 2, 30, 4, 5])).pipe(Stream.takeUntil((n) => n > 10))
  ),
  stream(
    "take",
    "the first of what is wrapped",
    (tools) => tools.wrap.stream(held(tools, "a", ticks(5, 1, 9))).pipe(Stream.take(1))
  ),
  stream(
    "take",
    "until somebody says so",
    (tools) => held(tools, "a", ticks(5, 1, 9)).pipe(Stream.interruptWhen(Effect.sleep(18)))
  ),
  stream("retry", "a source that fails twice", (tools) => {
    let attempts = 0
    return Stream.suspend(() =>
      ++attempts < 3
        ? held(tools, `attempt ${attempts}`, Stream.concat(Stream.make(attempts), Stream.fail("again")))
        : held(tools, "the last", ticks(2, 7, 8))
    ).pipe(Stream.retry(Schedule.recurs(5)))
  }),
  stream(
    "repeat",
    "a source that is read three times",
    (tools) => held(tools, "a", ticks(2, 1, 2)).pipe(Stream.repeat(Schedule.recurs(2)))
  ),
  stream(
    "repeat",
    "on a schedule",
    (tools) => held(tools, "a", Stream.make(1, 2, 3)).pipe(Stream.schedule(Schedule.spaced(20)))
  ),
  stream("unwrap", "opened late", (tools) =>
    Stream.unwrap(
      Effect.andThen(tools.hold("outer"), Effect.as(Effect.sleep(10), held(tools, "inner", ticks(3, 1, 3))))
    )),
  stream(
    "concat",
    "one after the other",
    (tools) => Stream.concat(held(tools, "a", Stream.make(1, 2)), held(tools, "b", Stream.make(3, 4)))
  ),
  stream(
    "concat",
    "something else where one fails",
    (tools) =>
      held(tools, "a", Stream.concat(Stream.make(1, 2), Stream.fail("no more"))).pipe(
        Stream.catchCause(() => held(tools, "b", Stream.make(3)))
      )
  )
]
