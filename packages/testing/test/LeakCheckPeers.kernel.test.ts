/** What a test forgets of the server that it talks to, be that made inside of the test or around it. */
import { Session, Transport } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { Behavior, FaultyProvider, LeakCheck } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, ManagedRuntime, Scope, Stream } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

const grace = "40 millis"

const source = readFileSync(import.meta.filename, "utf8").split("\n")

/** The line of this file that has this remark, as a report says it. */
const lineOf = (remark: string) =>
  `LeakCheckPeers.kernel.test.ts:${1 + source.findIndex((line) => line.endsWith(`// ${remark}`))}:`

const headers = FaultyProvider.header(Behavior.sse(["one", "two"], { every: "5 millis", endless: true }))

const found = <A, E>(exit: Exit.Exit<A, E>): LeakCheck.LeaksFound | undefined =>
  Exit.isFailure(exit)
    ? exit.cause.reasons.filter(Cause.isFailReason).map(({ error }) => error).find((error) =>
      error instanceof LeakCheck.LeaksFound
    )
    : undefined

const messageOf = <A, E>(exit: Exit.Exit<A, E>): string => found(exit)?.message ?? ""

type Needs = Transport.Transport | HttpClient.HttpClient | Scope.Scope
type Program = (url: string) => Effect.Effect<unknown, unknown, Needs>

const chunks = (url: string) =>
  Stream.unwrap(
    Effect.map(
      Transport.Transport.use((transport) => transport.execute({ method: "GET", url, headers })),
      Transport.stream
    )
  )

/** Answers with what to run as soon as the reader has read something. */
const reader = Effect.fnUntraced(function*(url: string) {
  const begun = yield* Deferred.make<void>()
  const reads = Stream.runForEach(chunks(url), () => Deferred.succeed(begun, undefined))
  return { reads, begun: Deferred.await(begun) }
})

/** Asks again and again. */
const asking = Effect.fnUntraced(function*(url: string) {
  const begun = yield* Deferred.make<void>()
  const client = yield* HttpClient.HttpClient
  const ask = Effect.andThen(Effect.flatMap(client.get(url), ({ text }) => text), Deferred.succeed(begun, undefined))
  return { asks: Effect.forever(Effect.andThen(ask, Effect.sleep("5 millis"))), begun: Deferred.await(begun) }
})

const connect = async (url: string) => {
  const socket = Net.connect(Number(new URL(url).port), "127.0.0.1")
  await once(socket, "connect")
  return socket
}

const get = (url: string) => fetch(url, { headers })

