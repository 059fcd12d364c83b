import { Caller, Deadline, Session, type SessionError, SessionRegistry } from "@clawback/core"
import { expect, it } from "@effect/vitest"
import {
  Cache,
  Cause,
  Channel,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberHandle,
  FiberMap,
  FiberSet,
  Layer,
  LayerMap,
  ManagedRuntime,
  Pool,
  PubSub,
  Queue,
  Random,
  RcMap,
  RcRef,
  Request,
  RequestResolver,
  Resource,
  Schedule,
  Scope,
  ScopedCache,
  ScopedRef,
  Semaphore,
  Sink,
  Stream,
  SubscriptionRef,
  SynchronizedRef,
  Tracer,
  TxRef
} from "effect"
import { TestClock } from "effect/testing"
import { apart, endsWithin, settle, tagOf, Things, wrong } from "./bench.ts"

const job = { kind: "job", name: "nightly" }
const held = (things: Things, info: Session.Info = job) =>
  Effect.map(Session.acquire(info, things.take, things.give), ({ value }) => value)
const used = <A, E, R>(things: Things, work: Effect.Effect<A, E, R>, info: Session.Info = job) =>
  Session.use(info, things.take, things.give, () => work)

// Fibers in sets, maps and handles

it.effect("a fiber that takes another's place in a map ends the session of the first", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    yield* Effect.scoped(Effect.gen(function*() {
      const map = yield* FiberMap.make<string>()
      for (let i = 0; i < 20; i++) yield* FiberMap.run(map, "one", used(things, Effect.never))
      yield* settle
      expect(yield* SessionRegistry.counts).toEqual({ job: 1 })
    }))
    things.settled(20)
  }))
})

it.effect("a set of fibers that is cleared while a revocation is under way ends with all given back", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    yield* Effect.scoped(Effect.gen(function*() {
      const set = yield* FiberSet.make()
      for (let i = 0; i < 50; i++) yield* FiberSet.run(set, used(things, Effect.never))
      yield* settle
      const both = Effect.all([FiberSet.clear(set), SessionRegistry.revoke({ kind: "job" }, { reason: "x" })], {
        concurrency: "unbounded"
      })
      expect(tagOf(yield* endsWithin("1 minute")(both))).toBe("success")
    }))
    things.settled(50)
  }))
})

it.effect("a fiber in a handle whose release sets the handle again does not go round for ever", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    let rounds = 0
    const exit = yield* Effect.scoped(Effect.gen(function*() {
      const handle = yield* FiberHandle.make()
      const again: Effect.Effect<unknown> = Effect.suspend(() =>
        Effect.ignore(Session.use(
          job,
          things.take,
          (id) => Effect.andThen(things.give(id), rounds++ < 5 ? FiberHandle.run(handle, again) : Effect.void),
          () => Effect.never
        ))
      )
      yield* FiberHandle.run(handle, again)
      yield* settle
    })).pipe(endsWithin("1 minute"))
    expect(tagOf(exit)).toBe("success")
    things.settled()
  }))
})

// Shared resources

it.effect("what a map of counted references shares is not taken back with the session that asked first", () => {
  const things = new Things()
  return apart(Effect.scoped(Effect.gen(function*() {
    // It would be a child of the session that asks first, as everything that is opened in there.
    const apart = Effect.provideService(Session.Current, undefined)
    const map = yield* RcMap.make({ lookup: (key: string) => apart(held(things, { kind: "shared", name: key })) })
    const first = yield* Effect.forkChild(
      Session.scoped(job)(Effect.andThen(RcMap.get(map, "a"), Effect.never)),
      { startImmediately: true }
    )
    yield* settle
    yield* RcMap.get(map, "a")
    yield* SessionRegistry.revoke({ kind: "job" }, { reason: "only this one" }).pipe(endsWithin("1 minute"))
    yield* Fiber.await(first)
    expect(yield* SessionRegistry.counts).toEqual({ shared: 1 })
    expect(things.given).toBe(0)
  })))
})

