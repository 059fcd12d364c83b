import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Transport from "@clawback/core/Transport"
import * as TransportError from "@clawback/core/TransportError"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Option, Pull, Scope } from "effect"
import { TestClock } from "effect/testing"
import { type Answer, MemoryWire, type Network } from "./MemoryWire.ts"
import { atEach, settled, turn } from "./Moments.ts"

type Service = Transport.Transport["Service"]

const origin = "http://a.test"
const isolated = Effect.provide(SessionRegistry.layer())
const request = { method: "GET", url: `${origin}/path`, headers: {} } as const
const get = (transport: Service) => Effect.scoped(Effect.flatMap(transport.execute(request), Transport.bytes))

const answer = (given: Answer) => ({ answering: () => Effect.succeed(given) })

/** Runs on a fiber, as far as it comes by itself. */
const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.tap(Effect.forkChild(effect), turn(20))

const reasons = ["its scope was closed", "test"]

/** Fails the test unless the fiber ends, with a result or with `SessionRevoked`. */
const endsTyped = (what: string, fiber: Fiber.Fiber<unknown, unknown>) =>
  Effect.map(settled(fiber), (exit) => {
    assert.isDefined(exit, `${what}: it hangs`)
    if (Exit.isSuccess(exit)) return
    const error: unknown = Option.getOrUndefined(Exit.findErrorOption(exit))
    assert.deepInclude(error, { _tag: "SessionRevoked" }, `${what}: ${exit}`)
    assert.include(reasons, (error as { reason: string }).reason, what)
  })

const max = 2

/** A transport of two connections; then all of them can be used at the same time again, and nothing is left of it. */
const survives = (
  network: Partial<Network>,
  accident: (turns: number, transport: Service, wire: MemoryWire, at: string) => Effect.Effect<unknown, unknown>
) =>
  atEach(({ steps, turns }) =>
    Effect.gen(function*() {
      const at = `after ${turns} turns of ${steps} steps`
      const wire = new MemoryWire({
        connecting: turn(2),
        answering: () => Effect.as(turn(2), { headers: { "content-length": "40" }, body: [10, 10, 10, 10] }),
        closing: turn(2),
        ...network
      })
      const scope = yield* Scope.make()
      const transport = yield* Scope.provide(Transport.make(wire, { connections: max }), scope)
      yield* accident(turns, transport, wire, at)
      const gate = Latch.makeUnsafe()
      let holding = 0
      const hold = Effect.flatMap(transport.execute(request), (response) => {
        if (++holding === max) gate.openUnsafe()
        return Effect.andThen(gate.await, Transport.bytes(response))
      })
      const all = yield* settled(
        yield* Effect.forkChild(Effect.all([Effect.scoped(hold), Effect.scoped(hold)], { concurrency: max }))
      )
      assert.isTrue(all !== undefined && Exit.isSuccess(all), `${at}, to use all connections: ${all ?? "it hangs"}`)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: max }, at)
      assert.isAtMost(wire.peak, max, at)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([wire.alive.length, yield* SessionRegistry.counts], [0, {}], at)
    }), 20).pipe(isolated)

/** A call in a scope that another fiber closes after so many turns. */
const closedFromElsewhere = (turns: number, transport: Service, at: string) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const call = yield* Effect.forkChild(
      Scope.provide(Effect.flatMap(transport.execute(request), Transport.bytes), scope)
    )
    yield* turn(turns)
    yield* Scope.close(scope, Exit.void)
    yield* endsTyped(at, call)
  })

describe("Transport: a scope that another fiber closes, at any moment", () => {
  it.effect("fails the call with a typed error, and releases what it got", () =>
    survives({}, (turns, transport, _, at) => closedFromElsewhere(turns, transport, at)))

  it.effect("also on a connection that was idle", () =>
    survives(
      {},
      (turns, transport, _, at) => Effect.andThen(get(transport), closedFromElsewhere(turns, transport, at))
    ))

  it.effect("also while the call waits for a connection", () =>
    survives({}, (turns, transport, _, at) =>
      Effect.gen(function*() {
        const others = yield* Effect.forkChild(
          Effect.all([get(transport), get(transport), get(transport)], { concurrency: 3 })
        )
        yield* Effect.yieldNow
        yield* closedFromElsewhere(turns, transport, at)
        assert.isTrue(Exit.isSuccess((yield* settled(others))!), at)
      })))

  it.effect("also where the server had left its idle connection, and the call goes on over another one", () => {
    let isLeft = false
    const lost = new TransportError.ConnectionLost({ origin, phase: "request", cause: new Error("left") })
    const answering = () => {
      if (isLeft) {
        isLeft = false
        return Effect.andThen(turn(2), Effect.fail(lost))
      }
      return Effect.as(turn(2), { headers: { "content-length": "10" }, body: [10] })
    }
    return survives({ answering }, (turns, transport, _, at) =>
      Effect.gen(function*() {
        yield* get(transport)
        isLeft = true
        yield* closedFromElsewhere(turns, transport, at)
        isLeft = false
      }))
  })

  it.effect("a waiter that is served after its scope closed sends nothing", () =>
    Effect.gen(function*() {
      const paths: Array<string> = []
      const wire = new MemoryWire({
        answering: ({ path }) => {
          paths.push(path)
          return Effect.as(Effect.yieldNow, { body: [10] })
        }
      })
      const transport = yield* Transport.make(wire, { connections: 1 })
      const holder = yield* start(Effect.scoped(Effect.andThen(transport.execute(request), Effect.never)))
      const scope = yield* Scope.make()
      const waiter = yield* start(
        Scope.provide(transport.execute({ ...request, url: `${origin}/late` }), scope)
      )
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.interrupt(holder)
      yield* endsTyped("the waiter", waiter)
      assert.deepInclude(Exit.findErrorOption((yield* settled(waiter))!), { _tag: "Some" })
      yield* get(transport)
      assert.deepStrictEqual(paths, ["/path", "/path"])
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 1 })
    }).pipe(isolated))

  it.effect("a call in a scope that is closed already takes nothing for good, and fails typed", () =>
    Effect.gen(function*() {
      const wire = new MemoryWire()
      const transport = yield* Transport.make(wire, { connections: 1 })
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      const error = yield* Effect.flip(Scope.provide(transport.execute(request), scope))
      assert.deepInclude(error, { _tag: "SessionRevoked", kind: "exchange", reason: "its scope was closed" })
      assert.lengthOf(yield* get(transport), 10)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 1 })
    }).pipe(isolated))
})

