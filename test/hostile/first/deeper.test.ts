import {
  Caller,
  Deadline,
  Retry,
  Session,
  SessionLog,
  SessionRegistry,
  Shutdown,
  Tasks,
  Timeouts
} from "@clawback/core"
import * as LeakProbe from "@clawback/core/LeakProbe"
import * as SessionObserver from "@clawback/core/SessionObserver"
import { expect, it } from "@effect/vitest"
import {
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Latch,
  Layer,
  Logger,
  Metric,
  Random,
  References,
  Schedule,
  Scope,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import { apart, endsWithin, settle, tagOf, Things, wrong } from "./bench.ts"

const job = { kind: "job", name: "nightly" }
const farewell = { kind: "farewell", name: "tell the other side" }

// Releases that use the library themselves: to give something back at a provider takes a call, which is a session

const politely = (things: Things) => (id: number) =>
  Session.use(
    farewell,
    Effect.void,
    () => Effect.void,
    () => Effect.andThen(Effect.sleep("10 millis"), things.give(id))
  )

it.effect("a release that makes a call of its own can do so when its session was revoked", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const fiber = yield* Effect.forkDetach(Session.use(job, things.take, politely(things), () => Effect.never), {
      startImmediately: true
    })
    const revoked = yield* endsWithin("1 minute")(SessionRegistry.revoke({ kind: "job" }, { reason: "x" }))
    expect(Exit.isSuccess(revoked) && revoked.value.stuck).toEqual([])
    yield* settle
    expect(tagOf(fiber.pollUnsafe() ?? Exit.void)).toBe("SessionRevoked")
    things.settled(1)
  }))
})

it.effect("a release that makes a call of its own can do so when a session around its own was revoked", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    yield* Effect.forkDetach(
      Session.use(
        { kind: "outer", name: "x" },
        Effect.void,
        () => Effect.void,
        () => Session.use(job, things.take, politely(things), () => Effect.never)
      ),
      { startImmediately: true }
    )
    const revoked = yield* endsWithin("1 minute")(SessionRegistry.revoke({ kind: "outer" }, { reason: "x" }))
    expect(Exit.isSuccess(revoked) && revoked.value.stuck).toEqual([])
    things.settled(1)
  }))
})

it.effect("a release that makes a call of its own can do so when the process shuts down", () => {
  const things = new Things()
  return apart(
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Effect.forkDetach(
        Shutdown.admit({ kind: "request", name: "x" })(
          Session.use(job, things.take, politely(things), () => Effect.never)
        ),
        { startImmediately: true }
      )
      yield* Scope.provide(Session.acquire(job, things.take, politely(things)), scope)
      const report = yield* endsWithin("1 minute")(Shutdown.shutdown("x"))
      expect(Exit.isSuccess(report) && report.value.stuck).toEqual([])
      things.settled(2)
    }).pipe(Effect.provide(Layer.fresh(Shutdown.layer())))
  )
})

it.effect("a release that makes a call of its own can do so when its registry closes", () => {
  const things = new Things()
  return Effect.gen(function*() {
    const scope = yield* Scope.make()
    const leaked = yield* Scope.make()
    const context = yield* Layer.buildWithScope(SessionRegistry.layer(), scope)
    yield* Session.acquire(job, things.take, politely(things)).pipe(Scope.provide(leaked), Effect.provide(context))
    yield* endsWithin("1 minute")(Scope.close(scope, Exit.void))
    things.settled(1)
  })
})

it.effect("a release that makes a call of its own can do so when its tenant has no quota left", () => {
  const things = new Things()
  return apart(
    Effect.gen(function*() {
      const exit = yield* endsWithin("1 minute")(
        Session.use(job, things.take, politely(things), () => Effect.succeed("done"))
      )
      expect(tagOf(exit)).toBe("success")
      things.settled(1)
    }).pipe(Caller.provide({ tenant: "acme" })),
    { quota: () => 1 }
  )
})

