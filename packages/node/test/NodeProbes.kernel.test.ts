import * as NodeProbes from "@clawback/node/NodeProbes"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs/promises"
import * as Net from "node:net"
import { eventually } from "./eventually.ts"
import * as Servers from "./Servers.ts"

/** The states of this process's sockets that have to do with a port. */
const statesAt = (port: number) =>
  Effect.map(NodeProbes.sockets(), (sockets) =>
    sockets
      .filter(({ localPort, remotePort }) => localPort === port || remotePort === port)
      .map(({ state }) => state)
      .toSorted())

const is = (expected: ReadonlyArray<string>) => (seen: ReadonlyArray<string>) => seen.join() === expected.join()

const connect = (port: number, options: Partial<Net.TcpNetConnectOpts> = {}) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = Net.connect({ port, host: "127.0.0.1", ...options })
      await once(socket, "connect")
      return socket
    }),
    (socket) =>
      Effect.promise(async () => {
        if (socket.closed) return
        socket.destroy()
        await once(socket, "close")
      })
  )

describe("NodeProbes.sockets", () => {
  it.effect("lists the listener and both ends of each connection, until they are closed", () =>
    Effect.gen(function*() {
      const port = yield* Effect.scoped(Effect.gen(function*() {
        const server = yield* Servers.tcp(() => {})
        assert.deepStrictEqual(yield* statesAt(server.port), ["LISTEN"])
        yield* connect(server.port)
        const open = ["ESTABLISHED", "ESTABLISHED", "LISTEN"]
        assert.deepStrictEqual(yield* eventually(statesAt(server.port), is(open)), open)
        return server.port
      }))
      assert.deepStrictEqual(yield* eventually(statesAt(port), is([])), [])
    }))

  it.effect("lists IPv6 sockets", () =>
    Effect.gen(function*() {
      const server = yield* Servers.http(() => {}, "::1")
      assert.deepStrictEqual(yield* statesAt(server.port), ["LISTEN"])
    }))

  it.effect("distinguishes a connection that only one end has closed", () =>
    Effect.gen(function*() {
      const server = yield* Servers.tcp((socket) => socket.end())
      const socket = yield* connect(server.port, { allowHalfOpen: true })
      socket.resume()
      const halfClosed = ["CLOSE_WAIT", "FIN_WAIT2", "LISTEN"]
      assert.deepStrictEqual(yield* eventually(statesAt(server.port), is(halfClosed)), halfClosed)
    }))

  it.effect("distinguishes the local port of a connection from the remote one", () =>
    Effect.gen(function*() {
      const server = yield* Servers.tcp(() => {})
      const { localPort } = yield* connect(server.port)
      const ends = Effect.map(NodeProbes.sockets(), (sockets) =>
        sockets
          .filter(({ state }) => state === "ESTABLISHED")
          .map((socket) => [socket.localPort, socket.remotePort])
          .filter((ports) => ports.includes(server.port)))
      const seen = yield* eventually(ends, ({ length }) => length === 2)
      assert.sameDeepMembers(seen, [[localPort, server.port], [server.port, localPort]])
    }))

  it.effect("lists the sockets of another process, and not as ours", () =>
    Effect.gen(function*() {
      const code = "const s = require('net').createServer().listen(0, () => console.log(s.address().port))"
      const child = yield* Effect.acquireRelease(
        Effect.sync(() => spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] })),
        (child) =>
          Effect.promise(async () => {
            child.kill("SIGKILL")
            await once(child, "exit")
          })
      )
      const [line] = yield* Effect.promise(() => once(child.stdout, "data"))
      const port = Number(String(line))
      const theirs = yield* NodeProbes.sockets(child.pid!)
      assert.deepStrictEqual(theirs.map(({ localPort, state }) => [state, localPort]), [["LISTEN", port]])
      assert.deepStrictEqual(yield* statesAt(port), [])
    }))

  it.effect("fails with ProbeUnavailable if there is no such process", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(NodeProbes.sockets(2 ** 22 + 1))
      assert.instanceOf(error, NodeProbes.ProbeUnavailable)
    }))
})

describe("NodeProbes.descriptors", () => {
  it.effect("counts each open file, and never its own descriptor", () =>
    Effect.gen(function*() {
      const before = yield* NodeProbes.descriptors()
      const files = yield* Effect.promise(() => Promise.all([1, 2, 3].map(() => Fs.open(import.meta.filename))))
      assert.strictEqual(yield* NodeProbes.descriptors(), before + 3)
      yield* Effect.promise(() => Promise.all(files.map((file) => file.close())))
      assert.strictEqual(yield* NodeProbes.descriptors(), before)
      assert.strictEqual(yield* NodeProbes.descriptors(), before)
    }))
})
