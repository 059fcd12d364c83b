import {
  Caller,
  Deadline,
  Retry,
  Session,
  SessionRegistry,
  Shutdown,
  Tasks,
  Timeouts,
  Transport,
  TransportError
} from "@clawback/core"
import { OpenAi, Target } from "@clawback/providers"
import { expect, it } from "@effect/vitest"
import {
  ConfigProvider,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Latch,
  Layer,
  LayerMap,
  ManagedRuntime,
  Pool,
  Scope,
  Stream
} from "effect"
import { apart as apartRegistry, endsWithin, settle, tagOf, Things, wrong } from "./bench.ts"

const job = { kind: "job", name: "nightly" }
const apart = <A, E, R>(self: Effect.Effect<A, E, R>, options?: SessionRegistry.Options) =>
  apartRegistry(Effect.provide(self, Layer.fresh(Shutdown.layer())), options)
const stop = Shutdown.shutdown("the end")
const refused = () => new TransportError.ConnectFailed({ origin: "https://x.example", reason: "refused", cause: "" })

it.effect("a promised task that a request starts is waited for after the request itself has ended", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    const tasks = yield* Tasks.make({ name: "x" })
    let isWritten = false
    yield* Shutdown.admit({ kind: "request", name: "x" })(
      tasks.start({ name: "audit", atShutdown: "drain" })(
        Effect.andThen(
          Effect.sleep("5 seconds"),
          Effect.sync(() => {
            isWritten = true
          })
        )
      )
    )
    const report = yield* endsWithin("1 minute")(stop)
    expect(isWritten).toBe(true)
    expect(Exit.isSuccess(report) && [report.value.ended, report.value.exitCode]).toEqual([1, 0])
  }))))

it.effect("admitted work that admitted work leaves on a detached fiber is waited for after the outer has ended", () =>
  apart(Effect.gen(function*() {
    let isDone = false
    yield* Shutdown.admit({ kind: "outer", name: "x" })(
      Effect.forkDetach(
        Shutdown.admit({ kind: "inner", name: "x" })(
          Effect.andThen(
            Effect.sleep("5 seconds"),
            Effect.sync(() => {
              isDone = true
            })
          )
        ),
        { startImmediately: true }
      )
    )
    yield* endsWithin("1 minute")(stop)
    expect(isDone).toBe(true)
  })))

it.effect("a task does not inherit the deadline, the session or the idempotency key of the call in which it was started", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    const tasks = yield* Tasks.make({ name: "x" })
    const seen: Array<unknown> = []
    yield* Session.use(job, Effect.void, () => Effect.void, () =>
      Effect.gen(function*() {
        const task = yield* tasks.start({ name: "x", atShutdown: "drain" })(Effect.gen(function*() {
          seen.push(
            yield* Deadline.remaining,
            (yield* Session.Current)?.parent,
            (yield* Retry.CurrentKey)?.value
          )
        }))
        yield* task.await
      })).pipe(Retry.apply(Retry.jittered()), Deadline.within("1 minute"))
    expect(seen).toEqual([Duration.infinity, undefined, undefined])
  }))))

it.effect("two different calls inside of one that is retried do not go out under one name", () => {
  const keys: Array<string | undefined> = []
  const transport = Layer.succeed(Transport.Transport, {
    execute: (request: Transport.Request) => {
      keys.push(request.headers["idempotency-key"])
      return Effect.fail(new TransportError.InvalidUrl({ url: "x", reason: "none" } as never))
    }
  } as never)
  return apart(
    Effect.gen(function*() {
      const ask = (content: string) => Effect.exit(Target.generate({ messages: [{ role: "user", content }] }))
      yield* Effect.andThen(ask("first question"), ask("second question")).pipe(Retry.apply(Retry.jittered()))
      expect(keys.length).toBe(2)
      expect(new Set(keys).size).toBe(2)
    }).pipe(Effect.provide(Layer.provide(Target.layer(OpenAi.target("gpt-5-mini")), transport)))
  ).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({ OPENAI_API_KEY: "k" }))
  )
})

class Thing extends Context.Service<Thing, number>()("hostile/inherited/Thing") {}