it.effect("a release that makes a call with a limit of its own can do so after the deadline of the work has passed", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* Session.use(
      job,
      things.take,
      (id) => Deadline.within("10 seconds")(politely(things)(id)),
      () => Effect.never
    ).pipe(Deadline.within("1 second"), endsWithin("1 minute"))
    expect(tagOf(exit)).toBe("DeadlineExceeded")
    things.settled(1)
  }))
})

it.effect("a release that is retried by a policy can do so after the deadline of the work has passed", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* Session.use(
      job,
      things.take,
      (id) => Retry.apply(Retry.jittered())(things.give(id)),
      () => Effect.never
    ).pipe(Deadline.within("1 second"), endsWithin("1 minute"))
    expect(tagOf(exit)).toBe("DeadlineExceeded")
    things.settled(1)
  }))
})

it.effect("a finalizer in the scope of a session can make a call after the session was revoked", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const fiber = yield* Effect.forkDetach(
      Session.scoped(job)(
        Effect.andThen(Effect.acquireRelease(things.take, (id) => Effect.orDie(politely(things)(id))), Effect.never)
      ),
      { startImmediately: true }
    )
    yield* endsWithin("1 minute")(SessionRegistry.revoke({ kind: "job" }, { reason: "x" }))
    yield* settle
    things.settled(1)
    expect(tagOf(fiber.pollUnsafe() ?? Exit.void)).toBe("SessionRevoked")
  }))
})

// Services that go missing

it.effect("a release that uses the scope around it finds it, for every session and not for most", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* Effect.exit(Effect.scoped(
      Effect.forEach(Array.from({ length: 300 }), () =>
        Effect.scoped(Session.acquire(
          job,
          things.take,
          (id) => Effect.andThen(Effect.scope, things.give(id))
        )))
    ))
    expect(tagOf(exit)).toBe("success")
    things.settled(300)
  }))
})

it.effect("something acquired where no scope is does not leak", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const context = Context.omit(Scope.Scope)(yield* Effect.context<Scope.Scope>())
    // As one who writes no types may do it.
    const acquire: Effect.Effect<unknown> = wrong(Session.acquire(job, things.take, things.give))
    const exit = yield* Effect.promise(() => Effect.runPromiseExitWith(context)(acquire))
    expect(tagOf(exit)).toContain("Scope")
    things.settled()
  }))
})

it.effect("a probe for lost owners that throws, or is told at once and twice, loses nothing", () => {
  const things = new Things()
  return apart(
    Effect.gen(function*() {
      const probes: ReadonlyArray<LeakProbe.LeakProbe> = [
        {
          watch: (_, onLost) => {
            onLost()
            onLost()
            return () => {}
          }
        },
        {
          watch: () => () => {
            throw new Error("cannot stop looking")
          }
        },
        {
          watch: () => {
            throw new Error("cannot look")
          }
        }
      ]
      for (const probe of probes) {
        yield* Effect.exit(
          Effect.scoped(Session.acquire(job, things.take, things.give)).pipe(
            Effect.provideService(LeakProbe.LeakProbe, probe)
          )
        )
        things.settled()
        expect(yield* SessionRegistry.counts).toEqual({})
      }
    }),
    { sampleAll: true }
  )
})

// Handles as values

it.effect("what a handle does can be put into an object of one's own, by name", () => {
  const things = new Things()
  return apart(Effect.scoped(Effect.gen(function*() {
    const handle = yield* Session.acquire(job, things.take, things.give)
    const { awaitRevoked, close } = handle
    // A copy of the whole has the values only, as the documentation says: a handle is kept small.
    expect(Object.keys({ ...handle })).not.toContain("close")
    const mine = { awaitRevoked, close, note: "mine" }
    expect(Effect.isEffect(mine.awaitRevoked)).toBe(true)
    yield* mine.close
    things.settled(1)
  })))
})