const programs: Readonly<Record<string, { readonly leaks: Program; readonly mended: Program }>> = {
  "a detached reader": {
    leaks: Effect.fnUntraced(function*(url) {
      const { begun, reads } = yield* reader(url)
      yield* Effect.forkDetach(reads) // leaks a detached reader
      yield* begun
    }),
    mended: Effect.fnUntraced(function*(url) {
      const { begun, reads } = yield* reader(url)
      yield* Effect.forkScoped(reads)
      yield* begun
    })
  },
  "a raw socket": {
    leaks: Effect.fnUntraced(function*(url) {
      yield* Effect.promise(() => connect(url)) // leaks a raw socket
    }),
    mended: Effect.fnUntraced(function*(url) {
      yield* Effect.acquireRelease(
        Effect.promise(() => connect(url)),
        (socket) => Effect.sync(() => socket.destroy())
      )
    })
  },
  "an unread fetch": {
    leaks: Effect.fnUntraced(function*(url) {
      const { status } = yield* Effect.promise(() => get(url)) // leaks an unread fetch
      assert.strictEqual(status, 200)
    }),
    mended: Effect.fnUntraced(function*(url) {
      const response = yield* Effect.promise(() => get(url))
      yield* Effect.promise(async () => response.body?.cancel())
    })
  },
  "an unread fetch of Effect's client": {
    leaks: Effect.fnUntraced(function*(url) {
      const scope = yield* Scope.make()
      yield* HttpClient.get(url, { headers }).pipe( // leaks an unread fetch of Effect's client
        Effect.flatMap(({ stream }) => Scope.provide(Stream.toPull(stream), scope)),
        Effect.flatten
      )
    }),
    mended: Effect.fnUntraced(function*(url) {
      yield* HttpClient.get(url, { headers }).pipe(
        Effect.flatMap(({ stream }) => Stream.toPull(stream)),
        Effect.flatten
      )
    })
  },
  "an abandoned stream": {
    leaks: Effect.fnUntraced(function*(url) {
      const scope = yield* Scope.make()
      const pull = yield* Scope.provide(Stream.toPull(chunks(url)), scope)
      yield* pull // leaks an abandoned stream
    }),
    mended: Effect.fnUntraced(function*(url) {
      const pull = yield* Stream.toPull(chunks(url))
      yield* pull
    })
  },
  "an abandoned web stream": {
    leaks: Effect.fnUntraced(function*(url) {
      const { body } = yield* Effect.promise(() => get(url)) // leaks an abandoned web stream
      yield* Effect.promise(async () => body?.getReader().read())
    }),
    mended: Effect.fnUntraced(function*(url) {
      const { body } = yield* Effect.promise(() => get(url))
      yield* Effect.promise(async () => {
        const reader = body?.getReader()
        await reader?.read()
        await reader?.cancel()
      })
    })
  },
  "a dropped web stream of a stream": {
    leaks: Effect.fnUntraced(function*(url) {
      const body = yield* Stream.toReadableStreamEffect(chunks(url)) // leaks a dropped web stream of a stream
      yield* Effect.promise(() => body.getReader().read())
    }),
    mended: Effect.fnUntraced(function*(url) {
      const body = yield* Stream.toReadableStreamEffect(chunks(url))
      const reader = body.getReader()
      yield* Effect.promise(() => reader.read())
      yield* Effect.promise(() => reader.cancel())
    })
  },
  "a forgotten fiber": {
    leaks: Effect.fnUntraced(function*(url) {
      const { asks, begun } = yield* asking(url)
      yield* Effect.forkDetach(asks) // leaks a forgotten fiber
      yield* begun
    }),
    mended: Effect.fnUntraced(function*(url) {
      const { asks, begun } = yield* asking(url)
      yield* Effect.forkChild(asks)
      yield* begun
    })
  }
}

const clients = Layer.mergeAll(NodeTransport.layer(), FetchHttpClient.layer)

const checked = <A, E, R>(program: Effect.Effect<A, E, R>) => LeakCheck.check(program, { grace })

const onMade = (program: Program) => Effect.flatMap(FaultyProvider.make(), ({ url }) => program(url))
const onProvided = (program: Program) => FaultyProvider.FaultyProvider.use(({ url }) => program(url))

/** The provider, and the check of a program that talks to it. */
const places: Readonly<Record<string, (program: Program) => Effect.Effect<unknown, unknown, Needs>>> = {
  "around the test": (program) => Effect.flatMap(FaultyProvider.make(), ({ url }) => checked(program(url))),
  "in the test's scope": (program) => checked(onMade(program)),
  "in a layer of the test": (program) => checked(Effect.provide(onProvided(program), FaultyProvider.layer()))
}

const isolated = <E>(effect: Effect.Effect<unknown, E, Needs>) => effect.pipe(Effect.scoped, Effect.provide(clients))

