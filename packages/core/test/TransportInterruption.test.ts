import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Transport from "@clawback/core/Transport"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Scope } from "effect"
import { MemoryWire, type Network } from "./MemoryWire.ts"
import { atEach, interruptAt, type Moment, settled, turn } from "./Moments.ts"

type Service = Transport.Transport["Service"]

const request = { method: "GET", url: "http://a.test/path", headers: {} } as const
const get = (transport: Service) => Effect.scoped(Effect.flatMap(transport.execute(request), Transport.bytes))

const slow: Network = {
  connecting: turn(2),
  answering: () => Effect.as(turn(2), { headers: { "content-length": "40" }, body: [10, 10, 10, 10] }),
  closing: turn(2)
}

/** Fails the test where it does not come to an end, or not to a good one. */
const succeeds = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const exit = yield* settled(yield* Effect.forkChild(effect))
    assert.isTrue(exit !== undefined && Exit.isSuccess(exit), `${what}: ${exit ?? "it hangs"}`)
  })

const max = 2

/** A transport of two connections, an accident, and then proof that nothing was lost. */
const survives = (
  accident: (moment: Moment, transport: Service, wire: MemoryWire) => Effect.Effect<unknown, unknown>
) =>
  atEach((moment) =>
    Effect.gen(function*() {
      const at = `after ${moment.turns} turns of ${moment.steps} steps`
      const wire = new MemoryWire(slow)
      const scope = yield* Scope.make()
      const transport = yield* Scope.provide(Transport.make(wire, { connections: max }), scope)

      yield* accident(moment, transport, wire)

      // All connections can be had at the same time again.
      const gate = Latch.makeUnsafe()
      let holding = 0
      const hold = Effect.flatMap(transport.execute(request), (response) => {
        if (++holding === max) gate.openUnsafe()
        return Effect.andThen(gate.await, Transport.bytes(response))
      })
      yield* succeeds(
        `${at}, to use all connections`,
        Effect.all([hold, hold].map(Effect.scoped), { concurrency: max })
      )
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: max }, at)
      assert.isAtMost(wire.peak, max, at)
      yield* succeeds(`${at}, to close`, Scope.close(scope, Exit.void))
      assert.deepStrictEqual([wire.alive.length, yield* SessionRegistry.counts], [0, {}], at)
    }), 80).pipe(Effect.provide(SessionRegistry.layer()))

describe("Transport: interruption at any moment loses no connection", () => {
  it.effect(
    "of a call from its start to its end",
    () => survives((moment, transport) => interruptAt(moment)(get(transport))),
    30_000
  )

  it.effect(
    "of a call on a connection that was idle",
    () => survives((moment, transport) => Effect.andThen(get(transport), interruptAt(moment)(get(transport)))),
    30_000
  )

  it.effect(
    "of a call that reads a part, while its rest is drained or aborted",
    () =>
      survives((moment, transport) =>
        interruptAt(moment)(Effect.scoped(Effect.flatMap(transport.execute(request), ({ body }) => body)))
      ),
    30_000
  )

  it.effect(
    "of a call that waits for a connection, while another gives one back",
    () =>
      survives((moment, transport) =>
        Effect.gen(function*() {
          const others = yield* Effect.forkChild(
            Effect.all([get(transport), get(transport), get(transport)], { concurrency: 3 })
          )
          yield* Effect.yieldNow
          yield* interruptAt(moment)(get(transport))
          yield* succeeds("the others", Fiber.join(others))
        })
      ),
    30_000
  )

  it.effect(
    "of a call that waits for a connection, while another is interrupted too",
    () =>
      survives((moment, transport) =>
        Effect.gen(function*() {
          const others = yield* Effect.forkChild(Effect.all([get(transport), get(transport)], { concurrency: 2 }))
          const waiter = yield* Effect.forkChild(get(transport))
          yield* interruptAt(moment)(Effect.forkChild(Fiber.interrupt(others)).pipe(Effect.andThen(get(transport))))
          yield* Fiber.interrupt(others)
          yield* succeeds("the waiter", Fiber.join(waiter))
        })
      ),
    30_000
  )

  it.effect(
    "of a call whose connection the server closes",
    () =>
      survives((moment, transport, wire) =>
        Effect.gen(function*() {
          yield* get(transport)
          const victim = yield* Effect.forkChild(get(transport))
          yield* interruptAt(moment)(Effect.andThen(turn(3), wire.connections[0]!.close))
          yield* wire.connections[0]!.close
          yield* Fiber.interrupt(victim)
        })
      ),
    30_000
  )
})

describe("Transport: closing it at any moment", () => {
  it.effect(
    "ends every call, each by its result or a typed error, and leaves nothing",
    () =>
      atEach(({ steps, turns }) =>
        Effect.gen(function*() {
          const at = `after ${turns} turns of ${steps} steps`
          const wire = new MemoryWire(slow)
          const scope = yield* Scope.make()
          const transport = yield* Scope.provide(Transport.make(wire, { connections: max }), scope)
          const calls: Array<Fiber.Fiber<unknown, unknown>> = []
          for (let i = 0; i < 4; i++) calls.push(yield* Effect.forkChild(get(transport)))
          yield* turn(turns)
          yield* succeeds(`${at}, to close`, Scope.close(scope, Exit.void))
          assert.deepStrictEqual(wire.alive, [], at)
          assert.notProperty(yield* SessionRegistry.counts, "connection", at)
          for (const call of calls) {
            const exit = yield* settled(call)
            assert.isDefined(exit, `${at}, a call hangs`)
            const error = Exit.findErrorOption(exit)
            if (Exit.isSuccess(exit)) continue
            assert.strictEqual(error._tag, "Some", `${at}: ${exit}`)
            assert.include(["ConnectionLost", "TransportClosed"], (error as { value: { _tag: string } }).value._tag, at)
          }
          assert.deepStrictEqual([wire.alive.length, yield* SessionRegistry.counts], [0, {}], at)
        }), 80).pipe(Effect.provide(SessionRegistry.layer())),
    30_000
  )

  it.effect(
    "opens nothing after it has closed, for one who was just let in either",
    () =>
      atEach(({ steps, turns }) =>
        Effect.gen(function*() {
          let isClosing = false
          const wire = new MemoryWire({
            answering: () => Effect.succeed({ headers: { connection: "close" }, body: [1] }),
            closing: Effect.suspend(() => isClosing ? turn(3) : Effect.void)
          })
          const scope = yield* Scope.make()
          const transport = yield* Scope.provide(Transport.make(wire, { connections: 1 }), scope)
          const calls = yield* Effect.forkChild(
            Effect.all([1, 2, 3].map(() => Effect.exit(get(transport))), { concurrency: 3 })
          )
          yield* turn(turns)
          isClosing = true
          yield* Scope.close(scope, Exit.void)
          assert.deepStrictEqual(wire.alive.length, 0, `after ${turns} turns of ${steps} steps`)
          yield* succeeds("the calls", Fiber.join(calls))
          assert.deepStrictEqual([wire.alive.length, yield* SessionRegistry.counts], [0, {}])
        }), 80).pipe(Effect.provide(SessionRegistry.layer())),
    30_000
  )
})