it.effect("a handle, its session and a current session can be printed, in JSON too, without a secret or an end", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    const attributes = { apiKey: "sk-planted-5b1f", model: "gpt-5" }
    yield* Session.acquire({ kind: "other", name: "x", attributes }, Effect.void, () => Effect.void)
    yield* Session.use(job, Effect.void, () => Effect.void, () =>
      Effect.gen(function*() {
        const handle = yield* Session.acquire({ kind: "inner", name: "x", attributes }, Effect.void, () => Effect.void)
        for (const value of [handle, handle.session, yield* Session.Current]) {
          const shown = JSON.stringify(value) + String(value) + inspect(value, { depth: 10 })
          expect(shown.length).toBeLessThan(20_000)
          expect(shown).not.toContain("sk-planted")
        }
      })).pipe(Effect.scoped)
  }))))

it.effect("a session that is logged by a structured logger shows no secret of its own or of others", () => {
  const lines: Array<string> = []
  const logger = Logger.map(Logger.formatJson, (line) => {
    lines.push(line)
  })
  return apart(Effect.scoped(Effect.gen(function*() {
    const attributes = { apiKey: "sk-planted-5b1f" }
    yield* Session.acquire({ kind: "other", name: "x", attributes }, Effect.void, () => Effect.void)
    const { session } = yield* Session.acquire({ kind: "inner", name: "x", attributes }, Effect.void, () => Effect.void)
    yield* Effect.logInfo("opened", session).pipe(Effect.annotateLogs({ session }))
    expect(lines.length).toBe(1)
    expect(lines.join()).not.toContain("sk-planted")
  }))).pipe(Effect.provideService(Logger.CurrentLoggers, new Set([logger])))
})

// Streams whose reader is away

it.effect("a stream whose reader sleeps is given back in time, and he is told when he comes back", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const fiber = yield* Effect.forkDetach(
      Stream.unwrap(Effect.as(Effect.acquireRelease(things.take, things.give), Stream.range(1, 5))).pipe(
        Stream.rechunk(1),
        Session.scopedStream({ kind: "feed", name: "x" }),
        Stream.runForEach(() => Effect.sleep("1 hour"))
      ),
      { startImmediately: true }
    )
    yield* settle
    yield* endsWithin("31 seconds")(SessionRegistry.revoke({}, { reason: "x", deadline: "30 seconds" }))
    things.settled(1)
    expect(
      tagOf(
        yield* endsWithin("2 hours")(Fiber.await(fiber)).pipe(
          Effect.map((exit) => Exit.isSuccess(exit) ? exit.value : exit)
        )
      )
    ).toBe(
      "SessionRevoked"
    )
  }))
})

it.effect("a sink that fails ends the stream's session, and a release that reads the session's state sees it", () => {
  const states: Array<string> = []
  return apart(Effect.gen(function*() {
    yield* Effect.exit(Effect.scoped(Effect.gen(function*() {
      const own = yield* Deferred.make<Session.Session>()
      const handle = yield* Session.acquire(
        job,
        Effect.void,
        () => Effect.map(Deferred.await(own), (session) => states.push(session.state, String(session.isOpen)))
      )
      yield* Deferred.succeed(own, handle.session)
      states.push(handle.session.state)
      yield* Effect.fail("x")
    })))
    expect(states).toEqual(["open", "releasing", expect.any(String)])
  }))
})

// Options whose callbacks throw

it.effect("a judge of what is worth an entry in the log that throws once does not silence the log", () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => {
    lines.push(String(message))
  })
  let judged = 0
  return Effect.scoped(Effect.gen(function*() {
    const registry = yield* Layer.build(SessionRegistry.layer())
    yield* Effect.gen(function*() {
      yield* Layer.build(SessionLog.layer({
        isSignificant: () => {
          if (judged++ === 0) throw new Error("cannot judge")
          return true
        }
      }))
      yield* settle
      for (let i = 0; i < 3; i++) yield* Session.use(job, Effect.void, () => Effect.void, () => Effect.void)
      yield* settle
    }).pipe(Effect.provide(registry))
    expect(lines.filter((line) => line.includes("closed job")).length).toBe(3)
  })).pipe(
    Effect.provideService(Logger.CurrentLoggers, new Set([logger])),
    Effect.provideService(References.MinimumLogLevel, "All")
  )
})