const sized = answer({ headers: { "content-length": "60" }, body: [50, "silence"] })

/** A call whose body has begun, and the fiber that reads the rest, which does not come. */
const reading = (transport: Service) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const response = yield* Scope.provide(transport.execute(request), scope)
    yield* response.body
    const reader = yield* start(response.body)
    assert.isUndefined(reader.pollUnsafe())
    return { scope, response, reader }
  })

describe("Transport: a reader that waits for more of a body of known size", () => {
  it.effect("ends typed, and at once, when another fiber closes the scope", () =>
    Effect.gen(function*() {
      const wire = new MemoryWire(sized)
      const transport = yield* Transport.make(wire)
      const { reader, scope } = yield* reading(transport)
      yield* start(Scope.close(scope, Exit.void))
      const exit = yield* settled(reader)
      assert.isDefined(exit, "the reader hangs")
      assert.deepInclude(Option.getOrUndefined(Exit.findErrorOption(exit)), {
        _tag: "SessionRevoked",
        reason: "its scope was closed"
      })
      assert.deepStrictEqual([wire.alive.length, yield* SessionRegistry.counts], [0, {}])
    }).pipe(isolated))

  it.effect("ends typed when the exchange is revoked by force", () =>
    Effect.gen(function*() {
      const transport = yield* Transport.make(new MemoryWire(sized))
      const { reader } = yield* reading(transport)
      yield* start(SessionRegistry.revoke({ kind: "exchange" }, { reason: "test", deadline: 0 }))
      const exit = yield* settled(reader)
      assert.isDefined(exit, "the reader hangs")
      assert.deepInclude(Option.getOrUndefined(Exit.findErrorOption(exit)), { _tag: "SessionRevoked", reason: "test" })
    }).pipe(isolated))

  it.effect("a second reader dies, and does not affect the first one", () =>
    Effect.gen(function*() {
      const gate = Latch.makeUnsafe()
      const wire = new MemoryWire({ answering: () => Effect.succeed({ body: [10, 20] }) })
      const transport = yield* Transport.make(wire)
      const read = Effect.flatMap(transport.execute(request), (response) =>
        Effect.gen(function*() {
          const first = yield* Effect.forkChild(Effect.andThen(gate.await, Transport.bytes(response)))
          yield* turn(2)
          yield* gate.open
          const exits = yield* Effect.all([Fiber.await(first), Effect.exit(Transport.bytes(response))], {
            concurrency: 2
          })
          assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
          assert.strictEqual(exits.filter(Exit.hasDies).length, 1)
          assert.include(String(exits.find(Exit.isFailure)), "one reader")
        }))
      yield* Effect.scoped(read)
      assert.lengthOf(yield* get(transport), 30)
    }).pipe(isolated))
})

describe("Transport: a body after its exchange has ended", () => {
  it.effect("fails with a typed error if something was left, and repeats the end if nothing was", () =>
    Effect.gen(function*() {
      const transport = yield* Transport.make(new MemoryWire(answer({ body: [10] })), { connections: 1 })
      const { body } = yield* Effect.scoped(Effect.tap(transport.execute(request), ({ body }) => body))
      assert.deepInclude(yield* Effect.flip(body), { _tag: "SessionRevoked", reason: "its scope was closed" })
      const read = yield* Effect.scoped(Effect.tap(transport.execute(request), (response) => Transport.bytes(response)))
      assert.strictEqual(yield* Pull.catchDone(Effect.as(read.body, "more"), () => Effect.succeed("end")), "end")
    }).pipe(isolated))

  it.effect("never gives bytes of the call that uses the connection now", () =>
    Effect.gen(function*() {
      const wire = new MemoryWire(answer({ headers: { "content-length": "20" }, body: [10, 10] }))
      const transport = yield* Transport.make(wire, { connections: 1 })
      const { body } = yield* Effect.scoped(Effect.tap(transport.execute(request), ({ body }) => body))
      const next = yield* Scope.provide(transport.execute(request), yield* Scope.make())
      assert.lengthOf(wire.connections, 1)
      assert.deepInclude(yield* Effect.flip(body), { _tag: "SessionRevoked" })
      assert.lengthOf(yield* Transport.bytes(next), 20)
    }).pipe(isolated))

  it.effect("does not delay closing the scope for longer than the drain may take", () =>
    Effect.gen(function*() {
      const wire = new MemoryWire(sized)
      const transport = yield* Transport.make(wire)
      const scope = yield* Scope.make()
      const response = yield* Scope.provide(transport.execute(request), scope)
      const closing = yield* start(Scope.close(scope, Exit.void))
      // While the rest is drained, a reader that comes late does not disturb that.
      assert.deepInclude(yield* Effect.flip(response.body), { _tag: "SessionRevoked" })
      yield* TestClock.adjust("250 millis")
      assert.isTrue(Exit.isSuccess((yield* settled(closing))!))
    }).pipe(isolated))
})
