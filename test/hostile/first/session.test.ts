import { Caller, Deadline, Session, SessionRegistry } from "@clawback/core"
import { expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Latch, References, Schedule, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { apart, endsWithin, settle, tagOf, Things, wrong } from "./bench.ts"

const job = { kind: "job", name: "nightly" }

it.effect("work that revokes its own session fails with the error of the revocation", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* Session.use(
      job,
      things.take,
      things.give,
      () => SessionRegistry.revoke({ kind: "job" }, { reason: "by myself" })
    ).pipe(endsWithin("1 minute"))
    expect(tagOf(exit)).toBe("SessionRevoked")
    things.settled(1)
  }))
})

it.effect("a release that revokes its own session ends in time", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* Session.use(
      job,
      things.take,
      (id) => Effect.andThen(things.give(id), SessionRegistry.revoke({ kind: "job" }, { reason: "once more" })),
      () => Effect.succeed("done")
    ).pipe(endsWithin("1 minute"))
    expect(tagOf(exit)).not.toContain("die")
    things.settled(1)
  }))
})

it.effect("an acquisition that revokes its own session gives back what it brings", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* Session.use(
      job,
      Effect.andThen(SessionRegistry.revoke({ kind: "job" }, { reason: "too early" }), things.take),
      things.give,
      () => Effect.succeed("used")
    ).pipe(endsWithin("1 minute"))
    expect(tagOf(exit)).toBe("SessionRevoked")
    things.settled(1)
  }))
})

it.effect("a release that closes its own handle ends", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* Effect.scoped(Effect.gen(function*() {
      const own = yield* Deferred.make<Session.Handle<number>>()
      const handle = yield* Session.acquire(
        job,
        things.take,
        (id) => Effect.andThen(things.give(id), Effect.flatMap(Deferred.await(own), ({ close }) => close))
      )
      yield* Deferred.succeed(own, handle)
      yield* handle.close
    })).pipe(endsWithin("1 minute"))
    expect(tagOf(exit)).toBe("success")
    things.settled(1)
  }))
})

it.effect("a release that closes the scope that it is part of ends", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Scope.provide(
      Session.acquire(job, things.take, (id) => Effect.andThen(things.give(id), Scope.close(scope, Exit.void))),
      scope
    )
    expect(tagOf(yield* Scope.close(scope, Exit.void).pipe(endsWithin("1 minute")))).toBe("success")
    things.settled(1)
  }))
})

it.effect("a handle is closed by ten fibers, its scope and a revocation at once, and released once", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const scope = yield* Scope.make()
    const handle = yield* Scope.provide(
      Session.acquire(job, things.take, (id) => Effect.andThen(Effect.yieldNow, things.give(id))),
      scope
    )
    const all = [
      ...Array.from({ length: 10 }, () => handle.close),
      Scope.close(scope, Exit.void),
      Effect.asVoid(SessionRegistry.revoke({ kind: "job" }, { reason: "as well", deadline: 0 }))
    ]
    const exit = yield* Effect.all(all, { concurrency: "unbounded", discard: true }).pipe(endsWithin("1 minute"))
    expect(tagOf(exit)).toBe("success")
    things.settled(1)
  }))
})

it.effect("a handle that two callbacks dispose of is released once", () => {
  const things = new Things()
  return apart(Effect.scoped(Effect.gen(function*() {
    const handle = yield* Session.acquire(job, things.take, things.give)
    yield* Effect.promise(() => Promise.all([handle[Symbol.asyncDispose](), handle[Symbol.asyncDispose]()]))
    things.settled(1)
    expect(handle.session.isOpen).toBe(false)
    expect(handle.session.state).toBe("closed")
  })))
})

it.effect("the whole handle can be taken apart", () => {
  const things = new Things()
  return apart(Effect.scoped(Effect.gen(function*() {
    const { awaitRevoked, close, session, value } = yield* Session.acquire(job, things.take, things.give)
    expect(value).toBe(1)
    yield* SessionRegistry.revoke({ id: session.id }, { reason: "now", deadline: 0 })
    expect((yield* awaitRevoked).reason).toBe("now")
    yield* close
    things.settled(1)
  })))
})

