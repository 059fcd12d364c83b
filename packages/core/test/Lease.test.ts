import { Lease, LeaseStore, SessionRegistry } from "@clawback/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Scope } from "effect"
import { TestClock } from "effect/testing"

const key = "report"
const ttl = 3000

type Operation = "acquire" | "renew" | "release"

const broken = (operation: Operation) =>
  new LeaseStore.LeaseStoreError({ store: "broken", operation, problem: "it is broken", isUnknown: true })

/** A store whose steps can be broken, over a memory of its own. */
const brokenStore = () => {
  const faults = { fail: false, hang: false, loseAnswers: false, acquires: 0, renewals: 0, releases: 0 }
  const layer = Effect.gen(function*() {
    const memory = yield* LeaseStore.LeaseStore
    const step = <A>(
      operation: Operation,
      self: Effect.Effect<A, LeaseStore.LeaseStoreError>
    ) =>
      Effect.suspend(() =>
        faults.hang
          ? Effect.never
          : faults.fail
          ? Effect.fail(broken(operation))
          : faults.loseAnswers
          ? Effect.andThen(self, Effect.never)
          : self
      )
    const store: LeaseStore.LeaseStore = {
      name: "broken",
      acquire: (request) => {
        faults.acquires++
        return step("acquire", memory.acquire(request))
      },
      renew: (renewal) => {
        faults.renewals++
        return step("renew", memory.renew(renewal))
      },
      release: (grant) => {
        faults.releases++
        return step("release", memory.release(grant))
      },
      holders: memory.holders
    }
    return { faults, memory, store }
  }).pipe(Effect.provide(LeaseStore.layerMemory))
  return layer
}

const holders = Effect.flatMap(LeaseStore.LeaseStore, (store) => store.holders(key))

const fresh = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, LeaseStore.layerMemory)

