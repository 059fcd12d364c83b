/**
 * Fails a test that leaves something behind: a session, a fiber, a socket, a file descriptor.
 *
 * `check` wraps an effect, for `it.effect` or any other runner, and sees all four. `each` watches every test of a file by
 * its runner's hooks, so that tests without Effect are covered, too; fibers it does not see. Nor does `check` see those that
 * `Effect.runFork` starts, or that are given a scheduler of their own.
 *
 * The report is a tree: a socket under its session, a session under its parent, a fiber under the one that forked it. Each
 * has its lines in the reader's own code: those on the stack, and the `yield*` from which it was started.
 *
 * **Servers inside of the test.** A server that the test makes closes its connections as its scope closes, and with them
 * what the test forgot. So `FaultyProvider`, and any other server that is made by `peer`, closes only when leaks have been
 * looked for; what it holds until then is left out. Other ways were to look before the test's scope closes, and to guess
 * what that would have given back by itself; or to guess afterwards which end of a connection was closed first. This one
 * guesses nothing. It needs the server to say that it is one: what another server closes is not seen.
 *
 * **Pools.** `fetch` and `node:http` keep connections for the next request, and close them by themselves. One that waits is
 * no leak; one with an answer that is not read to its end is.
 *
 * Sockets and descriptors are this process's, as the kernel counts them (Linux only; elsewhere they are not looked at). So
 * nothing else may open or close any at the same time: no concurrent tests, and a process for each file, as Vitest has by
 * default.
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
   * How long things may take to be really closed after the test, in real time. Default: 1 second, of which a clean test
   * needs next to nothing. Too short, and what was about to close counts as left; too long, and each leak takes as long to
   * tell.
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

/** Looks for what is open now and was not before, until nothing is or the time is over. */
const settle = (
  found: Effect.Effect<ReadonlyArray<Leak>>,
  { graceMillis, ignore }: Checked
): Effect.Effect<ReadonlyArray<Leak>> =>
  Effect.gen(function*() {
    const until = (yield* Clock.currentTimeMillis) + graceMillis
    // However long a look takes, what it finds has the time to end before the next one.
    for (let isLast = false;;) {
      const left = ordered(yield* found, ignore)
      if (left.length === 0 || isLast) return left
      isLast = (yield* Clock.currentTimeMillis) >= until
      yield* Effect.sleep("5 millis")
    }
  }).pipe(live)

/**
 * Makes the other side of a test, such as a server: what closes its end of what the test forgot, as it closes itself.
 *
 * `check` and `each` look before it closes, and leave out what it holds. So it closes when they have looked; where the test
 * goes on after its scope was closed, 100 milliseconds after that at the latest. Where nobody looks for leaks it is as it
 * would be without. `FaultyProvider` does this by itself. Give a layer as `LeakCheck.peer(Layer.build(layer))`.
 */
export const peer = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Scope.Scope> =>
  Peers.make(self, () => Effect.void)

/**
 * Runs an effect in a scope, a fiber and a session registry of its own, and fails with `LeaksFound` if it leaves anything.
 *
 * Where it fails by itself, the cause has both. Sessions that were left are taken back and fibers interrupted, so that the
 * next test starts clean.
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
 * fibers or descriptors. Answers what it measured.
 *
 * It sees what `check` cannot: what a program keeps in a place that is meant to stay, such as a map without a bound. Each
 * run has a scope of its own. The heap is sampled after collections of garbage; judged is the upper end of the confidence
 * interval of its slope, by Theil and Sen, over the later half of the samples.
 *
 * It takes as long as its runs do, 1,300 to 4,300 by default, and a collection of the whole heap for each hundred. Nothing
 * else may run in the process at the same time.
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

/** A function that makes a test of an effect, such as `it.effect`. */
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
      // While this one is there, every session of the process is asked where it was opened.
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
