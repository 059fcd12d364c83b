import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Timeouts from "@clawback/core/Timeouts"
import * as Transport from "@clawback/core/Transport"
import * as TransportError from "@clawback/core/TransportError"
import type * as Wire from "@clawback/core/Wire"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Latch, Scope } from "effect"
import { TestClock } from "effect/testing"
import { type Answer, MemoryWire, type Network, refused } from "./MemoryWire.ts"
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

/** Holds a connection until it is interrupted. */
const hold = (transport: Transport.Transport["Service"], request: Partial<Transport.Request> = {}) =>
  Effect.scoped(Effect.andThen(execute(transport, request), Effect.never))

/** Runs on a fiber, as far as it comes by itself. */
const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.tap(Effect.forkChild(effect), turn(20))

/** The error of a fiber that has failed. */
const failure = <A, E>(fiber: Fiber.Fiber<A, E>) =>
  Effect.map(settled(fiber), (exit) => {
    assert.isDefined(exit, "it is still running")
    return Exit.findErrorOption(exit).pipe((error) => error._tag === "Some" ? error.value : exit)
  })

describe("Transport: a request", () => {
  it.effect("answers with status, headers and the body, and keeps the connection for the next", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(answer({ status: 201, headers: { a: ["1", "2"] }, body: [3, 4] }))
      const response = yield* Effect.scoped(Effect.gen(function*() {
        const { body: _, ...head } = yield* execute(transport)
        return head
      }))
      assert.deepStrictEqual([response.status, response.headers], [201, { a: ["1", "2"] }])
      assert.lengthOf(yield* get(transport), 7)
      assert.lengthOf(yield* get(transport), 7)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 1 })
      // The first body was not read, so that one was closed.
      assert.lengthOf(wire.connections, 2)
    }).pipe(isolated))

  it.effect("sends method, path with query, headers and body, and adds nothing", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const { transport } = yield* setup({
        answering: (request) => {
          seen.push(request)
          return Effect.succeed({})
        }
      })
      yield* get(transport, { method: "POST", url: `${origin}/v1/x?y=1#z`, headers: { a: "b" }, body: "text" })
      assert.deepStrictEqual(seen, [{ method: "POST", path: "/v1/x?y=1", headers: { a: "b" }, body: "text" }])
    }).pipe(isolated))

  it.effect("is listed without its query, where some providers want the key", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup()
      yield* start(hold(transport, { url: `${origin}/v1?key=secret` }))
      const listed = yield* SessionRegistry.list()
      assert.deepStrictEqual(listed.map(({ kind, name }) => [kind, name]), [
        ["exchange", "a.test/v1"],
        ["connection", origin]
      ])
    }).pipe(isolated))

  it.effect("that is no http URL is refused with the URL", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup()
      for (const url of ["", "not a url", "/path", "ftp://a.test/", "javascript:alert(1)"]) {
        assert.deepStrictEqual(yield* Effect.flip(get(transport, { url })), new TransportError.InvalidUrl({ url }))
      }
      assert.lengthOf(wire.connections, 0)
    }).pipe(isolated))

  it.effect.each(
    [
      ["http://me:s3cret@a.test/", "http://<credentials>@a.test/"],
      ["http://s3cret@a.test/path?key=s3cret#s3cret", "http://<credentials>@a.test/path?<query>#<fragment>"],
      ["http://:s3cret@a.test/", "http://<credentials>@a.test/"],
      ["http://me:s3c/r?e#t@a.test:port/", "http://<credentials>@a.test:port/"],
      ["htp://me:s3cret@a.test/?key=s3cret", "htp://<credentials>@a.test/?<query>"],
      ["http://a.test:99999/?key=s3cret", "http://a.test:99999/?<query>"],
      ["//a.test/?key=s3cret", "//a.test/?<query>"]
    ] as const
  )("with the URL %s is refused, and the error says %s", ([url, shown]) =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup()
      const error = yield* Effect.flip(get(transport, { url }))
      assert.deepStrictEqual(error, TransportError.InvalidUrl.of(url))
      assert.deepInclude(error, { _tag: "InvalidUrl", url: shown } as object)
      assert.include(error.message, shown.includes("@") ? "header" : "https://api.example.com/v1")
      for (const text of [String(error), JSON.stringify(error), error.stack]) assert.notInclude(text, "s3c")
      assert.notInclude(new TransportError.InvalidUrl({ url }).message, "s3c")
      assert.lengthOf(wire.connections, 0)
    }).pipe(isolated))

  it.effect("whose body is larger than the reader allows fails, and its connection is not kept", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(answer({ body: [10, 10, 10] }))
      const read = Effect.scoped(Effect.flatMap(execute(transport), (response) => Transport.bytes(response, 20)))
      assert.deepStrictEqual(yield* Effect.flip(read), new TransportError.BodyTooLarge({ limit: 20 }))
      yield* turn(5)
      assert.lengthOf(wire.alive, 0)
      const exact = Effect.scoped(Effect.flatMap(execute(transport), (response) => Transport.bytes(response, 30)))
      assert.lengthOf(yield* exact, 30)
    }).pipe(isolated))
})

