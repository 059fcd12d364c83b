/** Who acquires, who releases, and what goes wrong in that. */
import { Cause, Effect, Exit, Scope, Stream } from "effect"
import { effect, type Program, stream } from "../program.ts"

const everyMode = { modes: ["interrupt", "close", "revoke"] } as const

export const programs: ReadonlyArray<Program> = [
  stream(
    "scope",
    "held from the first pull to the end",
    ({ hold }) => Stream.unwrap(Effect.as(hold("a"), Stream.make(1, 2, 3).pipe(Stream.rechunk(1))))
  ),
  stream("scope", "a stage that is held above another", ({ hold }) =>
    Stream.unwrap(Effect.gen(function*() {
      yield* hold("outer")
      return Stream.unwrap(Effect.as(hold("inner"), Stream.make(1, 2).pipe(Stream.rechunk(1))))
    }))),
  stream(
    "scope",
    "each element held until the end",
    ({ hold }) =>
      Stream.make("a", "b", "c").pipe(Stream.rechunk(1), Stream.mapEffect((name) => Effect.as(hold(name), name)))
  ),
  stream(
    "scope",
    "a stream that dies",
    ({ hold }) => Stream.unwrap(Effect.as(hold("a"), Stream.concat(Stream.make(1), Stream.die("a bug"))))
  ),
  stream(
    "scope",
    "an end that is told of",
    ({ hold, say }) => Stream.unwrap(Effect.as(hold("a"), Stream.make(1, 2))).pipe(Stream.ensuring(say("ensured")))
  ),
  stream(
    "scope",
    "an end that is told of with its exit",
    ({ hold, say }) =>
      Stream.unwrap(Effect.as(hold("a"), Stream.make(1, 2).pipe(Stream.rechunk(1), Stream.tap(() => Effect.sleep(1)))))
        .pipe(
          Stream.onExit((exit) => say(exit._tag))
        )
  ),
  stream("scope", "a stream's finalizer that dies", ({ hold }) =>
    Stream.unwrap(
      Effect.andThen(
        hold("a"),
        Effect.as(Effect.addFinalizer(() => Effect.die("finalizer")), Stream.make(1, 2).pipe(Stream.rechunk(1)))
      )
    )),
  stream(
    "scope",
    "an element that is not to be interrupted",
    ({ hold }) =>
      Stream.unwrap(Effect.as(
        hold("a"),
        Stream.make(1, 2).pipe(
          Stream.rechunk(1),
          Stream.mapEffect((n) => Effect.uninterruptible(Effect.as(Effect.sleep(10), n)))
        )
      ))
  ),
  effect("scope", "one inside of the other", ({ hold, say }) =>
    Effect.gen(function*() {
      yield* hold("outer")
      yield* hold("inner")
      yield* Effect.sleep(5)
      yield* say("done")
    }), everyMode),
  effect("scope", "acquired by one that acquires", ({ hold, journal, say, wrap }) =>
    Effect.gen(function*() {
      yield* wrap.acquire(
        Effect.flatMap(hold("inner"), () => journal.take("outer")),
        (thing) => Effect.andThen(say("releasing"), journal.give(thing))
      )
      yield* say("both")
      yield* Effect.yieldNow
    }), everyMode),
  effect("scope", "acquired, used and released", ({ journal, say }) =>
    Effect.acquireUseRelease(
      journal.take("a"),
      () => Effect.andThen(Effect.sleep(5), say("used")),
      journal.give
    )),
  effect("scope", "an acquisition that fails", ({ hold, say, wrap }) =>
    Effect.gen(function*() {
      yield* hold("a")
      return yield* wrap.acquire(Effect.andThen(Effect.sleep(5), Effect.fail("none left")), () => say("never"))
    }), everyMode),
  effect("scope", "an acquisition that dies", ({ hold, say, wrap }) =>
    Effect.gen(function*() {
      yield* hold("a")
      return yield* wrap.acquire(Effect.andThen(Effect.sleep(5), Effect.die("a bug")), () => say("never"))
    }), everyMode),
  effect("scope", "finalizers in order", ({ say }) =>
    Effect.gen(function*() {
      yield* Effect.addFinalizer(() => say("first"))
      yield* Effect.addFinalizer(() => Effect.andThen(Effect.sleep(5), say("second")))
      yield* Effect.sleep(5)
      yield* say("done")
    })),
  effect("scope", "a finalizer that dies", ({ hold }) =>
    Effect.scoped(Effect.gen(function*() {
      yield* hold("a")
      yield* Effect.addFinalizer(() => Effect.die("finalizer"))
      yield* Effect.sleep(5)
    }))),
  effect(
    "scope",
    "a finalizer that fails as a defect, above one that does not",
    ({ hold, say }) =>
      Effect.scoped(Effect.gen(function*() {
        yield* Effect.addFinalizer(() => say("below"))
        yield* Effect.addFinalizer(() => Effect.orDie(Effect.fail("finalizer")))
        yield* hold("a")
        return yield* Effect.fail("work")
      }))
  ),
  effect(
    "scope",
    "an exit that is looked at",
    ({ hold, say }) =>
      Effect.scoped(Effect.andThen(hold("a"), Effect.sleep(5))).pipe(
        Effect.onExit((exit) => say(Exit.isSuccess(exit) ? "well" : Exit.hasInterrupts(exit) ? "interrupted" : "badly"))
      )
  ),
  effect(
    "scope",
    "an end that is ensured, twice",
    ({ hold, say }) =>
      Effect.scoped(Effect.andThen(hold("a"), Effect.sleep(5))).pipe(
        Effect.ensuring(say("inner")),
        Effect.ensuring(say("outer"))
      )
  ),
  effect(
    "scope",
    "interruption that is told of, inside",
    ({ hold, say, wrap }) =>
      wrap.effect(
        Effect.scoped(Effect.andThen(hold("a"), Effect.sleep(5))).pipe(Effect.onInterrupt(() => say("stopped")))
      )
  ),
  effect("scope", "a part that is not to be interrupted", ({ hold, say }) =>
    Effect.gen(function*() {
      yield* hold("a")
      yield* Effect.uninterruptible(Effect.andThen(say("begun"), Effect.andThen(Effect.sleep(10), say("ended"))))
      yield* Effect.sleep(5)
    })),
  effect(
    "scope",
    "a part that may be interrupted, in one that may not",
    ({ hold, say }) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          yield* hold("a")
          yield* Effect.exit(restore(Effect.sleep(10)))
          yield* say("goes on")
        })
      )
  ),
  effect("scope", "a scope inside that is closed by hand", ({ hold, say }) =>
    Effect.gen(function*() {
      const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
      yield* Scope.provide(hold("inner"), scope)
      yield* Scope.close(scope, Exit.void)
      yield* say("closed")
      yield* Effect.sleep(5)
    })),
  effect(
    "scope",
    "a failure that is caught",
    ({ hold, say, wrap }) =>
      wrap.effect(Effect.scoped(Effect.andThen(hold("a"), Effect.fail("no")))).pipe(
        Effect.catchCause((cause) => say(Cause.hasInterrupts(cause) ? "interrupted" : "caught"))
      )
  ),
  effect("concurrency", "all at once", ({ hold, say, wrap }) =>
    Effect.forEach(
      [30, 10, 20],
      (wait) =>
        wrap.effect(Effect.scoped(Effect.andThen(hold(`${wait}`), Effect.andThen(Effect.sleep(wait), say(wait))))),
      { concurrency: "unbounded", discard: true }
    )),
  effect("concurrency", "two at a time", ({ hold, say, wrap }) =>
    Effect.forEach(
      [30, 10, 20, 15],
      (wait) =>
        wrap.effect(Effect.scoped(Effect.andThen(hold(`${wait}`), Effect.andThen(Effect.sleep(wait), say(wait))))),
      { concurrency: 2, discard: true }
    )),
  effect("concurrency", "all until one fails", ({ hold, say, wrap }) =>
    Effect.forEach(
      [30, 10, 20],
      (wait) =>
        wrap.effect(Effect.scoped(Effect.andThen(
          hold(`${wait}`),
          Effect.andThen(Effect.sleep(wait), wait === 20 ? Effect.fail("twenty") : say(wait))
        ))),
      { concurrency: "unbounded", discard: true }
    )),
  effect("race", "the first of three effects", ({ hold, say, wrap }) =>
    Effect.flatMap(
      Effect.raceAll([30, 10, 20].map((wait) =>
        wrap.effect(Effect.scoped(Effect.andThen(hold(`${wait}`), Effect.as(Effect.sleep(wait), wait))))
      )),
      say
    ))
]