describe("Lease.use", () => {
  it.effect("holds a lease as a session while the work runs, and releases it at its end", () =>
    fresh(Effect.gen(function*() {
      const held = yield* Lease.use(
        { key, holder: "me" },
        () => Effect.all([holders, SessionRegistry.list({ kind: "lease" })])
      )
      assert.deepInclude(held[0][0], { holder: "me", expiresIn: 30_000 })
      assert.include(held[1].map(({ name }) => name), key)
      assert.isEmpty(yield* holders)
      const exit = yield* Effect.exit(Lease.use({ key }, () => Effect.fail("own")))
      assert.deepStrictEqual(exit, Exit.fail("own"))
      assert.isEmpty(yield* holders)
    })))

  it.effect("rejects a caller beyond the limit, and serves one that waits in its turn", () =>
    fresh(Effect.gen(function*() {
      const end = yield* Deferred.make<void>()
      const first = yield* Effect.forkChild(Lease.use({ key }, () => Deferred.await(end)), { startImmediately: true })
      const busy = yield* Effect.flip(Lease.use({ key }, () => Effect.void))
      assert.strictEqual(busy._tag, "LeaseBusy")
      const order: Array<number> = []
      const others = yield* Effect.forEach(
        [1, 2, 3],
        (i) =>
          Effect.forkChild(Lease.use({ key, wait: "1 minute" }, () => Effect.sync(() => order.push(i))), {
            startImmediately: true
          })
      )
      const overtaking = yield* Effect.flip(Lease.use({ key }, () => Effect.void))
      assert.strictEqual(overtaking._tag, "LeaseBusy")
      yield* Deferred.succeed(end, undefined)
      yield* Fiber.join(first)
      yield* Effect.forEach(others, Fiber.join)
      assert.deepStrictEqual(order, [1, 2, 3])
    })))

  it.effect("fails a caller that waits in vain", () =>
    fresh(Effect.gen(function*() {
      const first = yield* Effect.forkChild(Lease.use({ key }, () => Effect.never), { startImmediately: true })
      const second = yield* Effect.forkChild(Effect.flip(Lease.use({ key, wait: "10 seconds" }, () => Effect.void)), {
        startImmediately: true
      })
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(second.pollUnsafe())
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual((yield* Fiber.join(second))._tag, "LeaseBusy")
      yield* Fiber.interrupt(first)
    })))

  it.effect("renews the lease for as long as the work takes", () =>
    fresh(Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Lease.use({ key, ttl }, () => Effect.as(Effect.sleep("1 hour"), "done")), {
        startImmediately: true
      })
      for (let i = 0; i < 10; i++) {
        yield* TestClock.adjust("5 minutes")
        assert.lengthOf(yield* holders, 1)
      }
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(yield* Fiber.join(fiber), "done")
      assert.isEmpty(yield* holders)
    })))

  it.effect("interrupts the work before the store can grant a lease again that cannot be renewed", () =>
    Effect.gen(function*() {
      const { faults, memory, store } = yield* brokenStore()
      let endedAt = 0
      const fiber = yield* Effect.forkChild(
        Effect.flip(
          Lease.use(
            { key, ttl },
            () =>
              Effect.onInterrupt(
                Effect.never,
                () => Effect.clockWith((clock) => Effect.sync(() => void (endedAt = clock.currentTimeMillisUnsafe())))
              )
          )
        ).pipe(
          Effect.provideService(LeaseStore.LeaseStore, store)
        ),
        { startImmediately: true }
      )
      faults.fail = true
      yield* TestClock.adjust(ttl - 1)
      const error = yield* Fiber.join(fiber)
      assert.deepInclude(error, { _tag: "LeaseLost", reason: "expired", key })
      assert.strictEqual(endedAt, ttl * 0.9)
      assert.lengthOf(yield* memory.holders(key), 1)
    }))

  it.effect("interrupts the work at once if the store has lost the lease", () =>
    Effect.gen(function*() {
      const { memory, store } = yield* brokenStore()
      const fiber = yield* Effect.forkChild(
        Effect.flip(Lease.use({ key, ttl }, () => Effect.never)).pipe(
          Effect.provideService(LeaseStore.LeaseStore, store)
        ),
        { startImmediately: true }
      )
      const [held] = yield* memory.holders(key)
      yield* memory.release({ key, id: held?.id ?? "" })
      yield* TestClock.adjust(ttl / 3)
      assert.deepInclude(yield* Fiber.join(fiber), { _tag: "LeaseLost", reason: "refused" })
    }))

  it.effect("fails in time if the store hangs, and releases later what that has granted", () =>
    Effect.gen(function*() {
      const { faults, memory, store } = yield* brokenStore()
      faults.loseAnswers = true
      const fiber = yield* Effect.forkChild(
        Effect.flip(Lease.use({ key, ttl, stepTimeout: 400 }, () => Effect.void)).pipe(
          Effect.provideService(LeaseStore.LeaseStore, store)
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust(400)
      assert.deepInclude(yield* Fiber.join(fiber), { _tag: "LeaseStoreError", operation: "acquire", isUnknown: true })
      assert.isEmpty(yield* memory.holders(key))
      faults.loseAnswers = false
      yield* TestClock.adjust(ttl)
    }))

  it.effect("releases what was granted to a caller that was interrupted meanwhile", () =>
    Effect.gen(function*() {
      const { faults, memory, store } = yield* brokenStore()
      faults.loseAnswers = true
      const fiber = yield* Effect.forkChild(
        Lease.use({ key, ttl }, () => Effect.void).pipe(Effect.provideService(LeaseStore.LeaseStore, store)),
        { startImmediately: true }
      )
      assert.lengthOf(yield* memory.holders(key), 1)
      yield* Fiber.interrupt(fiber)
      assert.isEmpty(yield* memory.holders(key))
    }))

  it.effect("ends in time though its release hangs", () =>
    Effect.gen(function*() {
      const { faults, store } = yield* brokenStore()
      const fiber = yield* Effect.forkChild(
        Lease.use({ key, ttl, stepTimeout: 300 }, () => Effect.sync(() => void (faults.hang = true))).pipe(
          Effect.provideService(LeaseStore.LeaseStore, store)
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust(300)
      yield* Fiber.join(fiber)
      faults.hang = false
      yield* TestClock.adjust(ttl)
    }))

  it.effect("fails with the revocation of its session", () =>
    fresh(Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.flip(Lease.use({ key: "revoked" }, () => Effect.never)), {
        startImmediately: true
      })
      yield* SessionRegistry.revoke({ kind: "lease" }, { reason: "maintenance" })
      assert.deepInclude(yield* Fiber.join(fiber), { _tag: "SessionRevoked", reason: "maintenance" })
    })))

  it("names a wrong option", () => {
    for (
      const options of [
        { key: "" },
        { key, ttl: 5 },
        { key, ttl: 100, margin: 50 },
        { key, limit: 0 },
        { key, wait: -1 },
        { key, poll: 0 },
        { key, tll: 5 } as Lease.Options
      ]
    ) {
      const exit = Effect.runSyncExit(Lease.use(options, () => Effect.void))
      assert.match(String(exit), /RangeError: The option/)
    }
  })
})

describe("Lease.acquire", () => {
  it.effect("holds a lease until its scope closes, with rising tokens", () =>
    fresh(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(Lease.acquire({ key, ttl }), scope)
      yield* first.check
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(yield* holders, 1)
      yield* Scope.close(scope, Exit.void)
      assert.isEmpty(yield* holders)
      assert.deepInclude(yield* Effect.flip(first.check), { _tag: "LeaseLost", reason: "released" })
      const second = yield* Effect.scoped(Lease.acquire({ key }))
      assert.isAbove(second.token, first.token)
    })))

  it.effect("is released once when it is closed early", () =>
    fresh(Effect.scoped(Effect.gen(function*() {
      const lease = yield* Lease.acquire({ key, ttl })
      yield* lease.close
      const other = yield* Lease.acquire({ key, ttl })
      yield* lease.close
      yield* other.check
      assert.lengthOf(yield* holders, 1)
    }))))

  it.effect("tells a holder that waits when it is lost", () =>
    Effect.scoped(Effect.gen(function*() {
      const { faults, store } = yield* brokenStore()
      const lease = yield* Effect.provideService(Lease.acquire({ key, ttl }), LeaseStore.LeaseStore, store)
      const lost = yield* Effect.forkChild(lease.lost, { startImmediately: true })
      faults.fail = true
      yield* TestClock.adjust(ttl * 0.9)
      assert.deepInclude(yield* Fiber.join(lost), { reason: "expired" })
      assert.isTrue(Option.isSome(yield* Effect.option(Effect.flip(lease.check))))
      faults.fail = false
    })))
})