describe("Transport: waiting for a connection", () => {
  it.effect("never has more connections to an origin than allowed, and serves everyone", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({}, { connections: 3 })
      const many = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 50 }, () => get(transport)), { concurrency: "unbounded" })
      )
      assert.isTrue(Exit.isSuccess((yield* settled(many))!))
      assert.strictEqual(wire.peak, 3)
    }).pipe(isolated))

  it.effect("serves waiters in the order in which they came", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup({}, { connections: 1 })
      const order: Array<number> = []
      const all = yield* Effect.forkChild(Effect.all(
        [1, 2, 3, 4].map((n) =>
          Effect.map(get(transport), () => {
            order.push(n)
          })
        ),
        { concurrency: "unbounded" }
      ))
      yield* settled(all)
      assert.deepStrictEqual(order, [1, 2, 3, 4])
    }).pipe(isolated))

  it.effect("a revocation ends waiting and connecting, and leaves both to the next", () =>
    Effect.gen(function*() {
      const connecting = yield* Latch.make()
      const { transport, wire } = yield* setup({ connecting: connecting.await }, { connections: 1 })
      const first = yield* start(get(transport))
      const second = yield* start(get(transport))
      for (const [id, caller] of [[3, second], [1, first]] as const) {
        const { revoked, stuck } = yield* SessionRegistry.revoke({ id, kind: "exchange" }, { reason: "test" })
        assert.deepStrictEqual([revoked.length, stuck], [1, []])
        assert.deepInclude(yield* failure(caller), { _tag: "SessionRevoked", reason: "test" })
      }
      yield* turn(5)
      assert.lengthOf(wire.alive, 0)
      yield* connecting.open
      yield* get(transport)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 1 })
    }).pipe(isolated))

  it.effect("one origin does not wait for another", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup({}, { connections: 1 })
      yield* start(hold(transport))
      const other = yield* start(get(transport, { url: "http://b.test/" }))
      assert.isTrue(Exit.isSuccess((yield* settled(other))!))
    }).pipe(isolated))

  it.effect("refuses at once where as many wait as may, and lets others in when they have gone", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup({}, { connections: 2, maxWaiting: 1 })
      const holders = [yield* start(hold(transport)), yield* start(hold(transport))]
      const waiter = yield* start(get(transport))
      assert.deepStrictEqual(
        yield* failure(yield* start(get(transport))),
        new TransportError.QueueFull({ origin, connections: 2, waiting: 1 })
      )
      yield* Fiber.interrupt(waiter)
      const next = yield* start(get(transport))
      assert.isUndefined(next.pollUnsafe())
      yield* Fiber.interruptAll(holders)
      assert.isTrue(Exit.isSuccess((yield* settled(next))!))
    }).pipe(isolated))

  it.effect("fails at its limit with the number of connections and waiters, and does not affect other waiters", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup({}, { connections: 1 })
      const holder = yield* start(hold(transport))
      const patient = yield* start(get(transport, { timeouts: { queue: "1 hour" } }))
      const hasty = yield* start(get(transport, { timeouts: { queue: "3 seconds" } }))
      yield* TestClock.adjust("2999 millis")
      assert.isUndefined(hasty.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(
        yield* failure(hasty),
        new Timeouts.QueueTimeout({ origin, limit: Duration.seconds(3), connections: 1, waiting: 1 })
      )
      yield* Fiber.interrupt(holder)
      assert.isTrue(Exit.isSuccess((yield* settled(patient))!))
    }).pipe(isolated))

  it.effect("waits 10 seconds by default", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup({}, { connections: 1 })
      yield* start(hold(transport))
      const waiter = yield* start(get(transport))
      yield* TestClock.adjust("10 seconds")
      assert.instanceOf(yield* failure(waiter), Timeouts.QueueTimeout)
    }).pipe(isolated))

  it.effect("a waiter connects for itself when the connection that it waited for was closed", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({}, { connections: 1 })
      const holder = yield* start(hold(transport))
      const waiter = yield* start(get(transport))
      yield* Fiber.interrupt(holder)
      assert.isTrue(Exit.isSuccess((yield* settled(waiter))!))
      assert.deepStrictEqual([wire.connections.length, wire.peak], [2, 1])
    }).pipe(isolated))
})

