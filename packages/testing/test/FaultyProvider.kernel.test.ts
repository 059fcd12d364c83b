import * as NodeProbes from "@clawback/node/NodeProbes"
import { Behavior, FaultyProvider } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import * as Raw from "./support/rawClient.ts"

const { header } = FaultyProvider

/** Looks until it is as expected, or for 5 seconds: the kernel tells nobody when something changes. Returns the last look. */
const eventually = <A, E, R>(look: Effect.Effect<A, E, R>, isExpected: (seen: A) => boolean) =>
  TestClock.withLive(
    Effect.repeat(look, {
      until: isExpected,
      schedule: Schedule.max([Schedule.spaced("10 millis"), Schedule.recurs(500)])
    }).pipe(Effect.andThen(look))
  )

/** The states of the sockets at the server's end, by the kernel. */
const theirs = ({ pid, port }: FaultyProvider.FaultyProvider["Service"]) =>
  Effect.map(
    NodeProbes.sockets(pid),
    (sockets) =>
      sockets.filter(({ localPort, state }) => localPort === port && state !== "LISTEN").map(({ state }) => state)
  )

/** The states of this process's sockets to it. */
const ours = ({ port }: FaultyProvider.FaultyProvider["Service"]) =>
  Effect.map(
    NodeProbes.sockets(),
    (sockets) => sockets.filter(({ remotePort }) => remotePort === port).map(({ state }) => state)
  )

const are = (...expected: ReadonlyArray<string>) => (seen: ReadonlyArray<string>) => seen.join() === expected.join()

describe("FaultyProvider, as the kernel sees it", () => {
  it.effect("counts what the kernel counts", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.makeProcess()
      const clients = yield* Effect.forEach([1, 2, 3], () => Raw.send(provider.url, header(Behavior.stall)))
      assert.strictEqual((yield* provider.until(({ inFlight }) => inFlight === 3)).open, 3)
      assert.deepStrictEqual(yield* theirs(provider), ["ESTABLISHED", "ESTABLISHED", "ESTABLISHED"])
      for (const { socket } of clients) socket.destroy()
      yield* provider.until(({ open }) => open === 0)
      assert.deepStrictEqual(yield* theirs(provider), [])
    }))

  it.effect("a half-open peer ignores what is sent to it, also the FIN", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.makeProcess()
      const client = yield* Raw.send(provider.url, header(Behavior.swallow), "", { halfOpen: true })
      yield* provider.until(({ inFlight }) => inFlight === 1)
      client.socket.end("and one more thing")
      assert.deepStrictEqual(yield* eventually(ours(provider), are("FIN_WAIT2")), ["FIN_WAIT2"])
      assert.deepStrictEqual(yield* theirs(provider), ["CLOSE_WAIT"])
      assert.deepInclude(yield* provider.counts, { open: 1, inFlight: 1, aborted: 0 })
      assert.strictEqual(client.text(), "")
    }))

  it.effect("a full backlog leaves a client in SYN_SENT", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.makeProcess()
      yield* provider.listening("fullBacklog")
      yield* Raw.open(provider.url)
      assert.deepStrictEqual(yield* eventually(ours(provider), are("SYN_SENT")), ["SYN_SENT"])
    }))

  it.effect("a client that does not read stops the response", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.makeProcess()
      const client = yield* Raw.send(provider.url, header(Behavior.huge(1e9), "mine"), "", { paused: true })
      const sent = Effect.map(provider.requests, ([request]) => request?.sent ?? 0)
      const looks = Effect.all([sent, Effect.delay(sent, "50 millis")])
      const [, stopped] = yield* eventually(looks, ([before, after]) => before > 0 && after === before)
      assert.isBelow(stopped, 100e6)
      client.socket.destroy()
      yield* provider.until(({ aborted }) => aborted === 1)
    }))

  for (const tls of [false, true]) {
    it.effect(`nothing is left when its scope ends, in any state of its clients: ${tls ? "HTTPS" : "HTTP"}`, () =>
      Effect.gen(function*() {
        const before = yield* NodeProbes.descriptors()
        const port = yield* Effect.scoped(Effect.gen(function*() {
          const provider = yield* FaultyProvider.make({ tls })
          const behaviors = [
            Behavior.stall,
            Behavior.stallAfterHead,
            Behavior.swallow,
            Behavior.json("idle"),
            Behavior.huge(1e9),
            Behavior.delayed(Behavior.json("late"), "1 hour"),
            Behavior.sse(["tick"], { every: "1 minute", endless: true })
          ]
          for (const behavior of behaviors) {
            yield* Raw.send(provider.url, header(behavior), "", { paused: behavior.name === "huge" })
          }
          // One in the middle of its request, one that has sent nothing.
          const cut = yield* Raw.open(provider.url)
          cut.socket.write(Raw.request({}, "half", 1000))
          yield* Raw.open(provider.url)
          yield* provider.until(({ accepted, received }) => accepted === 9 && received === 8)
          yield* provider.listening("silent")
          yield* Raw.open(provider.url)
          yield* provider.until(({ accepted }) => accepted === 10)
          yield* provider.listening("fullBacklog")
          return provider.port
        }))
        const left = Effect.map(
          NodeProbes.sockets(),
          (sockets) => sockets.filter(({ localPort, remotePort }) => localPort === port || remotePort === port)
        )
        assert.deepStrictEqual(yield* eventually(left, ({ length }) => length === 0), [])
        assert.strictEqual(yield* eventually(NodeProbes.descriptors(), (now) => now === before), before)
        // The port is free.
        yield* FaultyProvider.make({ port })
      }))
  }

  it.effect("its process ends with its scope", () =>
    Effect.gen(function*() {
      const pid = yield* Effect.scoped(Effect.map(FaultyProvider.makeProcess(), ({ pid }) => pid))
      assert.isFalse(existsSync(`/proc/${pid}`))
    }))

  it.effect("its process ends with its parent, even if the parent is killed", () =>
    Effect.gen(function*() {
      const code = `
        import { FaultyProvider } from "@clawback/testing"
        import { Effect } from "effect"
        const program = Effect.gen(function*() {
          const { pid } = yield* FaultyProvider.makeProcess()
          console.log(pid)
          return yield* Effect.never
        })
        Effect.runFork(Effect.scoped(program))`
      const flags = ["--conditions=@clawback/source", "--input-type=module", "-e", code]
      const parent = yield* Effect.acquireRelease(
        Effect.sync(() => spawn(process.execPath, flags, { stdio: ["ignore", "pipe", "inherit"] })),
        (parent) => Effect.sync(() => parent.kill("SIGKILL"))
      )
      const [line] = yield* Effect.promise(() => once(parent.stdout, "data"))
      const pid = Number(String(line))
      assert.isTrue(existsSync(`/proc/${pid}`))
      parent.kill("SIGKILL")
      assert.isFalse(yield* eventually(Effect.sync(() => existsSync(`/proc/${pid}`)), (isThere) => !isThere))
    }), 20_000)
})