it.effect("a counted reference that is revoked under its users is given back once, and not again at the end", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    yield* Effect.scoped(Effect.gen(function*() {
      const ref = yield* RcRef.make({ acquire: held(things), idleTimeToLive: "1 minute" })
      yield* Effect.scoped(RcRef.get(ref))
      yield* Effect.scoped(RcRef.get(ref))
      yield* SessionRegistry.revoke({ kind: "job" }, { reason: "x", deadline: 0 })
      things.settled(1)
      yield* TestClock.adjust("2 minutes")
      yield* Effect.scoped(RcRef.get(ref))
    }))
    things.settled(2)
  }))
})

it.effect("a pool's items are not taken back with the session in which one was first made", () => {
  const things = new Things()
  return apart(Effect.scoped(Effect.gen(function*() {
    const pool = yield* Pool.makeWithTTL({
      acquire: held(things, { kind: "item", name: "x" }),
      min: 0,
      max: 4,
      timeToLive: "1 minute"
    })
    const user = yield* Effect.forkChild(
      Session.scoped(job)(Effect.andThen(Pool.get(pool), Effect.never)),
      { startImmediately: true }
    )
    yield* settle
    yield* SessionRegistry.revoke({ kind: "job" }, { reason: "x" })
    yield* Fiber.await(user)
    yield* Effect.scoped(Pool.get(pool))
    expect((yield* SessionRegistry.counts)["item"]).toBeGreaterThan(0)
    expect(things.given).toBe(0)
  })))
})

it.effect("a scoped cache that evicts and closes gives every session back once", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    yield* Effect.scoped(Effect.gen(function*() {
      const cache = yield* ScopedCache.make({
        lookup: (key: number) => held(things, { kind: "job", name: String(key) }),
        capacity: 3,
        timeToLive: "1 minute"
      })
      for (let i = 0; i < 30; i++) yield* Effect.scoped(ScopedCache.get(cache, i % 7))
      yield* TestClock.adjust("2 minutes")
      for (let i = 0; i < 10; i++) yield* Effect.scoped(ScopedCache.get(cache, i % 2))
    }))
    things.settled()
  }))
})

it.effect("a cached lookup whose first asker is revoked fails for him alone, or for all in a typed way", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const go = yield* Deferred.make<void>()
    const cache = yield* Cache.make({
      lookup: (name: string) => used(things, Effect.as(Deferred.await(go), "value"), { kind: "lookup", name }),
      capacity: 10
    })
    const first = yield* Effect.forkChild(
      Session.use(job, Effect.void, () => Effect.void, () => Cache.get(cache, "k")),
      { startImmediately: true }
    )
    yield* settle
    const second = yield* Effect.forkChild(Cache.get(cache, "k"), { startImmediately: true })
    yield* settle
    yield* SessionRegistry.revoke({ kind: "job" }, { reason: "x" }).pipe(endsWithin("1 minute"))
    expect(tagOf(yield* Fiber.await(first))).toBe("SessionRevoked")
    yield* Deferred.succeed(go, undefined)
    const exit = yield* endsWithin("1 minute")(Fiber.await(second))
    expect(Exit.isSuccess(exit) && tagOf(exit.value)).toMatch(/success|SessionRevoked/)
    things.settled(1)
  }))
})

it.effect("a reference to something scoped that is replaced while its session is revoked holds one at the most", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    yield* Effect.scoped(Effect.gen(function*() {
      const ref = yield* ScopedRef.fromAcquire(held(things))
      for (let i = 0; i < 5; i++) {
        yield* Effect.all([
          ScopedRef.set(ref, held(things)),
          SessionRegistry.revoke({ kind: "job" }, { reason: "x", deadline: 0 })
        ], { concurrency: "unbounded" }).pipe(endsWithin("1 minute"))
      }
      expect((yield* SessionRegistry.counts)["job"] ?? 0).toBeLessThanOrEqual(1)
    }))
    things.settled()
  }))
})