it.effect("a handle can be asked for its revocation long after it was released", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const handle = yield* Effect.scoped(Effect.gen(function*() {
      const handle = yield* Session.acquire(job, things.take, things.give)
      yield* SessionRegistry.revoke({}, { reason: "gone", deadline: 0 })
      return handle
    }))
    expect(tagOf(yield* endsWithin("1 second")(handle.awaitRevoked))).toBe("success")
    yield* handle.close
    things.settled(1)
  }))
})

it.effect("a restore that is kept and used later harms nothing", () => {
  const things = new Things()
  let kept: Session.Restore | undefined
  return apart(Effect.gen(function*() {
    yield* Session.use(
      job,
      (restore) => {
        kept = restore
        return things.take
      },
      things.give,
      () => Effect.void
    )
    const later = yield* endsWithin("1 minute")(kept!(Effect.succeed("later")))
    expect(tagOf(later)).toBe("success")
    things.settled(1)
  }))
})

it.effect("a restore inside of a restore is told of the revocation", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const waiting = yield* Latch.make()
    const fiber = yield* Effect.forkChild(
      Session.use(
        job,
        (restore) => Effect.andThen(restore(Effect.andThen(waiting.open, restore(Effect.never))), things.take),
        things.give,
        () => Effect.void
      ),
      { startImmediately: true }
    )
    yield* waiting.await
    yield* SessionRegistry.revoke({}, { reason: "stop waiting" }).pipe(endsWithin("1 second"))
    expect(tagOf(yield* Fiber.await(fiber))).toBe("SessionRevoked")
    things.settled(0)
  }))
})

it.effect("parts of an acquisition that are restored side by side all hear of the revocation", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(
      Session.use(
        job,
        (restore) =>
          Effect.andThen(
            Effect.all([restore(Effect.never), restore(Effect.never), restore(Effect.sleep("1 hour"))], {
              concurrency: "unbounded"
            }),
            things.take
          ),
        things.give,
        () => Effect.void
      ),
      { startImmediately: true }
    )
    yield* settle
    expect(tagOf(yield* endsWithin("1 second")(SessionRegistry.revoke({}, { reason: "stop" })))).toBe("success")
    expect(tagOf(yield* Fiber.await(fiber))).toBe("SessionRevoked")
    things.settled(0)
  }))
})

it.effect("functions that throw where they should give an effect leave nothing open", () => {
  const boom = (): never => {
    throw new Error("boom")
  }
  const things = new Things()
  return apart(Effect.gen(function*() {
    expect(
      tagOf(
        yield* Effect.exit(Session.use(job, wrong(boom) as Effect.Effect<void>, () => Effect.void, () => Effect.void))
      )
    ).toContain("boom")
    expect(tagOf(yield* Effect.exit(Session.use(job, things.take, things.give, boom as () => Effect.Effect<void>))))
      .toContain("boom")
    things.settled(1)
    const exit = yield* Effect.exit(
      Session.use(job, Effect.void, boom as () => Effect.Effect<void>, () => Effect.fail("mine"))
    )
    // Effect itself makes a defect of an error whose finalizer fails.
    expect(tagOf(exit)).toBe("die mine")
    expect(Exit.isFailure(exit) && exit.cause.reasons.length).toBe(2)
    expect(
      tagOf(yield* Effect.exit(Effect.scoped(Session.acquire(job, Effect.void, boom as () => Effect.Effect<void>))))
    ).toContain("boom")
    expect(
      tagOf(
        yield* Effect.exit(Effect.scoped(Session.acquire(job, wrong(boom) as Effect.Effect<void>, () => Effect.void)))
      )
    ).toContain("boom")
  }))
})

