/** Streams and effects that go by the clock. */
import { Effect, Fiber, Queue, Schedule, Stream } from "effect"
import { effect, type Program, stream, type Tools } from "../program.ts"

/** Elements after waits, as somebody types. */
const typed = ({ hold }: Tools, ...waits: ReadonlyArray<number>) =>
  Stream.unwrap(Effect.as(
    hold("keyboard"),
    Stream.fromIterable(waits).pipe(Stream.rechunk(1), Stream.mapEffect((wait) => Effect.as(Effect.sleep(wait), wait)))
  ))

/** Effect's own `timeoutOrElse` dies of a symbol of its own if it is stopped in the very step in which its time is up. */
const untouched = { modes: ["interrupt", "close"] } as const

export const programs: ReadonlyArray<Program> = [
  stream("time", "debounced", (tools) => typed(tools, 3, 4, 50, 5, 60).pipe(Stream.debounce(20))),
  stream(
    "time",
    "grouped by three or by time",
    (tools) => typed(tools, 3, 4, 5, 50, 6).pipe(Stream.groupedWithin(3, 20))
  ),
  stream(
    "time",
    "something else after a silence",
    (tools) =>
      typed(tools, 3, 4, 500, 5).pipe(Stream.timeoutOrElse({ duration: 100, orElse: () => Stream.make("silent") }))
  ),
  stream("time", "a silence in what is wrapped", (tools) =>
    tools.wrap.stream(typed(tools, 3, 4, 500, 5)).pipe(
      Stream.timeoutOrElse({ duration: 100, orElse: () => Stream.fail("silent") })
    ), untouched),
  stream(
    "time",
    "throttled",
    (tools) => typed(tools, 1, 1, 1, 1).pipe(Stream.throttle({ cost: () => 1, units: 1, duration: 30 }))
  ),
  effect(
    "time",
    "in time",
    ({ hold, say }) =>
      Effect.timeout(Effect.scoped(Effect.andThen(hold("a"), Effect.andThen(Effect.sleep(10), say("done")))), 50)
  ),
  effect(
    "time",
    "too late",
    ({ hold, say, wrap }) =>
      Effect.scoped(Effect.andThen(hold("a"), Effect.andThen(Effect.sleep(100), say("done")))).pipe(
        wrap.effect,
        Effect.timeoutOrElse({ duration: 50, orElse: () => say("too late") })
      )
  ),
  effect("time", "tried again, with waits", ({ hold, say }) => {
    let attempts = 0
    return Effect.scoped(Effect.andThen(
      hold("a"),
      Effect.suspend(() =>
        Effect.andThen(say(++attempts), attempts < 3 ? Effect.fail("again") : Effect.succeed(attempts))
      )
    )).pipe(Effect.retry(Schedule.exponential(10)))
  }),
  effect(
    "time",
    "repeated, each in a scope",
    ({ hold, say, wrap }) =>
      Effect.scoped(Effect.andThen(hold("a"), say("once"))).pipe(wrap.effect, Effect.repeat(Schedule.recurs(2)))
  ),
  effect("time", "a watchdog that is fed", ({ say }) =>
    Effect.gen(function*() {
      const food = yield* Queue.unbounded<number>()
      const dog = yield* Effect.forkChild(
        Effect.forever(Effect.timeout(Queue.take(food), 30)).pipe(Effect.catchTag("TimeoutError", () => say("barks")))
      )
      for (const wait of [10, 20, 25]) {
        yield* Effect.sleep(wait)
        yield* Queue.offer(food, wait)
      }
      yield* say("done")
      yield* Fiber.join(dog)
    }))
]