it.effect("a session that is opened in the moment of a metric's reading does not break it", () =>
  apart(Effect.gen(function*() {
    const context = yield* Effect.context<never>()
    const registry = yield* SessionRegistry.SessionRegistry
    const kinds: Array<string> = []
    const stop = SessionObserver.onKind(registry, ({ kind }) => {
      kinds.push(kind)
      if (kinds.length < 5) {
        Effect.runSyncWith(context)(
          Session.use({ kind: `more ${kinds.length}`, name: "x" }, Effect.void, () => Effect.void, () => Effect.void)
        )
      }
    })
    yield* Session.use(job, Effect.void, () => Effect.void, () => Effect.void)
    stop()
    stop()
    expect(new Set(kinds).size).toBe(kinds.length)
    expect(kinds.length).toBe(5)
    yield* Metric.snapshot
  })))

// Clocks within clocks

it.effect("work that goes by another clock inside of a deadline ends, or ends typed", () =>
  apart(Effect.gen(function*() {
    const exit = yield* Deadline.within("1 minute")(
      TestClock.withLive(Deadline.within("10 seconds")(Effect.as(Effect.sleep("2 millis"), "done")))
    ).pipe(Effect.exit)
    // The deadline outside means a moment of another clock, so which comes first is by chance.
    expect(["success", "DeadlineExceeded"]).toContain(tagOf(exit))
  })))

it.effect("limits of parts of a millisecond end what waits", () =>
  apart(Effect.gen(function*() {
    for (const tiny of [0.5, 0.0001, Number.MIN_VALUE, "1 nanos", "3 micros", { microseconds: 1 }] as const) {
      yield* Effect.sleep(0.37)
        .pipe(endsWithin("1 second"))
      const exit = yield* endsWithin("1 second")(Deadline.within(tiny)(Effect.never))
      expect([tiny, tagOf(exit)]).toEqual([tiny, "DeadlineExceeded"])
      const stream = yield* endsWithin("1 second")(
        Stream.never.pipe(Timeouts.applyStream({ timeouts: { firstToken: tiny } }), Stream.runDrain)
      )
      expect([tiny, tagOf(stream)]).toEqual([tiny, "FirstTokenTimeout"])
      const both = yield* endsWithin("1 second")(Stream.never.pipe(Deadline.withinStream(tiny), Stream.runDrain))
      expect([tiny, tagOf(both)]).toEqual([tiny, "DeadlineExceeded"])
    }
  })))

it.effect("a wait of a retry that a deadline cuts to a part of a millisecond ends", () => {
  const error = { retry: { reach: "answered", isTransient: true } as const }
  return apart(Effect.gen(function*() {
    for (let i = 0; i < 12; i++) {
      yield* endsWithin("1 second")(Effect.sleep(i / 7))
      const exit = yield* Effect.fail(error).pipe(
        Retry.apply(Retry.jittered({ attempts: 10, base: "10 seconds", budget: Retry.unlimited })),
        Deadline.within(3 + i / 3),
        Random.withSeed(i),
        endsWithin("1 minute")
      )
      expect(tagOf(exit)).toMatch(/DeadlineExceeded|fail/)
    }
  }))
})

// Tasks that outlive, and sizes

it.effect("tasks whose scope outlives the session in which they were made go on, and end with their scope", () =>
  apart(
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const tasks = yield* Session.use(job, Effect.void, () =>
        Effect.void, () =>
        Scope.provide(Tasks.make({ name: "x" }), scope))
      const task = yield* tasks.start({ name: "x", atShutdown: "cancel" })(Effect.never)
      expect(yield* SessionRegistry.counts).toEqual({ task: 1 })
      yield* endsWithin("1 minute")(Scope.close(scope, Exit.void))
      expect(tagOf(yield* task.await)).toBe("TaskCancelled")
    }).pipe(Effect.provide(Layer.fresh(Shutdown.layer())))
  ))