it.effect("work that is no effect at all is a defect, and what was taken is given back", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    for (const nothing of [undefined, null, 42, "text", {}, Promise.resolve(1)]) {
      const exit = yield* endsWithin("1 minute")(
        Session.use(job, things.take, things.give, () => wrong(nothing) as Effect.Effect<void>)
      )
      expect(tagOf(exit)).toContain("die")
    }
    things.settled(6)
  }))
})

it.effect("a release that is no effect at all is a defect, and the session is closed", () =>
  apart(Effect.gen(function*() {
    for (const nothing of [undefined, null, 42]) {
      const exit = yield* endsWithin("1 minute")(
        Session.use(job, Effect.void, () => wrong(nothing), () => Effect.succeed("done"))
      )
      expect(tagOf(exit)).not.toBe("interrupt")
    }
  })))

it.effect("an info whose getters throw leaves nothing open", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    for (const field of ["kind", "name", "attributes", "releaseRetry"]) {
      const info = { ...job }
      Object.defineProperty(info, field, {
        get: () => {
          throw new Error("a getter threw")
        }
      })
      const exit = yield* endsWithin("1 minute")(Session.use(info, things.take, things.give, () => Effect.void))
      // What is looked at only when it is needed may go unnoticed.
      expect(["success", "die Error: a getter threw"]).toContain(tagOf(exit))
      things.settled()
      expect(yield* SessionRegistry.counts).toEqual({})
    }
  }))
})

it.effect("an info that changes while its session is open confuses no count", () => {
  const info = { kind: "before", name: "x" }
  return apart(Session.use(info, Effect.void, () => Effect.void, () =>
    Effect.gen(function*() {
      info.kind = "after"
      expect(yield* SessionRegistry.counts).toEqual({ before: 1 })
    })))
})

it.effect("kinds that are called like members of every object are counted like others", () => {
  const kinds = ["__proto__", "constructor", "toString", "hasOwnProperty", ""]
  return apart(Effect.scoped(Effect.gen(function*() {
    for (const kind of kinds) yield* Session.acquire({ kind, name: kind }, Effect.void, () => Effect.void)
    expect(Object.entries(yield* SessionRegistry.counts).toSorted()).toEqual(
      kinds.map((kind) => [kind, 1]).toSorted()
    )
    for (const kind of kinds) expect((yield* SessionRegistry.list({ kind })).length).toBe(1)
    expect((yield* SessionRegistry.revoke({}, { reason: "all", deadline: 0 })).revoked.length).toBe(kinds.length)
  })))
})

it.effect("a session whose name came from JSON as a number is refused, and harms no other", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    // A defect at once, instead of an error later that cannot be made.
    const refused = yield* Effect.exit(
      Session.use({ kind: "job", name: wrong(42) }, things.take, things.give, () => Effect.never)
    )
    expect(tagOf(refused)).toMatch(/RangeError.*`name`/)
    const other = yield* Effect.forkChild(
      Session.use(job, things.take, things.give, () => Effect.never),
      { startImmediately: true }
    )
    yield* endsWithin("1 minute")(SessionRegistry.revoke({}, { reason: "everything" }))
    expect(tagOf(yield* Fiber.await(other))).toBe("SessionRevoked")
    things.settled(1)
  }))
})

it.effect("a revocation for a reason that is no text is refused or done, and never done by half", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    for (const reason of [undefined, null, 42, new Error("why")]) {
      const fiber = yield* Effect.forkChild(
        Session.use(job, things.take, things.give, () => Effect.never),
        { startImmediately: true }
      )
      const revoked = yield* endsWithin("1 minute")(
        Effect.suspend(() => SessionRegistry.revoke({}, { reason: wrong(reason) }))
      )
      // Refused: then the next one must find everything as it was.
      if (Exit.isFailure(revoked)) yield* SessionRegistry.revoke({}, { reason: "a proper one" })
      expect(tagOf(yield* Fiber.await(fiber))).toBe("SessionRevoked")
    }
    things.settled(4)
  }))
})

