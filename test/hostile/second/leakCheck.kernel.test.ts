/** `LeakCheck` put to the test: what is clean must pass, what leaks must be found; and sockets when layers close. */
import { Session, SessionRegistry, Transport } from "@clawback/core"
import * as HttpClientView from "@clawback/core/HttpClientView"
import { NodeMetrics, NodeProbes, NodeTransport } from "@clawback/node"
import { OpenAi, Target } from "@clawback/providers"
import { Behavior, Dialect, FaultyProvider, LeakCheck } from "@clawback/testing"
import { describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Effect,
  Exit,
  Fiber,
  FiberMap,
  FiberSet,
  Layer,
  Metric,
  PubSub,
  Queue,
  Scope,
  Stream
} from "effect"
import { LanguageModel } from "effect/ai"
import { HttpClient } from "effect/http"
import { spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { createServer, get } from "node:http"
import { type AddressInfo, connect, createServer as createTcp, type Socket } from "node:net"
import { endless, eventually, expect, idle, outcome, promptly, secret, speaking } from "./support.ts"

const ask = { messages: [{ role: "user", content: "Why?" }] } as const
const quick = { grace: "150 millis" } as const

const modelLayer = (provider: { url: string }, options: NodeTransport.Options = {}) =>
  OpenAi.layer({ model: "m", baseUrl: `${provider.url}/v1`, credential: Dialect.credential(secret) }).pipe(
    Layer.provide(NodeTransport.layer(options))
  )

const clean = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it.live(name, () => promptly("the check", "15 seconds")(LeakCheck.check(Effect.suspend(body))), 25_000)

/** What a check of a program finds, by kind, and gives back what the program left. */
const leaky = <A, E>(
  name: string,
  kinds: ReadonlyArray<string>,
  body: (later: (giveBack: () => void) => void) => Effect.Effect<A, E, Scope.Scope>
) =>
  it.live(name, () =>
    Effect.gen(function*() {
      const later: Array<() => void> = []
      const exit = yield* Effect.exit(
        promptly("the check", "15 seconds")(
          LeakCheck.check(Effect.suspend(() => body((giveBack) => later.push(giveBack))), quick)
        )
      )
      for (const giveBack of later) giveBack()
      expect(Exit.isFailure(exit)).toBe(true)
      if (!Exit.isFailure(exit)) return
      const found = exit.cause.reasons.filter(Cause.isFailReason).map(({ error }) => error).find((error) =>
        error instanceof LeakCheck.LeaksFound
      )
      expect(found).toBeInstanceOf(LeakCheck.LeaksFound)
      const leaks = (found as LeakCheck.LeaksFound).leaks
      for (const kind of kinds) expect(leaks.map((leak) => leak.kind)).toContain(kind)
      yield* Effect.sleep("50 millis")
    }), 25_000)

const listen = (onSocket: (socket: Socket) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ port: number; sockets: Set<Socket>; close: () => void }>((resume) => {
      const sockets = new Set<Socket>()
      const server = createTcp((socket) => {
        sockets.add(socket)
        socket.on("error", () => {}).on("close", () => sockets.delete(socket))
        onSocket(socket)
      })
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({
          port: (server.address() as AddressInfo).port,
          sockets,
          close: () => {
            for (const socket of sockets) socket.destroy()
            server.close()
          }
        })))
    }),
    ({ close }) => Effect.sync(close)
  )