describe("Transport: connecting", () => {
  it.effect("a refused connection is that call's error, and the next may try again", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({ connecting: refused() }, { connections: 1 })
      for (let i = 0; i < 3; i++) {
        const error = yield* Effect.flip(get(transport))
        assert.instanceOf(error, TransportError.ConnectFailed)
        assert.strictEqual(error.reason, "refused")
      }
      wire.network = { ...wire.network, connecting: Effect.void }
      assert.lengthOf(yield* get(transport), 10)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 1 })
    }).pipe(isolated))

  it.effect("when connecting fails, the next waiter tries for itself", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup({ connecting: Effect.andThen(turn(5), refused()) }, { connections: 1 })
      const all = yield* Effect.forkChild(
        Effect.all([1, 2, 3].map(() => Effect.flip(get(transport))), { concurrency: "unbounded" })
      )
      const exit = yield* settled(all)
      assert.deepStrictEqual(exit && Exit.isSuccess(exit) && exit.value.map(({ _tag }) => _tag), [
        "ConnectFailed",
        "ConnectFailed",
        "ConnectFailed"
      ])
    }).pipe(isolated))

  it.effect("a connection that is not ready in time is abandoned and closed", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({ connecting: Effect.never })
      const call = yield* start(get(transport, { timeouts: { connect: "5 seconds" } }))
      assert.deepStrictEqual(yield* SessionRegistry.counts, { exchange: 1, connection: 1 })
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(call.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(
        yield* failure(call),
        new Timeouts.ConnectTimeout({ origin, limit: Duration.seconds(5) })
      )
      assert.deepStrictEqual([wire.alive.length, yield* SessionRegistry.counts], [0, {}])
    }).pipe(isolated))

  it.effect("takes 10 seconds at most by default", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup({ connecting: Effect.never })
      const call = yield* start(get(transport))
      yield* TestClock.adjust("10 seconds")
      assert.instanceOf(yield* failure(call), Timeouts.ConnectTimeout)
    }).pipe(isolated))

  it.effect("a caller that leaves takes the connection that was being made for it along", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({ connecting: Effect.never }, { connections: 1 })
      yield* Fiber.interrupt(yield* start(get(transport)))
      yield* turn(10)
      assert.deepStrictEqual([wire.alive.length, yield* SessionRegistry.counts], [0, {}])
    }).pipe(isolated))
})

describe("Transport: waiting for the head", () => {
  it.effect("fails with FirstTokenTimeout at its limit, and the exchange is aborted", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({ answering: () => Effect.never })
      const call = yield* start(get(transport, { timeouts: { firstToken: "7 seconds" } }))
      yield* TestClock.adjust("6999 millis")
      assert.isUndefined(call.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(
        yield* failure(call),
        new Timeouts.FirstTokenTimeout({ limit: Duration.seconds(7) })
      )
      yield* turn(10)
      assert.deepStrictEqual([wire.alive.length, yield* SessionRegistry.counts], [0, {}])
    }).pipe(isolated))

  it.effect("its clock does not run while the call waits for a connection", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({}, { connections: 1 })
      wire.network = { ...wire.network, connecting: Effect.sleep("8 seconds") }
      const call = yield* start(get(transport, { timeouts: { firstToken: "7 seconds" } }))
      yield* TestClock.adjust("8 seconds")
      assert.isTrue(Exit.isSuccess((yield* settled(call))!))
    }).pipe(isolated))

  it.effect("an interrupted call is aborted at once, so that the server learns of it", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({ answering: () => Effect.never })
      yield* Fiber.interrupt(yield* start(get(transport)))
      assert.notStrictEqual(wire.connections[0]?.state, "open")
    }).pipe(isolated))

  it.effect("a request that HTTP forbids fails as such, and the transport stays usable", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(
        { answering: () => Effect.fail(new TransportError.InvalidRequest({ origin, detail: "line break" })) },
        { connections: 1 }
      )
      assert.instanceOf(yield* Effect.flip(get(transport)), TransportError.InvalidRequest)
      wire.network = { ...wire.network, ...answer({ body: [1] }) }
      const next = yield* start(get(transport))
      assert.isTrue(Exit.isSuccess((yield* settled(next))!))
    }).pipe(isolated))
})

const readOne = (transport: Transport.Transport["Service"]) =>
  Effect.scoped(Effect.flatMap(execute(transport), (response) => response.body))