describe("LeakCheck, with a provider", { timeout: 60_000 }, () => {
  for (const [place, run] of Object.entries(places)) {
    for (const [name, { leaks, mended }] of Object.entries(programs)) {
      it.live(`${place}, reports ${name}, and the line that left it`, () =>
        Effect.gen(function*() {
          const message = messageOf(yield* Effect.exit(run(leaks)))
          assert.include(message, lineOf(`leaks ${name}`))
          assert.notInclude(message, "no line of yours")
        }).pipe(isolated))

      it.live(`${place}, passes without ${name}`, () => isolated(run(mended)))
    }
  }

  it.live("in its own process, reports what is left, and passes if nothing is", () =>
    Effect.gen(function*() {
      const message = messageOf(
        yield* Effect.exit(checked(Effect.gen(function*() {
          const { url } = yield* FaultyProvider.makeProcess()
          yield* Effect.promise(() => get(url)) // leaks to another process
        })))
      )
      assert.include(message, lineOf("leaks to another process"))
      assert.match(message, /^1 left behind/)
      yield* checked(Effect.provide(FaultyProvider.FaultyProvider, FaultyProvider.layerProcess()))
    }))

  it.live("reports a provider that is never closed", () =>
    Effect.gen(function*() {
      const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
      const message = messageOf(
        yield* Effect.exit(checked(Effect.gen(function*() {
          yield* Scope.provide(FaultyProvider.make(), scope)
        })))
      )
      assert.include(message, "socket that listens on port")
    }))

  it.live("reports an unread response that the garbage collector has already closed", () =>
    Effect.gen(function*() {
      const { url } = yield* FaultyProvider.make()
      const message = messageOf(
        yield* Effect.exit(checked(Effect.gen(function*() {
          yield* Effect.promise(async () => (await get(`${url}/v1?key=secret`)).status) // leaks to the collector
          yield* Effect.repeat(Effect.andThen(Effect.sync(collect), Effect.sleep("5 millis")), { times: 5 })
        })))
      )
      assert.include(message, lineOf("leaks to the collector"))
      assert.include(message, "/v1, whose answer nobody read: only the garbage collector closed it")
    }))

  it.live("reports the request on a kept connection", () =>
    Effect.gen(function*() {
      const { url } = yield* FaultyProvider.make()
      const read = Effect.promise(async () => (await fetch(url)).text())
      yield* checked(read)
      const message = messageOf(
        yield* Effect.exit(checked(Effect.gen(function*() {
          yield* Effect.promise(() => get(url)) // leaks on a kept connection
        })))
      )
      assert.include(message, lineOf("leaks on a kept connection"))
    }))
})

const listening = Effect.promise(async () => {
  const server = Http.createServer((_, response) => void response.write("more to come\n"))
  await once(server.listen(0, "127.0.0.1"), "listening")
  return server
})

const urlOf = (server: Http.Server) => `http://127.0.0.1:${(server.address() as Net.AddressInfo).port}`

/** A server of the test's own, which closes its connections as it closes. */
const serve = Effect.acquireRelease(listening, (server) =>
  Effect.promise(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })).pipe(Effect.map(urlOf))

describe("LeakCheck.peer", () => {
  it.live("counts leaks before the test's own server closes, and leaves out what the server holds", () =>
    Effect.gen(function*() {
      const unread = (server: typeof serve) =>
        checked(Effect.gen(function*() {
          const url = yield* server
          yield* Effect.promise(() => fetch(url)) // leaks to a peer
        }))
      const message = messageOf(yield* Effect.exit(unread(LeakCheck.peer(serve))))
      assert.include(message, lineOf("leaks to a peer"))
      assert.match(message, /^1 left behind/)

      yield* checked(Effect.gen(function*() {
        const url = yield* LeakCheck.peer(serve)
        yield* Effect.promise(async () => (await fetch(url)).body?.cancel())
      }))
    }))

  it.live("does not wait for ever for a server that waits for what was left", () =>
    Effect.gen(function*() {
      const server = yield* listening
      const waiting = Effect.acquireRelease(
        Effect.succeed(server),
        () => Effect.promise(() => new Promise((done) => server.close(done)))
      )
      const message = messageOf(
        yield* Effect.exit(checked(Effect.gen(function*() {
          const url = urlOf(yield* LeakCheck.peer(waiting))
          yield* Effect.promise(() => fetch(url)) // leaks to a peer that waits
        })))
      )
      server.closeAllConnections()
      assert.include(message, lineOf("leaks to a peer that waits"))
    }))

  it.live("changes nothing outside a check", () =>
    Effect.gen(function*() {
      const url = yield* Effect.scoped(LeakCheck.peer(serve))
      yield* Effect.flip(Effect.tryPromise(() => fetch(url)))
    }))
})

