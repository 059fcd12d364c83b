import * as Session from "@clawback/core/Session"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import { LeakCheck } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Deferred, Effect, Exit, Fiber, Scope, Tracer } from "effect"
import { once } from "node:events"
import * as Fs from "node:fs/promises"
import * as Net from "node:net"

const grace = "50 millis"

/** What a program is told that it left. */
const leaksOf = <A, E>(program: Effect.Effect<A, E, Scope.Scope>, options: LeakCheck.Options = {}) =>
  Effect.map(Effect.exit(LeakCheck.check(program, { grace, ...options })), (exit) => {
    const failures = Exit.isFailure(exit) ? exit.cause.reasons.filter(Cause.isFailReason) : []
    return failures.flatMap(({ error }) => error instanceof LeakCheck.LeaksFound ? error.leaks : [])
  })

/** A scope that the program does not close, and this test does. */
const elsewhere = Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))

const listen = Effect.acquireRelease(
  Effect.promise(async () => {
    const server = Net.createServer((socket) => socket.on("error", () => {}).resume()).listen(0, "127.0.0.1")
    await once(server, "listening")
    return server
  }),
  (server) => Effect.promise(() => new Promise<void>((resolve) => void server.close(() => resolve())))
)

const portOf = (server: Net.Server) => (server.address() as Net.AddressInfo).port

const connect = (server: Net.Server) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = Net.connect(portOf(server), "127.0.0.1")
      await once(socket, "connect")
      return socket
    }),
    (socket) =>
      Effect.promise(async () => {
        socket.destroy()
        if (!socket.closed) await once(socket, "close")
      })
  )

const openFile = Effect.acquireRelease(
  Effect.promise(() => Fs.open(import.meta.filename)),
  (file) => Effect.promise(() => file.close())
)

const openSession = () => Session.acquire({ kind: "slot", name: "gpt-5" }, Effect.void, () => Effect.void)

const linger = Effect.fn("linger")(function*() {
  return yield* Effect.never
})

describe("LeakCheck.check", () => {
  it.effect("returns the result of a program that releases everything", () =>
    Effect.gen(function*() {
      const answer = yield* LeakCheck.check(
        Effect.gen(function*() {
          const server = yield* listen
          yield* connect(server)
          yield* openFile
          yield* openSession()
          yield* Effect.forkScoped(Effect.never)
          yield* Effect.forkChild(Effect.never)
          return 42
        })
      )
      assert.strictEqual(answer, 42)
    }))

  it.effect("reports a session that was left, and the line that opened it", () =>
    Effect.gen(function*() {
      const scope = yield* elsewhere
      const leaks = yield* leaksOf(Effect.gen(function*() {
        yield* Scope.provide(openSession(), scope)
      }))
      assert.deepStrictEqual(leaks.map(({ kind }) => kind), ["session"])
      assert.include(leaks[0]?.what, "slot gpt-5")
      assert.include(leaks[0]?.where.join(), "LeakCheck.kernel.test.ts")
    }))

  it.effect("reports a fiber that was left, and the function around it", () =>
    Effect.gen(function*() {
      const leaks = yield* leaksOf(Effect.forkDetach(linger(), { startImmediately: true }))
      assert.deepStrictEqual(leaks.map(({ kind }) => kind), ["fiber"])
      assert.include(leaks[0]?.where.join(), "in linger")
      assert.include(leaks[0]?.where.join(), "LeakCheck.kernel.test.ts")
    }))

  it.effect("reports a fiber that was left by a fiber that has ended", () =>
    Effect.gen(function*() {
      const leaks = yield* leaksOf(Effect.forkDetach(Effect.forkDetach(linger())).pipe(Effect.flatMap(Fiber.join)))
      assert.deepStrictEqual(leaks.map(({ kind }) => kind), ["fiber"])
    }))

  it.effect("reports fibers that were left under another tracer, such as telemetry's", () =>
    Effect.gen(function*() {
      const tracer = Tracer.make({
        span: (options) => new Tracer.NativeSpan(options),
        context: (primitive, fiber) => primitive["~effect/Effect/evaluate"](fiber)
      })
      const leaks = yield* leaksOf(
        Effect.andThen(Effect.forkDetach(linger()), Effect.forkDetach(Effect.forkDetach(linger()))).pipe(
          Effect.provideService(Tracer.Tracer, tracer)
        )
      )
      assert.deepStrictEqual(leaks.map(({ kind }) => kind), ["fiber", "fiber"])
      assert.include(leaks[0]?.where.join(), "in linger")
    }))

  it.effect("reports both ends of a connection that was left, and the line that opened ours", () =>
    Effect.gen(function*() {
      const server = yield* listen
      const scope = yield* elsewhere
      const leaks = yield* leaksOf(Scope.provide(connect(server), scope))
      assert.deepStrictEqual(leaks.map(({ kind }) => kind), ["socket", "socket"])
      const ours = leaks.find(({ what }) => what.endsWith(`to port ${portOf(server)}`))
      assert.include(ours?.where.join(), "LeakCheck.kernel.test.ts")
    }))

  it.effect("reports a server that still listens", () =>
    Effect.gen(function*() {
      const scope = yield* elsewhere
      const leaks = yield* leaksOf(Scope.provide(listen, scope))
      assert.deepStrictEqual(leaks.map(({ kind }) => kind), ["socket"])
      assert.include(leaks[0]?.what, "listens")
    }))

  it.effect("reports a file that was left open, with its path", () =>
    Effect.gen(function*() {
      const scope = yield* elsewhere
      const leaks = yield* leaksOf(Scope.provide(openFile, scope))
      assert.deepStrictEqual(leaks.map(({ kind }) => kind), ["descriptor"])
      assert.include(leaks[0]?.what, import.meta.filename)
    }))

  it.effect("leaves out what was open before, and what it must ignore", () =>
    Effect.gen(function*() {
      const scope = yield* elsewhere
      yield* openFile
      yield* openSession()
      const program = Effect.andThen(Scope.provide(openFile, scope), Scope.provide(openSession(), scope))
      const leaks = yield* leaksOf(program, { ignore: ({ kind }) => kind === "descriptor" })
      assert.deepStrictEqual(leaks.map(({ kind }) => kind), ["session"])
    }))

  it.effect("waits for what is about to close", () =>
    Effect.gen(function*() {
      const file = yield* Effect.promise(() => Fs.open(import.meta.filename))
      yield* LeakCheck.check(
        Effect.promise(async () => {
          const other = await Fs.open(import.meta.filename)
          void file.close().then(() => other.close())
        })
      )
    }))

  it.effect("reports how a program failed, and what it left", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(
        LeakCheck.check(Effect.andThen(Effect.forkDetach(linger()), Effect.fail("broken")), { grace })
      )
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isSuccess(exit)) return
      const errors = exit.cause.reasons.filter(Cause.isFailReason).map(({ error }) => error)
      assert.strictEqual(errors[0], "broken")
      assert.instanceOf(errors[1], LeakCheck.LeaksFound)
    }))

  it.effect("releases the sessions and interrupts the fibers that were left", () =>
    Effect.gen(function*() {
      const scope = yield* elsewhere
      let isReleased = false
      const session = Session.acquire(
        { kind: "slot", name: "gpt-5" },
        Effect.void,
        () => Effect.sync(() => void (isReleased = true))
      )
      let fiber: Fiber.Fiber<never> | undefined
      yield* leaksOf(Effect.gen(function*() {
        yield* Scope.provide(session, scope)
        fiber = yield* Effect.forkDetach(linger())
      }))
      assert.isTrue(isReleased)
      assert.isDefined(fiber)
      if (fiber !== undefined) assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
    }))

  it.effect("interrupts its program when it is interrupted", () =>
    Effect.gen(function*() {
      let isOver = false
      const begun = yield* Deferred.make<void>()
      const program = Effect.onInterrupt(
        Effect.andThen(Deferred.succeed(begun, undefined), Effect.never),
        () => Effect.sync(() => void (isOver = true))
      )
      const fiber = yield* Effect.forkChild(LeakCheck.check(program))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(isOver)
    }))
})