it.effect("a release that fails twice is tried until it succeeds, and the session is open as long", () => {
  let tries = 0
  return apart(Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(
      Session.use(
        job,
        Effect.void,
        () => Effect.suspend(() => ++tries < 3 ? Effect.fail("not yet") : Effect.void),
        () => Effect.succeed("done")
      ),
      { startImmediately: true }
    )
    yield* settle
    expect(yield* SessionRegistry.counts).toEqual({ job: 1 })
    yield* TestClock.adjust("1 second")
    expect(tagOf(yield* Fiber.await(fiber))).toBe("success")
    expect(tries).toBe(3)
  }))
})

it.effect("a release that fails for ever is a defect beside the work's own error, and no session stays", () =>
  apart(Effect.gen(function*() {
    const exit = yield* Session.use(job, Effect.void, () => Effect.fail("never"), () => Effect.fail("mine")).pipe(
      endsWithin("10 seconds")
    )
    // Effect itself makes a defect of an error whose finalizer fails.
    expect(tagOf(exit)).toBe("die mine")
    expect(
      Exit.isFailure(exit) &&
        exit.cause.reasons.some((reason) =>
          reason._tag === "Die" && (reason.defect as { _tag?: string })._tag === "ReleaseFailed"
        )
    ).toBe(true)
  })))

it.effect("a schedule of releases that dies itself still closes the session", () => {
  const broken = Schedule.map(Schedule.recurs(3), () => Effect.die("the schedule broke"))
  return apart(Effect.gen(function*() {
    const exit = yield* Session.use(
      { ...job, releaseRetry: broken },
      Effect.void,
      () => Effect.fail("no"),
      () => Effect.succeed("done")
    ).pipe(endsWithin("1 minute"))
    expect(tagOf(exit)).not.toBe("success")
  }))
})

it.effect("a release that interrupts itself still closes the session", () =>
  apart(Effect.gen(function*() {
    yield* endsWithin("1 minute")(Session.use(job, Effect.void, () => Effect.interrupt, () => Effect.succeed("done")))
  })))

it.effect("work that nothing can interrupt is released under its user, and its caller is told", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const stop = yield* Latch.make()
    const fiber = yield* Effect.forkChild(
      Session.use(job, things.take, things.give, () => Effect.uninterruptible(stop.await)),
      { startImmediately: true }
    )
    const revoked = yield* endsWithin("1 minute")(SessionRegistry.revoke({}, { reason: "now" }))
    expect(Exit.isSuccess(revoked) && revoked.value.forced.length).toBe(1)
    things.settled(1)
    expect(yield* SessionRegistry.counts).toEqual({})
    yield* stop.open
    expect(tagOf(yield* Fiber.await(fiber))).toBe("SessionRevoked")
    things.settled(1)
  }))
})

it.effect("a session in a region that nothing interrupts is released under its work, which a deadline ends", () => {
  const things = new Things()
  const work = Session.use(job, things.take, things.give, () => Deadline.within("1 minute")(Effect.never))
  return apart(Effect.gen(function*() {
    const shelters = [Effect.uninterruptible(Effect.ignore(work)), Effect.ensuring(Effect.void, Effect.ignore(work))]
    for (const sheltered of shelters) {
      const fiber = yield* Effect.forkDetach(sheltered, { startImmediately: true })
      const revoked = yield* endsWithin("10 seconds")(SessionRegistry.revoke({}, { reason: "now" }))
      expect(Exit.isSuccess(revoked) && revoked.value.forced.length).toBe(1)
      things.settled()
      // What may not be interrupted is not, or it would leave half of what it does: without a limit it goes on for ever.
      expect(fiber.pollUnsafe()).toBe(undefined)
      yield* endsWithin("1 minute")(Fiber.await(fiber))
    }
  }))
})