it.effect("a resource that is loaded again by a schedule keeps one session, and none in the end", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    yield* Effect.scoped(Effect.gen(function*() {
      yield* Resource.auto(held(things), Schedule.spaced("1 second"))
      yield* settle
      yield* TestClock.adjust("10 seconds")
      yield* settle
      expect(yield* SessionRegistry.counts).toEqual({ job: 1 })
      expect(things.taken).toBeGreaterThan(5)
    }))
    things.settled()
  }))
})

// Layers

class Thing extends Context.Service<Thing, number>()("hostile/Thing") {}
const thingLayer = (things: Things) => Layer.effect(Thing, held(things))

it.effect("one layer that is asked for in ten places has one session", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const layer = thingLayer(things)
    const dependent = Layer.mergeAll(layer, Layer.provide(Layer.effectDiscard(Thing), layer), layer)
    yield* Effect.provide(Effect.map(SessionRegistry.counts, (counts) => expect(counts).toEqual({ job: 1 })), dependent)
    things.settled(1)
  }))
})

it.effect("a layer that fails half way gives back what the other half took", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const layer = Layer.mergeAll(
      thingLayer(things),
      Layer.fresh(thingLayer(things)),
      Layer.effectDiscard(Effect.andThen(Effect.yieldNow, Effect.fail("no"))),
      Layer.effectDiscard(Effect.never)
    )
    expect(tagOf(yield* Effect.exit(Effect.provide(Effect.void, layer)))).toBe("fail no")
    things.settled(2)
  }))
})

it.effect("a map of layers gives each key's session back when it is invalidated, and all at the end", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    yield* Effect.scoped(Effect.gen(function*() {
      const map = yield* LayerMap.make((_key: string) => Layer.fresh(thingLayer(things)), {
        idleTimeToLive: "1 minute"
      })
      yield* Effect.provide(Thing, map.get("a"))
      yield* Effect.provide(Thing, map.get("a"))
      yield* Effect.provide(Thing, map.get("b"))
      expect(yield* SessionRegistry.counts).toEqual({ job: 2 })
      yield* map.invalidate("a")
      expect(yield* SessionRegistry.counts).toEqual({ job: 1 })
    }))
    things.settled(2)
  }))
})

it.live("a runtime whose layer is still being built when it is disposed of leaves nothing", () =>
  Effect.gen(function*() {
    const things = new Things()
    const registry = SessionRegistry.layer()
    const slow = Layer.effect(
      Thing,
      Effect.map(
        Session.acquire(job, (restore) => Effect.andThen(restore(Effect.sleep("1 hour")), things.take), things.give),
        ({ value }) => value
      )
    )
    const runtime = ManagedRuntime.make(Layer.provideMerge(slow, registry))
    const asked = runtime.runPromiseExit(Thing)
    yield* Effect.sleep("5 millis")
    yield* Effect.promise(() => runtime.dispose())
    expect(tagOf(yield* Effect.promise(() => asked))).not.toBe("success")
    things.settled(0)
  }))

// Concurrency

it.effect("a permit that revoked work held is free again", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const semaphore = yield* Semaphore.make(2)
    const users = yield* Effect.forEach(
      Array.from({ length: 10 }),
      (_, i) =>
        Effect.forkChild(
          i % 2 === 0
            ? semaphore.withPermit(used(things, Effect.never))
            : used(things, semaphore.withPermit(Effect.never)),
          { startImmediately: true }
        )
    )
    for (let i = 0; i < 12; i++) {
      yield* settle
      yield* SessionRegistry.revoke({}, { reason: "x" })
    }
    expect(new Set((yield* Fiber.awaitAll(users)).map(tagOf))).toEqual(new Set(["SessionRevoked"]))
    yield* semaphore.withPermits(2)(Effect.void)
    things.settled()
  }))
})

it.effect("of a hundred that race, all but one give back before the race is over", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const racers = Array.from({ length: 100 }, (_, i) => used(things, Effect.as(Effect.sleep(i + 1), i)))
    const exit = yield* endsWithin("1 second")(Effect.raceAll(racers))
    expect(Exit.isSuccess(exit) && exit.value).toBe(0)
    things.settled(100)
  }))
})