it.effect("a task that waits a year to be begun again is cancelled at once, and so is its owner", () =>
  apart(
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const tasks = yield* Scope.provide(Tasks.make({ name: "x", onFailure: () => Effect.void }), scope)
      const start = tasks.start({ name: "x", atShutdown: "cancel", restart: Schedule.spaced("365 days") })
      const [one, other] = [yield* start(Effect.fail("x")), yield* start(Effect.die("y"))]
      yield* settle
      expect(tagOf(yield* endsWithin("1 second")(one.cancel))).toBe("success")
      expect(tagOf(yield* endsWithin("1 second")(Scope.close(scope, Exit.void)))).toBe("success")
      for (const task of [one, other]) expect(tagOf(yield* task.await)).toBe("TaskCancelled")
    }).pipe(Effect.provide(Layer.fresh(Shutdown.layer())))
  ))

it.effect("five hundred sessions inside of each other open, list and close", () => {
  let most = 0
  const nest = (depth: number): Effect.Effect<void, unknown> =>
    depth === 0
      ? Effect.map(SessionRegistry.list({ within: 1 }), (all) => {
        most = all.length
      })
      : Session.use(job, Effect.void, () => Effect.void, () => nest(depth - 1))
  return apart(Effect.gen(function*() {
    yield* nest(500)
    expect(most).toBe(500)
  }))
})

it.effect("three thousand sessions are opened, counted and closed in any order", () =>
  apart(Effect.gen(function*() {
    const scopes = yield* Effect.forEach(Array.from({ length: 100 }), () => Scope.make())
    for (let i = 0; i < 3000; i++) {
      yield* Scope.provide(Session.acquire(job, Effect.void, () => Effect.void), scopes[i % 100]!)
    }
    expect(yield* SessionRegistry.counts).toEqual({ job: 3000 })
    for (let i = 0; i < 100; i++) yield* Scope.close(scopes[(i * 37) % 100]!, Exit.void)
  })))

// Others' hands

it.effect("a latch, a lock and a promise that two sessions hold for each other end when one is revoked", () =>
  apart(Effect.gen(function*() {
    const [a, b] = [yield* Latch.make(), yield* Latch.make()]
    const one = yield* Effect.forkDetach(
      Session.use({ kind: "a", name: "a" }, Effect.void, () => a.open, () => b.await),
      { startImmediately: true }
    )
    const two = yield* Effect.forkDetach(
      Session.use({ kind: "b", name: "b" }, Effect.void, () => b.open, () => a.await),
      { startImmediately: true }
    )
    yield* settle
    yield* endsWithin("1 minute")(SessionRegistry.revoke({ kind: "a" }, { reason: "x" }))
    const exits = yield* endsWithin("1 minute")(Fiber.awaitAll([one, two]))
    expect(Exit.isSuccess(exits) && exits.value.map(tagOf)).toEqual(["SessionRevoked", "success"])
  })))

it.effect("sessions whose releases wait for each other's are named as stuck, and the revocation ends", () =>
  apart(Effect.gen(function*() {
    const [a, b] = [yield* Latch.make(), yield* Latch.make()]
    yield* Effect.forkDetach(
      Session.use({ kind: "a", name: "a" }, Effect.void, () => Effect.andThen(b.await, a.open), () => Effect.never),
      { startImmediately: true }
    )
    yield* Effect.forkDetach(
      Session.use({ kind: "b", name: "b" }, Effect.void, () => Effect.andThen(a.await, b.open), () => Effect.never),
      { startImmediately: true }
    )
    yield* settle
    const revoked = yield* endsWithin("1 minute")(SessionRegistry.revoke({}, { reason: "x" }))
    expect(Exit.isSuccess(revoked) && revoked.value.stuck.length).toBe(2)
    yield* a.open
    yield* settle
  })))