it.effect("what a detached fiber opens after its session ended belongs to the session around that", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const go = yield* Latch.make()
    const inner = Session.use(job, things.take, things.give, () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkDetach(
          Effect.andThen(
            go.await,
            Session.use({ kind: "late", name: "late" }, things.take, things.give, () => Effect.never)
          )
        )
        return [(yield* Session.Current)!.id, fiber] as const
      }))
    yield* Session.use({ kind: "outer", name: "x" }, things.take, things.give, () =>
      Effect.gen(function*() {
        const around = (yield* Session.Current)!.id
        const [id, fiber] = yield* inner
        yield* go.open
        yield* settle
        expect(yield* SessionRegistry.counts).toEqual({ late: 1, outer: 1 })
        // Nothing is inside of a session that is closed: a record that remembered all that it came from would grow for ever.
        expect(yield* SessionRegistry.list({ within: id })).toEqual([])
        expect((yield* SessionRegistry.list({ within: around })).map(({ kind }) => kind)).toEqual(["outer", "late"])
        yield* SessionRegistry.revoke({ kind: "late" }, { reason: "the rest" })
        expect(tagOf(yield* Fiber.await(fiber))).toBe("SessionRevoked")
      }))
    things.settled(3)
  }))
})

it.effect("what a detached fiber opens inside of a session that was revoked is refused", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const go = yield* Latch.make()
    let late: Fiber.Fiber<unknown, unknown> | undefined
    const work = yield* Effect.forkChild(
      Session.use(job, things.take, things.give, () =>
        Effect.gen(function*() {
          late = yield* Effect.forkDetach(
            Effect.andThen(go.await, Session.use(job, things.take, things.give, () => Effect.never))
          )
          yield* Effect.never
        })),
      { startImmediately: true }
    )
    yield* settle
    yield* SessionRegistry.revoke({}, { reason: "all of it" })
    yield* Fiber.await(work)
    yield* go.open
    expect(tagOf(yield* Fiber.await(late!))).toBe("SessionRevoked")
    things.settled(1)
  }))
})

it.effect("five hundred sessions inside of each other are released from the inside out", () => {
  const order: Array<number> = []
  const nest = (depth: number): Effect.Effect<void, unknown> =>
    depth === 0 ? Effect.void : Session.use(
      { kind: "level", name: String(depth) },
      Effect.succeed(depth),
      (depth) => Effect.sync(() => order.push(depth)),
      () => nest(depth - 1)
    )
  return apart(Effect.gen(function*() {
    yield* nest(500)
    expect(order).toEqual(Array.from({ length: 500 }, (_, index) => index + 1))
  }))
})

it.effect("five hundred sessions inside of each other are revoked at once", () => {
  const things = new Things()
  const nest = (depth: number): Effect.Effect<void, unknown> =>
    depth === 0 ? Effect.never : Session.use(job, things.take, things.give, () => nest(depth - 1))
  return apart(Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(nest(500))
    yield* settle
    while ((yield* SessionRegistry.counts)["job"] !== 500) yield* settle
    yield* SessionRegistry.revoke({}, { reason: "all" })
    expect(tagOf(yield* Fiber.await(fiber))).toBe("SessionRevoked")
    things.settled(500)
  }))
})

it.effect("two thousand handles in one scope are revoked in a moment", () => {
  const things = new Things()
  return apart(Effect.scoped(Effect.gen(function*() {
    for (let i = 0; i < 2000; i++) yield* Session.acquire(job, things.take, things.give)
    const { revoked } = yield* SessionRegistry.revoke({ kind: "job" }, { reason: "all", deadline: 0 })
    expect(revoked.length).toBe(2000)
    things.settled(2000)
  })))
})

it.effect("a session works under a scheduler that yields at every step, and under one that never does", () => {
  const things = new Things()
  const work = Session.use(
    job,
    things.take,
    things.give,
    () => Effect.as(Effect.all(Array.from({ length: 50 }, () => Effect.yieldNow)), "done")
  )
  return apart(Effect.gen(function*() {
    expect(yield* Effect.provideService(work, References.MaxOpsBeforeYield, 3)).toBe("done")
    things.settled(1)
    expect(yield* Effect.provideService(work, References.PreventSchedulerYield, true)).toBe("done")
    things.settled(2)
  }))
})