it.effect("a timeout of Effect's own around a session waits for its release", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* Session.use(
      job,
      things.take,
      (id) => Effect.andThen(Effect.sleep("3 seconds"), things.give(id)),
      () => Effect.never
    ).pipe(Effect.timeout("1 second"), endsWithin("1 minute"))
    expect(tagOf(exit)).toBe("TimeoutError")
    things.settled(1)
  }))
})

it.effect("a transaction that waits inside of a session is revoked with it", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const ref = yield* TxRef.make(0)
    const waits = Effect.tx(Effect.flatMap(TxRef.get(ref), (n) => n > 0 ? Effect.succeed(n) : Effect.txRetry))
    const fiber = yield* Effect.forkChild(used(things, waits), { startImmediately: true })
    yield* settle
    yield* SessionRegistry.revoke({}, { reason: "x" }).pipe(endsWithin("1 second"))
    expect(tagOf(yield* Fiber.await(fiber))).toBe("SessionRevoked")
    things.settled(1)
  }))
})

it.effect("a lock that a reference's update held is free after the session inside was revoked", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const ref = yield* SynchronizedRef.make(0)
    const fiber = yield* Effect.forkChild(
      SynchronizedRef.updateEffect(ref, () => used(things, Effect.never)),
      { startImmediately: true }
    )
    yield* settle
    yield* SessionRegistry.revoke({}, { reason: "x" })
    expect(tagOf(yield* Fiber.await(fiber))).toBe("SessionRevoked")
    expect(tagOf(yield* endsWithin("1 second")(SynchronizedRef.update(ref, (n) => n + 1)))).toBe("success")
  }))
})

it.effect("requests that are batched across sessions are answered, though one of the askers is revoked", () => {
  const things = new Things()
  interface Ask extends Request.Request<string, SessionError.SessionError> {
    readonly _tag: "Ask"
    readonly id: number
  }
  const Ask = Request.tagged<Ask>("Ask")
  return apart(Effect.gen(function*() {
    const go = yield* Deferred.make<void>()
    const resolver = RequestResolver.make<Ask>((entries) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(used(things, Deferred.await(go), { kind: "batch", name: "x" }))
        for (const entry of entries) entry.completeUnsafe(Exit.map(exit, () => `answer ${entry.request.id}`))
      })
    )
    const ask = (id: number) =>
      Effect.forkChild(
        Session.use({ kind: "asker", name: String(id) }, Effect.void, () =>
          Effect.void, () =>
          Effect.request(Ask({ id }), resolver)),
        { startImmediately: true }
      )
    const one = yield* ask(1)
    const other = yield* ask(2)
    yield* settle
    yield* SessionRegistry.revoke({ name: "1" }, { reason: "x" }).pipe(endsWithin("1 minute"))
    yield* Deferred.succeed(go, undefined)
    expect(tagOf(yield* Fiber.await(one))).toBe("SessionRevoked")
    // Effect runs the batch on behalf of who asked first, so that the others may hear of the revocation.
    const exit = yield* endsWithin("1 minute")(Fiber.await(other))
    expect(Exit.isSuccess(exit) && tagOf(exit.value)).toMatch(/success|SessionRevoked/)
    things.settled(1)
  }))
})

// Callbacks and promises

it.effect("a promise's signal is aborted when its session is revoked", () => {
  const things = new Things()
  let aborted = 0
  return apart(Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(
      used(
        things,
        Effect.promise((signal) =>
          new Promise((resolve) =>
            signal.addEventListener("abort", () => {
              aborted++
              setImmediate(resolve, "late")
            })
          )
        )
      ),
      { startImmediately: true }
    )
    yield* settle
    yield* SessionRegistry.revoke({}, { reason: "x" }).pipe(endsWithin("1 minute"))
    expect(tagOf(yield* Fiber.await(fiber))).toBe("SessionRevoked")
    expect(aborted).toBe(1)
    things.settled(1)
  }))
})