it.effect("what a map of layers builds first inside of a request is that request's, by Effect's doing", () => {
  const seen: Array<unknown> = []
  return apart(Effect.scoped(Effect.gen(function*() {
    const map = yield* LayerMap.make((_key: string) =>
      Layer.effect(
        Thing,
        Effect.gen(function*() {
          seen.push((yield* Caller.Current)?.tenant, yield* Deadline.remaining, (yield* Session.Current)?.kind)
          return 1
        })
      ), { idleTimeToLive: "1 hour" })
    yield* Session.scoped({ kind: "request", name: "x" })(Effect.provide(Thing, map.get("a"))).pipe(
      Caller.provide({ tenant: "acme" }),
      Deadline.within("1 second")
    )
    expect(seen).toEqual(["acme", Duration.seconds(1), "request"])
  })))
})

it.effect("a pool that grows inside of a request grows for everybody", () => {
  const seen: Array<unknown> = []
  return apart(Effect.scoped(Effect.gen(function*() {
    const pool = yield* Pool.makeWithTTL({
      acquire: Effect.gen(function*() {
        seen.push((yield* Caller.Current)?.tenant, yield* Deadline.remaining, (yield* Session.Current)?.kind)
        return 1
      }),
      min: 0,
      max: 2,
      timeToLive: "1 hour"
    })
    yield* Session.scoped({ kind: "request", name: "x" })(Pool.get(pool)).pipe(
      Caller.provide({ tenant: "acme" }),
      Deadline.within("1 second")
    )
    expect(seen).toEqual([undefined, Duration.infinity, undefined])
  })))
})

it.live("what a runtime runs from inside of a session's callback is no part of that session", () =>
  Effect.gen(function*() {
    const runtime = ManagedRuntime.make(SessionRegistry.layer())
    const parents = yield* Effect.promise(() =>
      runtime.runPromise(
        Session.use(job, Effect.void, () =>
          Effect.void, () =>
          Effect.promise(() =>
            runtime.runPromise(Effect.scoped(Effect.map(
              Session.acquire({ kind: "apart", name: "x" }, Effect.void, () =>
                Effect.void),
              ({ session }) =>
                session.parent
            )))
          ))
      )
    )
    expect(parents).toBe(undefined)
    yield* Effect.promise(() => runtime.dispose())
  }))

it.effect("a program that goes on from inside of each of its sessions keeps nothing of those that have closed", () =>
  apart(Effect.gen(function*() {
    const done = yield* Latch.make()
    let depth = 0
    const next = (n: number): Effect.Effect<unknown, unknown> =>
      Session.use({ kind: "round", name: String(n) }, Effect.void, () => Effect.void, () =>
        Effect.gen(function*() {
          if (n === 0) {
            for (let at = yield* Session.Current; at !== undefined; at = at.parent) depth++
            return yield* done.open
          }
          yield* Effect.forkDetach(Effect.andThen(Effect.yieldNow, next(n - 1)))
        }))
    yield* next(500)
    yield* done.await
    expect(depth).toBeLessThan(10)
  })))

it.effect("a program that goes on in a child session of each of its streams keeps none that has ended", () =>
  apart(Effect.gen(function*() {
    let most = 0
    for (let i = 0; i < 50; i++) {
      yield* Stream.make(1, 2).pipe(
        Session.scopedStream({ kind: "feed", name: "x" }),
        Stream.mapEffect(() => Session.use(job, Effect.void, () => Effect.void, () => SessionRegistry.list())),
        Stream.runForEach((all) =>
          Effect.sync(() => {
            most = Math.max(most, all.length)
          })
        )
      )
    }
    expect(most).toBe(2)
  })))

it.effect("what comes after a deadline, a retry or a caller in the same fiber sees nothing of them", () =>
  apart(Effect.gen(function*() {
    const look = Effect.gen(function*() {
      return [yield* Deadline.remaining, yield* Retry.CurrentKey, yield* Caller.Current, yield* Session.Current]
    })
    const none = [Duration.infinity, undefined, undefined, undefined]
    for (
      const end of [Effect.void, Effect.fail("x"), Effect.die("x"), Effect.interrupt] as ReadonlyArray<
        Effect.Effect<void, string>
      >
    ) {
      yield* Session.use(job, Effect.void, () => Effect.void, () => end).pipe(
        Retry.apply(Retry.jittered()),
        Deadline.within("1 minute"),
        Caller.provide({ tenant: "acme" }),
        Effect.exit
      )
      expect(yield* look).toEqual(none)
    }
    const stream = Stream.fromEffect(look).pipe(
      Session.scopedStream(job),
      Deadline.withinStream("1 minute"),
      Retry.applyStream(Retry.jittered()),
      Stream.flatMap(() => Stream.fromEffect(look))
    )
    expect(yield* Stream.runCollect(stream)).toEqual([none])
  })))