it("a session whose work is synchronous can be run synchronously", () => {
  const things = new Things()
  const value = Effect.runSync(apartSync(Session.use(job, things.take, things.give, () => Effect.succeed("done"))))
  expect(value).toBe("done")
  things.settled(1)
})

const apartSync = <A, E>(self: Effect.Effect<A, E>) => Effect.provide(self, SessionRegistry.layer())

it.effect("a fiber reference that work sets for itself stays inside, and those around it are seen", () => {
  const Setting = Context.Reference("hostile/Setting", { defaultValue: () => "default" })
  return apart(Effect.gen(function*() {
    const seen = yield* Session.use(
      job,
      Setting,
      () => Effect.void,
      (inAcquire) => Effect.map(Setting, (inWork) => [inAcquire, inWork])
    )
    expect(seen).toEqual(["outer", "outer"])
  })).pipe(Effect.provideService(Setting, "outer"))
})

it.effect("a release sees the exit that its work came to, also an interruption and a defect", () => {
  const seen: Array<string> = []
  const use = (work: Effect.Effect<unknown, string>) =>
    Session.use(job, Effect.void, (_, exit) => Effect.sync(() => seen.push(tagOf(exit))), () => work)
  return apart(Effect.gen(function*() {
    yield* use(Effect.succeed(1))
    yield* Effect.exit(use(Effect.fail("mine")))
    yield* Effect.exit(use(Effect.die("bad")))
    yield* Effect.exit(use(Effect.interrupt))
    expect(seen).toEqual(["success", "fail mine", "die bad", "interrupt"])
  }))
})

it.effect("a scope that closes while something is acquired into it gets it, and gives it back", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const scope = yield* Scope.make()
    const go = yield* Latch.make()
    const fiber = yield* Effect.forkChild(
      Scope.provide(Session.acquire(job, Effect.andThen(go.await, things.take), things.give), scope),
      { startImmediately: true }
    )
    yield* Scope.close(scope, Exit.void)
    yield* go.open
    yield* Fiber.await(fiber)
    things.settled(1)
    expect(yield* SessionRegistry.counts).toEqual({})
  }))
})

it.effect("an interruption in every step of an acquisition loses nothing", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    for (let steps = 0; steps < 40; steps++) {
      const fiber = yield* Effect.forkChild(
        Effect.scoped(Effect.andThen(
          Session.acquire(
            job,
            Effect.andThen(
              Effect.yieldNow,
              Effect.andThen(things.take, Effect.tap(Effect.succeed(things.taken), Effect.yieldNow))
            ),
            () => things.give(things.given)
          ),
          Effect.yieldNow
        ))
      )
      for (let i = 0; i < steps; i++) yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
    }
    expect(things.given).toBe(things.taken)
  }))
})

it.effect("an acquisition that forks a child, and ends, keeps nothing of it", () =>
  apart(Effect.gen(function*() {
    let ended = false
    yield* Session.use(
      job,
      Effect.forkChild(Effect.onExit(Effect.never, () => Effect.sync(() => ended = true))),
      Fiber.interrupt,
      () => Effect.yieldNow
    )
    expect(ended).toBe(true)
  })))

it.effect("a stream of a session that is run twice at once has two sessions", () => {
  const stream = Session.scopedStream(job)(Stream.tap(Stream.range(1, 10), () => Effect.yieldNow))
  return apart(Effect.gen(function*() {
    const [one, other] = yield* Effect.all([Stream.runCollect(stream), Stream.runCollect(stream)], {
      concurrency: "unbounded"
    })
    expect(one.length + other.length).toBe(20)
  }))
})

it.effect("the caller is told by the handle who holds it, also where it was set by a proxy", () => {
  const caller = new Proxy({ tenant: "acme" }, {})
  return apart(
    Effect.scoped(Effect.gen(function*() {
      const { session } = yield* Session.acquire(job, Effect.void, () => Effect.void)
      expect(session.caller?.tenant).toBe("acme")
      expect((yield* SessionRegistry.list({ tenant: "acme" })).length).toBe(1)
    })).pipe(Caller.provide(caller))
  )
})