describe("clean programs pass", () => {
  clean("a model that is asked, streamed and given up, in layers of its own", () =>
    Effect.gen(function*() {
      const provider = yield* speaking({ say: ({ tools }) => tools === undefined ? endless : "x" })
      yield* Target.stream(ask).pipe(Stream.take(3), Stream.runDrain, Effect.provide(modelLayer(provider)))
      yield* idle(provider)
    }))

  clean("fibers in a FiberSet, a FiberMap, a scope and a Queue's pump, all of a scope", () =>
    Effect.gen(function*() {
      const set = yield* FiberSet.make()
      const map = yield* FiberMap.make<string>()
      yield* FiberSet.run(set, Effect.never)
      yield* FiberMap.run(map, "a", Effect.never)
      yield* Effect.forkScoped(Effect.never)
      yield* Effect.forkChild(Effect.never)
      yield* Stream.toQueue(Stream.forever(Stream.make(1)), { capacity: 2 })
      const hub = yield* PubSub.bounded<number>(2)
      yield* PubSub.subscribe(hub)
      const queue = yield* Queue.unbounded<number>()
      yield* Queue.offer(queue, 1)
    }))

  clean(
    "a fetch that is read, one that is cancelled, and a call of node:http that is read",
    () =>
      Effect.gen(function*() {
        const provider = yield* FaultyProvider.make()
        yield* Effect.promise(() => fetch(provider.url).then((response) => response.text()))
        const endlessUrl = { headers: FaultyProvider.header(Behavior.sse(["x"], { every: "5 millis", endless: true })) }
        yield* Effect.promise(() => fetch(provider.url, endlessUrl).then((response) => response.body?.cancel()))
        yield* Effect.callback<void>((resume) => {
          get(provider.url, (response) => response.resume().on("end", () => resume(Effect.void)))
        })
      })
  )

  clean("a check inside of a check", () =>
    LeakCheck.check(Effect.gen(function*() {
      const provider = yield* speaking()
      yield* Effect.provide(Target.generate(ask), modelLayer(provider))
    })))

  clean(
    "a program that ends by a child process that has ended, and a file that was closed",
    () =>
      Effect.gen(function*() {
        closeSync(openSync("/dev/null", "r"))
        yield* Effect.callback<void>((resume) => {
          spawn(process.execPath, ["-e", "0"], { stdio: "pipe" }).on("close", () => resume(Effect.void))
        })
      })
  )

  clean(
    "a program whose model's layer is built, and closed by another fiber while it streams",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking({ say: () => endless })
        const scope = yield* Scope.make()
        const context = yield* Scope.provide(Layer.build(modelLayer(provider)), scope)
        const fiber = yield* Effect.forkChild(
          outcome(Effect.provideContext(Stream.runDrain(Target.stream(ask)), context))
        )
        yield* provider.until(({ inFlight }) => inFlight === 1)
        yield* promptly("closing")(Scope.close(scope, Exit.void))
        expect(["TransportClosed", "ConnectionLost", "SessionRevoked", "CredentialUnavailable"]).toContain(
          yield* Fiber.join(fiber)
        )
      })
  )

  clean("a slow release that ends within the grace", () =>
    Effect.gen(function*() {
      yield* Session.acquire({ kind: "slow", name: "x" }, Effect.void, () => Effect.sleep("80 millis"))
    }))

  clean("a detached fiber that ends within the grace", () => Effect.forkDetach(Effect.sleep("60 millis")))

  it.live("a program that fails by itself, and one that dies, fail as they did, and as nothing else", () =>
    Effect.gen(function*() {
      expect(yield* outcome(LeakCheck.check(Effect.fail("own")))).toBe("own")
      expect(yield* outcome(LeakCheck.check(Effect.die(new Error("own"))))).toContain("own")
      expect(yield* outcome(LeakCheck.check(Effect.interrupt))).toBe("interrupted")
    }))

  it.live("a check that is interrupted from outside ends at once, and leaves nothing", () =>
    Effect.gen(function*() {
      let acquired = 0
      let released = 0
      const fiber = yield* Effect.forkChild(
        LeakCheck.check(Effect.andThen(
          Session.acquire(
            { kind: "x", name: "x" },
            Effect.sync(() => void acquired++),
            () => Effect.sync(() => released++)
          ),
          Effect.never
        )),
        { startImmediately: true }
      )
      yield* eventually(Effect.sync(() => acquired), (acquired) => acquired === 1)
      yield* promptly("interrupting")(Fiber.interrupt(fiber))
      expect(released).toBe(1)
    }))

  it.live("options of a check that are nonsense are RangeErrors, and an ignore that throws is no hang", () =>
    Effect.gen(function*() {
      for (const grace of [-1, Number.NaN, Infinity, "soon" as never]) {
        expect(yield* outcome(LeakCheck.check(Effect.void, { grace }))).toContain("grace")
      }
      const got = yield* outcome(
        promptly("the check")(LeakCheck.check(Effect.forkDetach(Effect.never), {
          grace: "20 millis",
          ignore: () => {
            throw new Error("ignore")
          }
        }))
      )
      expect(got).toContain("ignore")
    }))
})