it.effect("children that work leaves behind in a deadline end with it, and give back what they hold", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    for (
      const wrap of [
        Deadline.within("1 minute"),
        Session.scoped(job),
        Shutdown.admit(job)
      ] as unknown as ReadonlyArray<(self: Effect.Effect<void>) => Effect.Effect<void, unknown>>
    ) {
      yield* wrap(Effect.gen(function*() {
        yield* Effect.forkChild(
          Session.use({ kind: "child", name: "x" }, things.take, things.give, () => Effect.never),
          { startImmediately: true }
        )
        yield* Effect.yieldNow
      }))
      yield* settle
      expect(yield* SessionRegistry.counts).toEqual({})
    }
    things.settled(3)
  }))
})

it.effect("an effect that fails in one attempt under a scope that has closed already leaves nothing", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Scope.close(scope, Exit.void)
    let tries = 0
    const exit = yield* Effect.andThen(
      Session.acquire(job, things.take, things.give),
      Effect.suspend(() => ++tries < 2 ? Effect.fail(refused()) : Effect.void)
    ).pipe(Retry.apply(Retry.jittered({ base: 1 })), Scope.provide(scope), endsWithin("1 minute"))
    expect(tagOf(exit)).toMatch(/success|interrupt/)
    things.settled()
  }))
})

it.effect("the same policy, options and session description can be frozen and shared by all", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const policy = Object.freeze(
      Retry.jittered(Object.freeze({ base: 1, budget: Retry.budget(Object.freeze({ reserve: 3 })) }))
    )
    const info = Object.freeze({ ...job, attributes: Object.freeze({ model: "x" }) })
    const work = Session.use(info, things.take, things.give, () => Effect.fail(refused())).pipe(Retry.apply(policy))
    const exit = yield* endsWithin("1 minute")(Effect.exit(work))
    expect(Exit.isSuccess(exit) && tagOf(exit.value)).toBe("ConnectFailed")
    things.settled()
  }))
})

it.effect("a stream with every limit around it that is left at every element gives back each time", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const stream = Stream.unwrap(Effect.as(Session.acquire(job, things.take, things.give), Stream.range(1, 10))).pipe(
      Stream.rechunk(1),
      Session.scopedStream({ kind: "feed", name: "x" }),
      Timeouts.applyStream({ timeouts: { firstToken: "1 second", idle: "1 second" } }),
      Retry.applyStream(Retry.jittered()),
      Deadline.withinStream("1 minute"),
      Shutdown.admitStream({ kind: "answer", name: "x" })
    )
    for (let n = 0; n <= 11; n++) {
      expect(yield* Stream.runCount(Stream.take(stream, n))).toBe(Math.min(n, 10))
      expect(yield* SessionRegistry.counts).toEqual({})
    }
    things.settled()
  }))
})

it.effect("layers of limits around a stream in each order end with the first that passes, and hold nothing", () => {
  const things = new Things()
  const layers: ReadonlyArray<(self: Stream.Stream<number, unknown>) => Stream.Stream<number, unknown>> = [
    Session.scopedStream({ kind: "feed", name: "x" }),
    Timeouts.applyStream({ timeouts: { firstToken: "2 seconds", idle: "2 seconds" } }),
    (self) => Retry.applyStream(Retry.jittered())(self as Stream.Stream<number, never>),
    Deadline.withinStream("3 seconds"),
    Shutdown.admitStream({ kind: "answer", name: "x" })
  ]
  const orders = layers.map((_, i) => [layers.slice(i), layers.slice(0, i)].flat())
  return apart(Effect.gen(function*() {
    for (const order of [...orders, ...orders.map((order) => order.toReversed())]) {
      const source: Stream.Stream<number, unknown> = Stream.unwrap(Effect.as(
        Session.acquire(job, things.take, things.give),
        Stream.concat(Stream.make(1), Stream.never)
      ))
      const stream = order.reduce((self, wrap) => wrap(self), source)
      const exit = yield* endsWithin("5 seconds")(Stream.runDrain(stream))
      expect(tagOf(exit)).toBe("IdleTimeout")
      yield* settle
      expect(yield* SessionRegistry.counts).toEqual({})
    }
    things.settled(10)
  }))
})

