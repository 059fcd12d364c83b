import * as Deadline from "@clawback/core/Deadline"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Transport from "@clawback/core/Transport"
import * as TransportError from "@clawback/core/TransportError"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Random, Stream } from "effect"
import { TestClock } from "effect/testing"
import { type Answer, MemoryWire, type Network } from "./MemoryWire.ts"
import { settled, turn } from "./Moments.ts"

const isolated = Effect.provide(SessionRegistry.layer())
const origin = "http://a.test"

const setup = (network: Partial<Network> = {}, options: Transport.Options = {}) =>
  Effect.gen(function*() {
    const wire = new MemoryWire(network)
    return { wire, transport: yield* Transport.make(wire, options) }
  })

const answer = (given: Answer) => ({ answering: () => Effect.succeed(given) })

const execute = (transport: Transport.Transport["Service"], request: Partial<Transport.Request> = {}) =>
  transport.execute({ method: "GET", url: `${origin}/path`, headers: {}, ...request })

const get = (transport: Transport.Transport["Service"], request: Partial<Transport.Request> = {}) =>
  Effect.scoped(Effect.flatMap(execute(transport, request), Transport.bytes))

const hold = (transport: Transport.Transport["Service"]) =>
  Effect.scoped(Effect.andThen(execute(transport), Effect.never))

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.tap(Effect.forkChild(effect), turn(20))

/** The clock moves, and what follows from that happens. */
const pass = (duration: Duration.Input) => Effect.andThen(TestClock.adjust(duration), turn(10))

describe("Transport: how long a connection is kept", () => {
  it.effect("for half a minute without use, and each use starts that anew", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup()
      yield* get(transport)
      yield* pass("20 seconds")
      yield* get(transport)
      yield* pass("29999 millis")
      assert.lengthOf(wire.alive, 1)
      yield* pass("1 millis")
      assert.deepStrictEqual([wire.alive.length, yield* SessionRegistry.counts], [0, {}])
    }).pipe(isolated))

  it.effect("a second less than its server announces, where that is sooner", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(answer({ headers: { "keep-alive": "timeout=5, max=100" }, body: [1] }))
      yield* get(transport)
      yield* pass("3999 millis")
      assert.lengthOf(wire.alive, 1)
      yield* pass("1 millis")
      assert.lengthOf(wire.alive, 0)
    }).pipe(isolated))

  it.effect("not at all if its server announces a second or less, unless a caller waits for it", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(
        answer({ headers: { "keep-alive": "timeout=1" }, body: [1] }),
        { connections: 1 }
      )
      yield* Effect.all([get(transport), get(transport)], { concurrency: 2 })
      yield* turn(10)
      assert.deepStrictEqual([wire.connections.length, wire.alive.length], [1, 0])
    }).pipe(isolated))

  it.effect("no longer than its lifetime, however much it is used; what is under way then is not cut", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({}, { maxLifetime: "1 minute" })
      const holder = yield* start(hold(transport))
      yield* pass("10 minutes")
      assert.isUndefined(holder.pollUnsafe())
      assert.lengthOf(wire.alive, 1)
      yield* Effect.scoped(execute(transport))
      yield* Fiber.interrupt(holder)
      for (let i = 0; i < 10; i++) {
        yield* get(transport)
        yield* pass("10 seconds")
      }
      // The latest may have reached its end while nobody used it.
      yield* get(transport)
      assert.isAtLeast(wire.connections.length, 4)
      assert.lengthOf(wire.alive, 1)
    }).pipe(isolated))

  it.effect("a connection whose lifetime ended in use is closed when it is returned", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(answer({ headers: { "content-length": "0" } }), {
        maxLifetime: "1 minute"
      })
      yield* Effect.scoped(Effect.andThen(execute(transport), TestClock.adjust("1 minute")))
      yield* turn(10)
      assert.lengthOf(wire.alive, 0)
    }).pipe(isolated))

  it.effect("connections that were opened together do not end together", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({}, { maxLifetime: "100 seconds", idleTimeToLive: "1 hour" })
      yield* Effect.all(Array.from({ length: 20 }, () => get(transport)), { concurrency: 20 })
      yield* pass("79 seconds")
      assert.lengthOf(wire.alive, 20)
      yield* pass("11 seconds")
      const left = wire.alive.length
      assert.isTrue(left > 0 && left < 20, `${left} of 20`)
      yield* pass("10 seconds")
      assert.lengthOf(wire.alive, 0)
    }).pipe(isolated, Random.withSeed("spread")))

  it.effect("one that is idle when its server has left does not come back by its timer", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({}, { connections: 1 })
      yield* get(transport)
      yield* wire.connections[0]!.close
      yield* turn(10)
      yield* pass("1 minute")
      assert.lengthOf(yield* get(transport), 10)
      assert.deepStrictEqual([wire.connections.length, wire.alive.length], [2, 1])
    }).pipe(isolated))
})

