/**
 * Fails a test that leaves something behind: a session, a fiber, a socket, a file descriptor.
 *
 * `check` wraps an effect, for `it.effect` or any other runner, and sees all four. `each` watches every test of a file by
 * its runner's hooks, so that tests without Effect are covered, too; fibers it does not see. Nor does `check` see those that
 * `Effect.runFork` starts, or that are given a scheduler of their own. What is found is said with its id, path or port, and
 * with where in the code it was asked for, as far as anyone knows.
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
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { callers } from "./internal/leaks/callers.ts"
import { Fibers } from "./internal/leaks/fibers.ts"
import { Births, type Descriptor, look } from "./internal/leaks/handles.ts"

/** One thing that was left. */
export class Leak extends Schema.Class<Leak>("@clawback/testing/Leak")({
  kind: Schema.Literals(["session", "fiber", "socket", "descriptor"]),
  /** Which one: kind, name and id of a session, id of a fiber, state and ports of a socket, target of a descriptor. */
  what: Schema.String,
  /** Lines of a stack, functions or spans; empty where nobody knows. */
  where: Schema.Array(Schema.String)
}) {}

/** The program ended and left these. */
export class LeaksFound extends Schema.TaggedError<LeaksFound>("@clawback/testing/LeaksFound")("LeaksFound", {
  leaks: Schema.Array(Leak)
}) {
  override get message() {
    const lines = this.leaks.flatMap(({ kind, what, where }) => [
      `${kind} ${what}`,
      ...(where.length === 0 ? ["    nobody knows where it comes from"] : where.map((line) => `    ${line}`))
    ])
    return `${this.leaks.length} left behind. Give each back where it was taken, or in a scope around that:\n${
      lines.join("\n")
    }`
  }
}

export interface Options {
  /**
   * How long things may take to be really closed after the test, in real time. Default: 1 second, of which a clean test
   * needs next to nothing. Too short, and what was about to close counts as left; too long, and each leak takes as long to
   * tell.
   */
  readonly grace?: Duration.Input | undefined
  /** What may stay, such as a connection in a pool that all tests share. Default: nothing. */
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

/** Where the kernel does not tell, nothing was open before and nothing is after. */
const kernel = Effect.orElseSucceed(look, (): ReadonlyArray<Descriptor> => [])

const keyOf = ({ fd, target }: Descriptor) => `${fd} ${target}`

/** Looks for what is open now and was not before, until nothing is or the time is over. */
const settle = (
  found: Effect.Effect<ReadonlyArray<Leak>>,
  { graceMillis, ignore }: Checked
): Effect.Effect<ReadonlyArray<Leak>> =>
  Effect.gen(function*() {
    const until = (yield* Clock.currentTimeMillis) + graceMillis
    // However long a look takes, what it finds has the time to end before the next one.
    for (let isLast = false;;) {
      const left = (yield* found).filter((leak) => !ignore(leak))
      if (left.length === 0 || isLast) return left
      isLast = (yield* Clock.currentTimeMillis) >= until
      yield* Effect.sleep("5 millis")
    }
  }).pipe(live)

const ofSession = ({ id, kind, name, owner, state }: SessionRegistry.Snapshot) =>
  new Leak({ kind: "session", what: `${kind} ${name}, number ${id}, ${state}`, where: callers(owner.site ?? "", 0) })

const ofDescriptor = ({ fd, socket, target }: Descriptor, births: Births) =>
  socket === undefined
    ? new Leak({ kind: "descriptor", what: `${fd}, ${target}`, where: births.whereIs(fd) })
    : new Leak({
      kind: "socket",
      what: socket.state === "LISTEN"
        ? `that listens on port ${socket.localPort}`
        : `${socket.state}, from port ${socket.localPort} to port ${socket.remotePort}`,
      where: births.whereIs(fd)
    })

/** What is open in this process from now on. */
const watchKernel = Effect.gen(function*() {
  const births = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const births = new Births()
      births.start()
      return births
    }),
    (births) => Effect.sync(() => births.stop())
  )
  const before = new Set((yield* kernel).map(keyOf))
  return Effect.map(
    kernel,
    (now) => now.filter((open) => !before.has(keyOf(open))).map((open) => ofDescriptor(open, births))
  )
})

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
      const sinceNow = yield* watchKernel
      const registry = Context.get(
        yield* Layer.build(SessionRegistry.layer({ sampleAll: true })),
        SessionRegistry.SessionRegistry
      )
      const fibers = new Fibers()
      const watched = fibers.watch(Effect.scoped(effect)).pipe(
        Effect.provideService(SessionRegistry.SessionRegistry, registry)
      )
      const exit = yield* Effect.flatMap(Effect.forkChild(watched), Fiber.await)
      const left = yield* settle(
        Effect.gen(function*() {
          // First, since it takes a while: a fiber that was forked last starts in it, and shows.
          const descriptors = yield* sinceNow
          const sessions = (yield* registry.list()).map(ofSession)
          const running = fibers.left().map(({ fiber, where }) =>
            new Leak({ kind: "fiber", what: `#${fiber.id}`, where })
          )
          return [...sessions, ...running, ...descriptors]
        }),
        limits
      )
      for (const { fiber } of fibers.left()) fiber.interruptUnsafe()
      if (left.some(({ kind }) => kind === "session")) {
        yield* registry.revoke({}, { reason: "a test left it behind", deadline: 0 })
      }
      if (left.length === 0) return yield* exit
      const leaks = Cause.fail(new LeaksFound({ leaks: left }))
      return yield* Effect.failCause(Exit.isFailure(exit) ? Cause.combine(exit.cause, leaks) : leaks)
    }).pipe(Effect.scoped)
)

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
  let running: { readonly scope: Scope.Closeable; readonly found: Effect.Effect<ReadonlyArray<Leak>> } | undefined

  const start = Effect.gen(function*() {
    const scope = yield* Scope.make()
    const found = yield* Effect.gen(function*() {
      // While this one is there, every session of the process is asked where it was opened.
      yield* Layer.build(SessionRegistry.layer({ sampleAll: true }))
      const before = new Set((yield* registry.list()).map(({ id }) => id))
      const sinceNow = yield* watchKernel
      return Effect.gen(function*() {
        const sessions = (yield* registry.list()).filter(({ id }) => !before.has(id)).map(ofSession)
        return [...sessions, ...yield* sinceNow]
      })
    }).pipe(Scope.provide(scope))
    running = { scope, found }
  })

  const finish = Effect.gen(function*() {
    if (running === undefined) return
    const { found, scope } = running
    running = undefined
    const leaks = yield* Effect.ensuring(settle(found, limits), Scope.close(scope, Exit.void))
    if (leaks.length > 0) return yield* new LeaksFound({ leaks })
  })

  beforeEach(() => Effect.runPromise(start))
  afterEach(() => Effect.runPromise(finish))
}