describe("leaks are found", () => {
  leaky("a socket that is never closed", ["socket"], (later) =>
    Effect.gen(function*() {
      const server = yield* LeakCheck.peer(listen(() => {}))
      yield* Effect.callback<void>((resume) => {
        const socket = connect(server.port, "127.0.0.1", () => resume(Effect.void))
        later(() => socket.destroy())
      })
    }))

  leaky("a listener that is never closed", ["socket"], (later) =>
    Effect.callback<void>((resume) => {
      const server = createServer().listen(0, "127.0.0.1", () => resume(Effect.void))
      later(() => server.close())
    }))

  leaky("a file that is never closed", ["descriptor"], (later) =>
    Effect.sync(() => {
      const file = openSync("/dev/null", "r")
      later(() => closeSync(file))
    }))

  leaky("a child process that goes on", ["descriptor"], (later) =>
    Effect.callback<void>((resume) => {
      const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "pipe" })
      child.on("spawn", () => resume(Effect.void))
      later(() => child.kill("SIGKILL"))
    }))

  leaky("a detached fiber, and one in a scope that nobody closes", ["fiber"], () =>
    Effect.gen(function*() {
      yield* Effect.forkDetach(Effect.never)
      yield* Scope.provide(Effect.forkScoped(Effect.never), yield* Scope.make())
    }))

  leaky("a fetch that nobody reads", ["socket"], () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make({
        otherwise: Behavior.sse(["x"], { every: "5 millis", endless: true })
      })
      const response = yield* Effect.promise(() => fetch(provider.url))
      later.push(response)
    }))

  leaky("a model's stream that is opened in a scope that nobody closes", ["session"], () =>
    Effect.gen(function*() {
      const provider = yield* speaking({ say: () => endless })
      const scope = yield* Scope.make()
      const context = yield* Scope.provide(Layer.build(modelLayer(provider)), scope)
      const pull = yield* Scope.provide(
        Stream.toPull(Effect.runSync(Effect.succeed(
          Stream.provideContext(Target.stream(ask), context)
        ))),
        scope
      )
      yield* pull
    }))

  leaky("a response of a client that is held in a global", ["session"], () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make({
        otherwise: Behavior.sse(["x"], { every: "5 millis", endless: true })
      })
      const scope = yield* Scope.make()
      const context = yield* Scope.provide(
        Layer.build(HttpClientView.layerHttpClient.pipe(Layer.provide(NodeTransport.layer()))),
        scope
      )
      const client = Context.get(context, HttpClient.HttpClient)
      later.push(yield* Scope.provide(client.get(provider.url), scope))
    }))

  leaky("a web stream of a model that is locked and forgotten", ["session"], () =>
    Effect.gen(function*() {
      const provider = yield* speaking({ say: () => endless })
      const scope = yield* Scope.make()
      const context = yield* Scope.provide(Layer.build(modelLayer(provider)), scope)
      const web = yield* Effect.provideContext(Stream.toReadableStreamEffect(Target.stream(ask)), context)
      const reader = web.getReader()
      yield* Effect.promise(() => reader.read())
      later.push(reader)
    }))

  leaky(
    "a program that fails and leaks has both in its cause",
    ["fiber"],
    () => Effect.andThen(Effect.forkDetach(Effect.never), Effect.fail("own"))
  )

  it.live(
    "a map that grows with each run is found",
    () =>
      Effect.gen(function*() {
        const kept: Array<object> = []
        const options = { warmUp: 20, runs: 200, samples: 10 } as const
        const grows = yield* outcome(
          LeakCheck.growth(
            Effect.sync(() => void kept.push({ text: "x".repeat(10), n: kept.length, more: [1, 2, 3, 4, 5, 6] })),
            options
          )
        )
        expect(grows).toBe("GrowthFound")
      }),
    30_000
  )
})

/** What programs forget on purpose. */
const later: Array<unknown> = []

const ours = (port: number) =>
  Effect.map(
    NodeProbes.sockets(),
    (sockets) => sockets.filter(({ remotePort, state }) => remotePort === port && state !== "TIME_WAIT")
  )