const leakproof = LeakCheck.tester(it.effect)

describe("LeakCheck.tester", () => {
  leakproof("makes tests that may hold what their scope releases", () =>
    Effect.gen(function*() {
      yield* openFile
      yield* openSession()
      assert.deepStrictEqual(yield* SessionRegistry.counts, { slot: 1 })
    }))

  it.effect("makes tests that fail if something is left", () =>
    Effect.gen(function*() {
      const scope = yield* elsewhere
      let test: Effect.Effect<unknown, unknown> = Effect.void
      const run: LeakCheck.Test<Scope.Scope, undefined> = (_, self) => {
        test = Effect.scoped(self(undefined))
      }
      LeakCheck.tester(run, { grace })("leaves a session", () => Scope.provide(openSession(), scope))
      assert.instanceOf(yield* Effect.flip(test), LeakCheck.LeaksFound)
    }))
})

const nothing = () => Promise.resolve()

/** A runner of one test at a time. */
const runner = () => {
  let before = nothing
  let after = nothing
  const hooks: LeakCheck.Hooks = {
    beforeEach: (run) => {
      before = run
    },
    afterEach: (run) => {
      after = run
    }
  }
  const run = (test: () => Promise<unknown>) =>
    Effect.tryPromise({
      try: () => before().then(test).then(after),
      catch: (cause) => new TestFailed({ cause })
    })
  return { hooks, run }
}

class TestFailed extends Data.TaggedError("TestFailed")<{ readonly cause: unknown }> {}

describe("LeakCheck.each", () => {
  it.effect("passes tests that leave nothing, and fails each other one", () =>
    Effect.gen(function*() {
      const scope = yield* elsewhere
      const { hooks, run } = runner()
      LeakCheck.each(hooks, { grace })
      yield* run(async () => (await Fs.open(import.meta.filename)).close())

      const inScope = <A>(effect: () => Effect.Effect<A, unknown, Scope.Scope>) =>
        run(() => Effect.runPromise(Scope.provide(effect(), scope)))
      const { cause: first } = yield* Effect.flip(inScope(() => openFile))
      assert.instanceOf(first, LeakCheck.LeaksFound)
      assert.deepStrictEqual(first.leaks.map(({ kind }) => kind), ["descriptor"])

      const { cause: second } = yield* Effect.flip(inScope(openSession))
      assert.instanceOf(second, LeakCheck.LeaksFound)
      assert.deepStrictEqual(second.leaks.map(({ kind }) => kind), ["session"])
      assert.include(second.leaks[0]?.where.join(), "LeakCheck.kernel.test.ts")

      yield* run(async () => {})
      assert.deepStrictEqual(Object.keys(yield* SessionRegistry.counts), ["slot"])
    }))
})