describe("Transport: waiting under a deadline", () => {
  it.effect("a call whose deadline has passed takes nothing", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup()
      const budget = Duration.seconds(1)
      const late = Effect.provideService(get(transport), Deadline.Current, { at: 0, budget })
      const failing = yield* start(Effect.flip(late))
      // The one that set the deadline has this long to interrupt the call.
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual(yield* Fiber.join(failing), new Deadline.DeadlineExceeded({ budget }))
      assert.lengthOf(wire.connections, 0)
    }).pipe(isolated))

  it.effect("a waiting caller fails with it if it is earlier than the queue limit, and the next one is served", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup({}, { connections: 1 })
      const holder = yield* start(hold(transport))
      const hasty = yield* start(Effect.flip(Deadline.within("3 seconds")(get(transport))))
      const patient = yield* start(get(transport))
      yield* TestClock.adjust("3 seconds")
      assert.instanceOf(yield* Fiber.join(hasty), Deadline.DeadlineExceeded)
      yield* Fiber.interrupt(holder)
      assert.isTrue(Exit.isSuccess((yield* settled(patient))!))
    }).pipe(isolated))

  it.effect("it fails by itself, even if it is not interrupted", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup({}, { connections: 1 })
      yield* start(hold(transport))
      const budget = Duration.seconds(2)
      const waiter = yield* start(
        Effect.flip(Effect.provideService(get(transport), Deadline.Current, { at: 2000, budget }))
      )
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(waiter), new Deadline.DeadlineExceeded({ budget }))
    }).pipe(isolated))
})

describe("Transport: a request's limits of time", () => {
  it.effect("one that is no duration is a defect that names it, and takes no connection's place", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup({}, { connections: 1 })
      for (const name of ["queue", "connect", "firstToken"]) {
        const exit = yield* Effect.exit(get(transport, { timeouts: { [name]: "soon" } }))
        assert.include(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), `timeouts.${name}`)
        assert.lengthOf(yield* get(transport), 10)
      }
    }).pipe(isolated))
})

