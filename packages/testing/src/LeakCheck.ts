/**
 * Fails a test that leaves something behind: a session, a fiber, a socket, a file descriptor.
 *
 * `check` wraps an effect, for `it.effect` or any other runner, and sees all four. `each` uses the hooks of a test runner, so it
 * also covers tests without Effect; it does not see fibers. `check` does not see fibers that `Effect.runFork` starts, or that
 * have their own scheduler.
 *
 * The report is a tree: a socket under its session, a session under its parent, a fiber under the fiber that forked it. Each
 * has the lines of your own code that it comes from: those on the stack, and the `yield*` from which it was started.
 *
 * **Servers inside the test.** When the scope of a server closes, it closes its connections, and so hides what the test forgot.
 * So `FaultyProvider`, and any other server that is made by `peer`, closes only after the leaks were counted, and its own sockets
 * are left out. A check before that could only guess what an open scope is about to release, and a check after that could not tell which end
 * closed a connection first.
 * The check must know the server: what another server closes is not seen.
 *
 * **Pools.** `fetch` and `node:http` keep connections for the next request, and close them by themselves. An idle connection is
 * not a leak. A connection with a response that is not read to its end is one.
 *
 * Sockets and descriptors are those of this process, as the kernel counts them. On systems other than Linux they are not checked.
 * Nothing else may open or close any at the same time: no concurrent tests, and one process for each file, as Vitest has by
 * default.
 *
 * @stable
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { CollectorUnavailable } from "./internal/leaks/collector.ts"
import { Fibers } from "./internal/leaks/fibers.ts"
import { type Growth, type GrowthFound, type GrowthOptions, measure } from "./internal/leaks/growth.ts"
import * as Peers from "./internal/leaks/peers.ts"
import { type Leak, LeaksFound, ordered } from "./internal/leaks/report.ts"
import { Watch } from "./internal/leaks/watch.ts"

export { CollectorUnavailable } from "./internal/leaks/collector.ts"
export { Growth, GrowthFound, type GrowthOptions, PerRun } from "./internal/leaks/growth.ts"
export { Leak, LeaksFound } from "./internal/leaks/report.ts"

export interface Options {
  /**
   * How long resources may take to close after the test, in real time. Default: 1 second; a clean test needs almost none.
   * Too short, and what is about to close counts as left; too long, and each leak takes as long to report.
   */
  readonly grace?: Duration.Input | undefined
  /** What may stay, with all that belongs to it, such as a connection that all tests share. Default: nothing. */
  readonly ignore?: ((leak: Leak) => boolean) | undefined
}

interface Checked {
  readonly graceMillis: number
  readonly ignore: (leak: Leak) => boolean
}

const checked = ({ grace = "1 second", ignore = () => false }: Options = {}): Checked => ({
  graceMillis: Duration.toMillis(OptionCheck.finite("grace", grace)),
  ignore
})

const live = Effect.provideService(Clock.Clock, Context.get(Context.empty(), Clock.Clock))

/** Looks for what is open now and was not before, until there is nothing or the time is over. */
const settle = (
  found: Effect.Effect<ReadonlyArray<Leak>>,
  { graceMillis, ignore }: Checked
): Effect.Effect<ReadonlyArray<Leak>> =>
  Effect.gen(function*() {
    const until = (yield* Clock.currentTimeMillis) + graceMillis
    // Even if one look takes long, what it finds has time to end before the next one.
    for (let isLast = false;;) {
      const left = ordered(yield* found, ignore)
      if (left.length === 0 || isLast) return left
      isLast = (yield* Clock.currentTimeMillis) >= until
      yield* Effect.sleep("5 millis")
    }
  }).pipe(live)

/**
 * Makes the other side of a test, such as a server, which would close connections that the test forgot.
 *
 * `check` and `each` count leaks before it closes, and leave out what it holds. It closes after that. If the test goes on after
 * its scope was closed, it closes 100 milliseconds later. Without `check` and `each`, it closes with its scope.
 * `FaultyProvider` does this by itself. Pass a layer as `LeakCheck.peer(Layer.build(layer))`.
 */
export const peer = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Scope.Scope> =>
  Peers.make(self, () => Effect.void)

/**
 * Runs an effect in its own scope, fiber and session registry, and fails with `LeaksFound` if it leaves anything.
 *
 * If the effect fails by itself, the cause has both errors. Sessions that were left are released and fibers are interrupted, so
 * that the next test starts clean.
 */