it.effect("a callback that answers twice, and after the release, changes nothing", () => {
  const things = new Things()
  let answer: (effect: Effect.Effect<number>) => void = () => {}
  return apart(Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(
      used(
        things,
        Effect.callback<number>((resume) => {
          answer = resume
        })
      ),
      { startImmediately: true }
    )
    yield* settle
    answer(Effect.succeed(1))
    answer(Effect.die("twice"))
    expect(yield* Fiber.join(fiber)).toBe(1)
    answer(Effect.die("late"))
    things.settled(1)
  }))
})

it.live("a signal that was aborted before the run began opens nothing, and one later gives back", () =>
  Effect.promise(async () => {
    const things = new Things()
    const registry = ManagedRuntime.make(SessionRegistry.layer())
    const before = new AbortController()
    before.abort()
    await registry.runPromiseExit(used(things, Effect.never), { signal: before.signal })
    const later = new AbortController()
    const running = registry.runPromiseExit(used(things, Effect.never), { signal: later.signal })
    await new Promise((resolve) => setTimeout(resolve, 2))
    later.abort("enough")
    await running
    things.settled()
    expect(await registry.runPromise(SessionRegistry.counts)).toEqual({})
    await registry.dispose()
  }))

it.live("`await using` gives back at the end of the block, thrown out of or not", () =>
  Effect.promise(async () => {
    const things = new Things()
    const runtime = ManagedRuntime.make(SessionRegistry.layer())
    const scope = Scope.makeUnsafe()
    const block = async (fails: boolean) => {
      await using handle = await runtime.runPromise(
        Scope.provide(Session.acquire(job, things.take, things.give), scope)
      )
      if (fails) throw new Error("out")
      return handle.value
    }
    expect(await block(false)).toBe(1)
    await expect(block(true)).rejects.toThrow("out")
    things.settled(2)
    expect(await runtime.runPromise(SessionRegistry.counts)).toEqual({})
    await runtime.runPromise(Scope.close(scope, Exit.void))
    await runtime.dispose()
    things.settled(2)
  }))

it.live("`await using` of a handle whose release fails tells of it", () =>
  Effect.promise(async () => {
    const runtime = ManagedRuntime.make(SessionRegistry.layer())
    const scope = Scope.makeUnsafe()
    const block = async () => {
      await using _ = await runtime.runPromise(
        Scope.provide(
          Session.acquire(
            { ...job, releaseRetry: Schedule.recurs(1) },
            Effect.void,
            () => Effect.fail("stuck")
          ),
          scope
        )
      )
    }
    await expect(block()).rejects.toMatchObject({ _tag: "ReleaseFailed" })
    expect(await runtime.runPromise(SessionRegistry.counts)).toEqual({})
    await runtime.dispose()
  }))

// Generators

it.effect("a generator that returns, throws and breaks out of loops in the middle of sessions leaves none", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const go = (n: number) =>
      Effect.scoped(Effect.gen(function*() {
        for (const _ of [1, 2, 3]) {
          yield* held(things)
          if (n === 1) break
          if (n === 2) return "early"
          if (n === 3) throw new Error("thrown")
          if (n === 4) return yield* Effect.fail("failed")
          if (n === 5) return yield* Effect.interrupt
        }
        return "end"
      }))
    for (let n = 0; n < 6; n++) yield* Effect.exit(go(n))
    things.settled()
  }))
})

it.effect("a generator inside of a session that never gives up its turn can be revoked", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(
      used(
        things,
        Effect.gen(function*() {
          for (;;) yield* Effect.yieldNow
        })
      ),
      { startImmediately: true }
    )
    yield* settle
    yield* SessionRegistry.revoke({}, { reason: "x" })
    expect(tagOf(yield* Fiber.await(fiber))).toBe("SessionRevoked")
    things.settled(1)
  }))
})

// Queues and hubs