const ask = (url: string) =>
  Transport.Transport.use((transport) => transport.execute({ method: "GET", url, headers: {} })).pipe(
    Effect.flatMap(Transport.text),
    Effect.scoped
  )
const served = FaultyProvider.FaultyProvider.use(({ url }) => ask(url))

/** Tests as people write them. */
describe("LeakCheck.check passes", () => {
  it.live("a connection that a transport of the test keeps, and its provider with it", () =>
    checked(Effect.provide(served, Layer.mergeAll(NodeTransport.layer(), FaultyProvider.layer()))))

  it.live("a connection that a transport around the test keeps", () =>
    Effect.gen(function*() {
      yield* checked(served)
      yield* checked(served)
      yield* checked(Effect.flatMap(FaultyProvider.make(), ({ url }) => ask(url)))
    }).pipe(Effect.provide(Layer.mergeAll(NodeTransport.layer(), FaultyProvider.layer()))))

  it.live("connections that fetch and node:http keep", () =>
    Effect.gen(function*() {
      const { url } = yield* FaultyProvider.make()
      const { url: other } = yield* FaultyProvider.make()
      yield* checked(Effect.promise(async () => (await fetch(url)).text()))
      yield* checked(Effect.promise(() =>
        new Promise((resolve) => Http.get(other, (response) => response.resume().on("end", resolve)))
      ))
    }))

  it.effect("waits that pass when the test's clock is adjusted", () =>
    checked(Effect.gen(function*() {
      const { enqueue, until, url } = yield* FaultyProvider.make()
      yield* enqueue(Behavior.delayed(Behavior.json({ ok: true }), "10 seconds"))
      const fiber = yield* Effect.forkChild(ask(url))
      yield* until(({ inFlight }) => inFlight === 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), `{"ok":true}`)
    })).pipe(Effect.provide(NodeTransport.layer())))

  it.live("many fibers with two providers", () =>
    checked(Effect.gen(function*() {
      const urls = yield* Effect.all([FaultyProvider.make(), FaultyProvider.make()], { concurrency: 2 })
      const asks = Array.from({ length: 20 }, (_, i) => ask((urls[i % 2] ?? urls[0]).url))
      yield* Effect.all(asks, { concurrency: "unbounded" })
    })).pipe(Effect.provide(NodeTransport.layer())))

  it.live("a provider that refuses connections, is silent, or has a full backlog", () =>
    checked(Effect.gen(function*() {
      const { listening, url } = yield* FaultyProvider.make()
      for (const how of ["refuse", "silent", "fullBacklog"] as const) {
        yield* listening(how)
        yield* Effect.exit(Effect.timeout(ask(url), "20 millis"))
      }
    })).pipe(Effect.provide(NodeTransport.layer())))

  it.live("a port that was closed: no one listens there, and its connections are cut off", () =>
    checked(Effect.gen(function*() {
      const fiber = yield* Effect.scoped(Effect.gen(function*() {
        const { enqueue, until, url } = yield* FaultyProvider.make()
        yield* enqueue(Behavior.stall)
        const fiber = yield* Effect.forkDetach(Effect.flip(ask(url)))
        yield* until(({ inFlight }) => inFlight === 1)
        return { fiber, url }
      }))
      assert.strictEqual((yield* Effect.flip(ask(fiber.url)))._tag, "ConnectFailed")
      assert.strictEqual((yield* Fiber.join(fiber.fiber))._tag, "ConnectionLost")
    })).pipe(Effect.provide(NodeTransport.layer())))
})