describe("Transport: the rest of a body that is not read", () => {
  it.effect("is drained if it is known to be small, and the connection kept", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(answer({ headers: { "content-length": "65586" }, body: [50, 65_536] }))
      yield* readOne(transport)
      assert.strictEqual(wire.connections[0]?.state, "open")
      yield* get(transport)
      assert.lengthOf(wire.connections, 1)
    }).pipe(isolated))

  it.effect("is drained where the whole of it is small and none of it was read", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(answer({ status: 503, headers: { "content-length": "20" }, body: [20] }))
      for (let i = 0; i < 3; i++) yield* Effect.scoped(execute(transport))
      assert.lengthOf(wire.connections, 1)
    }).pipe(isolated))

  it.effect("is aborted if it is large or its size unknown, and the connection closed", () =>
    Effect.gen(function*() {
      for (const headers of [{ "content-length": "65587" }, {}, { "content-length": ["1", "2"] }]) {
        const { transport, wire } = yield* setup(answer({ headers, body: [50, 65_537] }))
        yield* readOne(transport)
        yield* turn(5)
        assert.strictEqual(wire.connections[0]?.state, "closed")
      }
    }).pipe(isolated))

  it.effect("is aborted where the reader was interrupted, however little is left", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(answer({ headers: { "content-length": "51" }, body: [50, 1] }))
      const reader = Effect.scoped(Effect.flatMap(execute(transport), ({ body }) => Effect.andThen(body, Effect.never)))
      yield* Fiber.interrupt(yield* start(reader))
      assert.notStrictEqual(wire.connections[0]?.state, "open")
    }).pipe(isolated))

  it.effect("that does not arrive in a quarter of a second is dropped", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(
        answer({ headers: { "content-length": "60" }, body: [50, "silence"] }),
        { connections: 1 }
      )
      const reader = yield* start(readOne(transport))
      assert.isUndefined(reader.pollUnsafe())
      yield* TestClock.adjust("250 millis")
      assert.isTrue(Exit.isSuccess((yield* settled(reader))!))
      yield* turn(5)
      assert.deepStrictEqual([wire.alive.length, yield* SessionRegistry.counts], [0, {}])
    }).pipe(isolated))

  it.effect("that breaks off while it is drained costs the connection and nothing else", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(
        answer({ headers: { "content-length": "60" }, body: [50, "reset"] }),
        { connections: 1 }
      )
      const reader = yield* start(readOne(transport))
      assert.isTrue(Exit.isSuccess((yield* settled(reader))!))
      wire.network = { ...wire.network, ...answer({ body: [1] }) }
      assert.isTrue(Exit.isSuccess((yield* settled(yield* start(get(transport))))!))
    }).pipe(isolated))

  it.effect("a body that breaks off is an error of its reader, with its phase", () =>
    Effect.gen(function*() {
      const { transport } = yield* setup(answer({ body: [50, "reset"] }))
      const error = yield* failure(yield* start(get(transport)))
      assert.instanceOf(error, TransportError.ConnectionLost)
      assert.deepStrictEqual([error.phase, error.origin], ["body", origin])
    }).pipe(isolated))
})

describe("Transport: an idle connection", () => {
  it.effect("that the server closes leaves the registry, and is not handed out", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({}, { connections: 1 })
      yield* get(transport)
      yield* wire.connections[0]!.close
      yield* turn(10)
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
      assert.lengthOf(yield* get(transport), 10)
    }).pipe(isolated))

  it.effect("that is closing is not handed out, and its place becomes free", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup({}, { connections: 1 })
      const gate = Latch.makeUnsafe()
      wire.network = { ...wire.network, closing: gate.await }
      yield* get(transport)
      yield* wire.connections[0]!.close
      const next = yield* start(get(transport))
      assert.isUndefined(next.pollUnsafe())
      yield* gate.open
      assert.isTrue(Exit.isSuccess((yield* settled(next))!))
      assert.strictEqual(wire.peak, 1)
    }).pipe(isolated))

  it.effect("that never finishes closing does not keep its place for ever", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { transport, wire } = yield* Scope.provide(
        setup({ closing: Effect.never }, { connections: 1, closeTimeout: "2 seconds" }),
        scope
      )
      yield* get(transport)
      yield* wire.connections[0]!.close
      const next = yield* start(get(transport))
      yield* TestClock.adjust("2 seconds")
      const exit = yield* settled(next)
      const closing = yield* start(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(exit !== undefined && Exit.isSuccess(exit))
      assert.deepStrictEqual(yield* settled(closing), Exit.void)
    }).pipe(isolated))

  it.effect("whose server hangs up with the end of the answer is not used again", () =>
    Effect.gen(function*() {
      const { transport, wire } = yield* setup(
        answer({ headers: { connection: "close" }, body: [1] }),
        { connections: 2 }
      )
      const many = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 10 }, () => get(transport)), { concurrency: "unbounded" })
      )
      assert.isTrue(Exit.isSuccess((yield* settled(many))!))
      yield* turn(10)
      assert.deepStrictEqual([wire.connections.length, wire.alive.length, wire.peak], [10, 0, 2])
    }).pipe(isolated))
})