it.effect("a revocation from inside of each kind of hook ends all the same", () => {
  const things = new Things()
  const revoke = Effect.asVoid(SessionRegistry.revoke({ kind: "job" }, { reason: "from a hook" }))
  return apart(Effect.gen(function*() {
    const programs: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      Session.use(job, things.take, things.give, () => Effect.ensuring(Effect.void, revoke)),
      Session.use(job, things.take, things.give, () => Effect.onInterrupt(Effect.never, () => revoke)).pipe(
        Effect.timeoutOption("1 second")
      ),
      Session.use(job, things.take, things.give, () => Effect.tapError(Effect.fail("x"), () => revoke)),
      Session.use(job, things.take, things.give, () => Effect.scoped(Effect.addFinalizer(() => revoke))),
      Session.scoped(job)(Effect.andThen(Effect.addFinalizer(() => revoke), Effect.addFinalizer(() => revoke))),
      Session.use(job, things.take, things.give, () => Effect.uninterruptible(revoke)),
      Session.use(job, things.take, things.give, () => Effect.flatMap(Effect.forkChild(revoke), Fiber.join)),
      Session.use(job, things.take, things.give, () => Deadline.within("1 second")(revoke)),
      Session.use(job, things.take, things.give, () => Retry.apply(Retry.jittered())(revoke)),
      Session.use(
        job,
        things.take,
        things.give,
        () => Effect.all([revoke, revoke, revoke], { concurrency: "unbounded" })
      ),
      Session.use(
        job,
        things.take,
        things.give,
        () => Effect.promise(() => Promise.resolve()).pipe(Effect.andThen(revoke))
      ),
      Stream.runDrain(Session.scopedStream(job)(Stream.ensuring(Stream.make(1), revoke))),
      Stream.runDrain(Stream.onEnd(Session.scopedStream(job)(Stream.make(1)), revoke)),
      Effect.scoped(Effect.flatMap(Session.acquire(job, things.take, things.give), () => revoke)),
      Effect.scoped(Effect.andThen(Session.acquire(job, things.take, things.give), Effect.addFinalizer(() => revoke)))
    ]
    for (const [i, program] of programs.entries()) {
      const exit = yield* endsWithin("2 minutes")(program)
      expect([i, tagOf(exit)]).toEqual([i, expect.stringMatching(/success|SessionRevoked|fail x|DeadlineExceeded/)])
      yield* settle
      expect([i, yield* SessionRegistry.counts]).toEqual([i, {}])
    }
    things.settled()
  }))
})

it.effect("thirty revocations of the same sessions at once are each answered, and release each once", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    for (let i = 0; i < 50; i++) {
      yield* Effect.forkDetach(
        Session.use(
          job,
          things.take,
          (id) => Effect.andThen(Effect.sleep("10 millis"), things.give(id)),
          () => Effect.never
        ),
        { startImmediately: true }
      )
    }
    const all = Array.from(
      { length: 30 },
      (_, i) =>
        SessionRegistry.revoke(i % 2 === 0 ? {} : { kind: "job" }, {
          reason: String(i),
          deadline: i % 3 === 0 ? 0 : "1 second"
        })
    )
    const exit = yield* endsWithin("1 minute")(Effect.all(all, { concurrency: "unbounded" }))
    expect(Exit.isSuccess(exit) && exit.value.every(({ stuck }) => stuck.length === 0)).toBe(true)
    things.settled(50)
  }))
})

it.effect("sessions that are opened as fast as they are revoked come to an end with the opening", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    let isOn = true
    const opener = yield* Effect.forkDetach(
      Effect.whileLoop({
        while: () => isOn,
        body: () => Effect.ignore(Session.use(job, things.take, things.give, () => Effect.yieldNow)),
        step: () => {}
      })
    )
    const revoked = yield* endsWithin("1 minute")(
      Effect.forEach(Array.from({ length: 50 }), () => SessionRegistry.revoke({}, { reason: "x" }), { discard: true })
    )
    isOn = false
    expect(tagOf(revoked)).toBe("success")
    yield* endsWithin("1 minute")(Fiber.await(opener))
    things.settled()
  }))
})

it.effect("an answer of JSON's that stands for a session, a deadline or a caller is no way in", () =>
  apart(Effect.gen(function*() {
    const evil = JSON.parse(
      `{ "__proto__": { "tenant": "root" }, "constructor": { "prototype": { "tenant": "root" } } }`
    )
    const seen = yield* Caller.provide(wrong(evil))(Effect.scoped(
      Effect.map(
        Session.acquire({ ...wrong(evil) as object, ...job }, Effect.void, () => Effect.void),
        ({ session }) => session.caller?.tenant
      )
    ))
    expect(seen).not.toBe("root")
    expect(({} as Record<string, unknown>)["tenant"]).toBe(undefined)
    expect(yield* SessionRegistry.list({ tenant: "root" })).toEqual([])
  })))