describe("LeakCheck.check", () => {
  it.live("reports only the failure of a test that left nothing", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(checked(Effect.gen(function*() {
        const { url } = yield* FaultyProvider.make()
        yield* Effect.promise(async () => (await fetch(url)).text())
        return yield* Effect.fail("broken")
      })))
      assert.deepStrictEqual(exit, Exit.fail("broken"))
    }))

  it.live("closes the provider of a test that is interrupted during a request", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<string>()
      const fiber = yield* Effect.forkChild(checked(Effect.gen(function*() {
        const { enqueue, until, url } = yield* FaultyProvider.make()
        yield* enqueue(Behavior.stall)
        yield* Effect.forkChild(Effect.promise((signal) => fetch(url, { signal })))
        yield* until(({ inFlight }) => inFlight === 1)
        yield* Deferred.succeed(asked, url)
        return yield* Effect.never
      })))
      const url = yield* Deferred.await(asked)
      yield* Fiber.interrupt(fiber)
      yield* Effect.flip(Effect.tryPromise(() => fetch(url)))
    }))

  it.live("reports sockets under their session, sessions under their parent, and fibers under the one that forked them", () =>
    Effect.gen(function*() {
      const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
      const { url } = yield* FaultyProvider.make()
      const error = found(
        yield* Effect.exit(checked(Effect.gen(function*() {
          const transport = yield* Scope.provide(Layer.build(NodeTransport.layer()), scope)
          const begun = yield* Deferred.make<void>()
          const asking = Scope.provide(Stream.toPull(chunks(url)), scope).pipe(Effect.flatten)
          const turn = Session.scoped({ kind: "turn", name: "one" })(
            asking.pipe(Effect.andThen(Deferred.succeed(begun, undefined)), Effect.andThen(Effect.never))
          )
          yield* Effect.forkDetach(Effect.andThen(Effect.forkDetach(Effect.provide(turn, transport)), Effect.never))
          yield* Deferred.await(begun)
        })))
      )
      const leaks = error?.leaks ?? []
      const pathOf = (leak: LeakCheck.Leak | undefined): ReadonlyArray<string> => {
        const parent = leaks.find(({ id }) => id === leak?.parent)
        const name = leak?.kind === "session" ? leak.what.split(" ")[0] ?? "" : leak?.kind ?? ""
        return [...parent === undefined ? [] : pathOf(parent), name]
      }
      const paths = leaks.map((leak) => pathOf(leak).join(" > "))
      assert.includeMembers(paths, ["fiber > fiber > turn > exchange"])
      assert.isTrue(paths.some((path) => path.endsWith("fiber > connection > socket > socket")), paths.join("\n"))
      assert.match(error?.message ?? "", /^fiber .*\n {4}forked .*\n {2}fiber .*\n {4}session turn one/m)
    }))
})

const nothing = () => Promise.resolve()

/** Runs one test as a runner does. */
const hooked = async (test: () => Promise<unknown>, options: LeakCheck.Options = {}) => {
  let [before, after] = [nothing, nothing]
  LeakCheck.each({ beforeEach: (run) => void (before = run), afterEach: (run) => void (after = run) }, {
    grace,
    ...options
  })
  await before()
  await test()
  await after()
}
const withProvider = (test: (url: string) => Promise<unknown>) => () =>
  Effect.runPromise(
    Effect.scoped(Effect.flatMap(FaultyProvider.make(), ({ url }) => Effect.promise(() => test(url))))
  )

const unread = async (url: string) => {
  await get(url) // leaks beneath hooks
}

describe("LeakCheck.each, with a provider in the test", () => {
  it("reports an unread fetch, and the line that left it", async () => {
    const error = await hooked(withProvider(unread)).then(() => undefined, (error: unknown) => error)
    assert.instanceOf(error, LeakCheck.LeaksFound)
    if (error instanceof LeakCheck.LeaksFound) assert.include(error.message, lineOf("leaks beneath hooks"))
  })

  it("passes a fetch that is read", () => hooked(withProvider(async (url) => (await fetch(url)).text())))

  it("leaves out what it must ignore, with all that belongs to it", async () => {
    const shared = ManagedRuntime.make(Layer.mergeAll(NodeTransport.layer(), FaultyProvider.layer()))
    await shared.runPromise(FaultyProvider.FaultyProvider)
    await hooked(() => shared.runPromise(served), { ignore: ({ what }) => what.startsWith("connection ") })
    await shared.dispose()
  })
})