it.effect("whoever waits on a queue, a hub, a deferred and a subscription in sessions is revoked, one by one", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const queue = yield* Queue.bounded<number>(1)
    const hub = yield* PubSub.bounded<number>(1)
    const deferred = yield* Deferred.make<number>()
    const state = yield* SubscriptionRef.make(0)
    const waiting: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      Queue.take(queue),
      Effect.forever(Queue.offer(queue, 1)),
      Effect.scoped(Effect.flatMap(PubSub.subscribe(hub), PubSub.take)),
      Deferred.await(deferred),
      Stream.runDrain(SubscriptionRef.changes(state)),
      Stream.runDrain(Stream.fromQueue(queue)),
      Stream.runDrain(Stream.fromPubSub(hub)),
      Effect.raceAll([Effect.never, Effect.never]),
      Effect.forEach([1, 2, 3], () => Effect.never, { concurrency: "unbounded" }),
      Effect.repeat(Effect.sleep("1 second"), Schedule.forever),
      Effect.retry(Effect.andThen(Effect.sleep("1 second"), Effect.fail("again")), Schedule.forever),
      Effect.sleep(Infinity)
    ]
    for (const wait of waiting) {
      const fiber = yield* Effect.forkChild(used(things, wait), { startImmediately: true })
      yield* settle
      const revoked = yield* endsWithin("1 second")(SessionRegistry.revoke({}, { reason: "x", deadline: "500 millis" }))
      expect(Exit.isSuccess(revoked) && revoked.value.forced).toEqual([])
      expect(tagOf(yield* Fiber.await(fiber))).toBe("SessionRevoked")
    }
    things.settled(waiting.length)
  }))
})

it.effect("a queue that a release shuts down ends its readers, and the release", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* Session.use(
      job,
      Effect.tap(Queue.unbounded<number>(), things.take),
      (queue) => Effect.andThen(Queue.shutdown(queue), things.give(1)),
      (queue) =>
        Effect.gen(function*() {
          const readers = yield* Effect.forkChild(Queue.take(queue))
          yield* Effect.yieldNow
          return readers
        })
    ).pipe(endsWithin("1 minute"))
    expect(tagOf(exit)).toBe("success")
    things.settled(1)
  }))
})

// Streams, sinks and channels

it.effect("a sink that opens a session of its own gives it back when its stream ends, fails and is left", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const sink = Sink.unwrap(
      Effect.map(held(things), () => Sink.forEach((n: number) => n === 3 ? Effect.yieldNow : Effect.void))
    )
    yield* Stream.run(Stream.range(1, 5), sink)
    yield* Effect.exit(Stream.run(Stream.concat(Stream.make(1), Stream.fail("no")), sink))
    yield* Stream.run(Stream.forever(Stream.make(1)), sink).pipe(
      Effect.timeoutOption("1 second"),
      endsWithin("1 minute")
    )
    things.settled()
  }))
})

it.effect("a channel that takes and gives a session back round its output does so once", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const channel = Channel.unwrap(Effect.map(held(things), (n) => Channel.fromArray([n, n, n])))
    yield* Channel.runDrain(channel)
    yield* Channel.runHead(channel)
    yield* Channel.runDrain(Channel.flatMap(Channel.flatMap(channel, () => channel), () => channel))
    things.settled()
  }))
})