describe("Transport: the size of a body", () => {
  const large = { answering: () => Effect.succeed({ body: [600, 600, 600] }) }

  it.effect("is limited by the transport, also where the body is streamed; its connection is not kept", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(large, { maxBodySize: 1000 })
      let seen = 0
      const read = Effect.flatMap(
        execute(transport),
        (response) =>
          Stream.runForEach(Transport.stream(response), (chunk) =>
            Effect.sync(() => {
              seen += chunk.byteLength
            }))
      )
      const error = yield* Effect.flip(Effect.scoped(read))
      assert.deepStrictEqual(error, new TransportError.BodyTooLarge({ limit: 1000 }))
      assert.strictEqual(seen, 600)
      yield* turn(10)
      assert.lengthOf(wire.alive, 0)
    }).pipe(isolated))

  it.effect("a request may set its own limit, or none", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup(large, { maxBodySize: 1000 })
      assert.lengthOf(yield* get(transport, { maxBodySize: 1800 }), 1800)
      assert.lengthOf(yield* get(transport, { maxBodySize: Infinity }), 1800)
      assert.deepStrictEqual(
        yield* Effect.flip(get(transport, { maxBodySize: 1799 })),
        new TransportError.BodyTooLarge({ limit: 1799 })
      )
    }).pipe(isolated))

  it.effect("one that is announced as too large is not read at all, and its status is known", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup(
        answer({ status: 503, headers: { "content-length": "100001" }, body: ["silence"] }),
        { maxBodySize: 100_000 }
      )
      const response = yield* execute(transport)
      assert.strictEqual(response.status, 503)
      assert.deepStrictEqual(
        yield* Effect.flip(Transport.bytes(response)),
        new TransportError.BodyTooLarge({ limit: 100_000 })
      )
    }).pipe(Effect.scoped, isolated))

  it.effect("a response without a body may declare a large one, and its connection is kept", () =>
    Effect.gen(function*() {
      const without = { headers: { "content-length": "100001" }, body: [] }
      for (const [method, status] of [["HEAD", 200], ["GET", 304]] as const) {
        const { transport, wire } = yield* setup(answer({ ...without, status }), { maxBodySize: 100_000 })
        assert.lengthOf(yield* get(transport, { method }), 0)
        yield* Effect.scoped(execute(transport, { method }))
        yield* turn(10)
        assert.deepStrictEqual([wire.connections.length, wire.alive.length], [1, 1])
      }
    }).pipe(Effect.scoped, isolated))

  it.effect("a request's own limit that is no number of bytes is a defect, and nothing is sent", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(large)
      const exit = yield* Effect.exit(get(transport, { maxBodySize: Number.NaN }))
      assert.isTrue(Exit.isFailure(exit) && Exit.hasDies(exit))
      assert.lengthOf(wire.connections, 0)
    }).pipe(isolated))

  it.effect("a limit that is no number of bytes is found when the transport is made", () =>
    Effect.gen(function*() {
      for (const maxBodySize of [-1, 1.5, Number.NaN]) {
        const exit = yield* Effect.exit(setup({}, { maxBodySize }))
        assert.isTrue(Exit.isFailure(exit) && Exit.hasDies(exit), String(maxBodySize))
      }
    }).pipe(isolated))
})

const lost = (phase: TransportError.ConnectionLost["phase"]) =>
  new TransportError.ConnectionLost({ origin, phase, cause: new Error("closed") })

/** A wire whose used connections are lost in some phase. */
const leaving = (phase: TransportError.ConnectionLost["phase"]) =>
  Effect.gen(function*() {
    let requests = 0
    const { transport, wire } = yield* setup({
      answering: () => ++requests === 2 ? Effect.fail(lost(phase)) : Effect.succeed({ body: [10] })
    })
    yield* get(transport)
    return { transport, wire, requests: () => requests }
  })

describe("Transport: a kept connection that its server has left", () => {
  it.effect("before anything was sent: the call goes on over another one", () =>
    Effect.gen(function*() {
      const { requests, transport, wire } = yield* leaving("request")
      assert.lengthOf(yield* get(transport), 10)
      yield* turn(10)
      assert.deepStrictEqual([requests(), wire.connections.length, wire.alive.length], [3, 2, 1])
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 1 })
    }).pipe(isolated))

  it.effect("after the request was sent: the call fails, since it may have been processed", () =>
    Effect.gen(function*() {
      const { requests, transport } = yield* leaving("head")
      assert.deepStrictEqual(yield* Effect.flip(get(transport)), lost("head"))
      assert.strictEqual(requests(), 2)
    }).pipe(isolated))

  it.effect("a new connection that is lost before anything was sent is the call's error, and not tried for ever", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({ answering: () => Effect.fail(lost("request")) })
      assert.deepStrictEqual(yield* Effect.flip(get(transport)), lost("request"))
      assert.lengthOf(wire.connections, 1)
    }).pipe(isolated))
})