describe("sockets when layers close", () => {
  for (
    const [what, behavior] of [
      ["before the head", Behavior.stall],
      ["after the head", Behavior.stallAfterHead],
      ["in the middle of a stream", endless],
      ["at a server that is half open", Behavior.swallow],
      ["while a large body comes", Behavior.huge(50_000_000)]
    ] as const
  ) {
    it.live(
      `no socket is left of a layer that closes under twenty calls ${what}, and each call is told`,
      () =>
        Effect.gen(function*() {
          const provider = yield* FaultyProvider.makeProcess({ otherwise: behavior })
          const scope = yield* Scope.make()
          const transport = yield* Scope.provide(
            Effect.map(
              Layer.build(NodeTransport.layer({ connections: 8, closeTimeout: "1 second" })),
              (context) => Context.get(context, Transport.Transport)
            ),
            scope
          )
          const calls = yield* Effect.forEach(Array.from({ length: 20 }), () =>
            Effect.forkChild(outcome(Effect.scoped(
              transport.execute({ method: "GET", url: provider.url, headers: {} }).pipe(
                Effect.flatMap((response) =>
                  Stream.runForEach(Transport.stream(response), () => Effect.sleep("20 millis"))
                )
              )
            ))))
          yield* provider.until(({ received }) => received >= 8)
          yield* promptly("closing")(Scope.close(scope, Exit.void))
          for (const got of yield* promptly("the calls")(Effect.forEach(calls, Fiber.join))) {
            expect(["TransportClosed", "ConnectionLost"]).toContain(got)
          }
          yield* eventually(ours(provider.port), (sockets) => sockets.length === 0)
          yield* eventually(
            SessionRegistry.counts,
            (counts) => counts["exchange"] === undefined && counts["connection"] === undefined
          )
        }).pipe(Effect.scoped),
      25_000
    )
  }

  it.live(
    "no socket is left of three hundred calls to three hundred origins, and no series of metrics for each",
    () =>
      Effect.gen(function*() {
        const server = createServer({ keepAliveTimeout: 60_000 }, (_, response) => response.end("x"))
        yield* Effect.acquireRelease(
          Effect.callback<void>((resume) => void server.listen(0, "0.0.0.0", () => resume(Effect.void))),
          () => Effect.sync(() => (server.closeAllConnections(), server.close()))
        )
        const { port } = server.address() as AddressInfo
        const registry: Effect.Success<typeof Metric.MetricRegistry> = new Map()
        yield* Effect.gen(function*() {
          const transport = yield* Transport.Transport
          yield* Effect.forEach(
            Array.from({ length: 300 }, (_, n) => `http://127.0.${1 + (n >> 7)}.${1 + (n & 127)}:${port}/`),
            (url) =>
              Effect.scoped(Effect.flatMap(transport.execute({ method: "GET", url, headers: {} }), Transport.text)),
            { concurrency: 30 }
          )
          expect((yield* SessionRegistry.counts)["connection"]).toBe(300)
          expect(registry.size).toBeLessThan(1500)
        }).pipe(Effect.provide(NodeTransport.layer()), Effect.provideService(Metric.MetricRegistry, registry))
        yield* eventually(ours(port), (sockets) => sockets.length === 0)
      }).pipe(Effect.scoped),
    25_000
  )

  it.live("measuring by two layers at once for one registry measures once, and ends with the last", () =>
    Effect.gen(function*() {
      const registry: Effect.Success<typeof Metric.MetricRegistry> = new Map()
      const scopes = [yield* Scope.make(), yield* Scope.make()]
      const before = yield* NodeProbes.descriptors()
      for (const scope of scopes) {
        yield* Scope.provide(Layer.build(Layer.fresh(NodeMetrics.layer)), scope).pipe(
          Effect.provideService(Metric.MetricRegistry, registry)
        )
      }
      expect(registry.size).toBeGreaterThan(0)
      for (const scope of scopes) yield* Scope.close(scope, Exit.void)
      yield* eventually(NodeProbes.descriptors(), (now) => now <= before)
    }))

  it.live("probes of a process that does not exist are a typed error", () =>
    Effect.gen(function*() {
      for (
        const probe of [
          NodeProbes.sockets(99_999_999),
          NodeProbes.descriptors(99_999_999),
          NodeProbes.resources(-1),
          NodeProbes.descriptorLimit(99_999_999)
        ]
      ) {
        expect(yield* outcome(Effect.asVoid<unknown, NodeProbes.ProbeUnavailable, never>(probe))).toBe(
          "ProbeUnavailable"
        )
      }
    }))

  it.live(
    "a model that is asked by a language model's face leaves no socket when its layer closes under it",
    () =>
      Effect.gen(function*() {
        const provider = yield* FaultyProvider.makeProcess({ otherwise: Behavior.stall })
        const scope = yield* Scope.make()
        const context = yield* Scope.provide(Layer.build(modelLayer(provider)), scope)
        const call = yield* Effect.forkChild(
          outcome(Effect.provideContext(LanguageModel.generateText({ prompt: "x" }), context))
        )
        yield* provider.until(({ inFlight }) => inFlight === 1)
        yield* promptly("closing")(Scope.close(scope, Exit.void))
        expect(yield* Fiber.join(call)).toBe("AiError")
        yield* eventually(ours(provider.port), (sockets) => sockets.length === 0)
      }).pipe(Effect.scoped),
    25_000
  )
})
