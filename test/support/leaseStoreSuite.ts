/** What every store of leases must do. Each adapter runs it, by its own clock, so these tests wait for real milliseconds. */
import { LeaseStore } from "@clawback/core"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, type Scope } from "effect"

const ttl = 400

let keys = 0

/** A request for a key that no other test uses. */
const newRequest = (id = "a"): LeaseStore.Request => ({
  key: `key '${++keys}' of ${process.pid} ü\n`,
  id,
  limit: 1,
  ttl: 60_000,
  holder: "a holder, with spaces\nand lines"
})

const granted = (store: LeaseStore.LeaseStore, request: LeaseStore.Request) =>
  Effect.map(store.acquire(request), (answer) => {
    if (answer._tag !== "Granted") throw new Error(`Busy for ${answer.retryIn} ms`)
    return { key: request.key, id: request.id, token: answer.token }
  })

/** A store over the data that a layer leads to, for as long as the scope is open. */
export const storeOf = <E>(layer: Layer.Layer<never, E>): Effect.Effect<LeaseStore.LeaseStore, E, Scope.Scope> =>
  Effect.map(Layer.build(layer), (context) => Context.get(context, LeaseStore.LeaseStore))

/** Two stores over the same data, as two processes have them. */
type Stores<E> = Effect.Effect<readonly [LeaseStore.LeaseStore, LeaseStore.LeaseStore], E, Scope.Scope>

export const suite = <E>(name: string, stores: Stores<E>): void => {
  const test = (
    title: string,
    body: (store: LeaseStore.LeaseStore, second: LeaseStore.LeaseStore) => Effect.Effect<void, unknown>
  ) => it.live(`${name}: ${title}`, () => Effect.flatMap(stores, ([store, second]) => body(store, second)), 30_000)

  test("grants up to the limit, and not more", (store, second) =>
    Effect.gen(function*() {
      const request = { ...newRequest(), limit: 2 }
      yield* granted(store, request)
      yield* granted(second, { ...request, id: "b" })
      const busy = yield* second.acquire({ ...request, id: "c" })
      assert.strictEqual(busy._tag, "Busy")
      assert.isTrue(busy._tag === "Busy" && busy.retryIn > 50_000 && busy.retryIn <= 60_000)
      // Another key has places of its own.
      yield* granted(store, newRequest())
    }))

  test("lists who holds a key", (store, second) =>
    Effect.gen(function*() {
      const request = { ...newRequest(), limit: 2 }
      assert.isEmpty(yield* store.holders(request.key))
      const first = yield* granted(store, request)
      yield* granted(store, { ...request, id: "b", holder: "" })
      const found = (yield* second.holders(request.key)).toSorted((one, next) => one.token - next.token)
      assert.deepStrictEqual(found.map(({ holder, id }) => [id, holder]), [["a", request.holder], ["b", ""]])
      assert.strictEqual(found[0]?.token, first.token)
      for (const { expiresIn } of found) assert.isTrue(expiresIn > 50_000 && expiresIn <= 60_000)
    }))

  test("gives a repeated request the grant that it has", (store, second) =>
    Effect.gen(function*() {
      const request = newRequest()
      const first = yield* granted(store, request)
      assert.deepStrictEqual(yield* granted(second, request), first)
      assert.lengthOf(yield* store.holders(request.key), 1)
    }))

  test("releases only what it is asked to, and nothing twice", (store, second) =>
    Effect.gen(function*() {
      const request = newRequest()
      const first = yield* granted(store, request)
      yield* second.release({ ...first, id: "stranger" })
      yield* second.release({ ...first, token: first.token - 1 })
      assert.lengthOf(yield* store.holders(request.key), 1)
      yield* second.release(first)
      assert.isEmpty(yield* store.holders(request.key))
      const next = yield* granted(store, { ...request, id: "b" })
      yield* store.release(first)
      assert.lengthOf(yield* store.holders(request.key), 1)
      yield* store.release({ key: request.key, id: "b" })
      yield* store.release(next)
      assert.isEmpty(yield* store.holders(request.key))
    }))

  test(
    "lets a lease expire, and renews none that has expired or was released",
    (store, second) =>
      Effect.gen(function*() {
        const request = { ...newRequest(), ttl }
        const first = yield* granted(store, request)
        assert.isFalse(yield* second.renew({ ...first, id: "stranger", ttl }))
        assert.isFalse(yield* second.renew({ ...first, token: first.token + 1, ttl }))
        yield* Effect.sleep(ttl + 50)
        assert.isEmpty(yield* store.holders(request.key))
        assert.isFalse(yield* store.renew({ ...first, ttl }))
        const next = yield* granted(second, { ...request, id: "b" })
        assert.isFalse(yield* store.renew({ ...first, ttl }))
        yield* second.release(next)
        assert.isFalse(yield* second.renew({ ...next, ttl }))
        assert.isEmpty(yield* store.holders(request.key))
      })
  )

  test("keeps a lease that is renewed", (store, second) =>
    Effect.gen(function*() {
      const request = { ...newRequest(), ttl }
      const first = yield* granted(store, request)
      for (let i = 0; i < 4; i++) {
        yield* Effect.sleep(ttl / 2)
        assert.isTrue(yield* store.renew({ ...first, ttl }))
      }
      assert.strictEqual((yield* second.acquire({ ...request, id: "b" }))._tag, "Busy")
    }))

  test("gives rising tokens, also to a key that was forgotten", (store, second) =>
    Effect.gen(function*() {
      const request = newRequest()
      let last = 0
      for (let i = 0; i < 10; i++) {
        const grant = yield* granted(i % 2 === 0 ? store : second, { ...request, id: String(i) })
        assert.isAbove(grant.token, last)
        last = grant.token
        yield* store.release(grant)
      }
    }))

  test("grants one of many that ask at once", (store, second) =>
    Effect.gen(function*() {
      const request = { ...newRequest(), limit: 3 }
      const fibers = yield* Effect.forEach(
        Array.from({ length: 12 }, (_, i) => i),
        (i) => Effect.forkChild((i % 2 === 0 ? store : second).acquire({ ...request, id: String(i) }))
      )
      const answers = yield* Effect.forEach(fibers, Fiber.join)
      const tokens = answers.flatMap((answer) => answer._tag === "Granted" ? [answer.token] : [])
      assert.lengthOf(tokens, 3)
      assert.strictEqual(new Set(tokens).size, 3)
      assert.lengthOf(yield* store.holders(request.key), 3)
    }))
}