describe("Transport: closing it", () => {
  it.effect("closes idle connections, and is done when they are really closed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { transport, wire } = yield* Scope.provide(setup({ closing: Effect.sleep("1 seconds") }), scope)
      yield* Effect.all([get(transport), get(transport)], { concurrency: 2 })
      const closing = yield* start(Scope.close(scope, Exit.void))
      assert.deepStrictEqual([closing.pollUnsafe(), yield* SessionRegistry.counts], [undefined, { connection: 2 }])
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual([closing.pollUnsafe(), wire.alive.length], [Exit.void, 0])
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(isolated))

  it.effect("gives a close that never finishes up after closeTimeout, all at the same time", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { transport } = yield* Scope.provide(
        setup({ closing: Effect.never }, { closeTimeout: "2 seconds" }),
        scope
      )
      yield* Effect.all([get(transport), get(transport), get(transport)], { concurrency: 3 })
      const closing = yield* start(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([closing.pollUnsafe(), yield* SessionRegistry.counts], [Exit.void, {}])
    }).pipe(isolated))

  it.effect("abandons a close that does not begin in that time", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const wire = new MemoryWire()
      const stuck: Wire.Wire = {
        connect: (to) =>
          Effect.map(wire.connect(to), ({ closed, isUsable, ready, send }) => ({
            closed,
            isUsable,
            ready,
            send,
            close: Effect.never
          }))
      }
      const transport = yield* Scope.provide(Transport.make(stuck, { closeTimeout: "2 seconds" }), scope)
      yield* get(transport)
      const closing = yield* start(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([closing.pollUnsafe(), yield* SessionRegistry.counts], [Exit.void, {}])
    }).pipe(isolated))

  it.effect("closes a connection that is not ready yet", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { transport, wire } = yield* Scope.provide(setup({ connecting: Effect.never }), scope)
      const call = yield* start(get(transport))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([wire.alive.length, yield* SessionRegistry.counts], [0, {}])
      assert.deepStrictEqual(yield* failure(call), new TransportError.TransportClosed({ origin }))
    }).pipe(isolated))

  it.effect("calls that wait, that are sent and that are answered each fail typed, and later ones do", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { transport, wire } = yield* Scope.provide(setup({}, { connections: 2 }), scope)
      wire.network = { ...wire.network, answering: () => Effect.never }
      const sent = yield* start(get(transport))
      wire.network = { ...wire.network, ...answer({ body: [1, "silence"] }) }
      const answered = yield* start(get(transport))
      const waiting = yield* start(get(transport))
      yield* Scope.close(scope, Exit.void)
      const errors = yield* Effect.forEach([sent, answered, waiting], (fiber) => failure(fiber))
      assert.deepStrictEqual(
        errors.map((error) => error._tag === "ConnectionLost" ? [error._tag, error.phase] : [error._tag]),
        [["ConnectionLost", "head"], ["ConnectionLost", "body"], ["TransportClosed"]]
      )
      const connections = wire.connections.length
      assert.deepStrictEqual(yield* Effect.flip(get(transport)), new TransportError.TransportClosed({ origin }))
      assert.lengthOf(wire.connections, connections)
      assert.deepStrictEqual([wire.alive.length, yield* SessionRegistry.counts], [0, {}])
    }).pipe(isolated))
})

describe("Transport: options", () => {
  it.effect("a wrong one is a defect that names it, before anything is sent", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [string, Transport.Options]> = [
        ["connections", { connections: 0 }],
        ["connections", { connections: NaN }],
        ["connections", { connections: 1.5 }],
        ["maxWaiting", { maxWaiting: -1 }],
        ["closeTimeout", { closeTimeout: -1 }]
      ]
      for (const [name, options] of wrong) {
        const exit = yield* Effect.exit(setup({}, options))
        assert.isTrue(Exit.hasDies(exit))
        assert.include(String(exit), `\`${name}\``)
      }
    }).pipe(isolated))
})