export const check: {
  (options?: Options): <A, E, R>(
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | LeaksFound, Exclude<R, Scope.Scope>>
  <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Options
  ): Effect.Effect<A, E | LeaksFound, Exclude<R, Scope.Scope>>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Options
  ): Effect.Effect<A, E | LeaksFound, Exclude<R, Scope.Scope>> =>
    Effect.gen(function*() {
      const limits = checked(options)
      const registry = Context.get(
        yield* Layer.build(SessionRegistry.layer({ sampleAll: true })),
        SessionRegistry.SessionRegistry
      )
      const watch = new Watch(registry)
      yield* watch.start
      const peers = new Peers.Peers(yield* Effect.context<never>(), watch.births)
      yield* Effect.addFinalizer(() => peers.ended(limits.graceMillis))
      const fibers = new Fibers()
      const body = Effect.scoped(Effect.onExit(effect, () => Effect.sync(() => peers.ending())))
      const fiber = yield* Effect.forkChild(
        fibers.watch(body).pipe(
          Effect.provideService(SessionRegistry.SessionRegistry, registry),
          Effect.provideService(Peers.Current, peers)
        )
      )
      const exit = yield* Effect.onInterrupt(Fiber.await(fiber), () => Fiber.interrupt(fiber))
      const left = yield* settle(watch.look(peers, () => fibers.left()), limits)
      for (const { fiber } of fibers.left()) fiber.interruptUnsafe()
      if (left.some(({ kind }) => kind === "session")) {
        yield* registry.revoke({}, { reason: "a test left it behind", deadline: 0 })
      }
      if (left.length === 0) return yield* exit
      const leaks = Cause.fail(new LeaksFound({ leaks: left }))
      return yield* Effect.failCause(Exit.isFailure(exit) ? Cause.combine(exit.cause, leaks) : leaks)
    }).pipe(Effect.scoped)
)

/**
 * Runs an effect again and again, and fails with `GrowthFound` if the heap grows with each run, or if each leaves sessions,
 * fibers or descriptors. Returns the measurements.
 *
 * It finds what `check` cannot: values that are kept on purpose, such as in a map without a limit. Each run has its own scope.
 * The heap is sampled after garbage collections. The upper end of the confidence interval of its slope is judged, by Theil and
 * Sen, over the later half of the samples.
 *
 * It takes as long as its runs, 1,300 to 4,300 by default, and one collection of the whole heap for each hundred. Nothing else may
 * run in the process at the same time.
 */
export const growth: {
  (options?: GrowthOptions): <A, E, R>(
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<Growth, E | GrowthFound | CollectorUnavailable, Exclude<R, Scope.Scope>>
  <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: GrowthOptions
  ): Effect.Effect<Growth, E | GrowthFound | CollectorUnavailable, Exclude<R, Scope.Scope>>
} = dual((args) => Effect.isEffect(args[0]), measure)

/** A function that makes a test from an effect, such as `it.effect`. */
export interface Test<R, Context> {
  <A, E>(name: string, self: (context: Context) => Effect.Effect<A, E, R>, timeout?: number): void
}

/** The same function, for tests that must leave nothing behind. */
export const tester =
  <R, Context>(test: Test<R, Context>, options?: Options): Test<R, Context> => (name, self, timeout) =>
    test(name, (context) => check(self(context), options), timeout)

/** A test runner's hooks: those of Vitest, Jest or `node:test`. */
export interface Hooks {
  readonly beforeEach: (run: () => Promise<void>) => unknown
  readonly afterEach: (run: () => Promise<void>) => unknown
}

/** Makes every test fail that leaves a session in the process's own registry, a socket or a descriptor. */
export const each = ({ afterEach, beforeEach }: Hooks, options?: Options): void => {
  const limits = checked(options)
  const registry = Context.get(Context.empty(), SessionRegistry.SessionRegistry)
  let running: { readonly scope: Scope.Closeable; readonly watch: Watch; readonly peers: Peers.Peers } | undefined

  const start = Effect.gen(function*() {
    const scope = yield* Scope.make()
    const watch = new Watch(registry)
    yield* Effect.gen(function*() {
      // While this listener is there, every session of the process records where it was opened.
      yield* Layer.build(SessionRegistry.layer({ sampleAll: true }))
      yield* watch.start
    }).pipe(Scope.provide(scope))
    const peers = new Peers.Peers(Context.empty(), watch.births)
    yield* Scope.addFinalizer(scope, peers.ended(limits.graceMillis))
    Peers.setOfProcess(peers)
    running = { scope, watch, peers }
  })

  const finish = Effect.gen(function*() {
    if (running === undefined) return
    const { peers, scope, watch } = running
    running = undefined
    peers.ending()
    Peers.setOfProcess(undefined)
    const leaks = yield* Effect.ensuring(settle(watch.look(peers), limits), Scope.close(scope, Exit.void))
    if (leaks.length > 0) return yield* new LeaksFound({ leaks })
  })

  beforeEach(() => Effect.runPromise(start))
  afterEach(() => Effect.runPromise(finish))
}