it.effect("a stream of sessions that is grouped, aggregated, debounced and peeled ends with none", () => {
  const things = new Things()
  const source = () =>
    Stream.range(1, 40).pipe(
      Stream.tap(() => Effect.sleep("1 millis")),
      Session.scopedStream(job),
      Stream.tap(() => Effect.asVoid(Effect.exit(used(things, Effect.void))))
    )
  const programs: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
    Stream.runDrain(Stream.groupedWithin(source(), 7, "5 millis")),
    Stream.runDrain(Stream.aggregate(source(), Sink.take(3))),
    Stream.runDrain(Stream.debounce(source(), "3 millis")),
    Stream.runDrain(Stream.throttle(source(), { cost: (xs) => xs.length, units: 1, duration: "2 millis" })),
    Effect.scoped(Effect.flatMap(Stream.peel(source(), Sink.take(2)), ([, rest]) => Stream.runHead(rest))),
    Stream.runDrain(Stream.take(Stream.groupByKey(source(), (n) => n % 3).pipe(Stream.flatMap(([, s]) => s)), 5)),
    Stream.runDrain(Stream.take(Stream.repeat(source(), Schedule.forever), 90)),
    Stream.runDrain(Stream.take(Stream.retry(Stream.concat(source(), Stream.fail("x")), Schedule.recurs(2)), 100)),
    Stream.runDrain(Stream.timeout(Stream.concat(source(), Stream.never), "10 millis")),
    Stream.runDrain(Stream.interruptWhen(source(), Effect.sleep("7 millis"))),
    Stream.runDrain(Stream.haltWhen(source(), Effect.sleep("7 millis"))),
    Stream.runDrain(Stream.flatMap(Stream.range(1, 5), source, { concurrency: "unbounded" })),
    Stream.runDrain(Stream.takeUntil(Stream.transduce(source(), Sink.take<number>(2)), () => true)),
    Stream.runDrain(
      Stream.mapEffect(source(), (n) => n === 9 ? Effect.fail("nine") : Effect.yieldNow, { concurrency: 4 })
    ),
    Stream.runDrain(Stream.drainFork(Stream.take(source(), 3), source())),
    Stream.runDrain(Stream.interleave(source(), Stream.take(source(), 3)))
  ]
  return apart(Effect.gen(function*() {
    for (const [i, program] of programs.entries()) {
      const exit = yield* endsWithin("10 minutes")(program)
      expect([i, tagOf(exit)]).toEqual([i, expect.stringMatching(/success|fail (nine|x)/)])
      yield* settle
      expect([i, yield* SessionRegistry.counts]).toEqual([i, {}])
    }
    things.settled()
  }))
})

it.effect("a pull that is kept after its scope has closed fails or ends, and opens nothing", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const stream = Stream.unwrap(Effect.map(held(things), () => Stream.range(1, 1_000_000))).pipe(
      Stream.rechunk(1),
      Session.scopedStream({ kind: "feed", name: "x" })
    )
    const pull = yield* Effect.scoped(Effect.tap(Stream.toPull(stream), (pull) => pull))
    const never = yield* Effect.scoped(Stream.toPull(stream))
    yield* endsWithin("1 minute")(Effect.exit(pull))
    yield* endsWithin("1 minute")(Effect.exit(never))
    yield* settle
    things.settled()
  }))
})

it.effect("a stream that revokes its own session while it is read ends with the error of that", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const exit = yield* Stream.range(1, 100).pipe(
      Stream.rechunk(1),
      Session.scopedStream({ kind: "feed", name: "x" }),
      Stream.tap((n) => n === 5 ? SessionRegistry.revoke({ kind: "feed" }, { reason: "five" }) : Effect.void),
      Stream.runDrain,
      endsWithin("1 minute")
    )
    expect(tagOf(exit)).toBe("SessionRevoked")
    things.settled(0)
  }))
})

it.effect("a stream that revokes its own session from inside of itself ends with the error of that", () =>
  apart(Effect.gen(function*() {
    const exit = yield* Stream.range(1, 100).pipe(
      Stream.rechunk(1),
      Stream.tap((n) => n === 5 ? SessionRegistry.revoke({ kind: "feed" }, { reason: "five" }) : Effect.void),
      Session.scopedStream({ kind: "feed", name: "x" }),
      Stream.runDrain,
      endsWithin("1 minute")
    )
    expect(tagOf(exit)).toBe("SessionRevoked")
  })))

it.effect("a stream of a session that is caught goes on with the next, over and over, and holds one", () => {
  let most = 0
  return apart(Effect.gen(function*() {
    let rounds = 0
    const next = (): Stream.Stream<number> =>
      Stream.suspend(() =>
        rounds++ < 200
          ? Stream.concat(Stream.make(rounds), Stream.fail("cut")).pipe(
            Session.scopedStream({ kind: "feed", name: "x" }),
            Stream.tap(() =>
              Effect.map(SessionRegistry.counts, (counts) => {
                most = Math.max(most, counts["feed"] ?? 0)
              })
            ),
            Stream.catchCause(next)
          )
          : Stream.empty
      )
    expect(tagOf(yield* endsWithin("1 minute")(Stream.runCount(next())))).toBe("success")
    expect(most).toBeLessThanOrEqual(2)
  }))
})

