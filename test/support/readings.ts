/** Streams that depend on fibers that they fork, and scopes that another fiber closes while they are read. */
import { SessionError } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { type Cause, Effect, Exit, Pull, Queue, Schema, Scope, Stream } from "effect"
import { Tool, Toolkit } from "effect/ai"

/** The most time that a forked fiber takes for an element. */
export const pace = 20

const queued = Stream.unwrap(Effect.gen(function*() {
  const queue = yield* Queue.make<string, Cause.Done>()
  yield* Effect.forkChild(Effect.gen(function*() {
    for (const element of ["1", "2", "3"]) {
      yield* Simulation.latency(1, pace)
      yield* Queue.offer(queue, element)
    }
    yield* Queue.end(queue)
  }))
  return Stream.fromQueue(queue)
}))

const tools = Toolkit.make(Tool.make("count", { success: Schema.String }))

const called = Stream.unwrap(Effect.gen(function*() {
  const { handle } = yield* tools
  return Stream.map(Stream.unwrap(handle("count", {})), ({ result }) => String(result))
})).pipe(
  Stream.orDie,
  Stream.provide(tools.toLayer({
    count: (_, { preliminary }) =>
      Effect.gen(function*() {
        for (const element of ["1", "2"]) {
          yield* Simulation.latency(1, pace)
          yield* preliminary(element)
        }
        yield* Simulation.latency(1, pace)
        return "3"
      })
  }))
)

/** Streams whose elements come from a fiber that they fork as they open, the second by Effect's own toolkit. */
const forking = [queued, called] as const

/** All that each of them gives. */
const whole = "1 2 3"

/** Reads one of them under `wrap`. */
export const readForking = <E>(
  wrap: (stream: Stream.Stream<string>) => Stream.Stream<string, E>
): Effect.Effect<Exit.Exit<void, E>> =>
  Effect.gen(function*() {
    const seen: Array<string> = []
    const stream = wrap(yield* Simulation.choose(forking))
    const exit = yield* Effect.exit(
      Stream.runForEach(stream, (element) => Effect.sync(() => void seen.push(element)))
    )
    const got = seen.join(" ")
    yield* Simulation.check(
      "a stream gives what it forks makes, in order, and all of it where it ends",
      Exit.isSuccess(exit) ? got === whole : whole.startsWith(got),
      () => `${got}: ${exit}`
    )
    return exit
  })

/** Whether a scope was closed by the nemesis, and how what was done in it ended. */
export interface Owned<out A, out E> {
  readonly exit: Exit.Exit<A, E>
  readonly isClosed: boolean
}

/** Reads in a scope of its own, which in some cases an owner elsewhere may close at any step. */
export const inOwnedScope = <A, E, R>(
  read: (scope: Scope.Scope) => Effect.Effect<A, E, R>
): Effect.Effect<Owned<A, E>, never, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = Scope.makeUnsafe()
      const isOwned = yield* Simulation.fault("the scope has an owner elsewhere", 0.4)
      const settle = isOwned
        ? yield* Simulation.closeAtAnyStep(scope, { fault: "a scope closes under its reader" })
        : Effect.succeed(false)
      const exit = yield* Effect.exit(restore(read(scope)))
      const isClosed = yield* settle
      yield* Scope.close(scope, exit)
      return { exit, isClosed }
    })
  )

/** Reads a stream to its end in a scope. */
export const forEachIn = <A, E, R, E2, R2>(
  scope: Scope.Scope,
  stream: Stream.Stream<A, E, R>,
  f: (element: A) => Effect.Effect<void, E2, R2>
) =>
  Effect.flatMap(Scope.provide(Stream.toPull(stream), scope), (pull) =>
    Pull.catchDone(
      Effect.forever(Effect.flatMap(pull, (elements) => Effect.forEach(elements, f, { discard: true }))),
      () => Effect.void
    ))

/** Whether a reader was told that its scope was closed. */
export const saysClosed = (error: unknown): boolean =>
  error instanceof SessionError.SessionRevoked && error.reason === "its scope was closed"