// Tracer, randomness, context

it.effect("a tracer that opens sessions at each span does not go round for ever", () => {
  let spans = 0
  return apart(Effect.gen(function*() {
    const context = yield* Effect.context<never>()
    const native = yield* Effect.tracer
    const tracer = Tracer.make({
      span: (options) => {
        if (++spans < 50) {
          Effect.runSyncWith(context)(
            Session.use({ kind: "span", name: "x" }, Effect.void, () => Effect.void, () => Effect.void)
          )
        }
        return native.span(options)
      }
    })
    yield* Session.use(job, Effect.void, () => Effect.void, () => Effect.withSpan(Effect.void, "inside")).pipe(
      Effect.withSpan("outside"),
      Effect.withTracer(tracer)
    )
    expect(spans).toBe(2)
  }))
})

it.effect("a source of random numbers that always gives the same, or none, holds nothing up", () =>
  apart(Effect.gen(function*() {
    for (const n of [0, 1, 0.999999, Number.NaN, -1, Infinity]) {
      const random = { nextIntUnsafe: () => n, nextDoubleUnsafe: () => n }
      const exit = yield* endsWithin("1 minute")(
        Effect.provideService(
          Session.use(job, Effect.void, () => Effect.fail("once"), () => Effect.void),
          Random.Random,
          wrong(random)
        )
      )
      expect(tagOf(exit)).not.toBe("interrupt")
    }
  })))

it.effect("the current session can be forged or unset, and nothing breaks", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const { session } = yield* Effect.scoped(Session.acquire(job, Effect.void, () => Effect.void))
    for (
      const forged of [
        session,
        undefined,
        null,
        {},
        { id: 1, isOpen: true },
        Object.create(session),
        new Proxy(session, {})
      ]
    ) {
      const exit = yield* endsWithin("1 minute")(
        Effect.provideService(
          used(things, SessionRegistry.list({ within: wrong(forged) })),
          Session.Current,
          wrong(forged)
        )
      )
      expect([typeof forged, tagOf(exit)]).toEqual([typeof forged, "success"])
    }
    things.settled(7)
  }))
})

it.effect("a deadline, a session and a caller in each order give the same result", () => {
  const things = new Things()
  const withSession = <A, E, R>(self: Effect.Effect<A, E, R>) => used(things, self)
  const withDeadline = Deadline.within("1 second")
  const withCaller = Caller.provide({ tenant: "acme" })
  const work = Effect.as(Effect.sleep("10 seconds"), "done")
  return apart(Effect.gen(function*() {
    for (
      const composed of [
        withSession(withDeadline(withCaller(work))),
        withSession(withCaller(withDeadline(work))),
        withDeadline(withSession(withCaller(work))),
        withDeadline(withCaller(withSession(work))),
        withCaller(withDeadline(withSession(work))),
        withCaller(withSession(withDeadline(work)))
      ]
    ) {
      expect(tagOf(yield* endsWithin("5 seconds")(composed))).toBe("DeadlineExceeded")
    }
    things.settled(6)
  }))
})

it.effect("an error that is frozen, a proxy, or has a tag that throws passes through a session as it is", () =>
  apart(Effect.gen(function*() {
    const thrower = {
      get _tag(): string {
        throw new Error("no tag")
      }
    }
    for (
      const error of [Object.freeze({ _tag: "Mine" }), new Proxy({}, {}), thrower, null, undefined, 0, "", Symbol("s")]
    ) {
      const exit = yield* Effect.exit(Session.use(job, Effect.void, () => Effect.void, () => Effect.fail(error)))
      expect(
        Exit.isFailure(exit) && Cause.isFailReason(exit.cause.reasons[0]!) && exit.cause.reasons[0].error === error
      )
        .toBe(true)
      const wide = yield* Effect.exit(Deadline.within("1 second")(Effect.fail(error)))
      expect(
        Exit.isFailure(wide) && Cause.isFailReason(wide.cause.reasons[0]!) && wide.cause.reasons[0].error === error
      )
        .toBe(true)
    }
  })))
